/**
 * The processes that a test file starts, as the kernel lists them: the runner puts each file into a process group of its own, so
 * that all of them can be found, described and ended together.
 *
 *     /proc/PID/stat    number (command) state parent group …       the command may hold blanks and brackets itself
 *
 * Listing reads one small file a process of this machine: about a millisecond.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'

/** One process that has not ended. */
export interface ProcessEntry {
  readonly pid: number
  readonly group: number
  /** Its name, as the kernel has it: up to 15 characters. */
  readonly command: string
}

/** Zombies and the dead: nothing runs in them any more. */
const ENDED = new Set(['Z', 'X', 'x'])

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It has ended in the meantime.
    return ''
  }
}

/** The processes of a group that have not ended. */
export function processesOf(group: number): ProcessEntry[] {
  const entries: ProcessEntry[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = read(`/proc/${name}/stat`)
    const [state, , found] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (Number(found) !== group || ENDED.has(state as string)) continue
    entries.push({ pid: Number(name), group, command: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')) })
  }
  return entries
}

/** When a process began, as the kernel counts: with the number it names the process for good. Empty when there is none. */
export function processStart(pid: number): string {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return stat === '' || ENDED.has(fields[0] as string) ? '' : (fields[19] as string)
}

/** What the processes of a group are about: command, and for each thread its state and what it waits for in the kernel. */
export function describeProcesses(group: number): string {
  return processesOf(group)
    .map(({ pid }) => `process ${pid}: ${commandOf(pid)}\n${threadsOf(pid)}`)
    .join('\n')
}

function commandOf(pid: number): string {
  const words = read(`/proc/${pid}/cmdline`).split('\0')
  const line = words.join(' ').replaceAll(/\s+/g, ' ')
  return line.length > 300 ? `${line.slice(0, 300)} …` : line
}

function threadsOf(pid: number): string {
  let threads: string[] = []
  try {
    threads = readdirSync(`/proc/${pid}/task`)
  } catch {
    return ''
  }
  return threads
    .map((thread) => {
      const folder = `/proc/${pid}/task/${thread}`
      const stat = read(`${folder}/stat`)
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = Number(fields[11]) + Number(fields[12])
      return `  thread ${thread} ${read(`${folder}/comm`).trim()}: ${fields[0]} ${read(`${folder}/wchan`)}, ${ticks} ticks`
    })
    .join('\n')
}

/** Ends every process of a group. */
export function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // There is none left.
  }
}

/**
 * Runs one compiled test file in a process of its own and says how it ended.
 *
 * A process each, because a fault in mapped memory ends the process: then one file is named and the others still run. The
 * counts come from uvu's summary; a file that ends without one (a signal, an early exit), that ran no test, or that leaves
 * processes behind has failed.
 *
 * Nothing here measures speed. A file that does not end is stopped after `watchdogSeconds`, which is many times what the slowest
 * file takes; the report then has every process that it started, what each thread of them did, and where their JavaScript was.
 *
 *     runner ── group of the file: its process, and every process that it starts    ended together, also by Ctrl-C
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { describeProcesses, killGroup, processesOf } from './processes.ts'
import { javascriptStack } from './stacks.ts'

export interface Outcome {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  /** Why the file failed as a whole, where it is not a test in it that failed. */
  readonly reason: string | undefined
  readonly output: string
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  /** How long a file may take. @defaultValue 1800 */
  readonly watchdogSeconds?: number
  /** How long processes that a file has started may outlive it. @defaultValue 30 */
  readonly lingerSeconds?: number
}

const SECOND = 1000
/** What the kernel calls a process of Node's. */
const NODE = /^(node|MainThread|node-MainThread)$/
/** How often to look. */
const LOOK_MS = 20

/** Groups that run now. */
const groups: Set<number> = new Set()
process.on('exit', endAll)

/** Ends every process that any test file has started. */
export function endAll(): void {
  for (const group of groups) killGroup(group)
}

/**
 * What a test file finds around it: no option of the caller's that changes Node or the language of messages, files with the usual
 * permissions. `umask` is the process's own, so it is set here for the runner and its children alike.
 */
export function testEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, NODE_DEBUG, UV_THREADPOOL_SIZE, FORCE_COLOR, ...rest } = env
  return { ...rest, NO_COLOR: '1', LC_ALL: 'C' }
}

export async function runFile(file: string, options: RunOptions = {}): Promise<Outcome> {
  const { env = testEnvironment(), watchdogSeconds = 1800, lingerSeconds = 30 } = options
  const start = performance.now()
  process.umask(0o022)
  const command = ['--enable-source-maps', '--expose-gc', '--inspect-port=0', file]
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const group = child.pid as number
  groups.add(group)
  try {
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    const closed = new Promise((resolve) => child.once('close', resolve))
    const hang = await untilExit(child, watchdogSeconds)
    const left = await untilAlone(group, hang === undefined ? lingerSeconds : 0)
    killGroup(group)
    await closed
    const cause = hang === undefined ? child.signalCode : `the watchdog: no end after ${watchdogSeconds} s`
    const verdict = judge(output, child.exitCode, cause, hang === undefined ? left : '')
    return { file, seconds: (performance.now() - start) / SECOND, output: output + (hang ?? ''), ...verdict }
  } finally {
    groups.delete(group)
  }
}

/** Waits for the end of a process; kills its group when the watchdog's time is over, and then tells where each thread was. */
function untilExit(child: ChildProcess, seconds: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text: string | undefined
    const timer = setTimeout(async () => {
      text = `\n${describeProcesses(child.pid as number)}\n`
      for (const { pid, command } of processesOf(child.pid as number))
        if (NODE.test(command)) text += `JavaScript of process ${pid}:\n${await javascriptStack(pid)}\n`
      killGroup(child.pid as number)
    }, seconds * SECOND)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve(text)
    })
  })
}

/** Waits until a group is empty; describes what is left of it after so many seconds. */
async function untilAlone(group: number, seconds: number): Promise<string> {
  const end = performance.now() + seconds * SECOND
  while (processesOf(group).length > 0) {
    if (performance.now() >= end) return describeProcesses(group)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return ''
}

/** What a summary, an exit status, a signal and processes that were left say. At least one failure unless all is well. */
export function judge(
  output: string,
  status: number | null,
  cause: string | null,
  left = ''
): Pick<Outcome, 'passed' | 'failed' | 'skipped' | 'reason'> {
  // A child that a test starts may print a summary too: the last one is the file's own.
  const plain = output.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '')
  const last = [...plain.matchAll(/Total: +(\d+)\s+Passed: +(\d+)\s+Skipped: +(\d+)/g)].at(-1)
  const [total, passed, skipped] = last === undefined ? [0, 0, 0] : last.slice(1).map(Number)
  const failed = total! - passed!
  let reason: string | undefined
  if (cause !== null && last !== undefined) reason = `ended by ${cause}, after its tests: something is left open`
  else if (cause !== null) reason = `ended by ${cause}`
  else if (last === undefined) reason = `exit status ${status} without a summary (is test.run() missing?)`
  else if (total === 0 && skipped === 0) reason = 'it has no tests'
  else if (status !== 0 && failed === 0) reason = `exit status ${status} though every test passed`
  else if (left !== '') reason = `it has left processes behind:\n${left}`
  return { passed: passed!, failed: failed + (reason === undefined ? 0 : 1), skipped: skipped!, reason }
}

/**
 * The processes that a watched process has started: their memory is not in its figures. Of `npm start` they are the program that matters.
 *
 * Found by /proc/PID/task/TID/children at each sample, which takes some 20 µs a thread: one that lives shorter is missed.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { parseFields } from '../../ffi/procfs.ts'

export interface Offspring {
  readonly pid: number
  readonly command: string
  /** The most that was resident when it was looked at. */
  readonly peakBytes: number
}

const MOST = 1000

/** Adds the processes that come from `pid` to those that were seen before. */
export function lookForOffspring(pid: number, seen: Map<number, Offspring>): void {
  const found = childrenOf(pid)
  for (const child of found) {
    if (found.length > MOST || seen.size > MOST) return
    found.push(...childrenOf(child))
    const status = textOf(`/proc/${child}/status`)
    const command = /^Name:\s*(.*)$/m.exec(status)?.[1]
    if (command === undefined) continue
    const bytes = parseFields(status).get('VmRSS') ?? 0
    seen.set(child, { pid: child, command, peakBytes: Math.max(bytes, seen.get(child)?.peakBytes ?? 0) })
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      (textOf(`/proc/${pid}/task/${thread}/children`).match(/\d+/g) ?? []).map(Number)
    )
  } catch {
    return []
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/**
 * Starting the program that is watched. When it is Node, V8's figures come through a module that is loaded first (preload.ts): it is named
 * in `NODE_OPTIONS`, so other programs do not notice.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { atEnd, Failure, reasonOf } from '../failure.ts'
import type { Live } from './live.ts'
import { V8Figures } from './v8-figures.ts'

const FD = 3

export interface Program {
  readonly pid: number
  readonly v8: V8Figures
  /** Resolves when it has ended: `exit status 1`, `SIGINT`; undefined when it ended well. */
  readonly ended: Promise<string | undefined>
  signal(name: NodeJS.Signals): void
}

/** Throws a `Failure` when it cannot be started. */
export async function startProgram(words: readonly string[], intervalMs: number, live: Live): Promise<Program> {
  const [name, ...rest] = words as [string, ...string[]]
  const output = live.shown ? 'pipe' : 'inherit'
  const child = spawn(name, rest, { stdio: ['inherit', output, output, 'pipe'], env: environment(intervalMs) })
  const ended = endOf(child)
  ended.catch(() => undefined)
  try {
    await once(child, 'spawn')
  } catch (error) {
    throw new Failure(`cannot start ${name}: ${reasonOf(error)}`)
  }
  const forget = atEnd(() => child.kill('SIGKILL'))
  const v8 = new V8Figures()
  v8.follow(child.stdio[FD] as Readable)
  child.stdout?.on('data', (chunk: Uint8Array) => live.above(process.stdout, chunk))
  child.stderr?.on('data', (chunk: Uint8Array) => live.above(process.stderr, chunk))
  return {
    pid: child.pid as number,
    v8,
    ended: ended.finally(forget),
    signal: (signal) => void child.kill(signal),
  }
}

/** Waits until all that the program has said is read. Other processes may still hold its descriptors, so their end is not waited for. */
async function endOf(child: ChildProcess): Promise<string | undefined> {
  const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  await new Promise(setImmediate)
  ;(child.stdio[FD] as Readable).destroy()
  if (signal !== null) return signal
  return status === 0 ? undefined : `exit status ${status}`
}

function environment(intervalMs: number): NodeJS.ProcessEnv {
  const before = process.env.NODE_OPTIONS ?? ''
  const module = new URL('./preload.js', import.meta.url).href
  return {
    ...process.env,
    NODE_OPTIONS: `${before} --import ${module}`.trim(),
    SORITES_WATCH_FD: String(FD),
    SORITES_WATCH_MS: String(intervalMs),
    SORITES_WATCH_OPTIONS: before,
  }
}

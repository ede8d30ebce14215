/**
 * Starting the program that is watched. When it is Node, V8's figures come through a module that is loaded first (preload.ts): it is named
 * in `NODE_OPTIONS`, so other programs do not notice.
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Ending, environmentWith, Program } from '../program.ts'
import type { Live } from './live.ts'
import { V8Figures } from './v8-figures.ts'

const FD = 3
/** What the program said last is in the pipes when it ends. Longer they are not read: another process may have them, and go on. */
const LAST_WORDS_MS = 200

export interface Watched {
  readonly pid: number
  readonly v8: V8Figures
  /** Resolves when it has ended; undefined when it ended well. */
  readonly ended: Promise<Ending | undefined>
}

export interface WatchOptions {
  readonly intervalMs: number
  readonly live: Live
  /** Whether stdout is for the result alone. */
  readonly json: boolean
}

/** Throws a `Failure` when it cannot be started. `interrupted` is called at the first Ctrl-C. */
export async function startWatched(
  words: readonly string[],
  { intervalMs, live, json }: WatchOptions,
  interrupted: () => void
): Promise<Watched> {
  // Through this process where a picture is drawn, so that the picture stays below what the program prints.
  const [out, err] = live.shown ? (['pipe', 'pipe'] as const) : ([json ? 2 : 'inherit', 'inherit'] as const)
  const env = environmentWith(new URL('./preload.js', import.meta.url).href, words, {
    SORITES_WATCH_FD: String(FD),
    SORITES_WATCH_MS: String(intervalMs),
    SORITES_WATCH_PARENT: String(process.pid),
    SORITES_WATCH_OPTIONS: process.env.NODE_OPTIONS ?? '',
  })
  const program = await Program.start(words, { stdio: ['inherit', out, err, 'pipe'], env }, interrupted)
  const { child } = program
  const v8 = new V8Figures()
  v8.follow(child.stdio[FD] as Readable)
  child.stdout?.on('data', (chunk: Uint8Array) => live.above(json ? process.stderr : process.stdout, chunk))
  child.stderr?.on('data', (chunk: Uint8Array) => live.above(process.stderr, chunk))
  return { pid: program.pid, v8, ended: lastWords(program.ended, child) }
}

async function lastWords(ended: Promise<Ending | undefined>, child: ChildProcess): Promise<Ending | undefined> {
  const ending = await ended
  const pipes = [child.stdout, child.stderr].filter((pipe) => pipe !== null)
  const read = Promise.all(pipes.map((pipe) => (pipe.readableEnded ? undefined : once(pipe, 'end'))))
  if (pipes.length > 0) await Promise.race([read, sleep(LAST_WORDS_MS)])
  else await new Promise(setImmediate)
  for (const pipe of [...pipes, child.stdio[FD] as Readable]) pipe.destroy()
  return ending
}

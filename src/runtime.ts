/**
 * What is needed of the runtime besides the language, taken once, when the library is loaded, and from Node's own modules: tests put
 * fake timers and fake clocks in the place of the globals, and some environments (jsdom) have others.
 *
 *     timers      real ones, that never keep a process alive
 *     randomness  for identities
 *     process     its number and its processor: tests put others into `process`
 *     warnings    for errors in the caller's callbacks, which have no caller to go to
 *
 * Time that decides how a call ends is the kernel's: `Threads.now` (ffi/os-threads.ts).
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'

const start = setTimeout
const stop = clearTimeout
const next = setImmediate
const fill = randomFillSync
const { emitWarning } = process

/** This process, as the kernel counts. */
export const PROCESS_ID: number = process.pid
/** The processor's architecture, as in `process.arch`. */
export const ARCHITECTURE: string = process.arch

/** Calls `run` after `ms` milliseconds, once; the answer cancels it. The timer does not keep the process alive. */
export function unreferencedTimer(run: () => void, ms: number): () => void {
  const timer = start(run, ms) as { unref?(): unknown }
  // What stands in for a timer may be a number.
  timer.unref?.()
  return () => stop(timer as NodeJS.Timeout)
}

/** A promise that is resolved after so many milliseconds. It keeps the process alive. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    start(resolve, ms)
  })
}

/** A promise that is resolved when every promise that is settled now has been told, and what follows from that has run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    next(resolve)
  })
}

/** Random 32-bit words. */
export function randomWords(count: number): Uint32Array {
  return fill(new Uint32Array(count))
}

/** Messages that have been told, and how many are remembered. */
const reported: Set<string> = new Set()
const MOST_REPORTED = 100

/**
 * Tells of an error in a callback, the first time. The process goes on, and so does the step that the callback was told of.
 */
export function report(error: unknown): void {
  const message = describe(error)
  if (reported.has(message) || reported.size === MOST_REPORTED) return
  reported.add(message)
  emitWarning.call(process, `a callback threw: ${message}`, { type: 'SoritesWarning', code: 'SORITES_CALLBACK' })
}

/** What was thrown may be anything. */
function describe(error: unknown): string {
  try {
    return String(error instanceof Error ? (error.stack ?? error.message) : error)
  } catch {
    return 'something that has no text'
  }
}

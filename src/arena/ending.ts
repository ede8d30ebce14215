/**
 * The one order in which anything ends: a claim, an arena, a mapped file.
 *
 *     refuse     throws what can be refused; nothing has changed then
 *     store      what others must read once it is theirs: a header's state, a directory entry
 *     give back  the range, the claim, the addresses; the kernel may still refuse the whole of it: then `restore` takes `store` back
 *     forget     references, and telling what depends on it
 *
 * After "give back" the range may be another's: no store, no call to the kernel about it, no timer.
 *
 * The caller's own code (a timer's `cancel`, a signal) is called when all of that is done, for everything that ends together: a `step`
 * keeps what is to be called `afterwards` until the outermost step is over. What such code throws changes nothing.
 * @module
 */
import { report } from '../runtime.ts'

export interface Ending {
  refuse?(): void
  store?(): void
  restore?(): void
  giveBack(): void
  forget(): void
}

/** Ends something. `within`: what all but `forget` happens in, a lock. */
export function end(ending: Ending, within: (run: () => void) => void = (run) => run()): void {
  step(() => {
    within(() => {
      ending.refuse?.()
      try {
        ending.store?.()
        ending.giveBack()
      } catch (error) {
        ending.restore?.()
        throw error
      }
    })
    ending.forget()
  })
}

let depth = 0
const waiting: (() => void)[] = []

/** Runs `run` as one step, which may contain others. */
export function step<R>(run: () => R): R {
  enter()
  try {
    return run()
  } finally {
    leave()
  }
}

/** Whether a step is under way. */
export function inStep(): boolean {
  return depth > 0
}

/** Begins a step that `leave` ends, for where a closure would cost too much. */
export function enter(): void {
  depth++
}

export function leave(): void {
  depth--
  if (depth === 0 && waiting.length > 0) callWaiting()
}

function callWaiting(): void {
  while (depth === 0 && waiting.length > 0) told(waiting.shift() as () => void)
}

/** Calls what is the caller's code when the step is over. */
export function afterwards(run: () => void): void {
  if (depth === 0) told(run)
  else waiting.push(run)
}

/** Calls what may be the caller's code: an error in it is a warning. Whether there was none. */
export function told(run: () => void): boolean {
  try {
    run()
    return true
  } catch (error) {
    report(error)
    return false
  }
}

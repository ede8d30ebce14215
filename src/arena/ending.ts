/**
 * The one order in which claims, arenas and mapped files end.
 *
 *     refuse     throws what can be refused; nothing has changed then
 *     store      stores what others must read once they have it: a header's state, a directory entry
 *     give back  gives back the range, the claim, the addresses. When the kernel refuses all of it, `restore` takes `store` back
 *     forget     drops references, and tells what depends on it
 *
 * After "give back" the range may be in other use: there is no store to it, no call to the kernel about it, and no timer.
 *
 * Code of the caller (a timer's `cancel`, a signal's listener) is called after everything that ends together has ended: a `step` keeps
 * such calls (`afterwards`) until the outermost step is over. An error that such code throws is reported, and changes nothing.
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

/** Ends something. All but `forget` runs inside `within`, which takes a lock where there is one. */
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
  beginStep()
  try {
    return run()
  } finally {
    endStep()
  }
}

/** Whether a step is under way. */
export function inStep(): boolean {
  return depth > 0
}

/** Begins a step that `endStep` ends, for where a closure would cost too much. */
export function beginStep(): void {
  depth++
}

export function endStep(): void {
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

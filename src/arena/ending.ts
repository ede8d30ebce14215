/**
 * The one order in which anything ends: a claim, an arena, a mapped file.
 *
 *     refuse     throws what can be refused; nothing has changed then
 *     store      what others must read once it is theirs: a header's state, a directory entry
 *     give back  the range, the claim, the addresses; the kernel may still refuse the whole of it: then `restore` takes `store` back
 *     forget     references, and telling whoever must know
 *
 * After "give back" the range may be another's: no store, no call to the kernel about it, no timer. So all of the caller's own code
 * (`revoked`, a `cancel`) runs in `forget`, when the ending is complete, and what it throws changes nothing (`told`).
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
}

/** Calls what may be the caller's code, after everything: an error in it is a warning. Whether there was none. */
export function told(run: () => void): boolean {
  try {
    run()
    return true
  } catch (error) {
    report(error)
    return false
  }
}

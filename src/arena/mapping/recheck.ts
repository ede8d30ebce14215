/**
 * Checking again: what the end of another thread changes comes without a notice, so it is checked from time to time until it is done
 * with. The timer keeps no process alive, and does not run while there is nothing to check.
 *
 *     after 1 s, 2 s, 4 s, … every 32 s        and whenever `recheckNow` is called: arenas do so when one is reserved or attached to
 * @module
 */
import { unreferencedTimer } from '../../runtime.ts'

/** Milliseconds until the first check by the timer, and at most between two. */
const FIRST_MS = 1000
const MOST_MS = 32_000

/** Answers whether its matter is done with. `closely`: take the time to make sure. */
type Check = (closely: boolean) => boolean

const checks: Set<Check> = new Set()
let cancel: (() => void) | undefined
let delay = FIRST_MS

/** Runs a check from time to time until it answers true. */
export function recheck(check: Check): void {
  checks.add(check)
  delay = FIRST_MS
  cancel?.()
  arm()
}

/** Runs every check now. */
export function recheckNow(closely = false): void {
  for (const check of checks) if (check(closely)) checks.delete(check)
}

function arm(): void {
  cancel = checks.size === 0 ? undefined : unreferencedTimer(tick, delay)
}

function tick(): void {
  recheckNow(true)
  delay = Math.min(2 * delay, MOST_MS)
  arm()
}

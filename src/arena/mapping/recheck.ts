/**
 * Checking again: what the end of another thread changes comes without a notice, so it is checked from time to time until it is done
 * with. The timer keeps no process alive, and does not run while there is nothing to look at.
 *
 *     after 1 s, 2 s, 4 s, … every 32 s        and whenever `recheckNow` is called: arenas do so when one is reserved or attached to
 * @module
 */
import { unreferencedTimer } from '../../runtime.ts'

/** Milliseconds until the first look by itself, and at most between two. */
const FIRST_MS = 1000
const MOST_MS = 32_000

/** Says whether it is done with. `closely`: take the time to make sure. */
type Look = (closely: boolean) => boolean

const looks: Set<Look> = new Set()
let cancel: (() => void) | undefined
let delay = FIRST_MS

/** Looks from time to time until `look` says true. */
export function recheck(look: Look): void {
  looks.add(look)
  delay = FIRST_MS
  cancel?.()
  arm()
}

/** Looks at everything now. */
export function recheckNow(closely = false): void {
  for (const look of looks) if (look(closely)) looks.delete(look)
}

function arm(): void {
  cancel = looks.size === 0 ? undefined : unreferencedTimer(tick, delay)
}

function tick(): void {
  recheckNow(true)
  delay = Math.min(2 * delay, MOST_MS)
  arm()
}

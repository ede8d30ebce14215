/**
 * The figures of one allocator: for `stats`, for `console.log`, and the proof that they add up.
 *
 *     committed = used + free slots + free dirty + metadata           each figure = its sum over the size classes
 *
 * Cost: what the allocator's own figures cost; `classes` and `resident` walk.
 * @module
 */
import type { Claim } from '../../arena/claim.ts'
import { CorruptedError } from '../../errors.ts'
import type { Facts } from '../../inspection.ts'
import type { AllocatorStats, StatsOptions } from '../contract.ts'
import { checkStatsOptions } from '../options.ts'
import type { Kind } from './header.ts'
import type { Hooks } from './hooks.ts'

/** The allocator whose figures these are. */
export interface FiguresHome {
  readonly kind: Kind
  readonly claim: Claim
  readonly hooks: Hooks
  readonly isClosed: boolean
  readonly isReader: boolean
  assertOpen(): void
}

export class Figures {
  readonly #home: FiguresHome

  constructor(home: FiguresHome) {
    this.#home = home
  }

  stats(options?: StatsOptions): AllocatorStats {
    const { hooks, claim } = this.#home
    this.#home.assertOpen()
    if (options === undefined) return hooks.totals()
    const { classes, resident } = checkStatsOptions(options)
    return { ...hooks.totals(), ...(resident && claim.resident()), ...(classes && { classes: hooks.sizeClasses() }) }
  }

  /** What `console.log` shows. */
  facts(): Facts {
    const { isClosed, isReader, claim, hooks } = this.#home
    const { offset, byteLength } = claim
    if (isClosed) return { state: 'closed', offset, byteLength }
    const { usedBytes, committedBytes } = hooks.glance()
    return { state: isReader ? 'open, read-only' : 'open', offset, byteLength, usedBytes, committedBytes }
  }

  /** Throws unless the figures are what they say they are. */
  check(): void {
    const { kind, hooks } = this.#home
    const totals = hooks.totals()
    const sum = totals.usedBytes + totals.freeSlotBytes + totals.freeDirtyBytes + totals.metadataBytes
    if (totals.committedBytes !== sum)
      throw new CorruptedError(`${kind}: ${totals.committedBytes} bytes committed, the parts add up to ${sum}`)
    const classes = hooks.sizeClasses()
    if (classes.length === 0) return
    for (const name of ['usedCount', 'usedBytes', 'freeSlotBytes'] as const) {
      const all = classes.reduce((total, one) => total + one[name], 0)
      if (all !== totals[name])
        throw new CorruptedError(`${kind}: ${name} is ${totals[name]}, the classes add up to ${all}`)
    }
  }
}

/**
 * What the heap around it gives to a concurrent heap's space: its arena's inside, its claim, the limit, and what is told of a step. An
 * interface alone.
 * @module
 */
import type { Claim } from '../../../arena/claim.ts'
import type { ArenaInside } from '../../../arena/inside.ts'
import type { Shard } from '../shard/shard.ts'

export interface SpaceHost {
  readonly inside: ArenaInside
  readonly claim: Claim
  readonly pageSize: number
  readonly limit: number
  /** The home has changed; undefined: there is none. */
  homeChanged(home: Shard | undefined): void
  zero(offset: number, byteLength: number): void
  /** Notes pages that came or went. True: a subscriber wants to know when the step is over. */
  grew(byteLength: number): boolean
  gave(byteLength: number): boolean
  tellPages(): void
  onFreed(): void
  onSlabSwitched(): void
}

/**
 * The search for room: which shard a request gets a block from.
 *
 *     a request     home -> other shards of ours -> what others have freed in them -> a shard without an owner, or a free one
 *                        -> a block cut from another's shard, as its guest
 *     above a shard a run of free shards                                                                        (big-blocks.ts)
 *
 * One of a peer's shards is its *home*: slots and spans come from there as long as there is room. A request that finds none changes nothing, but
 * that what others have freed was collected. Cost: that of the shard where there is room; a search through all takes microseconds.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { CLASS_OF, CLASS_SIZE, Size } from '../../heap/size-classes.ts'
import { At, ClassWord, Window } from '../../heap/words.ts'
import type { Peers } from '../peers.ts'
import type { Shard } from '../shard/shard.ts'
import { takeSlot } from '../steps.ts'
import { ShardState } from '../words.ts'
import type { BigBlocks } from './big-blocks.ts'
import type { Entries } from './entries.ts'
import type { SpaceHost } from './host.ts'
import type { Shards } from './shards.ts'

/** What is asked for. */
interface Request {
  readonly length: number
  readonly alignment: number
  readonly zero: boolean
  /** The class whose slots are long enough and aligned, or -1. */
  readonly sizeClass: number
}

/** What the search goes through. */
export interface RoomParts {
  readonly host: SpaceHost
  readonly entries: Entries
  readonly peers: Peers
  readonly shards: Shards
  readonly big: BigBlocks
}

export class Room {
  readonly #host: SpaceHost
  readonly #entries: Entries
  readonly #peers: Peers
  readonly #shards: Shards
  readonly #big: BigBlocks
  #home: Shard | undefined
  #former: Shard | undefined

  constructor({ host, entries, peers, shards, big }: RoomParts) {
    this.#host = host
    this.#entries = entries
    this.#peers = peers
    this.#shards = shards
    this.#big = big
  }

  // ---- the home ----

  get home(): Shard | undefined {
    return this.#home
  }

  /** Makes a shard of ours the home; undefined: there is none. */
  setHome(shard: Shard | undefined): void {
    this.#home = shard
    if (shard !== undefined) this.#former = shard
    this.#host.homeChanged(shard)
  }

  /** The metadata is gone: there is no home, and nothing is said of it. */
  forget(): void {
    this.#home = undefined
  }

  /** Finds a home where there is none; false when none can be had. */
  ensureHome(): boolean {
    if (this.#home !== undefined) return true
    const shards = this.#shards
    // The one that was home before, if it can be had: V8 takes the home for a constant as long as it stays the same.
    const shard = shards.owned()[0] ?? this.#formerHome() ?? shards.adoptAny() ?? shards.takeFree(0)
    if (shard !== undefined) this.setHome(shard)
    return shard !== undefined
  }

  /** The last home, where it is free or has no owner. */
  #formerHome(): Shard | undefined {
    const former = this.#former
    if (former === undefined) return undefined
    if (this.#entries.state(former.number) !== ShardState.USED) return this.#shards.takeFree(0, 8, former.number)
    return former.owner === 0 && this.#shards.adopt(former) ? former : undefined
  }

  /** Leaves all shards for others: empty ones are free, the rest have no owner. */
  rest(): void {
    this.setHome(undefined)
    for (const shard of this.#shards.owned()) {
      shard.tidy()
      if (!this.#shards.giveBack(shard)) this.#shards.leaveTidy(shard)
    }
  }

  // ---- a block ----

  /** A block; 0 when there is no room. */
  allocate(length: number, alignment: number, zero: boolean): number {
    const request = { length, alignment, zero, sizeClass: classFor(length, alignment) }
    if (this.ensureHome()) {
      const offset = this.#from(this.#home as Shard, request)
      if (offset !== 0) return offset
      for (const shard of this.#shards.owned()) {
        const found = shard === this.#home ? 0 : this.#fromNewHome(shard, request)
        if (found !== 0) return found
      }
    }
    return this.#search(request)
  }

  /** A block of a shard of ours. */
  #from(shard: Shard, { length, alignment, zero, sizeClass }: Request): number {
    if (sizeClass < 0) {
      const span = shard.cut(wholeLength(length), alignment, zero)
      return span === 0 ? 0 : shard.index.offset(span)
    }
    const { m } = shard
    const state = At.CLASSES + sizeClass * ClassWord.WORDS
    for (;;) {
      const word = m[state + ClassWord.WORD]
      const place = takeSlot(m, word, shard.layout.remote)
      if (place < 0) {
        if (shard.space.refill(state) === 0) return 0
        continue
      }
      const offset =
        m[state + ClassWord.WINDOW] * Window.BYTES +
        (m[state + ClassWord.ORIGIN] & Window.INSIDE) +
        place * m[state + ClassWord.SIZE]
      if (zero) this.#host.zero(offset, alignUp(length, 8))
      return offset
    }
  }

  /** A block of a shard of ours, which becomes the home when it has one. */
  #fromNewHome(shard: Shard, request: Request): number {
    const found = this.#from(shard, request)
    if (found !== 0) this.setHome(shard)
    return found
  }

  /** Where our shards have no room as they are. */
  #search(request: Request): number {
    const { unit } = this.#entries.layout
    const whole = wholeLength(request.length)
    if (whole > this.#host.claim.byteLength) return 0
    for (const shard of this.#shards.owned()) {
      shard.collectAll()
      const found = this.#fromNewHome(shard, request)
      if (found !== 0) return found
    }
    const found = whole <= unit ? this.#another(whole, request) : 0
    if (found !== 0) return found
    if (whole > unit / 2) {
      this.#big.freeLostParts()
      const big = this.#big.take(whole, request.alignment) || this.#emptied(whole, request.alignment)
      if (big !== 0) return big
    }
    return whole <= unit ? this.#asGuest(whole, request) : 0
  }

  /** From a shard that has no owner, or from a free one. One that is of no use is left as it was. */
  #another(whole: number, request: Request): number {
    const shards = this.#shards
    this.#peers.locked(() => this.#peers.buryDead())
    for (const shard of shards.used()) {
      if (shard.owner !== 0 || !shards.adopt(shard)) continue
      shard.collectAll()
      const found = this.#fromNewHome(shard, request)
      if (found !== 0) return found
      shards.leave(shard)
    }
    const free = shards.takeFree(whole, request.alignment)
    if (free === undefined) return 0
    const found = this.#fromNewHome(free, request)
    if (found === 0) shards.giveBack(free)
    return found
  }

  /** A big block where shards of ours that are empty are in the way. */
  #emptied(whole: number, alignment: number): number {
    const empty = this.#shards.owned().filter((shard) => {
      shard.within(() => {
        shard.space.releaseEmpty()
        shard.space.releaseKept()
      })
      return shard.isEmpty
    })
    const emptied = empty.reduce((bytes, { space }) => bytes + space.committedBytes, 0)
    if (empty.length === 0 || this.#shards.committed.bytes - emptied + whole > this.#host.limit) return 0
    if (!this.#big.wouldFit(whole, alignment, new Set(empty.map(({ number }) => number)))) return 0
    for (const shard of empty) {
      if (shard === this.#home) this.setHome(undefined)
      this.#shards.giveBack(shard)
    }
    return this.#big.take(whole, alignment)
  }

  /** A span cut from a shard that another owns. */
  #asGuest(whole: number, { alignment, zero }: Request): number {
    for (const shard of this.#shards.used()) {
      if (shard.owned) continue
      const offset = shard.within(() => {
        if (this.#entries.state(shard.number) !== ShardState.USED || shard.isBroken) return 0
        const span = shard.cut(whole, alignment, zero)
        return span === 0 ? 0 : shard.index.offset(span)
      })
      if (offset !== 0) return offset
    }
    return 0
  }
}

/** Bytes of the span for a request. */
function wholeLength(length: number): number {
  return Math.max(8, alignUp(length, 8))
}

function classFor(length: number, alignment: number): number {
  const padded = alignment <= 8 ? length : alignUp(Math.max(length, 1), alignment)
  if (padded > Size.SMALL_MAX || alignment > Size.TILE) return -1
  const sizeClass = CLASS_OF[(padded + 7) >>> 3] as number
  return alignment <= 8 || (CLASS_SIZE[sizeClass] as number) % alignment === 0 ? sizeClass : -1
}

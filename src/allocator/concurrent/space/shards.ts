/**
 * The shards as objects, and how they change hands.
 *
 *     free  -- takeFree -->  ours  -- leave -->  without an owner  -- adopt -->  ours
 *     ours, empty  -- giveBack -->  free: memory and tables read zero again
 *
 *     ours = shards whose OWNER is this peer's number;  a shard without an owner is at rest: nothing of it is kept or current
 *
 * An object is made when its shard is first looked at. Cost: taking a free shard 10 us, adopting one 1 us; giving one back two calls of the
 * kernel.
 * @module
 */
import { float64sIn, int32sIn } from '../../../arena/buffer-range.ts'
import { alignDown, alignUp } from '../../../bits.ts'
import { clearWords } from '../../heap/claim-memory.ts'
import { At } from '../../heap/words.ts'
import type { Peers } from '../peers.ts'
import type { SharedPins } from '../pins.ts'
import { Shard } from '../shard/shard.ts'
import type { ShardTables } from '../shard/shard-index.ts'
import type { ShardParts } from '../shard/shard-space.ts'
import { adopt, handOut } from '../steps.ts'
import { Common, type ShardLayout, ShardState, ShardWord } from '../words.ts'
import { Committed } from './committed.ts'
import type { Entries } from './entries.ts'
import type { SpaceHost } from './host.ts'

const PAGES_OF_NEW_SHARD = 8

export class Shards {
  readonly committed: Committed
  readonly #host: SpaceHost
  readonly #entries: Entries
  readonly #peers: Peers
  readonly #made: (Shard | undefined)[] = []

  constructor(host: SpaceHost, entries: Entries, peers: Peers, pins: SharedPins) {
    this.#host = host
    this.#entries = entries
    this.#peers = peers
    const numbers = float64sIn(host.claim.metadata, 0, Common.PEERS / 2)
    this.committed = new Committed(entries, pins, numbers, host.limit, (index) => this.at(index))
  }

  at(index: number): Shard {
    const known = this.#made[index]
    if (known !== undefined) return known
    const layout = this.#entries.shardLayout(index)
    const limited = this.#host.limit !== Number.POSITIVE_INFINITY
    const shard = new Shard(index, this.#partsOf(index, layout), this.#peers, limited)
    while (this.#made.length < index) this.#made.push(undefined)
    this.#made[index] = shard
    return shard
  }

  #partsOf(index: number, layout: ShardLayout): ShardParts {
    const { claim, pageSize, zero, grew, gave, tellPages, onFreed, onSlabSwitched } = this.#host
    const tables = this.#tablesOf(index, layout)
    const { base } = layout
    const purgeWords = (from: number, to: number): void => claim.purgeMetadata(base + from * 4, (to - from) * 4)
    return {
      tables,
      memory: {
        purge: (at, length) => {
          claim.purge(at, length)
          return gave(length)
        },
        grew,
        zero,
        clearWords: (from, to) => clearWords(tables.words, from, to, pageSize / 4, purgeWords),
        purgeWords,
      },
      listener: { onFreed, onSlabSwitched, tellPages },
    }
  }

  #tablesOf(index: number, layout: ShardLayout): ShardTables {
    const { claim, pageSize, limit } = this.#host
    const { base, offset, byteLength } = layout
    const shards = this
    return {
      words: int32sIn(claim.metadata, base, layout.words),
      numbers: float64sIn(claim.metadata, base, At.KEPT_END / 2),
      layout,
      offset,
      byteLength,
      pageSize,
      /** What the others have committed is not there for this one. */
      get limit() {
        // While the shard is being made the only question is whether there is a limit.
        const shard = shards.#made[index]
        return limit === Number.POSITIVE_INFINITY || shard === undefined
          ? limit
          : limit - shards.committed.bytesWithout(shard)
      },
    }
  }

  /** The shards in use, of all owners and of none. */
  used(): Shard[] {
    const used: Shard[] = []
    for (let index = 0; index < this.#entries.count; index++)
      if (this.#entries.state(index) === ShardState.USED) used.push(this.at(index))
    return used
  }

  owned(): Shard[] {
    return this.#made.filter((shard) => shard?.owned) as Shard[]
  }

  // ---- to this peer ----

  /** Makes a free shard ours; undefined when there is none, or the limit forbids it. `most`: bytes that are about to be committed in it. */
  takeFree(most: number, alignment = 8, only = -1): Shard | undefined {
    const entries = this.#entries
    return this.#peers.locked(() => {
      if (this.committed.bytes + most + PAGES_OF_NEW_SHARD * this.#host.pageSize > this.#host.limit) return undefined
      for (let index = 0; index < entries.count; index++) {
        if (entries.state(index) !== ShardState.FREE || (only >= 0 && index !== only)) continue
        const { offset, byteLength } = entries.shardLayout(index)
        if (alignUp(Math.max(offset, 8), alignment) + most > offset + byteLength) continue
        return this.#begin(this.at(index))
      }
      return undefined
    })
  }

  #begin(shard: Shard): Shard {
    const { number: index, layout, space } = shard
    const everUsed = this.#entries.everUsed(index)
    shard.begin()
    // A free of what was handed out in its last life is still told from one of what never was.
    if (everUsed > 0) space.tables.numbers[At.HIGHEST_END >> 1] = layout.offset + everUsed
    handOut(
      this.#entries.all,
      (layout.base >>> 2) + ShardWord.OWNER,
      this.#entries.at(index),
      this.#peers.me,
      ShardState.USED
    )
    shard.owned = true
    return shard
  }

  /** Makes any shard that has no owner ours. */
  adoptAny(): Shard | undefined {
    return this.used().find((shard) => shard.owner === 0 && this.adopt(shard))
  }

  /** Makes a shard ours that has no owner; false when it has one. */
  adopt(shard: Shard): boolean {
    return shard.within(() => {
      if (this.#entries.state(shard.number) !== ShardState.USED || !adopt(shard.m, ShardWord.OWNER, this.#peers.me))
        return false
      shard.owned = true
      return true
    })
  }

  // ---- to others ----

  /** Leaves a shard of ours to others, tidy. */
  leave(shard: Shard): void {
    shard.tidy()
    this.leaveTidy(shard)
  }

  leaveTidy(shard: Shard): void {
    shard.owned = false
    Atomics.store(shard.m, ShardWord.OWNER, 0)
  }

  /** Gives an empty shard of ours back: its memory and its tables read zero. */
  giveBack(shard: Shard): boolean {
    return shard.within(() =>
      this.#peers.locked(() => {
        const { m, space, number: index, layout } = shard
        if (!shard.owned || !shard.isEmpty || this.#entries.isPinned(index)) return false
        this.committed.notePeak(this.committed.bytesWithout(shard) + space.peakBytes)
        space.purge(Number.POSITIVE_INFINITY)
        const everUsed = space.everUsedEnd - layout.offset
        if (space.pages.bits.committed !== 0) this.#host.claim.clear(layout.offset, layout.byteLength)
        this.#entries.noteEverUsed(index, Math.max(0, everUsed))
        shard.owned = false
        space.empty()
        m.fill(0, layout.pageBits, layout.pageBits + Math.ceil(layout.pageCount / 32))
        m[At.COMMITTED] = 0
        m[At.PEAK] = 0
        space.tables.numbers[At.PEAK_BYTES >> 1] = 0
        m[At.PAGE_TOP] = 0
        m[ShardWord.OWNER] = 0
        // They read zero already.
        this.#giveTablesBack(layout)
        this.#entries.setState(index, ShardState.FREE)
        return true
      })
    )
  }

  /**
   * Makes all tables of a shard that is not in use read zero, as is relied on when it is taken. Its first page stays: to fault it in again would
   * cost the next attach more than all the rest.
   */
  clearTables(layout: ShardLayout): void {
    const { first, purged, end } = this.#giveTablesBack(layout)
    this.#clearBytes(layout.base, first)
    this.#clearBytes(purged, end)
  }

  /**
   * Gives the pages `[first, purged)` of a shard's tables back: all but the first, where its lock is, and but what the last one shares with the
   * metadata's end.
   */
  #giveTablesBack({ base, words }: ShardLayout): { first: number; purged: number; end: number } {
    const { claim, pageSize } = this.#host
    const last = alignUp(base + words * 4, pageSize)
    const first = Math.min(base + pageSize, last)
    const end = Math.min(last, claim.metadata.byteLength)
    try {
      if (end > first) claim.purgeMetadata(first, end - first)
      return { first, purged: Math.max(alignDown(end, pageSize), first), end }
    } catch {
      // What the kernel will not take back stays.
      return { first, purged: first, end }
    }
  }

  /** Makes bytes of the metadata read zero. It looks first, since a store would take a page. */
  #clearBytes(from: number, end: number): void {
    const { all } = this.#entries
    for (let at = from >>> 2; at < end >>> 2; at++) if (all[at] !== 0) all[at] = 0
  }
}

/**
 * All of a concurrent heap as one peer has it: which shards there are and whose, big blocks, the limit, and the search for room.
 *
 *     a request     home -> other shards of ours -> what others have freed in them -> a free shard, or one without an owner
 *                        -> a block cut from another's shard, as its guest
 *     above a shard a run of free shards, in which the block begins at the first place with the alignment
 *
 * One of a peer's shards is its *home*: slots and spans come from there as long as there is room. A request that finds none changes nothing, but
 * that what others have freed was collected.
 *
 * Longer than other files: the one place where shards change hands.
 * @module
 */
import { float64sIn, int32sIn } from '../../arena/buffer-range.ts'
import type { Claim } from '../../arena/claim.ts'
import type { ArenaInside } from '../../arena/inside.ts'
import { alignDown, alignUp } from '../../bits.ts'
import { DoubleFreeError, InvalidFreeError } from '../../errors.ts'
import { blockAround, blockAt } from '../heap/find-block.ts'
import { CLASS_OF, CLASS_SIZE, Size } from '../heap/size-classes.ts'
import { At, ClassWord, SlabWord, SpanTag, SpanWord, Window } from '../heap/words.ts'
import { Peers } from './peers.ts'
import { SharedPins } from './pins.ts'
import { Shard } from './shard.ts'
import type { ShardTables } from './shard-index.ts'
import type { ShardParts } from './shard-space.ts'
import { adopt, freeOwnSpan, handOut, isLiveSlot, remoteAt, takeSlot } from './steps.ts'
import { Common, type ConcurrentLayout, concurrentLayout, Entry, Own, type ShardLayout, State } from './words.ts'

/** What the heap around it gives. */
export interface SpaceHost {
  readonly inside: ArenaInside
  readonly claim: Claim
  readonly pageSize: number
  readonly limit: number
  /** The home has changed; undefined: there is none. */
  aim(home: Shard | undefined): void
  zero(offset: number, byteLength: number): void
  /** Notes pages that came or went. True: a subscriber wants to know when the step is over. */
  grew(byteLength: number): boolean
  gave(byteLength: number): boolean
  tellPages(): void
  onFreed(): void
  onSlabSwitched(): void
}

/** A block that is longer than a shard. */
export interface BigBlock {
  readonly index: number
  readonly offset: number
  readonly byteLength: number
}

const PAGES_OF_NEW_SHARD = 8
/** Bytes that are given back under one lock. */
const PURGE_AT_ONCE = 2 ** 22

export class Space {
  readonly layout: ConcurrentLayout
  readonly peers: Peers
  readonly pins: SharedPins
  /** All of the metadata. */
  readonly all: Int32Array
  readonly #host: SpaceHost
  readonly #numbers: Float64Array
  readonly #shards: (Shard | undefined)[] = []
  home: Shard | undefined
  #last: Shard | undefined

  constructor(host: SpaceHost) {
    const { claim, inside, pageSize } = host
    this.#host = host
    this.layout = concurrentLayout(claim.offset, claim.byteLength, pageSize)
    this.all = int32sIn(claim.metadata)
    this.#numbers = float64sIn(claim.metadata, 0, Common.PEERS / 2)
    this.pins = new SharedPins(claim.metadata, this.layout)
    this.peers = new Peers(inside, claim.metadata, this.layout, (peer) => this.pins.removeAll(peer))
  }

  // ---- shards ----

  get count(): number {
    return this.layout.shards.length
  }

  get claim(): Claim {
    return this.#host.claim
  }

  shard(index: number): Shard {
    const known = this.#shards[index]
    if (known !== undefined) return known
    const layout = this.layout.shards[index] as ShardLayout
    const limited = this.#host.limit !== Number.POSITIVE_INFINITY
    const shard = new Shard(index, this.#partsOf(index, layout), this.peers, limited)
    while (this.#shards.length < index) this.#shards.push(undefined)
    this.#shards[index] = shard
    return shard
  }

  #partsOf(index: number, layout: ShardLayout): ShardParts {
    const { claim, pageSize, zero, grew, gave, tellPages, onFreed, onSlabSwitched } = this.#host
    const tables = this.#tablesOf(index, layout)
    const { base } = layout
    return {
      tables,
      memory: {
        purge: (at, length) => {
          claim.purge(at, length)
          return gave(length)
        },
        grew,
        zero,
        clearWords: (from, to) => clearWords(claim, tables.words, base, pageSize / 4, from, to),
        purgeWords: (from, to) => claim.purgeMetadata(base + from * 4, (to - from) * 4),
      },
      listener: { onFreed, onSlabSwitched, tellPages },
    }
  }

  #tablesOf(index: number, layout: ShardLayout): ShardTables {
    const { claim, pageSize, limit } = this.#host
    const { base, offset, byteLength } = layout
    const space = this
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
        const shard = space.#shards[index]
        return limit === Number.POSITIVE_INFINITY || shard === undefined ? limit : limit - space.#committedBut(shard)
      },
    }
  }

  /** The index of the shard that an offset lies in; -1 when it lies in none. */
  indexOf(offset: number): number {
    if (!Number.isInteger(offset)) return -1
    const { claim } = this.#host
    if (offset < claim.offset || offset >= claim.offset + claim.byteLength) return -1
    return Math.floor(offset / this.layout.unit) - this.layout.first
  }

  state(index: number): number {
    return this.all[this.#entry(index) + Entry.STATE]
  }

  #entry(index: number): number {
    return Common.SHARDS + index * Common.SHARD_WORDS
  }

  #setState(index: number, state: State): void {
    Atomics.store(this.all, this.#entry(index) + Entry.STATE, state)
  }

  /** The shards in use, of all owners and of none. */
  used(): Shard[] {
    const used: Shard[] = []
    for (let index = 0; index < this.count; index++) if (this.state(index) === State.USED) used.push(this.shard(index))
    return used
  }

  owned(): Shard[] {
    return this.#shards.filter((shard) => shard?.owned) as Shard[]
  }

  #go(shard: Shard | undefined): void {
    this.home = shard
    if (shard !== undefined) this.#last = shard
    this.#host.aim(shard)
  }

  /** Of a free shard: up to here it was handed out in a life before, in bytes from its first. */
  everUsed(index: number): number {
    return (this.all[this.#entry(index) + Entry.LENGTH] >>> 0) * 8
  }

  /** Makes a free shard ours; undefined when there is none, or the limit forbids it. `most`: bytes that are about to be committed in it. */
  #takeFree(most: number, alignment = 8, only = -1): Shard | undefined {
    return this.peers.locked(() => {
      if (this.committedBytes() + most + PAGES_OF_NEW_SHARD * this.#host.pageSize > this.#host.limit) return undefined
      for (let index = 0; index < this.count; index++) {
        if (this.state(index) !== State.FREE || (only >= 0 && index !== only)) continue
        const shard = this.shard(index)
        const { offset, byteLength } = shard.layout
        if (alignUp(Math.max(offset, 8), alignment) + most > offset + byteLength) continue
        const highest = this.everUsed(index)
        shard.begin()
        this.#keepHighest(shard, highest)
        const at = shard.layout.base >>> 2
        handOut(this.all, at + Own.OWNER, this.#entry(index) + Entry.STATE, this.peers.me, State.USED)
        shard.owned = true
        return shard
      }
      return undefined
    })
  }

  /** A free of what was handed out in a shard's last life is still told from one of what never was. */
  #keepHighest(shard: Shard, bytes: number): void {
    if (bytes > 0) shard.space.tables.numbers[At.HIGHEST_END >> 1] = shard.layout.offset + bytes
  }

  /** Makes a shard that has no owner ours. */
  #adopt(): Shard | undefined {
    for (const shard of this.used()) {
      if (shard.owner !== 0) continue
      if (this.adoptShard(shard)) return shard
    }
    return undefined
  }

  adoptShard(shard: Shard): boolean {
    return shard.within(() => {
      if (this.state(shard.number) !== State.USED || !adopt(shard.m, Own.OWNER, this.peers.me)) return false
      shard.owned = true
      return true
    })
  }

  /** A home, where there is none; false when none can be had. */
  settle(): boolean {
    if (this.home !== undefined) return true
    // The one that was home before, if it can be had: V8 takes the home for a constant as long as it stays the same.
    const shard = this.owned()[0] ?? this.#again() ?? this.#adopt() ?? this.#takeFree(0)
    if (shard !== undefined) this.#go(shard)
    return shard !== undefined
  }

  /** The last home, where it is free or has no owner. */
  #again(): Shard | undefined {
    const last = this.#last
    if (last === undefined) return undefined
    if (this.state(last.number) === State.USED) return last.owner === 0 && this.adoptShard(last) ? last : undefined
    return this.#takeFree(0, 8, last.number)
  }

  /** Gives an empty shard of ours back: its memory and its tables read zero. */
  giveBack(shard: Shard): boolean {
    return shard.within(() =>
      this.peers.locked(() => {
        const { m, space, number: index, layout } = shard
        if (!shard.owned || !shard.isEmpty || this.#isPinned(index)) return false
        this.#notePeak(this.#committedBut(shard) + space.peakBytes)
        space.purge(Number.POSITIVE_INFINITY)
        const highest = space.everUsedEnd - layout.offset
        if (space.pages.bits.committed !== 0) this.#clear(layout.offset, layout.byteLength)
        this.all[this.#entry(index) + Entry.LENGTH] = Math.max(0, highest) / 8
        shard.owned = false
        space.empty()
        m.fill(0, layout.dirty, layout.dirty + Math.ceil(layout.pageCount / 32))
        m[At.COMMITTED] = 0
        m[At.PEAK] = 0
        space.tables.numbers[At.PEAK_BYTES >> 1] = 0
        m[At.PAGE_TOP] = 0
        m[Own.OWNER] = 0
        this.#giveTablesBack(layout)
        this.#setState(index, State.FREE)
        return true
      })
    )
  }

  /** Makes all tables of a shard that is not in use read zero, as is relied on when it is taken. Pages that go back take no memory then. */
  clearTables({ base, words }: ShardLayout): void {
    const { claim, pageSize } = this.#host
    // A page that is the last one's alone goes with it.
    const end = Math.min(alignUp(base + words * 4, pageSize), claim.metadata.byteLength)
    let left = alignDown(end, pageSize)
    try {
      claim.purgeMetadata(base, end - base)
    } catch {
      // What the kernel will not take back is looked at.
      left = base
    }
    for (let at = left >>> 2; at < end >>> 2; at++) if (this.all[at] !== 0) this.all[at] = 0
  }

  /** All pages of a shard's tables but the first, where its lock is. They read zero already. */
  #giveTablesBack({ base, words }: ShardLayout): void {
    const { claim, pageSize } = this.#host
    try {
      if (words * 4 > pageSize) claim.purgeMetadata(base + pageSize, words * 4 - pageSize)
    } catch {
      // What the kernel will not take back stays.
    }
  }

  #isPinned(index: number): boolean {
    return this.all[((this.layout.shards[index] as ShardLayout).base >>> 2) + Own.PINNED] !== 0
  }

  #clear(offset: number, byteLength: number): void {
    this.#host.claim.clear(offset, byteLength)
  }

  /** Leaves all shards for others: empty ones are free, the rest have no owner. */
  rest(): void {
    this.#go(undefined)
    for (const shard of this.owned()) {
      shard.tidy()
      if (this.giveBack(shard)) continue
      shard.owned = false
      Atomics.store(shard.m, Own.OWNER, 0)
    }
  }

  // ---- figures for the limit ----

  committedOf(shard: Shard): number {
    return shard.space.committedBytes
  }

  /** Committed bytes of all, metadata included. */
  committedBytes(): number {
    let bytes = this.metadataBytes()
    for (let index = 0; index < this.count; index++) {
      const state = this.state(index)
      if (state === State.USED) bytes += this.committedOf(this.shard(index))
      else if (state === State.BIG) bytes += this.bigCommitted(this.bigAt(index))
    }
    return bytes
  }

  /** At most so many bytes were ever committed at a time: the peaks of shards need not have been at the same time. */
  get peakBytes(): number {
    let peaks = this.metadataBytes()
    for (let index = 0; index < this.count; index++) {
      const state = this.state(index)
      if (state === State.USED)
        peaks += Math.max(this.shard(index).space.peakBytes, this.committedOf(this.shard(index)))
      else if (state === State.BIG) peaks += this.bigCommitted(this.bigAt(index))
    }
    return Math.min(Math.max(peaks, this.#numbers[Common.PEAK / 2] as number), this.#host.limit)
  }

  #notePeak(bytes: number): void {
    const peak = this.#numbers
    if (bytes > (peak[Common.PEAK / 2] as number)) peak[Common.PEAK / 2] = bytes
  }

  #committedBut(shard: Shard): number {
    return this.committedBytes() - (this.state(shard.number) === State.USED ? this.committedOf(shard) : 0)
  }

  /** Bytes of the common part that have been written. */
  metadataBytes(): number {
    const { pageSize } = this.#host
    const pins = alignUp((Common.PINS + this.pins.top * Common.PIN_WORDS) * 4, pageSize)
    const roots = this.all[At.ROOT_TOP] * 72
    const rootsFrom = Math.floor((this.layout.roots * 4) / pageSize) * pageSize
    const rootsBytes = roots === 0 ? 0 : alignUp(this.layout.roots * 4 + roots, pageSize) - Math.max(rootsFrom, pins)
    // The words of a big block's shard that say whether it is pinned.
    let big = 0
    for (let index = 0; index < this.count; index++)
      if (this.state(index) === State.BIG && this.#isPinned(index)) big += pageSize
    return pins + Math.max(0, rootsBytes) + big
  }

  /** The peak as the common part has it. */
  get peakSaid(): number {
    return this.#numbers[Common.PEAK / 2] as number
  }

  /** More than this can never be committed. */
  get bytesMost(): number {
    return this.claim.byteLength + this.layout.byteLength + 2 * this.#host.pageSize
  }

  // ---- big blocks ----

  bigAt(index: number): BigBlock {
    const entry = this.#entry(index)
    const { all, layout } = this
    const byteLength = ((all[entry + Entry.LENGTH] >>> 0) + (all[entry + Entry.HIGH] >>> 0) * 2 ** 32) * 8
    return {
      index,
      offset: (layout.shards[index] as ShardLayout).offset + (all[entry + Entry.START] >>> 0) * 8,
      byteLength,
    }
  }

  bigCommitted({ offset, byteLength }: BigBlock): number {
    const { pageSize, claim } = this.#host
    const first = Math.max(Math.floor(offset / pageSize) * pageSize, claim.offset)
    const end = Math.min(alignUp(offset + byteLength, pageSize), claim.offset + claim.byteLength)
    return end - first
  }

  /** The big block that an offset lies in, or undefined. */
  bigAround(offset: number): BigBlock | undefined {
    let index = this.indexOf(offset)
    while (index > 0 && this.state(index) === State.PART) index--
    if (index < 0 || this.state(index) !== State.BIG) return undefined
    const block = this.bigAt(index)
    return offset >= block.offset && offset < block.offset + block.byteLength ? block : undefined
  }

  /** A block above the length of a shard, or that no shard has room for; 0 when there is no run of free ones. Its bytes read zero. */
  takeBig(length: number, alignment: number): number {
    return this.peers.locked(() => {
      for (let index = this.count - 1; index >= 0; index--) {
        const block = this.#runFrom(index, length, alignment)
        if (block === undefined) continue
        if (this.committedBytes() + this.bigCommitted(block) > this.#host.limit) return 0
        const entry = this.#entry(index)
        const units = length / 8
        this.all[entry + Entry.LENGTH] = (units % 2 ** 32) | 0
        this.all[entry + Entry.HIGH] = Math.floor(units / 2 ** 32)
        this.all[entry + Entry.START] = (block.offset - (this.layout.shards[index] as ShardLayout).offset) / 8
        for (let part = this.indexOf(block.offset + length - 1); part > index; part--) this.#setState(part, State.PART)
        this.#setState(index, State.BIG)
        this.#host.grew(this.bigCommitted(block))
        this.#notePeak(this.committedBytes())
        return block.offset
      }
      return 0
    })
  }

  #runFrom(index: number, length: number, alignment: number): BigBlock | undefined {
    const { layout, count } = this
    const shard = layout.shards[index] as ShardLayout
    if (this.state(index) !== State.FREE) return undefined
    const offset = alignUp(Math.max(shard.offset, 8), alignment)
    const end = offset + length
    const { claim } = this.#host
    if (offset >= shard.offset + shard.byteLength || end > claim.offset + claim.byteLength) return undefined
    if (length <= Window.BYTES && Math.floor(offset / Window.BYTES) !== Math.floor((end - 1) / Window.BYTES))
      return undefined
    for (let part = index + 1; part < count && (layout.shards[part] as ShardLayout).offset < end; part++)
      if (this.state(part) !== State.FREE) return undefined
    return { index, offset, byteLength: length }
  }

  /** Frees a big block. Parts of a run without a beginning, which a peer that died left, are freed as well. */
  freeBig(block: BigBlock): void {
    this.peers.locked(() => {
      const { pageSize, claim } = this.#host
      const first = Math.max(Math.floor(block.offset / pageSize) * pageSize, claim.offset)
      // First it is no block any more; its parts are used by no request until they are free.
      const { all } = this
      const entry = this.#entry(block.index)
      Atomics.store(all, entry + Entry.STATE, State.PART)
      this.#clear(first, this.bigCommitted(block))
      this.#host.gave(this.bigCommitted(block))
      const last = this.indexOf(block.offset + block.byteLength - 1)
      for (let part = block.index; part <= last; part++) {
        const { offset, byteLength } = this.layout.shards[part] as ShardLayout
        all[this.#entry(part) + Entry.LENGTH] = Math.min(block.offset + block.byteLength - offset, byteLength) / 8
        this.#setState(part, State.FREE)
      }
    })
  }

  /** Frees parts of runs that do not begin: what a peer left that died in `takeBig` or `freeBig`. */
  freeLostParts(): void {
    this.peers.locked(() => {
      let end = 0
      for (let index = 0; index < this.count; index++) {
        const { offset, byteLength } = this.layout.shards[index] as ShardLayout
        const state = this.state(index)
        if (state === State.BIG) {
          const block = this.bigAt(index)
          end = block.offset + block.byteLength
        } else if (state === State.PART && offset >= end) {
          this.#clear(offset, byteLength)
          this.all[this.#entry(index) + Entry.LENGTH] = 0
          this.#setState(index, State.FREE)
        }
      }
    })
  }

  // ---- allocating ----

  /** A block; 0 when there is no room. */
  allocate(length: number, alignment: number, zero: boolean): number {
    const sizeClass = this.#classFor(length, alignment)
    if (this.settle()) {
      const offset = this.#from(this.home as Shard, length, alignment, zero, sizeClass)
      if (offset !== 0) return offset
      for (const shard of this.owned()) {
        if (shard === this.home) continue
        const found = this.#from(shard, length, alignment, zero, sizeClass)
        if (found === 0) continue
        this.#go(shard)
        return found
      }
    }
    return this.#search(length, alignment, zero, sizeClass)
  }

  /** The class whose slots are long enough and aligned, or -1. */
  #classFor(length: number, alignment: number): number {
    const padded = alignment <= 8 ? length : alignUp(Math.max(length, 1), alignment)
    if (padded > Size.SMALL_MAX || alignment > Size.TILE) return -1
    const sizeClass = CLASS_OF[(padded + 7) >>> 3] as number
    return alignment <= 8 || classSize(sizeClass) % alignment === 0 ? sizeClass : -1
  }

  /** A block of a shard of ours. */
  #from(shard: Shard, length: number, alignment: number, zero: boolean, sizeClass: number): number {
    if (sizeClass < 0) {
      const span = shard.cut(Math.max(8, alignUp(length, 8)), alignment, zero)
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

  /** Where our shards have no room. */
  #search(length: number, alignment: number, zero: boolean, sizeClass: number): number {
    const whole = Math.max(8, alignUp(length, 8))
    if (whole > this.#host.claim.byteLength) return 0
    for (const shard of this.owned()) {
      shard.collectAll()
      const found = this.#from(shard, length, alignment, zero, sizeClass)
      if (found === 0) continue
      this.#go(shard)
      return found
    }
    if (whole <= this.layout.unit) {
      const found = this.#another(whole, length, alignment, zero, sizeClass)
      if (found !== 0) return found
    }
    if (whole > this.layout.unit / 2) {
      this.freeLostParts()
      const big = this.takeBig(whole, alignment) || this.#emptied(whole, alignment)
      if (big !== 0) return big
    }
    return whole <= this.layout.unit ? this.#asGuest(whole, alignment, zero) : 0
  }

  /** From a shard that has no owner, or from a free one. One that is of no use is left as it was. */
  #another(whole: number, length: number, alignment: number, zero: boolean, sizeClass: number): number {
    this.peers.locked(() => this.peers.buryDead())
    for (const shard of this.used()) {
      if (shard.owner !== 0 || !this.adoptShard(shard)) continue
      shard.collectAll()
      const found = this.#from(shard, length, alignment, zero, sizeClass)
      if (found !== 0) {
        this.#go(shard)
        return found
      }
      this.leaveShard(shard)
    }
    const free = this.#takeFree(whole, alignment)
    if (free === undefined) return 0
    const found = this.#from(free, length, alignment, zero, sizeClass)
    if (found === 0) this.giveBack(free)
    else this.#go(free)
    return found
  }

  /** Leaves a shard of ours to others. */
  leaveShard(shard: Shard): void {
    shard.tidy()
    shard.owned = false
    Atomics.store(shard.m, Own.OWNER, 0)
  }

  /** A big block where shards of ours that are empty are in the way. */
  #emptied(whole: number, alignment: number): number {
    const empty = this.owned().filter((shard) => {
      shard.within(() => {
        shard.space.retire()
        shard.space.dropKept()
      })
      return shard.isEmpty
    })
    if (empty.length === 0 || !this.#wouldFit(whole, alignment, new Set(empty.map(({ number }) => number)))) return 0
    for (const shard of empty) {
      if (shard === this.home) this.#go(undefined)
      this.giveBack(shard)
    }
    return this.takeBig(whole, alignment)
  }

  /** Whether a run would be free if these shards were. */
  #wouldFit(whole: number, alignment: number, empty: ReadonlySet<number>): boolean {
    const { layout, count } = this
    const { claim, limit } = this.#host
    let committed = this.metadataBytes()
    for (let index = 0; index < count; index++) {
      if (this.state(index) === State.BIG) committed += this.bigCommitted(this.bigAt(index))
      if (this.state(index) === State.USED && !empty.has(index)) committed += this.committedOf(this.shard(index))
    }
    if (committed + whole > limit) return false
    const free = (index: number): boolean => this.state(index) === State.FREE || empty.has(index)
    for (let index = 0; index < count; index++) {
      const offset = alignUp(Math.max((layout.shards[index] as ShardLayout).offset, 8), alignment)
      const end = offset + whole
      if (this.indexOf(offset) !== index || end > claim.offset + claim.byteLength) continue
      if (whole <= Window.BYTES && Math.floor(offset / Window.BYTES) !== Math.floor((end - 1) / Window.BYTES)) continue
      let part = index
      while (part < count && (layout.shards[part] as ShardLayout).offset < end && free(part)) part++
      if (part === count || (layout.shards[part] as ShardLayout).offset >= end) return true
    }
    return false
  }

  /** A span cut from a shard that another owns. */
  #asGuest(whole: number, alignment: number, zero: boolean): number {
    for (const shard of this.used()) {
      if (shard.owned) continue
      const offset = shard.within(() => {
        if (this.state(shard.number) !== State.USED || shard.isBroken) return 0
        const span = shard.cut(whole, alignment, zero)
        return span === 0 ? 0 : shard.index.offset(span)
      })
      if (offset !== 0) return offset
    }
    return 0
  }

  // ---- blocks that are there ----

  /** Frees a block that is not in the home, or not seen to be live there. Throws ERR_DOUBLE_FREE or ERR_INVALID_FREE. */
  free(offset: number): void {
    const index = this.indexOf(offset)
    if (index < 0) throw notHere(offset)
    const state = this.state(index)
    if (state === State.BIG || state === State.PART) {
      this.#freeBigAt(offset)
      return
    }
    if (state === State.FREE) throw this.#neverOrFreed(index, offset)
    const shard = this.shard(index)
    if (shard.m[Own.PINNED] !== 0) this.#assertUnpinned(offset)
    if (shard.owned ? this.#freeOwned(shard, offset) : shard.freeByOther(offset)) return
    this.#freeUnderLock(shard, offset)
  }

  #freeOwned(shard: Shard, offset: number): boolean {
    const { m, slabs, index, layout } = shard
    const tileAt = At.TILES + Math.floor(offset / Size.TILE) - layout.firstTile
    const entry = m[tileAt]
    if (entry > 0) {
      const product = Math.imul(((offset | 0) - m[entry + SlabWord.BASE]) >> 3, m[entry + SlabWord.RECIPROCAL])
      const slot = product >>> 20
      if (((product & Size.NOT_A_START) | (offset & 7)) !== 0 || slot >= slabs.slots(entry)) return false
      if (!isLiveSlot(m, entry, slot, layout.remote)) return false
      if (slabs.free(entry, slot)) shard.space.settle(entry)
      return true
    }
    if (entry === 0 || offset % 8 !== 0) return false
    const span = index.startingAt(-entry, offset & Window.INSIDE)
    if (span === 0 || index.kind(span) !== SpanTag.LIVE || index.offset(span) !== offset) return false
    if (!freeOwnSpan(m, span)) return false
    shard.giveKept(span)
    return true
  }

  /** Why a block is not seen to be live, or that it is, under the lock. */
  #freeUnderLock(shard: Shard, offset: number): void {
    shard.within(() => {
      if (this.state(shard.number) !== State.USED) throw this.#neverOrFreed(shard.number, offset)
      for (let tries = 3; tries > 0; tries--) {
        if (shard.isBroken && !shard.owned) return this.#freeInRecords(shard, offset)
        // Throws when it is not live.
        const found = blockAt(shard.seen, offset)
        if (found < 0 && shard.index.kind(-found) === SpanTag.HUGE) return shard.space.releaseHuge(-found)
        if (shard.owned ? this.#freeOwned(shard, offset) : shard.freeByOther(offset)) return
      }
      throw new DoubleFreeError(`the block at ${offset} was freed by another at the same moment`)
    })
  }

  /** In tables that their owner has still to rebuild: tiles and links are not relied on, so the owner collects it without. */
  #freeInRecords(shard: Shard, offset: number): void {
    const found = shard.findInRecords(offset)
    if (found === undefined) throw new InvalidFreeError(`${offset} is not the start of a live block of Heap`)
    const { m, layout, index } = shard
    if (found.slot < 0) {
      if (index.kind(found.span) === SpanTag.LIVE) Atomics.or(m, found.span + 7, 1)
      else m[found.span + SpanWord.TAG] += SpanTag.PART - SpanTag.HUGE
      return
    }
    const word = found.slab + SlabWord.BITS + (found.slot >>> 5)
    Atomics.or(m, remoteAt(word, layout.remote, found.slot), SlabWord.FIRST_BIT >>> found.slot)
  }

  #freeBigAt(offset: number): void {
    this.peers.locked(() => {
      const block = this.bigAround(offset)
      if (block === undefined) throw this.#neverOrFreed(this.indexOf(offset), offset)
      if (block.offset !== offset) throw new InvalidFreeError(`${offset} lies inside a block`)
      this.#assertUnpinned(offset)
      this.freeBig(block)
    })
  }

  #assertUnpinned(offset: number): void {
    const peer = this.pins.pinnedBy(offset)
    if (peer === 0 || (!this.peers.isThere(peer) && this.peers.buryIfDead(peer))) return
    this.pins.assertFree(offset, this.sizeAt(offset))
  }

  /** Throws when a block is pinned by a peer that is there. */
  assertUnpinned(offset: number): void {
    const index = this.indexOf(offset)
    if (index >= 0 && this.#isPinned(index)) this.#assertUnpinned(offset)
  }

  #neverOrFreed(index: number, offset: number): Error {
    if (offset % 8 !== 0) return new InvalidFreeError(`${offset} is not a multiple of 8: no block starts there`)
    const { offset: start } = this.layout.shards[index] as ShardLayout
    const highest = this.state(index) === State.FREE ? this.everUsed(index) : 0
    return offset < start + highest
      ? new DoubleFreeError(`the block at ${offset} has already been freed`)
      : new InvalidFreeError(`no block was ever handed out at ${offset}`)
  }

  /** Usable bytes of the live block that starts at an offset; throws as `free` does. */
  sizeAt(offset: number): number {
    const index = this.indexOf(offset)
    if (index < 0) throw notHere(offset)
    const state = this.state(index)
    if (state === State.BIG || state === State.PART)
      return this.peers.locked(() => {
        const block = this.bigAround(offset)
        if (block === undefined) throw this.#neverOrFreed(index, offset)
        if (block.offset !== offset) throw new InvalidFreeError(`${offset} lies inside a block`)
        return block.byteLength
      })
    if (state === State.FREE) throw this.#neverOrFreed(index, offset)
    const shard = this.shard(index)
    const seen = shard.sizeSeen(offset)
    if (seen > 0) return seen
    return shard.within(() => {
      if (this.state(index) !== State.USED) throw this.#neverOrFreed(index, offset)
      if (shard.isBroken && !shard.owned) {
        const found = shard.findInRecords(offset)
        if (found === undefined) throw new InvalidFreeError(`${offset} is not the start of a live block of Heap`)
        return found.slot < 0 ? shard.index.length(found.span) : shard.slabs.slotSize(found.slab)
      }
      const found = blockAt(shard.seen, offset)
      return found > 0 ? shard.slabs.slotSize(found) : shard.index.length(-found)
    })
  }

  /** The live block that wholly contains a range, or undefined. */
  blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    const index = this.indexOf(offset)
    if (index < 0 || this.state(index) === State.FREE) return undefined
    if (this.state(index) !== State.USED) {
      const big = this.bigAround(offset)
      return big && offset + byteLength <= big.offset + big.byteLength ? big : undefined
    }
    const shard = this.shard(index)
    return shard.within(() =>
      this.state(index) === State.USED ? blockAround(shard.seen, offset, byteLength) : undefined
    )
  }

  /** Gives a live span another length where it is. Only of a shard of ours. */
  resize(offset: number, byteLength: number): boolean {
    const index = this.indexOf(offset)
    if (this.state(index) !== State.USED) {
      const { byteLength: usable } = this.bigAt(index)
      return byteLength <= usable && byteLength > usable / 2
    }
    const shard = this.shard(index)
    if (!shard.owned) {
      const usable = this.sizeAt(offset)
      return byteLength <= usable && byteLength >= usable - (usable >>> 2)
    }
    return shard.within(() => {
      const found = blockAt(shard.seen, offset)
      if (found > 0) {
        const usable = shard.slabs.slotSize(found)
        return byteLength <= usable && byteLength >= usable - (usable >>> 2)
      }
      if (byteLength <= Size.SMALL_MAX) return false
      if (shard.index.kind(-found) === SpanTag.HUGE) {
        const usable = shard.index.length(-found)
        return byteLength <= usable && byteLength > usable / 2
      }
      return byteLength <= Window.BYTES && shard.space.resize(-found, alignUp(byteLength, 8))
    })
  }

  // ---- the whole ----

  /** Gives free pages back, of every shard: as the owner where this peer owns it or it has no owner, else without what its owner keeps. */
  purge(most: number): number {
    const before = this.committedBytes()
    let left = most
    for (const shard of this.used()) {
      if (left <= 0) break
      const ours = shard.owned
      const mine = ours || (shard.owner === 0 && this.adoptShard(shard))
      if (mine) {
        shard.collectAll()
        shard.within(() => shard.space.retire())
      }
      // In parts, so that no peer waits long for the lock.
      for (let given = 1; given > 0 && left > 0; left -= given)
        given = shard.within(() => (shard.isBroken ? 0 : shard.space.purge(Math.min(left, PURGE_AT_ONCE))))
      if (!ours && mine) {
        shard.tidy()
        if (!this.giveBack(shard)) this.leaveShard(shard)
      } else if (mine && shard.isEmpty) {
        shard.tidy()
        if (shard === this.home) this.#go(undefined)
        if (!this.giveBack(shard)) this.#go(shard)
      }
    }
    return before - this.committedBytes()
  }

  /** Frees every block: this peer is the only one. */
  dropAll(): void {
    this.#go(undefined)
    for (let index = 0; index < this.count; index++) {
      if (this.state(index) === State.BIG) this.freeBig(this.bigAt(index))
    }
    this.freeLostParts()
    for (const shard of this.used()) {
      if (!shard.owned && !this.adoptShard(shard)) continue
      shard.within(() => {
        // Spans first: without a span there is no block, whatever else is left undone.
        shard.space.reset()
      })
      this.giveBack(shard)
    }
  }
}

function notHere(offset: number): InvalidFreeError {
  return new InvalidFreeError(`${offset} is not an offset in this heap`)
}

function classSize(sizeClass: number): number {
  return CLASS_SIZE[sizeClass] as number
}

/** Makes words of a shard read zero: long tables by giving their pages back, the rest by filling. */
function clearWords(claim: Claim, m: Int32Array, base: number, pageWords: number, from: number, to: number): void {
  const first = Math.ceil(from / pageWords) * pageWords
  const last = Math.floor(to / pageWords) * pageWords
  if (to - from < SHRINK_LEAST || last <= first) {
    m.fill(0, from, to)
    return
  }
  try {
    claim.purgeMetadata(base + first * 4, (last - first) * 4)
  } catch {
    m.fill(0, first, last)
  }
  m.fill(0, from, first)
  m.fill(0, last, to)
}

const SHRINK_LEAST = 16384

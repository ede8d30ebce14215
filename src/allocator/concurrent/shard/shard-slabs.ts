/**
 * The slabs of a shard: those of a plain heap (heap/slabs.ts), with remote bits beside each record.
 *
 *     collect    remote bits of one slab become free bits; it is counted, listed or given up as if the owner had freed them
 *
 * The owner alone changes records and lists. Making a slab and giving one up takes the shard's lock, for spans and tiles; when the tables had to
 * be rebuilt then, all lists are new, and there is nothing left to give up. Cost: 4 to 5 ns a collected block.
 * @module
 */
import { lowestBit, popCount } from '../../../bits.ts'
import { Size } from '../../heap/size-classes.ts'
import { Slabs } from '../../heap/slabs.ts'
import { At, ClassWord, SlabWord } from '../../heap/words.ts'
import { collectHalf, Half, remoteBits, renewSlab } from '../steps.ts'
import { HALF, ShardWord } from '../words.ts'
import type { ShardIndex, ShardLock, ShardTables } from './shard-index.ts'

export class ShardSlabs extends Slabs {
  readonly #m: Int32Array
  readonly #index: ShardIndex
  readonly #first: number
  readonly #end: number
  readonly #remote: number
  readonly #shard: ShardLock

  constructor({ words, layout }: ShardTables, index: ShardIndex, shard: ShardLock) {
    super(index)
    this.#m = words
    this.#index = index
    this.#first = layout.slabs
    this.#end = layout.slabsEnd
    this.#remote = layout.remote
    this.#shard = shard
  }

  protected override collects(slab: number): boolean {
    const m = this.#m
    const first = slab + this.#remote
    const end = first + ((this.slots(slab) + 31) >>> 5)
    for (let at = first; at < end; at++) if (remoteBits(m, at) !== 0) return this.collect(slab) > 0
    return false
  }

  /** Takes what others have freed in a slab; says how many slots are free now that were not. */
  collect(slab: number): number {
    const m = this.#m
    const freed = this.takeRemote(slab)
    if (freed === 0 || this.isCurrent(slab)) return freed
    const left = m[slab + SlabWord.COUNTS] - freed * SlabWord.ONE_FREE
    m[slab + SlabWord.COUNTS] = left
    if (left < SlabWord.ONE_FREE) this.#shard.settleAnew(slab)
    return freed
  }

  /** The same without a look at counts and lists, which are made anew afterwards. */
  takeRemote(slab: number): number {
    const m = this.#m
    const slots = m[slab + SlabWord.SLOTS] & SlabWord.NUMBER
    const at = slab + this.#remote
    let freed = 0
    let known = 0
    for (let index = 0; index << 5 < slots; index++) {
      if (remoteBits(m, at + index) === 0) continue
      const word = slab + SlabWord.BITS + index
      const found = collectHalf(m, at + index, word, Half.UPPER) | collectHalf(m, at + HALF + index, word, Half.LOWER)
      if (found === 0) continue
      freed += popCount(found)
      known = (index << 5) + 32 - lowestBit(found)
    }
    if (freed > 0) this.know(slab, known)
    return freed
  }

  /** Collects every slab of the shard. */
  collectAll(): void {
    for (let slab = this.#first, { end } = this; slab < end; slab += SlabWord.WORDS)
      if (this.isTaken(slab)) this.collects(slab)
  }

  /** Takes what others have freed in all slabs, before lists and counts are made anew. */
  takeAllRemote(): void {
    for (let slab = this.#first, { end } = this; slab < end; slab += SlabWord.WORDS)
      if (this.isTaken(slab)) this.takeRemote(slab)
  }

  /** Where the records end that were ever used. */
  get end(): number {
    return Math.min(Math.max(this.#m[At.SLAB_TOP], this.#first), this.#end)
  }

  /** Whether a record is a slab's. */
  isTaken(slab: number): boolean {
    return this.isRecord(slab) && this.#index.isSlab(this.#m[slab + SlabWord.SPAN], slab)
  }

  override releaseEmpty(release: (span: number) => void): boolean {
    const m = this.#m
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += ClassWord.WORDS) {
      const current = m[state + ClassWord.CURRENT]
      if (current !== 0 && this.isRecord(current)) this.collects(current)
    }
    return super.releaseEmpty(release)
  }

  protected override written(slab: number): void {
    const m = this.#m
    m[ShardWord.LATE] += renewSlab(m, slab + this.#remote, m[slab + SlabWord.SLOTS] & SlabWord.NUMBER)
  }

  protected override releaseSlab(slab: number): number {
    const rebuilt = this.#shard.lock()
    try {
      return rebuilt ? 0 : super.releaseSlab(slab)
    } finally {
      this.#shard.unlock()
    }
  }
}

/** The slabs of a shard as its figures and errors see them: what others have freed is free. */
export class SeenSlabs extends Slabs {
  readonly #m: Int32Array
  readonly #remote: number

  constructor({ words, layout }: ShardTables, index: ShardIndex) {
    super(index)
    this.#m = words
    this.#remote = layout.remote
  }

  /** The free bits of a word of a slab. */
  #bits(slab: number, word: number): number {
    const m = this.#m
    return m[slab + SlabWord.BITS + word] | remoteBits(m, slab + this.#remote + word)
  }

  override used(slab: number): number {
    const slots = this.slots(slab)
    let free = 0
    for (let word = 0; word << 5 < slots; word++) free += popCount(this.#bits(slab, word))
    return slots - free
  }

  override live(slab: number, slot: number): boolean {
    return super.live(slab, slot) && (this.#bits(slab, slot >>> 5) & (SlabWord.FIRST_BIT >>> slot)) === 0
  }

  override everUsed(slab: number, slot: number): boolean {
    const bit = SlabWord.FIRST_BIT >>> slot
    // Freed by another, or so by the owner.
    return (
      (this.#bits(slab, slot >>> 5) & ~this.#m[slab + SlabWord.BITS + (slot >>> 5)] & bit) !== 0 ||
      super.everUsed(slab, slot)
    )
  }

  override *liveSlots(slab: number): Generator<{ offset: number; byteLength: number }> {
    this.sound(slab, this.#m[slab + SlabWord.CLASS])
    const byteLength = this.slotSize(slab)
    const start = this.firstSlot(slab)
    const slots = this.slots(slab)
    const free = Array.from({ length: Size.SLAB_WORDS }, (_, word) => this.#bits(slab, word))
    for (let slot = 0; slot < slots; slot++)
      if (((free[slot >>> 5] as number) & (SlabWord.FIRST_BIT >>> slot)) === 0)
        yield { offset: start + slot * byteLength, byteLength }
  }
}

/**
 * The slabs of a heap: spans cut into equal slots, one bit a slot, one 64-byte record a slab.
 *
 *     record   | base | inverse | slots | class | counts | next | span | previous | 8 words of free bits |
 *     slab     | rest | slot 0 | slot 1 | … | slot n-1 |          slot i is free: bit 31 - i % 32 of word i / 32 is 1
 *
 *     base + slots * size = the slab's end;  rest < size
 *
 * `malloc` takes the lowest free slot of one word of its class's current slab; `free` sets a bit. `malloc` keeps no count: a word that runs
 * out of bits is the sign to look around (bitmap runs are PMDK's idea, the countdown ours). The rest lies in front, so that no offset in the
 * slab leads to a slot that does not exist, and the highest bit stands for the lowest slot, so that `Math.clz32` alone finds it.
 *
 * Since the lowest free slot is always taken, the slots that were ever in use are a prefix of the slab. `known` is a bound of that prefix,
 * all slots once the slab has been full. A free of a live slot above it raises it first. So a slot that was freed is told from one that
 * was never handed out.
 *
 *     a slab is current in its class (previous = -2), full and in no list (-1), or in the list of partial ones
 *     a slab without live slots is current or released
 *
 * Cost: 64 bytes a slab of 4 to 32 KiB; nothing is written into slots.
 *
 * Longer than other files: all that changes a slab's record is here, where its invariant is.
 * @module
 */
import { popCount } from '../../bits.ts'
import { CorruptedError } from '../../errors.ts'
import { CLASS_COUNT, CLASS_INVERSE, CLASS_SHIFT, CLASS_SIZE, Size } from './size-classes.ts'
import type { SpanIndex } from './spans/span-index.ts'
import { At, ClassWord, SlabWord, SpanTag, SpanWord, Window } from './words.ts'

/** Values of the word `previous` of a slab that is in no list. */
const FULL = -1
const CURRENT = -2
/** Behind the states of the classes that there are. */
const CLASSES_USED_END: number = At.CLASSES + CLASS_COUNT * ClassWord.WORDS
/** The countdown of a current slab: renewed when 65,536 frees have used it up. */
const NEVER = 1 << 16

/**
 * How many slots of a full slab must be freed before it is looked at again: an eighth of them (snmalloc's sleeping slabs). A program that
 * frees here and there would otherwise touch two lists in each call: among ten million live blocks a pair of random calls took 812 instructions
 * with 1 slot of 32, 445 with 1 of 8, and among a thousand 451 and 352. The peak of the traces rises by 0.2 %.
 */
function restOf(slots: number): number {
  return 1 + (slots >>> 3)
}

/** The slot that starts at an offset (of which the low 32 bits count), in a slab that may have it: a number above all slots when none does. */
export function slotOf(m: Int32Array, slab: number, offset: number): number {
  const product = Math.imul(offset - m[slab + SlabWord.BASE], m[slab + SlabWord.INVERSE])
  const shift = m[slab + SlabWord.COUNTS] & SlabWord.SHIFT
  return ((product >>> shift) | (product << (32 - shift))) >>> 0
}

export class Slabs {
  readonly #m: Int32Array
  readonly #index: SpanIndex
  /** The first slab record, and the end of their table. */
  readonly #least: number
  readonly #most: number
  #emptied: (span: number) => void = () => undefined

  constructor(index: SpanIndex) {
    this.#m = index.tables.words
    this.#index = index
    this.#least = index.tables.layout.slabs
    this.#most = index.tables.layout.slabsEnd
  }

  /** `take` is given the span of each slab that stands empty after a free: tagged as kept. */
  whenEmptied(take: (span: number) => void): void {
    this.#emptied = take
  }

  /** The state of a heap without slabs. `clear` makes the words of a range read zero. */
  reset(clear: (from: number, to: number) => void): void {
    const m = this.#m
    const least = this.#least
    this.#resetClasses()
    clear(least, Math.min(Math.max(m[At.SLAB_TOP], least), this.#most))
    m[At.SLAB_TOP] = least
    m[At.SLAB_SPARE] = 0
  }

  /** The lists and counts of the slabs in these spans, made anew from their bits; slabs without live slots give their spans up. */
  rebuild(spans: readonly number[], release: (span: number) => void): void {
    const m = this.#m
    const least = this.#least
    this.#resetClasses()
    const taken = new Set(spans.map((span) => this.#index.slabOf(span)))
    m[At.SLAB_SPARE] = 0
    m[At.SLAB_TOP] = least
    for (const slab of taken) if (slab + SlabWord.WORDS > m[At.SLAB_TOP]) m[At.SLAB_TOP] = slab + SlabWord.WORDS
    for (let slab = m[At.SLAB_TOP] - SlabWord.WORDS; slab >= least; slab -= SlabWord.WORDS)
      if (!taken.has(slab)) this.#giveRecord(slab)
    for (const slab of taken) {
      m[m[slab + SlabWord.CLASS] + ClassWord.SLABS]++
      const span = this.park(slab)
      if (span !== 0) release(span)
    }
  }

  /** The states of classes without slabs. */
  #resetClasses(): void {
    const m = this.#m
    m.fill(0, At.CLASSES, At.CLASSES_END)
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += ClassWord.WORDS) {
      m[state + ClassWord.WORD] = At.ZERO
      m[state + ClassWord.SIZE] = CLASS_SIZE[(state - At.CLASSES) / ClassWord.WORDS] ?? 0
    }
  }

  /** Leaves every class without a current slab: each slab counts its frees, and none stands empty. */
  parkAll(release: (span: number) => void): void {
    const m = this.#m
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += ClassWord.WORDS) {
      const slab = m[state + ClassWord.CURRENT]
      if (slab === 0) continue
      this.sound(slab, state)
      this.#clearCurrent(state)
      const span = this.park(slab)
      if (span !== 0) release(span)
    }
  }

  /** Puts a slab where its bits say that it belongs when it is not current. The span of an empty one, which is given up; else 0. */
  park(slab: number): number {
    const m = this.#m
    const slots = this.slots(slab)
    const used = this.used(slab)
    if (used === 0) return this.releaseSlab(slab)
    if (slots - used < restOf(slots)) {
      m[slab + SlabWord.PREVIOUS] = FULL
      this.#count(slab, restOf(slots) - (slots - used))
    } else {
      this.#count(slab, used)
      this.#enlist(slab)
    }
    return 0
  }

  /** The next word with free slots in the current slab of a class. 0 when there is none: the class has no current slab then. */
  nextWord(state: number): number {
    const m = this.#m
    const current = m[state + ClassWord.CURRENT]
    if (current === 0) return 0
    this.#known(current, state)
    const first = current + SlabWord.BITS
    const end = first + Math.min(((m[current + SlabWord.SLOTS] & SlabWord.NUMBER) + 31) >>> 5, Size.SLAB_WORDS)
    let word = first
    while (word < end && m[word] === 0) word++
    if (word === end) return this.#exhausted(state, current)
    // 32 slots lie between one word's first slot and the next one's.
    m[state + ClassWord.ORIGIN] += Math.imul((word - m[state + ClassWord.WORD]) << 5, m[state + ClassWord.SIZE])
    m[state + ClassWord.WORD] = word
    this.know(current, (word - first) << 5)
    return word
  }

  /** Leaves a class without its current slab, which has no free slot, unless others have freed some in it. */
  #exhausted(state: number, current: number): number {
    const m = this.#m
    if (this.collects(current)) return this.nextWord(state)
    const slots = m[current + SlabWord.SLOTS] & SlabWord.NUMBER
    m[current + SlabWord.PREVIOUS] = FULL
    this.know(current, slots)
    this.#count(current, restOf(slots))
    this.#clearCurrent(state)
    return 0
  }

  /** Whether a slab without free slots has some after all: of a heap that others use as well, what they have freed. */
  protected collects(_slab: number): boolean {
    return false
  }

  /** Makes the first slab in a class's list the current one. Its word with free slots; 0 when the list is empty. */
  nextPartial(state: number): number {
    const m = this.#m
    const slab = m[state + ClassWord.PARTIAL]
    if (slab === 0) return 0
    const next = m[this.#known(slab, state) + SlabWord.NEXT]
    m[state + ClassWord.PARTIAL] = next
    if (next !== 0) {
      if (m[next + SlabWord.PREVIOUS] !== slab) throw this.corrupted(next)
      m[next + SlabWord.PREVIOUS] = 0
    }
    return this.#makeCurrent(slab, state)
  }

  /** Makes a slab current that is in no list. Its first word with free slots. */
  #makeCurrent(slab: number, state: number): number {
    const m = this.#m
    m[slab + SlabWord.PREVIOUS] = CURRENT
    this.#count(slab, NEVER)
    m[state + ClassWord.CURRENT] = slab
    let word = slab + SlabWord.BITS
    const end = word + Size.SLAB_WORDS
    while (word < end && m[word] === 0) word++
    if (word === end) throw this.corrupted(slab)
    this.#aim(state, slab, word)
    return word
  }

  /**
   * Called by the free that brings a slab's countdown to zero. A full slab counts the frees until it goes into its class's list again.
   * A slab in that list counts its live slots: it stands empty, and gives its span up. The current slab gets here once in 65,536 frees, and
   * starts to count anew.
   */
  settle(slab: number): void {
    const m = this.#m
    this.#known(slab, m[slab + SlabWord.CLASS])
    const previous = m[slab + SlabWord.PREVIOUS]
    if (previous === CURRENT) {
      this.#count(slab, NEVER)
      return
    }
    if (previous === FULL) {
      const slots = this.slots(slab)
      const used = slots - restOf(slots)
      if (used > 0) {
        this.#count(slab, used)
        this.#enlist(slab)
        return
      }
    } else this.#unlist(slab)
    const span = this.releaseSlab(slab)
    if (span !== 0) this.#emptied(span)
  }

  /** As `settle`, for a slab whose countdown has passed zero: where it belongs is found from its bits. */
  settleAnew(slab: number): number {
    const previous = this.#m[slab + SlabWord.PREVIOUS]
    if (previous === CURRENT) {
      this.#count(slab, NEVER)
      return 0
    }
    if (previous >= 0) this.#unlist(slab)
    return this.park(slab)
  }

  #knownSlots(slab: number): number {
    return (this.#m[slab + SlabWord.COUNTS] >>> SlabWord.KNOWN_BITS) & SlabWord.NUMBER
  }

  /** Sets the countdown. */
  #count(slab: number, frees: number): void {
    const m = this.#m
    m[slab + SlabWord.COUNTS] =
      (frees << SlabWord.COUNTDOWN_BITS) | (m[slab + SlabWord.COUNTS] & (SlabWord.ONE_FREE - 1))
  }

  /** Raises the bound of the slots that are known to have been handed out. */
  know(slab: number, known: number): void {
    const counts = this.#m[slab + SlabWord.COUNTS]
    const more = known - ((counts >>> SlabWord.KNOWN_BITS) & SlabWord.NUMBER)
    if (more > 0) this.#m[slab + SlabWord.COUNTS] = counts + (more << SlabWord.KNOWN_BITS)
  }

  /** Marks a live slot as free; whether the slab is to be settled. */
  free(slab: number, slot: number): boolean {
    const m = this.#m
    this.know(slab, slot + 1)
    m[slab + SlabWord.BITS + (slot >>> 5)] |= SlabWord.FIRST_BIT >>> slot
    m[slab + SlabWord.COUNTS] -= SlabWord.ONE_FREE
    return m[slab + SlabWord.COUNTS] >>> SlabWord.COUNTDOWN_BITS === 0
  }

  /** Gives the spans of current slabs up that stand empty; true if there was one. */
  releaseEmpty(release: (span: number) => void): boolean {
    const m = this.#m
    let any = false
    for (let state: number = At.CLASSES; state < CLASSES_USED_END; state += ClassWord.WORDS) {
      const slab = m[state + ClassWord.CURRENT]
      if (slab === 0 || !this.#standsEmpty(this.sound(slab, state))) continue
      this.#clearCurrent(state)
      const span = this.releaseSlab(slab)
      if (span !== 0) release(span)
      any = true
    }
    return any
  }

  /** Whether no slot is live. The first live one ends the search: cheaper than `used` where most slabs are in use. */
  #standsEmpty(slab: number): boolean {
    const m = this.#m
    const slots = m[slab + SlabWord.SLOTS] & SlabWord.NUMBER
    for (let first = 0, word = slab + SlabWord.BITS; first < slots; first += 32, word++)
      if (m[word] !== firstBits(slots - first)) return false
    return true
  }

  /** Number of slots. */
  slots(slab: number): number {
    return this.#m[slab + SlabWord.SLOTS] & SlabWord.NUMBER
  }

  /** Slot size in bytes. */
  slotSize(slab: number): number {
    const size = CLASS_SIZE[(this.#m[slab + SlabWord.CLASS] - At.CLASSES) / ClassWord.WORDS]
    if (size === undefined) throw this.corrupted(slab)
    return size
  }

  /** Whether there can be a slab record here. */
  isRecord(slab: number): boolean {
    return slab >= this.#least && slab < this.#most && ((slab - this.#least) & (SlabWord.WORDS - 1)) === 0
  }

  /** A record that can be a slab's of a class: where only the record and the class's state change, that is enough. */
  #known(slab: number, state: number): number {
    if (
      slab < this.#least ||
      slab >= this.#most ||
      this.#m[slab + SlabWord.CLASS] !== state ||
      state >>> 0 >= At.CLASSES_END
    )
      throw this.corrupted(slab)
    return slab
  }

  /** A slab of a class whose record may be acted upon: its span and it name each other, and it has as many slots as fit. */
  sound(slab: number, state: number): number {
    const m = this.#m
    const span = m[slab + SlabWord.SPAN]
    if (!this.isRecord(slab) || m[slab + SlabWord.CLASS] !== state || !this.#index.isSlab(span, slab))
      throw this.corrupted(slab)
    this.#index.sound(span)
    const slots = m[slab + SlabWord.SLOTS]
    const size = this.slotSize(slab)
    const rest = m[span + SpanWord.SIZE] - slots * size
    const base = baseOf(m[span + SpanWord.TAG], m[span + SpanWord.START] + rest)
    if (slots <= 0 || slots > Size.SLAB_SLOTS || rest < 0 || rest >= size || m[slab + SlabWord.BASE] !== base)
      throw this.corrupted(slab)
    return slab
  }

  /** For a record that cannot be what it has been taken for. */
  corrupted(slab: number): CorruptedError {
    return new CorruptedError(`Heap: the slab record ${slab} contradicts what leads to it`)
  }

  /** The slot whose start is so many bytes behind that of slot 0, or -1 when none starts there. */
  slotAt(slab: number, distance: number): number {
    const slot = Math.floor(distance / this.slotSize(slab))
    return slot >= 0 && slot < this.slots(slab) && slot * this.slotSize(slab) === distance ? slot : -1
  }

  /** Live slots, counted. */
  used(slab: number): number {
    const m = this.#m
    let free = 0
    for (let i = 0; i < Size.SLAB_WORDS; i++) free += popCount(m[slab + SlabWord.BITS + i])
    return this.slots(slab) - free
  }

  /** Whether a slot that is free now was handed out before. */
  everUsed(slab: number, slot: number): boolean {
    return slot < this.#knownSlots(slab)
  }

  /** Whether a slot is live. */
  live(slab: number, slot: number): boolean {
    return (
      slot >= 0 &&
      slot < this.slots(slab) &&
      slot < Size.SLAB_SLOTS &&
      (this.#m[slab + SlabWord.BITS + (slot >>> 5)] & (SlabWord.FIRST_BIT >>> slot)) === 0
    )
  }

  /** The slots that are live when it is asked: they may be freed, and the slab with them, before the next is given. */
  *liveSlots(slab: number): Generator<{ offset: number; byteLength: number }> {
    this.sound(slab, this.#m[slab + SlabWord.CLASS])
    const byteLength = this.slotSize(slab)
    const start = this.firstSlot(slab)
    const slots = this.slots(slab)
    const free = this.#m.slice(slab + SlabWord.BITS, slab + SlabWord.BITS + Size.SLAB_WORDS)
    for (let slot = 0; slot < slots; slot++)
      if ((free[slot >>> 5] & (SlabWord.FIRST_BIT >>> slot)) === 0)
        yield { offset: start + slot * byteLength, byteLength }
  }

  /** The first contradiction in a slab's record, which is there, or undefined: see report/slabs.ts. */
  check(slab: number, span: number): string | undefined {
    const m = this.#m
    const state = m[slab + SlabWord.CLASS]
    if (!(state >= At.CLASSES && state < At.CLASSES_END) || (state - At.CLASSES) % ClassWord.WORDS !== 0)
      return `has class ${state}`
    const size = this.slotSize(slab)
    const slots = m[slab + SlabWord.SLOTS]
    if (m[slab + SlabWord.SPAN] !== span) return `names span ${m[slab + SlabWord.SPAN]}, not ${span}`
    if (slots !== Math.floor(this.#index.partLength(span) / size)) return `has ${slots} slots of ${size} bytes`
    if (m[slab + SlabWord.BASE] !== (this.firstSlot(slab) | 0)) return `has slot 0 at ${m[slab + SlabWord.BASE]}`
    const sizeClass = (state - At.CLASSES) / ClassWord.WORDS
    if (m[slab + SlabWord.INVERSE] !== CLASS_INVERSE[sizeClass])
      return `divides by the inverse of ${m[slab + SlabWord.INVERSE]}`
    const shift = m[slab + SlabWord.COUNTS] & SlabWord.SHIFT
    if (shift !== CLASS_SHIFT[sizeClass]) return `divides by 2^${shift}`
    const known = this.#knownSlots(slab)
    if (known > slots) return `knows ${known} of ${slots} slots`
    for (let slot = slots; slot < Size.SLAB_WORDS * 32; slot++)
      if ((m[slab + SlabWord.BITS + (slot >>> 5)] & (SlabWord.FIRST_BIT >>> slot)) !== 0)
        return `slot ${slot} does not exist and is free`
    return this.#checkCount(slab, slots, this.used(slab))
  }

  /** What a slab counts, against what its bits say. */
  #checkCount(slab: number, slots: number, used: number): string | undefined {
    const m = this.#m
    const countdown = m[slab + SlabWord.COUNTS] >> SlabWord.COUNTDOWN_BITS
    const previous = m[slab + SlabWord.PREVIOUS]
    if (previous === CURRENT)
      return countdown > 0 && countdown <= NEVER ? undefined : `is current, and ${countdown} frees from being looked at`
    if (previous === FULL)
      return countdown > 0 && countdown === restOf(slots) - (slots - used)
        ? undefined
        : `rests with ${used} used of ${slots}`
    return used > 0 && used < slots && countdown === used ? undefined : `counts ${countdown} used of ${used}`
  }

  isCurrent(slab: number): boolean {
    return this.#m[slab + SlabWord.PREVIOUS] === CURRENT
  }

  /** Whether a slab is in the list of its class. */
  isPartial(slab: number): boolean {
    return this.#m[slab + SlabWord.PREVIOUS] >= 0
  }

  /** Offset of slot 0 in the arena: what the slots leave of the slab lies in front of it. */
  firstSlot(slab: number): number {
    const m = this.#m
    const index = this.#index
    const span = m[slab + SlabWord.SPAN]
    return index.offset(span) + (index.partLength(span) % this.slotSize(slab))
  }

  /** The state of a slab's class. */
  state(slab: number): number {
    return this.#m[slab + SlabWord.CLASS]
  }

  /** Points a class at a word of its current slab. */
  #aim(state: number, slab: number, word: number): void {
    const m = this.#m
    const window = m[m[slab + SlabWord.SPAN] + SpanWord.TAG] >> SpanTag.WINDOW_BITS
    const first = m[slab + SlabWord.BASE] & Window.INSIDE
    const origin = first + Math.imul((word - slab - SlabWord.BITS) << 5, m[state + ClassWord.SIZE])
    m[state + ClassWord.WORD] = word
    m[state + ClassWord.ORIGIN] = window === 0 ? origin : origin | Window.OTHER
    m[state + ClassWord.WINDOW] = window
  }

  /** Leaves a class without a current slab. */
  #clearCurrent(state: number): void {
    this.#m[state + ClassWord.CURRENT] = 0
    this.#m[state + ClassWord.WORD] = At.ZERO
  }

  /** Whether there can be one slab record more. */
  get hasRoom(): boolean {
    return this.#m[At.SLAB_SPARE] !== 0 || this.#m[At.SLAB_TOP] + SlabWord.WORDS <= this.#most
  }

  /** Makes a kept span the current slab of a class. Its first word with free slots. */
  adopt(span: number, state: number): number {
    const m = this.#m
    const sizeClass = (state - At.CLASSES) / ClassWord.WORDS
    const size = CLASS_SIZE[sizeClass]
    const slab = this.#takeRecord()
    const length = m[span + SpanWord.SIZE]
    const slots = Math.floor(length / size)
    m[slab + SlabWord.CLASS] = state
    m[slab + SlabWord.SPAN] = span
    m[slab + SlabWord.BASE] = baseOf(m[span + SpanWord.TAG], m[span + SpanWord.START] + length - slots * size)
    m[slab + SlabWord.INVERSE] = CLASS_INVERSE[sizeClass]
    m[slab + SlabWord.SLOTS] = slots
    m[slab + SlabWord.COUNTS] = (NEVER << SlabWord.COUNTDOWN_BITS) | CLASS_SHIFT[sizeClass]
    m[slab + SlabWord.PREVIOUS] = CURRENT
    const word = slab + SlabWord.BITS
    for (let at = word, left = slots; at < word + Size.SLAB_WORDS; at++, left -= 32) m[at] = firstBits(left)
    m[state + ClassWord.SLABS]++
    this.written(slab)
    this.#index.cover(span, slab)
    m[state + ClassWord.CURRENT] = slab
    this.#aim(state, slab, word)
    return word
  }

  /** The record of a new slab is written, and no tile leads to it yet. */
  protected written(_slab: number): void {}

  #takeRecord(): number {
    const m = this.#m
    const spare = m[At.SLAB_SPARE]
    if (spare !== 0) {
      if (!this.isRecord(spare) || this.#index.isSlab(m[spare + SlabWord.SPAN], spare)) throw this.corrupted(spare)
      m[At.SLAB_SPARE] = m[spare + SlabWord.NEXT]
      return spare
    }
    m[At.SLAB_TOP] += SlabWord.WORDS
    return m[At.SLAB_TOP] - SlabWord.WORDS
  }

  #giveRecord(slab: number): void {
    this.#m[slab + SlabWord.NEXT] = this.#m[At.SLAB_SPARE]
    this.#m[At.SLAB_SPARE] = slab
  }

  /** Gives a slab up that is in no list; its span, tagged as kept. 0 where a rebuild has given it up already (concurrent/shard/shard-slabs.ts). */
  protected releaseSlab(slab: number): number {
    const m = this.#m
    this.sound(slab, m[slab + SlabWord.CLASS])
    const span = m[slab + SlabWord.SPAN]
    this.#index.uncover(span)
    m[m[slab + SlabWord.CLASS] + ClassWord.SLABS]--
    this.#giveRecord(slab)
    return span
  }

  #enlist(slab: number): void {
    const m = this.#m
    const state = m[slab + SlabWord.CLASS]
    const head = m[state + ClassWord.PARTIAL]
    m[slab + SlabWord.NEXT] = head
    m[slab + SlabWord.PREVIOUS] = 0
    if (head !== 0) m[head + SlabWord.PREVIOUS] = slab
    m[state + ClassWord.PARTIAL] = slab
  }

  #unlist(slab: number): void {
    const m = this.#m
    const state = m[slab + SlabWord.CLASS]
    const previous = m[slab + SlabWord.PREVIOUS]
    const next = m[slab + SlabWord.NEXT]
    if (next !== 0 && m[next + SlabWord.PREVIOUS] !== slab) throw this.corrupted(next)
    const before = previous === 0 ? state + ClassWord.PARTIAL : previous + SlabWord.NEXT
    if (m[before] !== slab) throw this.corrupted(previous)
    if (next !== 0) m[next + SlabWord.PREVIOUS] = previous
    m[before] = next
  }
}

/** The low 32 bits of the offset of a place in the window of a span with this tag. */
function baseOf(tag: number, place: number): number {
  return ((tag >> SpanTag.WINDOW_BITS) << Window.BITS) | place
}

/** A word whose highest `count` bits are set: none below 1, all from 32 on. */
function firstBits(count: number): number {
  return count >= 32 ? -1 : count <= 0 ? 0 : -1 << (32 - count)
}

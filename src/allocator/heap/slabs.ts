/**
 * The slabs of a heap: spans cut into equal slots, one bit a slot, one 64-byte record a slab.
 *
 *     record   | base | reciprocal | known, slots | class | countdown | next | span | previous | 8 words of free bits |
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
import { CLASS_COUNT, CLASS_RECIPROCAL, CLASS_SIZE, Size, shorterSlab, slabLength } from './size-classes.ts'
import type { SpanTable } from './spans/span-cache.ts'
import { At, ClassWord, type HeapLayout, SlabWord, SpanTag, SpanWord, Window } from './words.ts'

/** Values of the word `previous` of a slab that is in no list. */
const FULL = -1
const CURRENT = -2
/** Behind the states of the classes that there are. */
const CLASSES_USED_END: number = At.CLASSES + CLASS_COUNT * ClassWord.WORDS
/** The countdown of a current slab: no number of frees brings it to zero. */
const NEVER = 0x40000000

/**
 * How many slots of a full slab must be freed before it is looked at again: an eighth of them (snmalloc's sleeping slabs). A program that
 * frees here and there would else touch two lists in each call: among ten million live blocks a pair of random calls took 812 instructions
 * with 1 slot of 32, 445 with 1 of 8, and among a thousand 451 and 352. The peak of the traces rises by 0.2 %.
 */
function restOf(slots: number): number {
  return 1 + (slots >>> 3)
}

export class SlabTable {
  private readonly m: Int32Array
  private readonly spans: SpanTable
  private readonly layout: HeapLayout
  private readonly clearWords: (from: number, to: number) => void
  /** The first slab record, and the end of their table. */
  private readonly least: number
  private readonly most: number

  constructor(words: Int32Array, spans: SpanTable, table: HeapLayout, clearWords: (from: number, to: number) => void) {
    this.m = words
    this.spans = spans
    this.layout = table
    this.least = table.slabs
    this.most = table.slabsEnd
    this.clearWords = clearWords
  }

  /** The state of a heap without slabs. */
  reset(): void {
    const { m, layout } = this
    this.resetClasses()
    this.clearWords(layout.slabs, Math.min(Math.max(m[At.SLAB_TOP], layout.slabs), layout.slabsEnd))
    m[At.SLAB_TOP] = layout.slabs
    m[At.SLAB_SPARE] = 0
  }

  /** The lists and counts of the slabs in these spans, made anew from their bits; slabs without live slots are released. */
  rebuild(spans: readonly number[]): void {
    const { m, layout } = this
    this.resetClasses()
    const taken = new Set(spans.map((span) => this.spans.slabOf(span)))
    m[At.SLAB_SPARE] = 0
    m[At.SLAB_TOP] = layout.slabs
    for (const slab of taken) if (slab + SlabWord.WORDS > m[At.SLAB_TOP]) m[At.SLAB_TOP] = slab + SlabWord.WORDS
    for (let slab = m[At.SLAB_TOP] - SlabWord.WORDS; slab >= layout.slabs; slab -= SlabWord.WORDS)
      if (!taken.has(slab)) this.giveRecord(slab)
    for (const slab of taken) {
      m[m[slab + SlabWord.CLASS] + ClassWord.SLABS]++
      this.park(slab)
    }
  }

  /** The states of classes without slabs. */
  private resetClasses(): void {
    const { m } = this
    m.fill(0, At.CLASSES, At.CLASSES_END)
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += ClassWord.WORDS) {
      m[state + ClassWord.WORD] = At.ZERO
      m[state + ClassWord.SIZE] = CLASS_SIZE[(state - At.CLASSES) / ClassWord.WORDS] ?? 0
    }
  }

  /** Leaves every class without a current slab: each slab counts its frees, and stands nowhere empty. */
  parkAll(): void {
    const { m } = this
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += ClassWord.WORDS) {
      const slab = m[state + ClassWord.CURRENT]
      if (slab === 0) continue
      this.sound(slab, state)
      this.drop(state)
      this.park(slab)
    }
  }

  /** Puts a slab where its bits say that it belongs when it is not current. */
  private park(slab: number): void {
    const { m } = this
    const slots = this.slots(slab)
    const used = this.used(slab)
    if (used === 0) this.release(slab)
    else if (slots - used < restOf(slots)) {
      m[slab + SlabWord.PREVIOUS] = FULL
      m[slab + SlabWord.COUNTDOWN] = restOf(slots) - (slots - used)
    } else {
      m[slab + SlabWord.COUNTDOWN] = used
      this.enlist(slab)
    }
  }

  /**
   * Finds another word with free slots for a class: in its current slab, in a partial one, or in a new one. The word; 0 when there is no
   * room for a new slab.
   */
  refill(state: number): number {
    const { m } = this
    const current = m[state + ClassWord.CURRENT]
    if (current !== 0) {
      this.known(current, state)
      const slots = m[current + SlabWord.COUNTS] & SlabWord.SLOTS
      const end = current + SlabWord.BITS + Math.min((slots + 31) >>> 5, Size.SLAB_WORDS)
      for (let word = current + SlabWord.BITS; word < end; word++)
        if (m[word] !== 0) {
          // 32 slots lie between one word's first slot and the next one's.
          m[state + ClassWord.ORIGIN] += Math.imul((word - m[state + ClassWord.WORD]) << 5, m[state + ClassWord.SIZE])
          m[state + ClassWord.WORD] = word
          this.know(current, Math.min(slots, (word - current - SlabWord.BITS) << 5))
          return word
        }
      m[current + SlabWord.PREVIOUS] = FULL
      m[current + SlabWord.COUNTDOWN] = restOf(slots)
      m[current + SlabWord.COUNTS] = (slots << SlabWord.KNOWN_BITS) | slots
      this.drop(state)
    }
    let slab = m[state + ClassWord.PARTIAL]
    if (slab !== 0) {
      const next = m[this.known(slab, state) + SlabWord.NEXT]
      m[state + ClassWord.PARTIAL] = next
      if (next !== 0) {
        if (m[next + SlabWord.PREVIOUS] !== slab) throw this.corrupted(next)
        m[next + SlabWord.PREVIOUS] = 0
      }
    } else {
      slab = this.make(state)
      if (slab === 0) return 0
    }
    m[slab + SlabWord.PREVIOUS] = CURRENT
    m[slab + SlabWord.COUNTDOWN] = NEVER
    m[state + ClassWord.CURRENT] = slab
    let word = slab + SlabWord.BITS
    const end = word + Size.SLAB_WORDS
    while (word < end && m[word] === 0) word++
    if (word === end) throw this.corrupted(slab)
    this.aim(state, slab, word)
    // A current slab does not notice that it stands empty: the heap has to look later.
    if (this.spans.notifyOnce) this.spans.noteSwitch()
    return word
  }

  /**
   * Called by the free that brings a slab's countdown to zero. A full slab counts the frees until it goes into its class's list again.
   * A slab in that list counts its live slots: it stands empty and is released. The current slab gets here once in 2^30 frees, and starts
   * to count anew.
   */
  settle(slab: number): void {
    const { m } = this
    this.known(slab, m[slab + SlabWord.CLASS])
    if (m[slab + SlabWord.PREVIOUS] === CURRENT) {
      m[slab + SlabWord.COUNTDOWN] = NEVER
      return
    }
    if (m[slab + SlabWord.PREVIOUS] === FULL) {
      const slots = m[slab + SlabWord.COUNTS] & SlabWord.SLOTS
      const used = slots - restOf(slots)
      if (used > 0) {
        m[slab + SlabWord.COUNTDOWN] = used
        this.enlist(slab)
        return
      }
    } else this.unlist(slab)
    this.release(slab)
    // The free is over.
    this.spans.tell()
  }

  /** As `settle`, for a slab whose countdown has passed zero: where it belongs is found from its bits. */
  settleAnew(slab: number): void {
    if (this.m[slab + SlabWord.PREVIOUS] >= 0) this.unlist(slab)
    this.park(slab)
  }

  /** Raises the bound of the slots that are known to have been handed out. */
  know(slab: number, known: number): void {
    const counts = this.m[slab + SlabWord.COUNTS]
    if (known > counts >>> SlabWord.KNOWN_BITS)
      this.m[slab + SlabWord.COUNTS] = (known << SlabWord.KNOWN_BITS) | (counts & SlabWord.SLOTS)
  }

  /** Frees a live slot. */
  free(slab: number, slot: number): void {
    const { m } = this
    this.know(slab, slot + 1)
    m[slab + SlabWord.BITS + (slot >>> 5)] |= SlabWord.FIRST_BIT >>> slot
    if (--m[slab + SlabWord.COUNTDOWN] === 0) this.settle(slab)
  }

  /** Releases current slabs that stand empty; true if there was one. */
  retire(): boolean {
    const { m } = this
    let any = false
    for (let state: number = At.CLASSES; state < CLASSES_USED_END; state += ClassWord.WORDS) {
      const slab = m[state + ClassWord.CURRENT]
      if (slab === 0 || !this.standsEmpty(this.sound(slab, state))) continue
      this.drop(state)
      this.release(slab)
      any = true
    }
    return any
  }

  /** Whether no slot is live. The first live one ends the search: cheaper than `used` where most slabs are in use. */
  private standsEmpty(slab: number): boolean {
    const { m } = this
    const slots = m[slab + SlabWord.COUNTS] & SlabWord.SLOTS
    for (let first = 0, word = slab + SlabWord.BITS; first < slots; first += 32, word++)
      if (m[word] !== firstBits(slots - first)) return false
    return true
  }

  /** Number of slots. */
  slots(slab: number): number {
    return this.m[slab + SlabWord.COUNTS] & SlabWord.SLOTS
  }

  /** Slot size in bytes. */
  slotSize(slab: number): number {
    const size = CLASS_SIZE[(this.m[slab + SlabWord.CLASS] - At.CLASSES) / ClassWord.WORDS]
    if (size === undefined) throw this.corrupted(slab)
    return size
  }

  /** Whether there can be a slab record here. */
  isRecord(slab: number): boolean {
    const { slabs, slabsEnd } = this.layout
    return slab >= slabs && slab < slabsEnd && ((slab - slabs) & (SlabWord.WORDS - 1)) === 0
  }

  /** A record that can be a slab's of a class: where only the record and the class's state change, that is enough. */
  private known(slab: number, state: number): number {
    if (
      slab < this.least ||
      slab >= this.most ||
      this.m[slab + SlabWord.CLASS] !== state ||
      state >>> 0 >= At.CLASSES_END
    )
      throw this.corrupted(slab)
    return slab
  }

  /** A slab of a class whose record may be acted upon: its span and it name each other, and it has no more slots than fit. */
  sound(slab: number, state: number): number {
    const { m, spans } = this
    const span = m[slab + SlabWord.SPAN]
    if (!this.isRecord(slab) || m[slab + SlabWord.CLASS] !== state || !spans.isSlab(span, slab))
      throw this.corrupted(slab)
    spans.sound(span)
    const slots = m[slab + SlabWord.COUNTS] & SlabWord.SLOTS
    const fits = slots > 0 && slots <= Size.SLAB_SLOTS && slots * this.slotSize(slab) <= m[span + SpanWord.SIZE]
    if (!fits || m[slab + SlabWord.BASE] !== (this.firstSlot(slab) | 0)) throw this.corrupted(slab)
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
    const { m } = this
    let free = 0
    for (let i = 0; i < Size.SLAB_WORDS; i++) free += popCount(m[slab + SlabWord.BITS + i])
    return this.slots(slab) - free
  }

  /** Whether a slot that is free now was handed out before. */
  everUsed(slab: number, slot: number): boolean {
    return slot < this.m[slab + SlabWord.COUNTS] >>> SlabWord.KNOWN_BITS
  }

  /** Whether a slot is live. */
  live(slab: number, slot: number): boolean {
    return (
      slot >= 0 &&
      slot < this.slots(slab) &&
      slot < Size.SLAB_SLOTS &&
      (this.m[slab + SlabWord.BITS + (slot >>> 5)] & (SlabWord.FIRST_BIT >>> slot)) === 0
    )
  }

  /** The slots that are live when it is asked: they may be freed, and the slab with them, before the next is given. */
  *liveSlots(slab: number): Generator<{ offset: number; byteLength: number }> {
    this.sound(slab, this.m[slab + SlabWord.CLASS])
    const byteLength = this.slotSize(slab)
    const start = this.firstSlot(slab)
    const slots = this.slots(slab)
    const free = this.m.slice(slab + SlabWord.BITS, slab + SlabWord.BITS + Size.SLAB_WORDS)
    for (let slot = 0; slot < slots; slot++)
      if ((free[slot >>> 5] & (SlabWord.FIRST_BIT >>> slot)) === 0)
        yield { offset: start + slot * byteLength, byteLength }
  }

  /** The first contradiction in a slab's record, which is there, or undefined: see report/slabs.ts. */
  check(slab: number, span: number): string | undefined {
    const { m } = this
    const state = m[slab + SlabWord.CLASS]
    if (!(state >= At.CLASSES && state < At.CLASSES_END) || (state - At.CLASSES) % ClassWord.WORDS !== 0)
      return `has class ${state}`
    const size = this.slotSize(slab)
    const slots = this.slots(slab)
    if (m[slab + SlabWord.SPAN] !== span) return `names span ${m[slab + SlabWord.SPAN]}, not ${span}`
    if (slots !== Math.floor(this.spans.partLength(span) / size)) return `has ${slots} slots of ${size} bytes`
    if (m[slab + SlabWord.BASE] !== (this.firstSlot(slab) | 0)) return `has slot 0 at ${m[slab + SlabWord.BASE]}`
    if (m[slab + SlabWord.RECIPROCAL] !== CLASS_RECIPROCAL[(state - At.CLASSES) / ClassWord.WORDS])
      return `divides by ${m[slab + SlabWord.RECIPROCAL]}`
    const known = m[slab + SlabWord.COUNTS] >>> SlabWord.KNOWN_BITS
    if (known > slots) return `knows ${known} of ${slots} slots`
    for (let slot = slots; slot < Size.SLAB_WORDS * 32; slot++)
      if ((m[slab + SlabWord.BITS + (slot >>> 5)] & (SlabWord.FIRST_BIT >>> slot)) !== 0)
        return `slot ${slot} does not exist and is free`
    return this.checkCount(slab, slots, this.used(slab))
  }

  /** What a slab counts, against what its bits say. */
  private checkCount(slab: number, slots: number, used: number): string | undefined {
    const { m } = this
    const countdown = m[slab + SlabWord.COUNTDOWN]
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
    return this.m[slab + SlabWord.PREVIOUS] === CURRENT
  }

  /** Whether a slab is in the list of its class. */
  isPartial(slab: number): boolean {
    return this.m[slab + SlabWord.PREVIOUS] >= 0
  }

  /** Offset of slot 0 in the arena: what the slots leave of the slab lies in front of it. */
  firstSlot(slab: number): number {
    const { m, spans } = this
    const span = m[slab + SlabWord.SPAN]
    return spans.offset(span) + (spans.partLength(span) % this.slotSize(slab))
  }

  /** The state of a slab's class. */
  state(slab: number): number {
    return this.m[slab + SlabWord.CLASS]
  }

  /** Points a class at a word of its current slab. */
  private aim(state: number, slab: number, word: number): void {
    const { m } = this
    const window = m[m[slab + SlabWord.SPAN] + SpanWord.TAG] >> SpanTag.WINDOW_BITS
    const first = m[slab + SlabWord.BASE] & Window.INSIDE
    const origin = first + Math.imul((word - slab - SlabWord.BITS) << 5, m[state + ClassWord.SIZE])
    m[state + ClassWord.WORD] = word
    m[state + ClassWord.ORIGIN] = window === 0 ? origin : origin | Window.OTHER
    m[state + ClassWord.WINDOW] = window
  }

  /** Leaves a class without a current slab. */
  private drop(state: number): void {
    this.m[state + ClassWord.CURRENT] = 0
    this.m[state + ClassWord.WORD] = At.ZERO
  }

  /** A new slab for a class, in no list; 0 when there is no room. */
  private make(state: number): number {
    const { m, layout, spans } = this
    if (m[At.SLAB_SPARE] === 0 && m[At.SLAB_TOP] + SlabWord.WORDS > layout.slabsEnd) return 0
    const sizeClass = (state - At.CLASSES) / ClassWord.WORDS
    // Where memory is short the shortest will do, and its refusal is that of all.
    let length = spans.keptBelow === 0 ? slabLength(sizeClass, 0) : slabLength(sizeClass, m[state + ClassWord.SLABS])
    let span = spans.takeSlab(length)
    if (span === 0) span = spans.allocate(length, Size.TILE, SpanTag.KEPT, false)
    while (span === 0) {
      length = shorterSlab(sizeClass, length)
      if (length === 0) return 0
      span = spans.allocate(length, Size.TILE, SpanTag.KEPT, false)
    }
    const slab = this.takeRecord()
    m[slab + SlabWord.CLASS] = state
    m[slab + SlabWord.SPAN] = span
    const slots = Math.floor(m[span + SpanWord.SIZE] / CLASS_SIZE[sizeClass])
    m[slab + SlabWord.BASE] = this.firstSlot(slab) | 0
    m[slab + SlabWord.RECIPROCAL] = CLASS_RECIPROCAL[sizeClass]
    m[slab + SlabWord.COUNTS] = slots
    for (let i = 0; i < Size.SLAB_WORDS; i++) m[slab + SlabWord.BITS + i] = firstBits(slots - 32 * i)
    m[state + ClassWord.SLABS]++
    spans.cover(span, slab)
    return slab
  }

  /** A record. Asked for last: making room for the span may have released slabs. */
  private takeRecord(): number {
    const { m } = this
    const spare = m[At.SLAB_SPARE]
    if (spare !== 0) {
      if (!this.isRecord(spare) || this.spans.isSlab(m[spare + SlabWord.SPAN], spare)) throw this.corrupted(spare)
      m[At.SLAB_SPARE] = m[spare + SlabWord.NEXT]
      return spare
    }
    m[At.SLAB_TOP] += SlabWord.WORDS
    return m[At.SLAB_TOP] - SlabWord.WORDS
  }

  private giveRecord(slab: number): void {
    this.m[slab + SlabWord.NEXT] = this.m[At.SLAB_SPARE]
    this.m[At.SLAB_SPARE] = slab
  }

  private release(slab: number): void {
    const { m, spans } = this
    this.sound(slab, m[slab + SlabWord.CLASS])
    const span = m[slab + SlabWord.SPAN]
    spans.uncover(span)
    m[m[slab + SlabWord.CLASS] + ClassWord.SLABS]--
    this.giveRecord(slab)
    spans.freeSlab(span)
  }

  private enlist(slab: number): void {
    const { m } = this
    const at = m[slab + SlabWord.CLASS] + ClassWord.PARTIAL
    const head = m[at]
    m[slab + SlabWord.NEXT] = head
    m[slab + SlabWord.PREVIOUS] = 0
    if (head !== 0) m[head + SlabWord.PREVIOUS] = slab
    m[at] = slab
  }

  private unlist(slab: number): void {
    const { m } = this
    const next = m[slab + SlabWord.NEXT]
    const previous = m[slab + SlabWord.PREVIOUS]
    const head = m[slab + SlabWord.CLASS] + ClassWord.PARTIAL
    if (next !== 0 && m[next + SlabWord.PREVIOUS] !== slab) throw this.corrupted(next)
    if (m[previous === 0 ? head : previous + SlabWord.NEXT] !== slab) throw this.corrupted(previous)
    if (next !== 0) m[next + SlabWord.PREVIOUS] = previous
    if (previous !== 0) m[previous + SlabWord.NEXT] = next
    else m[head] = next
  }
}

/** A word whose highest `count` bits are set: none below 1, all from 32 on. */
function firstBits(count: number): number {
  return count >= 32 ? -1 : count <= 0 ? 0 : -1 << (32 - count)
}

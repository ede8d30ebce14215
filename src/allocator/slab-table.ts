/**
 * The slabs of a heap: spans cut into equal slots, one bit a slot, one 64-byte record a slab.
 *
 *     record   | base | known, reciprocal | slots | class | countdown | next | span | previous | 8 words of free bits |
 *     slab     | slot 0 | slot 1 | … | slot n-1 | rest |          bit i = 1: slot i is free
 *
 * `malloc` takes the lowest bit of one word of its class's current slab; `free` sets a bit. `malloc` keeps no count: a word that runs out
 * of bits is the sign to look around (bitmap runs are PMDK's idea, the countdown ours).
 *
 * Since the lowest free slot is always taken, the slots that were ever in use are a prefix of the slab. `known` is a bound of that prefix,
 * all slots once the slab has been full. Below it a slot without its bit is live; a free of a live slot above it raises it first. So one
 * comparison keeps out slots that do not exist, and tells a slot that was freed from one that was never handed out.
 *
 *     a slab is current in its class (previous = -2), full and in no list (-1), or in the list of partial ones
 *     a slab without live slots is current or released
 *
 * Cost: 64 bytes a slab of 4 to 32 KiB; nothing is written into slots.
 *
 * Longer than other files: all that changes a slab's record is here, where its invariant is.
 * @module
 */
import { popCount } from '../bits.ts'
import { CorruptedError } from '../errors.ts'
import { At, Class, type HeapLayout, Slab, Span, Tag } from './heap-layout.ts'
import { CLASS_RECIPROCAL, CLASS_SIZE, Size, shorterSlab, slabLength } from './size-class.ts'
import type { SpanTable } from './span-table.ts'

/** Values of the word `previous` of a slab that is in no list. */
const FULL = -1
const CURRENT = -2
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
    m.fill(0, At.CLASSES, At.CLASSES_END)
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += Class.WORDS) m[state + Class.WORD] = At.ZERO
    this.clearWords(layout.slabs, Math.min(Math.max(m[At.SLAB_TOP], layout.slabs), layout.slabsEnd))
    m[At.SLAB_TOP] = layout.slabs
    m[At.SLAB_SPARE] = 0
  }

  /** The lists and counts of the slabs in these spans, made anew from their bits; slabs without live slots are released. */
  rebuild(spans: readonly number[]): void {
    const { m, layout } = this
    m.fill(0, At.CLASSES, At.CLASSES_END)
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += Class.WORDS) m[state + Class.WORD] = At.ZERO
    const taken = new Set(spans.map((span) => this.spans.slabOf(span)))
    m[At.SLAB_SPARE] = 0
    m[At.SLAB_TOP] = layout.slabs
    for (const slab of taken) if (slab + Slab.WORDS > m[At.SLAB_TOP]) m[At.SLAB_TOP] = slab + Slab.WORDS
    for (let slab = m[At.SLAB_TOP] - Slab.WORDS; slab >= layout.slabs; slab -= Slab.WORDS)
      if (!taken.has(slab)) this.giveRecord(slab)
    for (const slab of taken) {
      m[m[slab + Slab.CLASS] + Class.SLABS]++
      this.park(slab)
    }
  }

  /** Leaves every class without a current slab: each slab counts its frees, and stands nowhere empty. */
  parkAll(): void {
    const { m } = this
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += Class.WORDS) {
      const slab = m[state + Class.CURRENT]
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
      m[slab + Slab.PREVIOUS] = FULL
      m[slab + Slab.COUNTDOWN] = restOf(slots) - (slots - used)
    } else {
      m[slab + Slab.COUNTDOWN] = used
      this.enlist(slab)
    }
  }

  /**
   * Finds another word with free slots for a class: in its current slab, in a partial one, or in a new one. False when there is no
   * room for a new one.
   */
  refill(state: number): boolean {
    const { m } = this
    const current = m[state + Class.CURRENT]
    if (current !== 0) {
      this.known(current, state)
      for (let word = current + Slab.BITS; word < current + Slab.BITS + Size.SLAB_WORDS; word++)
        if (m[word] !== 0) {
          this.aim(state, current, word)
          return true
        }
      const slots = m[current + Slab.SLOTS]
      m[current + Slab.PREVIOUS] = FULL
      m[current + Slab.COUNTDOWN] = restOf(slots)
      m[current + Slab.INFO] = (m[current + Slab.INFO] & ~Slab.KNOWN) | slots
      this.drop(state)
    }
    let slab = m[state + Class.PARTIAL]
    if (slab !== 0) this.unlist(this.known(slab, state))
    else {
      slab = this.make(state)
      if (slab === 0) return false
    }
    m[slab + Slab.PREVIOUS] = CURRENT
    m[slab + Slab.COUNTDOWN] = NEVER
    m[state + Class.CURRENT] = slab
    let word = slab + Slab.BITS
    const end = word + Size.SLAB_WORDS
    while (word < end && m[word] === 0) word++
    if (word === end) throw this.corrupted(slab)
    this.aim(state, slab, word)
    // A current slab does not notice that it stands empty: somebody has to look later.
    if (this.spans.watch) this.spans.noteStir()
    return true
  }

  /**
   * Called by the free that brings a slab's countdown to zero. A full slab counts the frees until it goes into its class's list again.
   * A slab in that list counts its live slots: it stands empty and is released. The current slab gets here once in 2^30 frees, and starts
   * to count anew.
   */
  settle(slab: number): void {
    const { m } = this
    this.known(slab, m[slab + Slab.CLASS])
    if (m[slab + Slab.PREVIOUS] === CURRENT) {
      m[slab + Slab.COUNTDOWN] = NEVER
      return
    }
    if (m[slab + Slab.PREVIOUS] === FULL) {
      const slots = m[slab + Slab.SLOTS]
      const used = slots - restOf(slots)
      if (used > 0) {
        m[slab + Slab.COUNTDOWN] = used
        this.enlist(slab)
        return
      }
    } else this.unlist(slab)
    this.release(slab)
    // The free is over.
    this.spans.tell()
  }

  /** For a slot that the bound of what is known does not cover: raises it over the slot, if that is live; whether it is. */
  learn(slab: number, slot: number): boolean {
    const { m } = this
    if (
      slot >= m[slab + Slab.SLOTS] ||
      slot >= Size.SLAB_SLOTS ||
      (m[slab + Slab.BITS + (slot >>> 5)] & (1 << slot)) !== 0
    )
      return false
    m[slab + Slab.INFO] = (m[slab + Slab.INFO] & ~Slab.KNOWN) | (slot + 1)
    return true
  }

  /** Frees a live slot, known or not. */
  free(slab: number, slot: number): void {
    const { m } = this
    if (!this.everUsed(slab, slot)) this.learn(slab, slot)
    m[slab + Slab.BITS + (slot >>> 5)] |= 1 << slot
    if (--m[slab + Slab.COUNTDOWN] === 0) this.settle(slab)
  }

  /** Releases current slabs that stand empty; true if there was one. */
  retire(): boolean {
    const { m } = this
    let any = false
    for (let state: number = At.CLASSES; state < At.CLASSES_END; state += Class.WORDS) {
      const slab = m[state + Class.CURRENT]
      if (slab === 0 || this.used(this.sound(slab, state)) > 0) continue
      this.drop(state)
      this.release(slab)
      any = true
    }
    return any
  }

  /** Number of slots. */
  slots(slab: number): number {
    return this.m[slab + Slab.SLOTS]
  }

  /** Slot size in bytes. */
  slotSize(slab: number): number {
    const size = CLASS_SIZE[(this.m[slab + Slab.CLASS] - At.CLASSES) / Class.WORDS]
    if (size === undefined) throw this.corrupted(slab)
    return size
  }

  /** Whether there can be a slab record here. */
  isRecord(slab: number): boolean {
    const { slabs, slabsEnd } = this.layout
    return slab >= slabs && slab < slabsEnd && ((slab - slabs) & (Slab.WORDS - 1)) === 0
  }

  /** A record that can be a slab's of a class: where only the record and the class's state change, that is enough. */
  private known(slab: number, state: number): number {
    if (slab < this.least || slab >= this.most || this.m[slab + Slab.CLASS] !== state || state >>> 0 >= At.CLASSES_END)
      throw this.corrupted(slab)
    return slab
  }

  /** A slab of a class whose record may be acted upon: its span and it name each other, and it has no more slots than fit. */
  sound(slab: number, state: number): number {
    const { m, spans } = this
    const span = m[slab + Slab.SPAN]
    if (!this.isRecord(slab) || m[slab + Slab.CLASS] !== state || !spans.isSlab(span, slab)) throw this.corrupted(slab)
    spans.sound(span)
    const slots = m[slab + Slab.SLOTS]
    if (
      !(slots > 0 && slots * this.slotSize(slab) <= m[span + Span.SIZE]) ||
      m[slab + Slab.BASE] !== m[span + Span.START]
    )
      throw this.corrupted(slab)
    return slab
  }

  /** For a record that cannot be what it has been taken for. */
  corrupted(slab: number): CorruptedError {
    return new CorruptedError(`Heap: the slab record ${slab} contradicts what leads to it`)
  }

  /** The slot whose start is so many bytes behind the slab's, or -1 when none starts there. */
  slotAt(slab: number, distance: number): number {
    const slot = Math.floor(distance / this.slotSize(slab))
    return slot < this.slots(slab) && slot * this.slotSize(slab) === distance ? slot : -1
  }

  /** Live slots, counted. */
  used(slab: number): number {
    const { m } = this
    let free = 0
    for (let i = 0; i < Size.SLAB_WORDS; i++) free += popCount(m[slab + Slab.BITS + i])
    return m[slab + Slab.SLOTS] - free
  }

  /** Whether a slot that is free now was handed out before. */
  everUsed(slab: number, slot: number): boolean {
    return slot < (this.m[slab + Slab.INFO] & Slab.KNOWN)
  }

  /** Whether a slot is live. */
  live(slab: number, slot: number): boolean {
    return (
      slot < this.slots(slab) && slot < Size.SLAB_SLOTS && (this.m[slab + Slab.BITS + (slot >>> 5)] & (1 << slot)) === 0
    )
  }

  /** The slots that are live when it is asked: they may be freed, and the slab with them, before the next is given. */
  *liveSlots(slab: number): Generator<{ offset: number; byteLength: number }> {
    this.sound(slab, this.m[slab + Slab.CLASS])
    const byteLength = this.slotSize(slab)
    const start = this.spans.offset(this.m[slab + Slab.SPAN])
    const slots = this.slots(slab)
    const free = this.m.slice(slab + Slab.BITS, slab + Slab.BITS + Size.SLAB_WORDS)
    for (let slot = 0; slot < slots; slot++)
      if ((free[slot >>> 5] & (1 << slot)) === 0) yield { offset: start + slot * byteLength, byteLength }
  }

  /** The first contradiction in a slab's record, which is there, or undefined: see proof/slabs.ts. */
  check(slab: number, span: number): string | undefined {
    const { m } = this
    const state = m[slab + Slab.CLASS]
    if (!(state >= At.CLASSES && state < At.CLASSES_END) || (state - At.CLASSES) % Class.WORDS !== 0)
      return `has class ${state}`
    const size = this.slotSize(slab)
    const slots = this.slots(slab)
    if (m[slab + Slab.SPAN] !== span) return `names span ${m[slab + Slab.SPAN]}, not ${span}`
    if (m[slab + Slab.BASE] !== this.spans.start(span)) return `starts at ${m[slab + Slab.BASE]}`
    if (slots !== Math.floor(this.spans.partLength(span) / size)) return `has ${slots} slots of ${size} bytes`
    if (m[slab + Slab.INFO] >>> Slab.KNOWN_BITS !== CLASS_RECIPROCAL[(state - At.CLASSES) / Class.WORDS])
      return `divides by ${m[slab + Slab.INFO] >>> Slab.KNOWN_BITS}`
    if ((m[slab + Slab.INFO] & Slab.KNOWN) > slots) return `knows ${m[slab + Slab.INFO] & Slab.KNOWN} of ${slots} slots`
    for (let slot = slots; slot < Size.SLAB_WORDS * 32; slot++)
      if ((m[slab + Slab.BITS + (slot >>> 5)] & (1 << slot)) !== 0) return `slot ${slot} does not exist and is free`
    return this.checkCount(slab, slots, this.used(slab))
  }

  /** What a slab counts, against what its bits say. */
  private checkCount(slab: number, slots: number, used: number): string | undefined {
    const { m } = this
    const countdown = m[slab + Slab.COUNTDOWN]
    const previous = m[slab + Slab.PREVIOUS]
    if (previous === CURRENT)
      return countdown > 0 && countdown <= NEVER ? undefined : `is current, and ${countdown} frees from being looked at`
    if (previous === FULL)
      return countdown > 0 && countdown === restOf(slots) - (slots - used)
        ? undefined
        : `rests with ${used} used of ${slots}`
    return used > 0 && used < slots && countdown === used ? undefined : `counts ${countdown} used of ${used}`
  }

  isCurrent(slab: number): boolean {
    return this.m[slab + Slab.PREVIOUS] === CURRENT
  }

  /** Whether a slab is in the list of its class. */
  isPartial(slab: number): boolean {
    return this.m[slab + Slab.PREVIOUS] >= 0
  }

  /** The state of a slab's class. */
  state(slab: number): number {
    return this.m[slab + Slab.CLASS]
  }

  /** Points a class at a word of its current slab. */
  private aim(state: number, slab: number, word: number): void {
    const { m } = this
    m[state + Class.WORD] = word
    m[state + Class.ORIGIN] = m[slab + Slab.BASE] + ((word - slab - Slab.BITS) << 5) * this.slotSize(slab)
    m[state + Class.WINDOW] = m[m[slab + Slab.SPAN] + Span.TAG] >> Tag.WINDOW_BITS
  }

  /** Leaves a class without a current slab. */
  private drop(state: number): void {
    this.m[state + Class.CURRENT] = 0
    this.m[state + Class.WORD] = At.ZERO
  }

  /** A new slab for a class, in no list; 0 when there is no room. */
  private make(state: number): number {
    const { m, layout, spans } = this
    if (m[At.SLAB_SPARE] === 0 && m[At.SLAB_TOP] + Slab.WORDS > layout.slabsEnd) return 0
    const sizeClass = (state - At.CLASSES) / Class.WORDS
    let length = slabLength(sizeClass, m[state + Class.SLABS])
    let span = spans.takeSlab(length)
    if (span === 0) span = spans.allocate(length, Size.TILE, Tag.KEPT, false)
    while (span === 0) {
      length = shorterSlab(sizeClass, length)
      if (length === 0) return 0
      span = spans.allocate(length, Size.TILE, Tag.KEPT, false)
    }
    const slots = Math.floor(m[span + Span.SIZE] / CLASS_SIZE[sizeClass])
    const slab = this.takeRecord()
    m[slab + Slab.BASE] = m[span + Span.START]
    m[slab + Slab.INFO] = CLASS_RECIPROCAL[sizeClass] << Slab.KNOWN_BITS
    m[slab + Slab.SLOTS] = slots
    m[slab + Slab.CLASS] = state
    m[slab + Slab.SPAN] = span
    for (let i = 0; i < Size.SLAB_WORDS; i++) m[slab + Slab.BITS + i] = bitsBelow(slots - 32 * i)
    m[state + Class.SLABS]++
    spans.cover(span, slab)
    return slab
  }

  /** A record. Asked for last: making room for the span may have released slabs. */
  private takeRecord(): number {
    const { m } = this
    const spare = m[At.SLAB_SPARE]
    if (spare !== 0) {
      if (!this.isRecord(spare) || this.spans.isSlab(m[spare + Slab.SPAN], spare)) throw this.corrupted(spare)
      m[At.SLAB_SPARE] = m[spare + Slab.NEXT]
      return spare
    }
    m[At.SLAB_TOP] += Slab.WORDS
    return m[At.SLAB_TOP] - Slab.WORDS
  }

  private giveRecord(slab: number): void {
    this.m[slab + Slab.NEXT] = this.m[At.SLAB_SPARE]
    this.m[At.SLAB_SPARE] = slab
  }

  private release(slab: number): void {
    const { m, spans } = this
    this.sound(slab, m[slab + Slab.CLASS])
    const span = m[slab + Slab.SPAN]
    spans.uncover(span)
    m[m[slab + Slab.CLASS] + Class.SLABS]--
    this.giveRecord(slab)
    spans.freeSlab(span)
  }

  private enlist(slab: number): void {
    const { m } = this
    const at = m[slab + Slab.CLASS] + Class.PARTIAL
    const head = m[at]
    m[slab + Slab.NEXT] = head
    m[slab + Slab.PREVIOUS] = 0
    if (head !== 0) m[head + Slab.PREVIOUS] = slab
    m[at] = slab
  }

  private unlist(slab: number): void {
    const { m } = this
    const next = m[slab + Slab.NEXT]
    const previous = m[slab + Slab.PREVIOUS]
    const head = m[slab + Slab.CLASS] + Class.PARTIAL
    if (next !== 0 && m[next + Slab.PREVIOUS] !== slab) throw this.corrupted(next)
    if (m[previous === 0 ? head : previous + Slab.NEXT] !== slab) throw this.corrupted(previous)
    if (next !== 0) m[next + Slab.PREVIOUS] = previous
    if (previous !== 0) m[previous + Slab.NEXT] = next
    else m[head] = next
  }
}

/** A word whose lowest `count` bits are set: none below 1, all from 32 on. */
function bitsBelow(count: number): number {
  return count >= 32 ? -1 : count <= 0 ? 0 : (1 << count) - 1
}

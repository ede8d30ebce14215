/**
 * The slabs of a heap: spans cut into equal slots, one bit a slot, one 64-byte record a slab.
 *
 *     record   | base | slots, size | – | highest | countdown | next | span | previous | 8 words of free bits |
 *     slab     | slot 0 | slot 1 | … | slot n-1 | rest |          bit i = 1: slot i is free
 *
 * `malloc` takes the lowest bit of one word of its class's current slab; `free` sets a bit. `malloc` keeps no
 * count: a word that runs out of bits is the sign to look around (bitmap runs are PMDK's idea, the countdown ours). Since the lowest free
 * slot is always taken, the slots that were ever in use are a prefix of the slab: all of it once the slab has been full, and until then the
 * highest slot ever freed tells a slot that was freed from one that was never handed out.
 *
 *     a slab is current in its class (previous = -2), full and in no list (-1), or in the list of partial ones
 *     a slab without live slots is current or released
 *
 * Cost: 64 bytes a slab of 4 to 32 KiB; nothing is written into slots.
 * @module
 */
import { popCount } from '../bits.ts'
import * as layout from './heap-layout.ts'
import {
  CLASS_COUNT,
  CLASS_OF,
  CLASS_RECIPROCAL,
  CLASS_SIZE,
  SLAB_WORDS,
  shorterSlab,
  slabLength,
  TILE,
} from './size-class.ts'
import type { SpanTable } from './span-table.ts'

// Local for speed, as in span.ts.
const {
  BASE,
  BITS,
  CLASS_LOOKUP,
  CLASS_WORDS,
  CLASSES,
  COUNTDOWN,
  CURRENT_SLAB,
  FAR_WORD,
  HIGHEST,
  INFO,
  KIND,
  KIND_BITS,
  ORIGIN,
  PARTIAL,
  SIZE,
  SLAB,
  SLAB_COUNT,
  SLAB_RECORD_WORDS,
  SLAB_SPAN,
  SLAB_SPARE,
  SLAB_TOP,
  SLOT,
  SLOT_INFO,
  START,
  WORD,
  ZERO,
} = layout
const NEXT = layout.SLAB_NEXT
const PREVIOUS = layout.SLAB_PREVIOUS
const WORDS = SLAB_WORDS

/** Values of the word `previous` of a slab that is in no list. */
const FULL = -1
const CURRENT = -2
/** The highest slot ever freed, of a slab that has been full. */
const ALL = 0x7fffffff
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
  readonly #m: Int32Array
  readonly #spans: SpanTable
  readonly #layout: layout.HeapLayout

  readonly #clearWords: (from: number, to: number) => void

  constructor(
    words: Int32Array,
    spans: SpanTable,
    layout: layout.HeapLayout,
    clearWords: (from: number, to: number) => void
  ) {
    this.#clearWords = clearWords
    this.#m = words
    this.#spans = spans
    this.#layout = layout
  }

  reset(): void {
    const m = this.#m
    m.fill(0, CLASSES, CLASS_LOOKUP)
    for (let c = 0; c < CLASS_COUNT; c++) {
      const state = CLASSES + c * CLASS_WORDS
      m[state + WORD] = ZERO
      m[state + FAR_WORD] = ZERO
      m[state + SLOT] = CLASS_SIZE[c]
      m[state + SLOT_INFO] = (CLASS_RECIPROCAL[c] << 17) | ((CLASS_SIZE[c] >>> 3) << 9)
    }
    for (let i = 0; i < CLASS_OF.length; i++) m[CLASS_LOOKUP + i] = CLASSES + CLASS_OF[i] * CLASS_WORDS
    this.#clearWords(this.#layout.slabs, Math.max(m[SLAB_TOP], this.#layout.slabs))
    m[SLAB_TOP] = this.#layout.slabs
    m[SLAB_SPARE] = 0
  }

  /**
   * Finds another word with free slots for a class: in its current slab, in a partial one, or in a new one. False when there is no
   * room for a new one.
   */
  refill(state: number): boolean {
    const m = this.#m
    const current = m[state + CURRENT_SLAB]
    if (current !== 0) {
      for (let word = current + BITS; word < current + BITS + WORDS; word++)
        if (m[word] !== 0) {
          this.#aim(state, current, word)
          return true
        }
      m[current + PREVIOUS] = FULL
      m[current + COUNTDOWN] = restOf(m[current + INFO] & 511)
      m[current + HIGHEST] = ALL
      this.#drop(state)
    }
    let slab = m[state + PARTIAL]
    if (slab !== 0) this.#unlist(slab)
    else {
      slab = this.#make(state)
      if (slab === 0) return false
    }
    m[slab + PREVIOUS] = CURRENT
    m[slab + COUNTDOWN] = NEVER
    m[state + CURRENT_SLAB] = slab
    let word = slab + BITS
    while (m[word] === 0) word++
    this.#aim(state, slab, word)
    return true
  }

  /** Called after a free that brought a slab's countdown to zero, or that is the first of so high a slot. */
  noteFree(slab: number, slot: number): void {
    const m = this.#m
    if (slot > m[slab + HIGHEST]) m[slab + HIGHEST] = slot
    if (m[slab + COUNTDOWN] === 0) this.settle(slab)
  }

  /**
   * Called by the free that brings a slab's countdown to zero. A full slab counts the frees until it goes into its class's list again. A slab in that list counts its live slots: it stands empty and is released. The current slab never gets here.
   */
  settle(slab: number): void {
    const m = this.#m
    if (m[slab + PREVIOUS] === FULL) {
      const slots = m[slab + INFO] & 511
      const used = slots - restOf(slots)
      if (used > 0) {
        m[slab + COUNTDOWN] = used
        this.#enlist(slab)
        return
      }
    } else this.#unlist(slab)
    this.#release(slab)
  }

  /** Releases current slabs that stand empty; true if there was one. */
  retire(): boolean {
    const m = this.#m
    let any = false
    for (let state = CLASSES; state < CLASS_LOOKUP; state += CLASS_WORDS) {
      const slab = m[state + CURRENT_SLAB]
      if (slab === 0 || !this.#empty(slab)) continue
      this.#drop(state)
      this.#release(slab)
      any = true
    }
    return any
  }

  /** Number of slots. */
  slots(slab: number): number {
    return this.#m[slab + INFO] & 511
  }

  /** Slot size in bytes. */
  slotSize(slab: number): number {
    return (this.#m[slab + INFO] >>> 6) & 2040
  }

  /** Live slots, counted. */
  used(slab: number): number {
    const m = this.#m
    let free = 0
    for (let i = 0; i < WORDS; i++) free += popCount(m[slab + BITS + i])
    return this.slots(slab) - free
  }

  /** Whether a slot that is free now was handed out before. */
  everUsed(slab: number, slot: number): boolean {
    return slot <= this.#m[slab + HIGHEST]
  }

  /** Marks a live slot as free. */
  free(slab: number, slot: number): void {
    const m = this.#m
    m[slab + BITS + (slot >>> 5)] |= 1 << (slot & 31)
    const left = m[slab + COUNTDOWN] - 1
    m[slab + COUNTDOWN] = left
    if (left === 0 || slot > m[slab + HIGHEST]) this.noteFree(slab, slot)
  }

  /** Whether a slot is live. */
  live(slab: number, slot: number): boolean {
    return slot < this.slots(slab) && (this.#m[slab + BITS + (slot >>> 5)] & (1 << (slot & 31))) === 0
  }

  /** The slots that are live when it is asked: they may be freed, and the slab with them, before the next is given. */
  *liveSlots(slab: number): Generator<{ offset: number; byteLength: number }> {
    const byteLength = this.slotSize(slab)
    const start = this.#spans.offset(this.#m[slab + SLAB_SPAN])
    const slots = this.slots(slab)
    const free = this.#m.slice(slab + BITS, slab + BITS + WORDS)
    for (let slot = 0; slot < slots; slot++)
      if ((free[slot >>> 5] & (1 << (slot & 31))) === 0) yield { offset: start + slot * byteLength, byteLength }
  }

  /** The first contradiction in a slab's record, or undefined. */
  check(slab: number, span: number): string | undefined {
    const m = this.#m
    const size = this.slotSize(slab)
    if (m[slab + SLAB_SPAN] !== span) return `names span ${m[slab + SLAB_SPAN]}, not ${span}`
    if (m[slab + BASE] !== this.#spans.start(span)) return `starts at ${m[slab + BASE]}`
    if (this.slots(slab) !== Math.floor(this.#spans.partLength(span) / size))
      return `has ${this.slots(slab)} slots of ${size} bytes`
    for (let slot = this.slots(slab); slot < WORDS * 32; slot++)
      if ((m[slab + BITS + (slot >>> 5)] & (1 << (slot & 31))) !== 0) return `slot ${slot} does not exist and is free`
    if (m[slab + HIGHEST] < -1 || (m[slab + HIGHEST] >= this.slots(slab) && m[slab + HIGHEST] !== ALL))
      return `slot ${m[slab + HIGHEST]} was freed`
    const used = this.used(slab)
    const full = used === this.slots(slab)
    const previous = m[slab + PREVIOUS]
    if (previous === CURRENT)
      return m[this.state(slab) + CURRENT_SLAB] === slab ? undefined : "is current and not its class's"
    if (previous === FULL)
      return m[slab + COUNTDOWN] === restOf(this.slots(slab)) - (this.slots(slab) - used)
        ? undefined
        : `rests with ${used} used`
    return used > 0 && !full && m[slab + COUNTDOWN] === used
      ? undefined
      : `counts ${m[slab + COUNTDOWN]} used of ${used}`
  }

  isCurrent(slab: number): boolean {
    return this.#m[slab + PREVIOUS] === CURRENT
  }

  /** Length of a list of partial slabs. */
  listLength(head: number): number {
    let length = 0
    for (let slab = head; slab !== 0; slab = this.#m[slab + NEXT]) length++
    return length
  }

  /** Whether a slab is in the list of its class. */
  isPartial(slab: number): boolean {
    return this.#m[slab + PREVIOUS] >= 0
  }

  /** Length of the list of recycled records. */
  spares(): number {
    return this.listLength(this.#m[SLAB_SPARE])
  }

  /** The class of a slab. */
  state(slab: number): number {
    return this.#m[CLASS_LOOKUP + ((this.#m[slab + INFO] >>> 9) & 255)]
  }

  /** Points a class at a word of its current slab. */
  #aim(state: number, slab: number, word: number): void {
    const m = this.#m
    m[state + FAR_WORD] = word
    m[state + WORD] = m[m[slab + SLAB_SPAN] + KIND] >> KIND_BITS === 0 ? word : ZERO
    m[state + ORIGIN] = m[slab + BASE] + Math.imul((word - slab - BITS) << 5, m[state + SLOT])
  }

  /** Leaves a class without a current slab. */
  #drop(state: number): void {
    const m = this.#m
    m[state + CURRENT_SLAB] = 0
    m[state + WORD] = ZERO
    m[state + FAR_WORD] = ZERO
  }

  #make(state: number): number {
    const m = this.#m
    if (m[SLAB_SPARE] === 0 && m[SLAB_TOP] + SLAB_RECORD_WORDS > this.#layout.slabsEnd) return 0
    const sizeClass = (state - CLASSES) / CLASS_WORDS
    let length = slabLength(sizeClass, m[state + SLAB_COUNT])
    let span = this.#spans.allocate(length, TILE, SLAB, false)
    while (span === 0) {
      length = shorterSlab(sizeClass, length)
      if (length === 0) return 0
      span = this.#spans.allocate(length, TILE, SLAB, false)
    }
    // Read only now: making room may have released slabs.
    let slab = m[SLAB_SPARE]
    if (slab !== 0) m[SLAB_SPARE] = m[slab + NEXT]
    else {
      slab = m[SLAB_TOP]
      m[SLAB_TOP] = slab + SLAB_RECORD_WORDS
    }
    const size = m[state + SLOT]
    const slots = Math.floor(m[span + SIZE] / size)
    m[slab + BASE] = m[span + START]
    m[slab + INFO] = m[state + SLOT_INFO] | slots
    m[slab + HIGHEST] = -1
    m[slab + SLAB_SPAN] = span
    m.fill(0, slab + BITS, slab + BITS + WORDS)
    m.fill(-1, slab + BITS, slab + BITS + (slots >>> 5))
    if ((slots & 31) !== 0) m[slab + BITS + (slots >>> 5)] = (1 << (slots & 31)) - 1
    m[state + SLAB_COUNT]++
    this.#spans.cover(span, slab)
    return slab
  }

  #release(slab: number): void {
    const m = this.#m
    const span = m[slab + SLAB_SPAN]
    m[this.state(slab) + SLAB_COUNT]--
    m[slab + INFO] = 0
    m[slab + NEXT] = m[SLAB_SPARE]
    m[SLAB_SPARE] = slab
    this.#spans.cover(span, 0)
    this.#spans.release(span)
  }

  #empty(slab: number): boolean {
    const m = this.#m
    const slots = m[slab + INFO] & 511
    const whole = slots >>> 5
    for (let i = 0; i < whole; i++) if (m[slab + BITS + i] !== -1) return false
    return (slots & 31) === 0 || m[slab + BITS + whole] === (1 << (slots & 31)) - 1
  }

  #enlist(slab: number): void {
    const m = this.#m
    const at = this.state(slab) + PARTIAL
    const head = m[at]
    m[slab + NEXT] = head
    m[slab + PREVIOUS] = 0
    if (head !== 0) m[head + PREVIOUS] = slab
    m[at] = slab
  }

  #unlist(slab: number): void {
    const m = this.#m
    const next = m[slab + NEXT]
    const previous = m[slab + PREVIOUS]
    if (next !== 0) m[next + PREVIOUS] = previous
    if (previous !== 0) m[previous + NEXT] = next
    else m[this.state(slab) + PARTIAL] = next
  }
}

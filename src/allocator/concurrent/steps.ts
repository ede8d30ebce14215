/**
 * The steps of a concurrent heap that several peers take at the same time, as functions over words. No lock, no allocation, no `this`: the
 * explorer (test/allocator/concurrent) runs these very functions, one access to memory at a time, in every order.
 *
 *     free by another   load remote bits -> read tile, record and bit again -> CAS                  freeSlot, freeSpan
 *     collect           bits |= got -> and(remote bits, ~got), until nothing new came               collectHalf
 *     a new life        words of the record -> publish(remote bits, next generation) -> tiles       renewSlab, renewSpan
 *
 * The remote bits of a word of slots are two words: in one the bits of the upper 16 slots, above a generation, in the other a generation above
 * those of the lower 16. So a slot has the same bit in its word of bits and in its word of remote bits. The remote word of a span is a
 * generation and one bit. A generation counts on when a record begins to stand for something else, so a CAS of a thread that read the word
 * before that fails. What is read plainly between the load and the CAS was written before the generation was counted on, or the CAS fails.
 * After 65,536 new lives of one slab record within one call, or 2^31 of a span's, the number is the same again.
 *
 * The module calls `Atomics` by name, so that the explorer can put its own memory behind it.
 * @module
 */

import { slotOf } from '../heap/slabs.ts'
import { SlabWord, SpanTag, SpanWord } from '../heap/words.ts'
import { HALF, type Hints, SPAN_REMOTE } from './words.ts'

/** Which bits of a word of remote bits are those of slots; the others are its generation. */
export const enum Half {
  UPPER = -0x10000,
  LOWER = 0xffff,
}

/**
 * Whether the processor lets stores of one thread become visible in the order in which they are made. Then a plain store is enough where what
 * was stored before must be seen first: it takes 1 ns instead of 20.
 */
const TOTAL: boolean = process.arch === 'x64'

/** Stores a word behind all that was stored before it. */
export function publish(m: Int32Array, at: number, value: number): void {
  if (TOTAL) m[at] = value
  else Atomics.store(m, at, value)
}

/** Where the records of slabs are, and from each to its remote bits. */
export interface SlabTable {
  readonly slabs: number
  readonly slabsEnd: number
  readonly remote: number
}

/** Where the records of spans are. */
export interface SpanTable {
  readonly spans: number
  readonly spansEnd: number
}

/** Where the remote bit of a slot is; `word` is that of its bit, `remote` leads from a slab's record to its remote bits. */
export function remoteAt(word: number, remote: number, slot: number): number {
  return word + remote - SlabWord.BITS + ((slot & 16) >>> 1)
}

/**
 * Frees the live slot that starts at an offset, for a peer that does not own the shard. `tileAt` is the index of its tile word, `low` the low
 * 32 bits of the offset. The slab's record, or 0.
 */
export function freeSlot(m: Int32Array, tileAt: number, low: number, { slabs, slabsEnd, remote }: SlabTable): number {
  for (;;) {
    const slab = m[tileAt]
    // Any thread that has the heap can store anything there.
    if (!(slab >= slabs && slab < slabsEnd) || ((slab - slabs) & (SlabWord.WORDS - 1)) !== 0) return 0
    const slot = slotOf(m, slab, low)
    const word = slab + SlabWord.BITS + ((slot >>> 5) & 7)
    const at = remoteAt(word, remote, slot)
    const seen = Atomics.load(m, at)
    // All of it once more: the record may have become another slab's before the load.
    if (m[tileAt] !== slab) return 0
    if (slotOf(m, slab, low) !== slot || slot >= (m[slab + SlabWord.SLOTS] & SlabWord.NUMBER)) return 0
    const bit = SlabWord.FIRST_BIT >>> slot
    if ((seen & bit) !== 0 || (m[word] & bit) !== 0) return 0
    if (Atomics.compareExchange(m, at, seen, seen | bit) === seen) return slab
  }
}

/** Spans that start in one tile, at most. */
const WALK_MOST = 512

/** The record of the span that starts at `start` of a window, looked for without the lock, so that none may be found; 0 then. */
export function findSpan(m: Int32Array, tileAt: number, start: number, { spans, spansEnd }: SpanTable): number {
  let span = -m[tileAt]
  for (let steps = WALK_MOST; steps > 0; steps--) {
    if (!(span >= spans && span < spansEnd) || ((span - spans) & (SpanWord.WORDS - 1)) !== 0) return 0
    const at = m[span + SpanWord.START]
    if (at === start) return span
    if (!(at < start)) return 0
    span = m[span + SpanWord.NEXT]
  }
  return 0
}

/** Frees the live span that starts at `start` of a window, for a peer that does not own the shard. Its record, or 0. */
export function freeSpan(m: Int32Array, tileAt: number, window: number, start: number, table: SpanTable): number {
  const live = (window << SpanTag.WINDOW_BITS) | SpanTag.LIVE
  for (;;) {
    const span = findSpan(m, tileAt, start, table)
    if (span === 0) return 0
    const seen = Atomics.load(m, span + SPAN_REMOTE)
    if ((seen & 1) !== 0) return 0
    if (m[span + SpanWord.TAG] !== live || m[span + SpanWord.START] !== start) return 0
    if (Atomics.compareExchange(m, span + SPAN_REMOTE, seen, seen | 1) === seen) return span
  }
}

/**
 * Takes what others have freed in one half of a word of bits into that; gives the bits of those slots that are free now and were not. `at`: the
 * half's word of remote bits.
 */
export function collectHalf(m: Int32Array, at: number, word: number, half: Half): number {
  let found = 0
  for (let got = m[at] & half; got !== 0; ) {
    const before = m[word]
    found |= got & ~before
    // First it is free here, then it is taken there: a thread that dies in between has lost nothing.
    m[word] = before | got
    got = Atomics.and(m, at, ~got) & half & ~got
  }
  return found
}

/** The slots of a word of bits that others have freed, whose remote bits begin at `at`. */
export function remoteBits(m: Int32Array, at: number): number {
  return (m[at] & Half.UPPER) | (m[at + HALF] & Half.LOWER)
}

/**
 * Begins a new life of a slab's record, whose words are written, before its tiles are; says how many words had bits left of the last one. A bit
 * that is set meanwhile is lost: it was of a free at the same moment as another.
 */
export function renewSlab(m: Int32Array, at: number, slots: number): number {
  const end = at + ((slots + 31) >>> 5)
  let late = 0
  for (let upper = at; upper < end; upper++) {
    if (remoteBits(m, upper) !== 0) late++
    publish(m, upper, (m[upper] + 1) & ~Half.UPPER)
    publish(m, upper + HALF, ((m[upper + HALF] & ~Half.LOWER) + 0x10000) | 0)
  }
  return late
}

/** Begins a new life of a span's record, before its block is handed out; whether a bit was left of the last one. */
export function renewSpan(m: Int32Array, span: number): boolean {
  const at = span + SPAN_REMOTE
  const before = m[at]
  publish(m, at, (before & ~1) + 2)
  return (before & 1) !== 0
}

/**
 * Takes the lowest slot of a word of free bits, for the owner; its place, or -1. When another has freed it at the moment when the owner did its
 * remote bit is taken back first, and nothing else.
 */
export function takeSlot(m: Int32Array, word: number, remote: number): number {
  for (;;) {
    const bits = m[word]
    if (bits === 0) return -1
    const place = Math.clz32(bits)
    const at = remoteAt(word, remote, place)
    const bit = SlabWord.FIRST_BIT >>> place
    if ((m[at] & bit) === 0) {
      m[word] = bits ^ bit
      return place
    }
    Atomics.and(m, at, ~bit)
  }
}

/** Whether a slot is live, for the owner: by its bit and by its remote bit. */
export function isLiveSlot(m: Int32Array, slab: number, slot: number, remote: number): boolean {
  const word = slab + SlabWord.BITS + (slot >>> 5)
  return ((m[word] | m[remoteAt(word, remote, slot)]) & (SlabWord.FIRST_BIT >>> slot)) === 0
}

/** Frees a live slot, for the owner; false when it is not live. */
export function freeOwnSlot(m: Int32Array, slab: number, slot: number, remote: number): boolean {
  if (!isLiveSlot(m, slab, slot, remote)) return false
  m[slab + SlabWord.BITS + (slot >>> 5)] |= SlabWord.FIRST_BIT >>> slot
  return true
}

/** Frees a span that is tagged as live, for the owner: it is kept from then on. False when another has freed it. */
export function freeOwnSpan(m: Int32Array, span: number): boolean {
  if ((m[span + SPAN_REMOTE] & 1) !== 0) return false
  m[span + SpanWord.TAG] += SpanTag.KEPT - SpanTag.LIVE
  return true
}

/** Makes a kept span live, for the owner, in front of handing it out; whether another had freed it at the moment when the owner did. */
export function takeKept(m: Int32Array, span: number): boolean {
  const late = (m[span + SPAN_REMOTE] & 1) !== 0
  if (late) Atomics.and(m, span + SPAN_REMOTE, ~1)
  m[span + SpanWord.TAG] += SpanTag.LIVE - SpanTag.KEPT
  return late
}

/** Takes what another has freed, for the owner; whether the span is kept now that was live. */
export function collectSpan(m: Int32Array, span: number): boolean {
  if ((m[span + SPAN_REMOTE] & 1) === 0) return false
  const live = (m[span + SpanWord.TAG] & SpanTag.KIND) === SpanTag.LIVE
  // First it is free here, then it is taken there.
  if (live) m[span + SpanWord.TAG] += SpanTag.KEPT - SpanTag.LIVE
  Atomics.and(m, span + SPAN_REMOTE, ~1)
  return live
}

/** Notes that others have freed something in a record. What is lost of a note is found when all records are looked at. */
export function hint(m: Int32Array, { bits, words }: Hints, flag: number, record: number): void {
  const at = bits + (record >>> 5)
  const bit = 1 << record
  if ((m[at] & bit) !== 0) return
  if (Atomics.or(m, at, bit) !== 0 && m[flag] !== 0) return
  Atomics.or(m, words + (record >>> 10), 1 << (record >>> 5))
  if (m[flag] === 0) Atomics.store(m, flag, 1)
}

/** Takes all notes of records below `top`, and calls with each. */
export function takeHints(m: Int32Array, { bits, words }: Hints, top: number, visit: (record: number) => void): void {
  const end = words + ((top + 1023) >>> 10)
  for (let high = words; high < end; high++) {
    if (m[high] === 0) continue
    for (let groups = Atomics.exchange(m, high, 0); groups !== 0; groups &= groups - 1) {
      const group = ((high - words) << 5) + 31 - Math.clz32(groups & -groups)
      if (group << 5 >= top) continue
      for (let found = Atomics.exchange(m, bits + group, 0); found !== 0; found &= found - 1)
        visit((group << 5) + 31 - Math.clz32(found & -found))
    }
  }
}

/** Takes a lock for a peer; whether it was free. */
export function tryLock(m: Int32Array, at: number, peer: number): boolean {
  return Atomics.compareExchange(m, at, 0, peer) === 0
}

/** Gives a lock back. */
export function unlock(m: Int32Array, at: number): void {
  publish(m, at, 0)
}

/** Takes over the lock of a peer that is dead; whether it was still that peer's. `rebuild`: the word that says what is to be rebuilt, or 0. */
export function takeOver(m: Int32Array, at: number, dead: number, peer: number, rebuild: number): boolean {
  if (Atomics.load(m, at) !== dead) return false
  if (rebuild !== 0) Atomics.store(m, rebuild, 1)
  return Atomics.compareExchange(m, at, dead, peer) === dead
}

/** Makes a shard whose owner is dead one without an owner, to be rebuilt by the next. */
export function orphan(m: Int32Array, ownerAt: number, rebuild: number, dead: number): void {
  if (Atomics.load(m, ownerAt) !== dead) return
  Atomics.store(m, rebuild, 1)
  Atomics.compareExchange(m, ownerAt, dead, 0)
}

/** Makes a shard without an owner this peer's; whether it had none. The caller holds its lock. */
export function adopt(m: Int32Array, ownerAt: number, peer: number): boolean {
  return Atomics.compareExchange(m, ownerAt, 0, peer) === 0
}

/** Hands a shard, whose tables have been made, to a peer. The caller holds the heap's lock. */
export function handOut(m: Int32Array, ownerAt: number, stateAt: number, peer: number, used: number): void {
  Atomics.store(m, ownerAt, peer)
  Atomics.store(m, stateAt, used)
}

/**
 * Rebuilding a heap whose writer died in the middle of something, from what is true at every moment:
 *
 *     a span is live     from the store of its tag (start and size were written before) to the store of another tag
 *     a slot is live     while its bit is 0; the record of a slab is complete before its span is tagged as one
 *     a huge block       when its first part is tagged, after all others
 *
 * Each is one aligned 32-bit store, so a block is there or it is not. Everything else is made anew: free spans are the gaps, and links,
 * tiles, bins, lists, counts follow. PMDK's rule: bitmaps are the truth, lists are rebuilt at open. Live records stay where they are and are not
 * written to, so a rebuild that is cut short can be made again. What contradicts itself all the same is ERR_CORRUPTED, before anything
 * is changed.
 *
 * Cost: a sort of the live spans; some 200 ns each.
 * @module
 */
import { bytes, CorruptedError } from '../../../errors.ts'
import { WHOLE_WORDS } from '../report/tiles.ts'
import { CLASS_COUNT, CLASS_INVERSE, CLASS_SHIFT, CLASS_SIZE, Size } from '../size-classes.ts'
import type { HeapSpace } from '../space.ts'
import { enterTile, intoBin, takeRecord } from '../spans/records.ts'
import { At, ClassWord, SlabWord, SpanTag, SpanWord, Window } from '../words.ts'

/** Rebuilds all that the live spans and slabs of a heap do not say themselves. Throws ERR_CORRUPTED, and has changed nothing then. */
export function rebuildHeap(space: HeapSpace): void {
  const live = liveSpans(space)
  const { words, layout } = space.tables
  // Records behind the last one may be left of a reset that was cut short.
  if (words[At.CLEARING] !== 0) space.clearWords(words[At.SPAN_TOP], layout.spansEnd)
  words[At.CLEARING] = 1
  words.fill(0, At.BIN_TOP_MAP, At.KEPT_END)
  clearTiles(space)
  for (const at of [At.ZERO, At.TILE_TOP, At.RESIDUE, At.SWEPT, At.FALLEN, At.FLUSHES]) words[at] = 0
  collectRecords(space, live)
  linkSpans(space, live)
  words[At.CLEARING] = 0
  verifyPageTop(space)
  space.recount(live)
}

/** The records of live spans in address order, each of them verified. */
function liveSpans(space: HeapSpace): number[] {
  const { index } = space
  const { words, layout } = space.tables
  const top = words[At.SPAN_TOP]
  if (top < layout.spans || top > layout.spansEnd || (top - layout.spans) % SpanWord.WORDS !== 0)
    throw new CorruptedError(`Heap: span records end at ${top}`)
  if (words[At.CLEARING] === 0) verifyEnd(space, top)
  const live: number[] = []
  for (let span = layout.spans; span < top; span += SpanWord.WORDS) {
    if (isLive(index.kind(span))) live.push(span)
  }
  live.sort((a, b) => index.offset(a) - index.offset(b))
  let end = 0
  for (const span of live) {
    const start = index.offset(span)
    verifySpan(space, span)
    if (start < end) throw new CorruptedError(`Heap: live spans overlap at ${start}`)
    end = start + index.partLength(span)
  }
  return withoutOrphans(space, live)
}

/**
 * Behind the last record there is none that is live: records are used one after the other, and the end of them is one word, which nothing
 * else repeats. The search ends where a page of the table reads zero. While the tables are emptied all records lie behind the end.
 */
function verifyEnd({ tables, index }: HeapSpace, top: number): void {
  const { words, layout } = tables
  if (top === layout.spans) throw new CorruptedError('Heap: there is no span record')
  for (let span = top, zeros = 0; span < layout.spansEnd && zeros < UNUSED_RECORDS; span += SpanWord.WORDS, zeros++) {
    if (isLive(index.kind(span))) throw new CorruptedError(`Heap: span records end at ${top}, and ${span} is live`)
    if (words[span + SpanWord.SIZE] !== 0 || words[span + SpanWord.TAG] !== 0) zeros = 0
  }
}

/** Records in a page. */
const UNUSED_RECORDS = 128

function isLive(kind: number): boolean {
  return kind === SpanTag.LIVE || kind === SpanTag.SLAB || kind === SpanTag.HUGE || kind === SpanTag.PART
}

function verifySpan(space: HeapSpace, span: number): void {
  const { index, tables } = space
  const { words } = tables
  const start = index.offset(span)
  const length = index.partLength(span)
  const inside = words[span + SpanWord.START]
  if (inside < 0 || start % 8 !== 0 || length % 8 !== 0 || length <= 0 || inside + length > Window.BYTES)
    throw new CorruptedError(`Heap: a live span at ${start} has ${bytes(length)}`)
  if (start < tables.offset || start + length > tables.offset + tables.byteLength)
    throw new CorruptedError(`Heap: a live span at ${start} of ${bytes(length)} leaves the claim`)
  if (index.kind(span) === SpanTag.SLAB) verifySlab(space, span)
}

function verifySlab({ tables, index, slabs }: HeapSpace, span: number): void {
  const { words, layout } = tables
  const slab = index.slabOf(span)
  const lie = (what: string) => new CorruptedError(`Heap: the slab at ${index.offset(span)} ${what}`)
  if (slab < layout.slabs || slab + SlabWord.WORDS > layout.slabsEnd || (slab - layout.slabs) % SlabWord.WORDS !== 0)
    throw lie(`has no record: ${slab}`)
  if (words[slab + SlabWord.SPAN] !== span) throw lie('has the record of another')
  if (words[span + SpanWord.START] % Size.TILE !== 0 || words[span + SpanWord.SIZE] > Size.SLAB_MAX)
    throw lie('is none')
  if (words[span + SpanWord.SIZE] % Size.TILE !== 0) throw lie(`has ${words[span + SpanWord.SIZE]} bytes`)
  const sizeClass = (words[slab + SlabWord.CLASS] - At.CLASSES) / ClassWord.WORDS
  if (!Number.isInteger(sizeClass) || sizeClass < 0 || sizeClass >= CLASS_COUNT) throw lie(`has class ${sizeClass}`)
  const slots = Math.floor(index.partLength(span) / CLASS_SIZE[sizeClass])
  const told = words[slab + SlabWord.SLOTS]
  if (told !== slots || slots > Size.SLAB_SLOTS) throw lie(`has ${told} slots`)
  if (words[slab + SlabWord.BASE] !== (slabs.firstSlot(slab) | 0))
    throw lie(`has slot 0 at ${words[slab + SlabWord.BASE]}`)
  const counts = words[slab + SlabWord.COUNTS]
  if (
    words[slab + SlabWord.INVERSE] !== CLASS_INVERSE[sizeClass] ||
    (counts & SlabWord.SHIFT) !== CLASS_SHIFT[sizeClass]
  )
    throw lie('divides by another size')
  if (((counts >>> SlabWord.KNOWN_BITS) & SlabWord.NUMBER) > slots) throw lie('knows more slots than it has')
  for (let slot = slots; slot < Size.SLAB_SLOTS; slot++)
    if ((words[slab + SlabWord.BITS + (slot >>> 5)] & (SlabWord.FIRST_BIT >>> slot)) !== 0)
      throw lie(`has slot ${slot} free, and not so many`)
}

/** Leaves out the parts of huge blocks whose first part is not there, and the first part of one whose parts are not. */
function withoutOrphans({ index }: HeapSpace, live: number[]): number[] {
  const kept: number[] = []
  for (let at = 0; at < live.length; at++) {
    const span = live[at] as number
    if (index.kind(span) === SpanTag.PART) continue
    kept.push(span)
    if (index.kind(span) !== SpanTag.HUGE) continue
    let left = index.length(span) - index.partLength(span)
    let end = index.offset(span) + index.partLength(span)
    if (left <= 0) throw new CorruptedError(`Heap: the huge block at ${index.offset(span)} has ${bytes(left)} in parts`)
    for (; left > 0 && at + 1 < live.length && index.kind(live[at + 1] as number) === SpanTag.PART; at++) {
      const part = live[at + 1] as number
      if (index.offset(part) !== end || end % Window.BYTES !== 0) break
      kept.push(part)
      left -= index.partLength(part)
      end += index.partLength(part)
    }
    if (left !== 0) throw new CorruptedError(`Heap: the huge block at ${index.offset(span)} lacks ${bytes(left)}`)
  }
  return kept
}

/** Hangs every record below the highest live one that is not live in the list of spare ones; those above are as if never used. */
function collectRecords({ tables: { words, layout } }: HeapSpace, live: readonly number[]): void {
  const taken = new Set(live)
  let top = layout.spans
  for (const span of live) top = Math.max(top, span + SpanWord.WORDS)
  let spare = 0
  let count = 0
  for (let span = words[At.SPAN_TOP] - SpanWord.WORDS; span >= layout.spans; span -= SpanWord.WORDS) {
    if (taken.has(span)) continue
    if (words[span + SpanWord.TAG] !== 0) words[span + SpanWord.TAG] = 0
    if (span >= top) continue
    words[span + SpanWord.NEXT] = spare
    spare = span
    count++
  }
  words[At.SPAN_SPARE] = spare
  words[At.SPAN_SPARES] = count
  words[At.SPAN_TOP] = top
}

/** How far the tiles are used is one word as well, and is not relied on. */
function clearTiles(space: HeapSpace): void {
  const { words, layout } = space.tables
  if (layout.tileCount > WHOLE_WORDS) space.clearWords(At.TILES, At.TILES + layout.tileCount)
  else for (let at: number = At.TILES; at < At.TILES + layout.tileCount; at++) if (words[at] !== 0) words[at] = 0
}

/**
 * How far the bits of pages are used is one word, which nothing else repeats: found anew where that takes no memory to speak of. Bits of
 * pages that the claim does not have are cleared.
 */
function verifyPageTop(space: HeapSpace): void {
  const { words, layout } = space.tables
  const all = Math.ceil(layout.pageCount / 32)
  let top = Math.ceil(Math.min(Math.max(words[At.PAGE_TOP], 0), layout.pageCount) / 32)
  if (all <= WHOLE_WORDS) top = all
  else space.clearWords(layout.pageBits + top, layout.pageBits + all)
  while (top > 0 && words[layout.pageBits + top - 1] === 0) top--
  words[At.PAGE_TOP] = Math.min(top * 32, layout.pageCount)
  if (layout.pageCount % 32 !== 0) words[layout.pageBits + all - 1] &= (1 << layout.pageCount) - 1
}

/** Links the spans of each window in address order, with a free span for each gap. */
function linkSpans(space: HeapSpace, live: readonly number[]): void {
  const { index } = space
  const { words } = space.tables
  const last = live.length === 0 ? 0 : index.window(live[live.length - 1] as number) - index.firstWindow + 1
  words[At.WINDOWS] = Math.min(Math.max(words[At.WINDOWS], last, 1), index.windowCount)
  let next = 0
  for (let w = 0; w < words[At.WINDOWS]; w++) {
    let end = index.windowStart(w)
    let previous = 0
    for (; next < live.length && index.window(live[next] as number) === index.firstWindow + w; next++) {
      const span = live[next] as number
      const start = words[span + SpanWord.START]
      if (start > end) previous = link(space, gap(space, w, end, start), previous)
      previous = link(space, span, previous)
      end = start + words[span + SpanWord.SIZE]
    }
    if (end < index.windowEnd(w)) link(space, gap(space, w, end, index.windowEnd(w)), previous)
  }
}

/** A free span. Its pages may be clean or not: their bits know. */
function gap({ tables: { words }, index }: HeapSpace, w: number, start: number, end: number): number {
  const span = takeRecord(words)
  words[span + SpanWord.START] = start
  words[span + SpanWord.SIZE] = end - start
  words[span + SpanWord.TAG] = ((index.firstWindow + w) << SpanTag.WINDOW_BITS) | SpanTag.CLEAN | SpanTag.FREE
  intoBin(words, span, end - start)
  return span
}

/** Appends a span to its window; gives the span. */
function link({ tables, index }: HeapSpace, span: number, previous: number): number {
  const { words, layout } = tables
  words[span + SpanWord.PREVIOUS] = previous
  words[span + SpanWord.NEXT] = 0
  if (previous !== 0) words[previous + SpanWord.NEXT] = span
  if (index.kind(span) === SpanTag.SLAB) index.mark(span)
  else enterTile(words, span, At.TILES - layout.firstTile, layout.firstTile)
  return span
}

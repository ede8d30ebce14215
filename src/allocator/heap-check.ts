/**
 * Walks all of a heap's tables and says the first thing that contradicts another: every equation that span.ts, slab-table.ts and
 * page-map.ts state. Reads only. Some 100 ns a span.
 * @module
 */
import { alignUp } from '../bits.ts'
import type { HeapParts } from './heap.ts'
import {
  BIN_COUNT,
  BIN_HEAD,
  CLASS_LOOKUP,
  CLASS_WORDS,
  CLASSES,
  CURRENT_SLAB,
  FREE,
  KEPT,
  KEPT_COUNT,
  KEPT_NOW,
  KEPT_SPANS,
  PARTIAL,
  SLAB,
  SLAB_COUNT,
  SLAB_TOP,
  SLOT,
  SPAN_SPARES,
  SPAN_TOP,
  SPAN_WORDS,
  TILE_TOP,
  TILES,
} from './heap-layout.ts'

/** The first contradiction, or undefined. */
export function checkHeap(parts: HeapParts): string | undefined {
  return checkSpans(parts) ?? checkTiles(parts) ?? checkBins(parts) ?? checkSlabs(parts) ?? checkPages(parts)
}

/** Spans tile each open window, no two free ones are neighbours, and every record is a span's or spare. */
function checkSpans({ words, layout, spans, source }: HeapParts): string | undefined {
  let records = 0
  let live = 0
  let end = -1
  let free = false
  for (const span of spans.all()) {
    const start = spans.offset(span)
    const length = spans.partLength(span)
    const kind = spans.kind(span)
    records++
    if (start % 8 !== 0 || length % 8 !== 0 || length <= 0) return `span at ${start} has length ${length}`
    const first = spans.isFirst(span)
    if (!first && start !== end) return `span at ${start} begins where no span ends (${end})`
    if (!first && spans.next(spans.previous(span)) !== span) return `span at ${start} is not linked both ways`
    if (!first && free && kind === FREE) return `two free spans meet at ${start}`
    if (start < source.offset || start + length > source.offset + source.byteLength)
      return `span at ${start} of ${length} bytes leaves the claim`
    if (kind < FREE || kind > KEPT) return `span at ${start} has kind ${kind}`
    if (kind !== FREE) live += length
    if (spans.next(span) === 0 && !spans.endsWindow(span)) return `the last span of its window, at ${start}, ends early`
    end = start + length
    free = kind === FREE
  }
  if (live !== spans.usedBytes) return `live spans have ${live} bytes, the count says ${spans.usedBytes}`
  const made = (words[SPAN_TOP] - layout.spans) / SPAN_WORDS
  if (records + words[SPAN_SPARES] !== made)
    return `${records} spans and ${words[SPAN_SPARES]} spare records of ${made}`
  return undefined
}

/** Every span is found from its start, and every tile word names what starts in it. */
function checkTiles({ words, spans }: HeapParts): string | undefined {
  let named = 0
  for (const span of spans.all()) {
    const start = spans.start(span)
    if (spans.kind(span) === SLAB) {
      const tiles = spans.partLength(span) / 4096
      named += tiles
      for (let t = 0; t < tiles; t++)
        if (spans.tile(spans.window(span), start + t * 4096) !== spans.slabOf(span) + t)
          return `tile ${t} of the slab at ${start} is not named`
      continue
    }
    if (spans.find(spans.window(span), start) !== span) return `span at ${spans.offset(span)} is not found by its tile`
    if (spans.tile(spans.window(span), start) === -span) named++
  }
  let entries = 0
  for (let t = 0; t < words[TILE_TOP]; t++) if (words[TILES + t] !== 0) entries++
  return entries === named ? undefined : `${entries} tile words are set, ${named} should be`
}

/** Every free span that is long enough hangs in the bin of its length, and the bitmaps say which bins have any. */
function checkBins({ words, spans }: HeapParts): string | undefined {
  let binned = 0
  for (let bin = 0; bin < BIN_COUNT; bin++) {
    if ((words[BIN_HEAD + bin] !== 0) !== spans.binBit(bin)) return `bin ${bin}: its bit and its list differ`
    for (const span of spans.inBin(bin)) {
      binned++
      if (spans.kind(span) !== FREE) return `bin ${bin} holds a span that is not free, at ${spans.offset(span)}`
      if (spans.binOf(spans.partLength(span)) !== bin) return `the free span at ${spans.offset(span)} is in bin ${bin}`
    }
  }
  let free = 0
  for (const span of spans.all()) if (spans.kind(span) === FREE && spans.isBinned(span)) free++
  let kept = 0
  for (const span of words.subarray(KEPT_SPANS, KEPT_SPANS + KEPT_COUNT)) {
    if (span !== 0) kept++
    if (span !== 0 && spans.kind(span) !== KEPT) return `the kept span at ${spans.offset(span)} is not`
  }
  for (const span of spans.all()) if (spans.kind(span) === KEPT) kept--
  if (kept !== 0) return `${kept} more spans are kept than there are`
  if (words.subarray(KEPT_SPANS, KEPT_SPANS + KEPT_COUNT).filter((span) => span !== 0).length !== words[KEPT_NOW])
    return `the count of kept spans says ${words[KEPT_NOW]}`
  return free === binned ? undefined : `${free} free spans belong in bins, ${binned} are`
}

/** Slabs: counts, lists and countdowns. */
function checkSlabs({ words, layout, spans, slabs }: HeapParts): string | undefined {
  const counts = new Map<number, number>()
  const partials = new Map<number, number>()
  let records = 0
  for (const span of spans.all()) {
    if (spans.kind(span) !== SLAB) continue
    const slab = spans.slabOf(span)
    const lie = slabs.check(slab, span)
    if (lie !== undefined) return `slab at ${spans.offset(span)}: ${lie}`
    const state = slabs.state(slab)
    counts.set(state, (counts.get(state) ?? 0) + 1)
    if (slabs.isPartial(slab)) partials.set(state, (partials.get(state) ?? 0) + 1)
    records++
  }
  for (let state = CLASSES; state < CLASS_LOOKUP; state += CLASS_WORDS) {
    const size = words[state + SLOT]
    if ((counts.get(state) ?? 0) !== words[state + SLAB_COUNT])
      return `class ${size} counts ${words[state + SLAB_COUNT]} slabs`
    const listed = slabs.listLength(words[state + PARTIAL])
    const partial = partials.get(state) ?? 0
    if (listed !== partial) return `class ${size} lists ${listed} partial slabs of ${partial}`
    const current = words[state + CURRENT_SLAB]
    if (current !== 0 && !slabs.isCurrent(current)) return `class ${size} has a current slab that is not`
  }
  const made = (words[SLAB_TOP] - layout.slabs) / 16
  return records + slabs.spares() === made
    ? undefined
    : `${records} slabs and ${slabs.spares()} spare records of ${made}`
}

/** Every page of a live span or slab is committed, and the count of committed pages is that of the bits. */
function checkPages({ layout, spans, source }: HeapParts): string | undefined {
  const { pages } = spans
  const { pageSize } = source
  const counted = pages.recount(layout.pageCount - 1)
  if (counted !== pages.committed) return `${counted} pages are committed, the count says ${pages.committed}`
  for (const span of spans.all()) {
    if (spans.kind(span) === FREE) continue
    const start = spans.offset(span)
    const first = Math.floor(start / pageSize) - layout.firstPage
    const last = alignUp(start + spans.partLength(span), pageSize) / pageSize - 1 - layout.firstPage
    if (pages.clean(first, last) !== 0) return `the live span at ${start} has a page that is not committed`
  }
  return undefined
}

/**
 * Walks all of a heap's tables and says the first thing that contradicts another: every equation that span.ts, slab-table.ts and
 * page-map.ts state. Reads only. Some 100 ns a span.
 * @module
 */
import { alignUp } from '../bits.ts'
import { At, Bin, Class, Span, Tag } from './heap-layout.ts'
import type { HeapParts } from './heap-parts.ts'
import { CLASS_COUNT, CLASS_SIZE, Size } from './size-class.ts'

/** The first contradiction, or undefined. */
export function checkHeap(parts: HeapParts): string | undefined {
  return (
    checkSpans(parts) ??
    checkTiles(parts) ??
    checkBins(parts) ??
    checkKept(parts) ??
    checkSlabs(parts) ??
    checkPages(parts)
  )
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
    if (!first && free && kind === Tag.FREE) return `two free spans meet at ${start}`
    if (start < source.offset || start + length > source.offset + source.byteLength)
      return `span at ${start} of ${length} bytes leaves the claim`
    if (kind < Tag.FREE || kind > Tag.KEPT) return `span at ${start} has kind ${kind}`
    if (kind !== Tag.FREE) live += length
    if (spans.next(span) === 0 && !spans.endsWindow(span)) return `the last span of its window, at ${start}, ends early`
    end = start + length
    free = kind === Tag.FREE
  }
  if (live !== spans.usedBytes) return `live spans have ${live} bytes, the count says ${spans.usedBytes}`
  const made = (words[At.SPAN_TOP] - layout.spans) / Span.WORDS
  if (records + words[At.SPAN_SPARES] !== made)
    return `${records} spans and ${words[At.SPAN_SPARES]} spare records of ${made}`
  return undefined
}

/** Every span is found from its start, and every tile word names what starts in it. */
function checkTiles({ words, spans }: HeapParts): string | undefined {
  let named = 0
  for (const span of spans.all()) {
    const start = spans.start(span)
    if (spans.kind(span) === Tag.SLAB) {
      const tiles = spans.partLength(span) / Size.TILE
      named += tiles
      for (let t = 0; t < tiles; t++)
        if (spans.tile(spans.window(span), start + t * Size.TILE) !== spans.slabOf(span))
          return `tile ${t} of the slab at ${start} is not named`
      continue
    }
    if (spans.find(spans.window(span), start) !== span) return `span at ${spans.offset(span)} is not found by its tile`
    if (spans.tile(spans.window(span), start) === -span) named++
  }
  let entries = 0
  for (let t = 0; t < words[At.TILE_TOP]; t++) if (words[At.TILES + t] !== 0) entries++
  return entries === named ? undefined : `${entries} tile words are set, ${named} should be`
}

/** Every free span that is long enough hangs in the bin of its length, and the bitmaps say which bins have any. */
function checkBins({ words, spans }: HeapParts): string | undefined {
  let binned = 0
  for (let bin = 0; bin < Bin.COUNT; bin++) {
    if ((words[At.BINS + bin] !== 0) !== spans.binBit(bin)) return `bin ${bin}: its bit and its list differ`
    for (const span of spans.inBin(bin)) {
      binned++
      if (spans.kind(span) !== Tag.FREE) return `bin ${bin} holds a span that is not free, at ${spans.offset(span)}`
      if (spans.binOf(spans.partLength(span)) !== bin) return `the free span at ${spans.offset(span)} is in bin ${bin}`
    }
  }
  let free = 0
  for (const span of spans.all()) if (spans.kind(span) === Tag.FREE && spans.isBinned(span)) free++
  return free === binned ? undefined : `${free} free spans belong in bins, ${binned} are`
}

/** Every kept span hangs in the list of its bin, whose bit is set. */
function checkKept({ words, spans }: HeapParts): string | undefined {
  let kept = 0
  for (let bin = 0; bin < Bin.KEPT_COUNT; bin++) {
    for (const span of spans.keptIn(bin)) {
      kept++
      if (spans.kind(span) !== Tag.KEPT) return `the kept span at ${spans.offset(span)} is not`
      const length = spans.partLength(span)
      if ((bin < 32 ? length / Size.TILE : spans.binOf(length)) !== bin)
        return `the kept span at ${spans.offset(span)} is in bin ${bin}`
      if ((words[At.KEPT_MAP + (bin >>> 5)] & (1 << bin)) === 0) return `bin ${bin} of kept spans has no bit`
    }
  }
  for (const span of spans.all()) if (spans.kind(span) === Tag.KEPT) kept--
  return kept === 0 ? undefined : `${-kept} more spans are kept than hang in lists`
}

/** Slabs: counts, lists and countdowns. */
function checkSlabs({ words, layout, spans, slabs }: HeapParts): string | undefined {
  const counts = new Map<number, number>()
  const partials = new Map<number, number>()
  let records = 0
  for (const span of spans.all()) {
    if (spans.kind(span) !== Tag.SLAB) continue
    const slab = spans.slabOf(span)
    const lie = slabs.check(slab, span)
    if (lie !== undefined) return `slab at ${spans.offset(span)}: ${lie}`
    const state = slabs.state(slab)
    counts.set(state, (counts.get(state) ?? 0) + 1)
    if (slabs.isPartial(slab)) partials.set(state, (partials.get(state) ?? 0) + 1)
    records++
  }
  for (let c = 0; c < CLASS_COUNT; c++) {
    const state = At.CLASSES + c * Class.WORDS
    const size = CLASS_SIZE[c]
    if ((counts.get(state) ?? 0) !== words[state + Class.SLABS])
      return `class ${size} counts ${words[state + Class.SLABS]} slabs`
    const listed = slabs.listLength(words[state + Class.PARTIAL])
    const partial = partials.get(state) ?? 0
    if (listed !== partial) return `class ${size} lists ${listed} partial slabs of ${partial}`
    const current = words[state + Class.CURRENT]
    if (current !== 0 && !slabs.isCurrent(current)) return `class ${size} has a current slab that is not`
  }
  const made = (words[At.SLAB_TOP] - layout.slabs) / 16
  return records + slabs.spares() === made
    ? undefined
    : `${records} slabs and ${slabs.spares()} spare records of ${made}`
}

/** Every page of a span is committed unless it is free and said to have clean ones, and the count of committed pages is that of the bits. */
function checkPages({ words, layout, spans, source }: HeapParts): string | undefined {
  const { pages } = spans
  const { pageSize } = source
  const counted = pages.recount(words[At.PAGE_TOP] - 1)
  if (counted !== pages.committed) return `${counted} pages are committed, the count says ${pages.committed}`
  const whole = spans.countFreePages()
  if (whole !== words[At.FREE_PAGES]) return `${whole} pages lie in free spans, the count says ${words[At.FREE_PAGES]}`
  for (const span of spans.all()) {
    if (spans.isFreeAndClean(span)) continue
    const start = spans.offset(span)
    const first = Math.floor(start / pageSize) - layout.firstPage
    const last = alignUp(start + spans.partLength(span), pageSize) / pageSize - 1 - layout.firstPage
    if (pages.clean(first, last) !== 0) return `the span at ${start} has a page that is not committed`
  }
  return undefined
}

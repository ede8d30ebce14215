/**
 * Which live block is at an offset of a heap: found, or told why there is none. The slow and thorough side of what heap.ts does in its
 * fast paths: any window, any offset, exact errors.
 *
 *     offset -> tile word > 0 -> slab -> slot     a live slot starts there, or the offset is inside one, freed, never handed out
 *                        <= 0 -> span             the same for spans
 *
 * Cost: some 20 ns; more for errors, which look back for the block around.
 * @module
 */
import { bytes, DoubleFreeError, InvalidFreeError } from '../../errors.ts'
import type { HeapParts } from './parts.ts'
import { Size } from './size-classes.ts'
import { At, SlabWord, SpanTag, Window } from './words.ts'

/** A live block. */
export interface Block {
  offset: number
  byteLength: number
}

/**
 * The record of the slab whose live slot starts at an offset, or minus the record of the live span that does; throws
 * ERR_DOUBLE_FREE or ERR_INVALID_FREE when there is none.
 */
export function blockAt(parts: HeapParts, offset: number): number {
  const { words, spans, slabs, layout } = parts
  const tile = Math.floor(offset / Size.TILE) - layout.firstTile
  const entry = tile >= 0 && tile < layout.tileCount ? words[At.TILES + tile] : 0
  if (entry > 0) {
    const product = Math.imul(((offset | 0) - words[entry + SlabWord.BASE]) >> 3, words[entry + SlabWord.RECIPROCAL])
    const start = ((product & Size.NOT_A_START) | (offset & 7)) === 0 && offset % 1 === 0
    if (start && slabs.live(slabs.sound(entry, words[entry + SlabWord.CLASS]), product >>> 20)) return entry
  } else if (entry < 0) {
    const span = spans.startingAt(-entry, offset & Window.INSIDE)
    const kind = span === 0 ? 0 : spans.kind(span)
    if ((kind === SpanTag.LIVE || kind === SpanTag.HUGE) && offset % 1 === 0) return -span
  }
  throw notLive(parts, offset)
}

/** The live block that wholly contains a range, or undefined. */
export function blockAround({ words, spans, slabs }: HeapParts, offset: number, byteLength: number): Block | undefined {
  const start = offset & (Window.BYTES - 1)
  const window = (offset - start) / Window.BYTES
  const tile = spans.tile(window, start)
  let block: Block
  if (tile > 0) {
    const size = slabs.slotSize(slabs.sound(tile, words[tile + SlabWord.CLASS]))
    const first = slabs.firstSlot(tile)
    const slot = Math.floor((offset - first) / size)
    if (!slabs.live(tile, slot)) return undefined
    block = { offset: first + slot * size, byteLength: size }
  } else {
    const span = spans.headOf(spans.around(window, start))
    if (span === 0) return undefined
    block = { offset: spans.offset(span), byteLength: spans.length(span) }
  }
  return offset + byteLength <= block.offset + block.byteLength ? block : undefined
}

/** Every live block. The one that was given last may be freed. */
export function* liveBlocks({ spans, slabs }: HeapParts): Generator<Block> {
  for (const span of spans.all()) {
    const kind = spans.kind(span)
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE)
      yield { offset: spans.offset(span), byteLength: spans.length(span) }
    if (kind === SpanTag.SLAB) yield* slabs.liveSlots(spans.slabOf(span))
  }
}

/** Why no live block starts at an offset. */
function notLive(parts: HeapParts, offset: number): Error {
  const { spans, slabs, source } = parts
  if (!Number.isInteger(offset) || offset < source.offset || offset >= source.offset + source.byteLength)
    return new InvalidFreeError(`${offset} is not an offset in the range of this heap`)
  const start = offset & Window.INSIDE
  const window = (offset - start) / Window.BYTES
  const tile = spans.tile(window, start)
  return tile > 0
    ? notLiveSlot(parts, offset, slabs.sound(tile, parts.words[tile + SlabWord.CLASS]))
    : notLiveSpan(parts, offset, window, start)
}

function notLiveSlot({ slabs }: HeapParts, offset: number, slab: number): Error {
  const distance = offset - slabs.firstSlot(slab)
  const size = slabs.slotSize(slab)
  if (distance < 0) return new InvalidFreeError(`${offset} lies before the first slot of a slab`)
  const slot = Math.floor(distance / size)
  if (slot * size !== distance)
    return new InvalidFreeError(
      `${offset} lies ${bytes(distance - slot * size)} behind the start of a slot of ${bytes(size)}`
    )
  return slabs.everUsed(slab, slot) ? freedAlready(offset) : neverUsed(offset)
}

function notLiveSpan({ spans }: HeapParts, offset: number, window: number, start: number): Error {
  if (offset % 8 !== 0) return new InvalidFreeError(`${offset} is not a multiple of 8: no block starts there`)
  const span = spans.around(window, start)
  const kind = span === 0 ? 0 : spans.kind(span)
  if (kind === SpanTag.LIVE || kind === SpanTag.HUGE || kind === SpanTag.PART)
    return new InvalidFreeError(`${offset} lies inside a block, not at its start`)
  return kind === SpanTag.KEPT || (kind === SpanTag.FREE && spans.everUsed(window, start))
    ? freedAlready(offset)
    : neverUsed(offset)
}

function freedAlready(offset: number): Error {
  return new DoubleFreeError(`the block at ${offset} has already been freed`)
}

function neverUsed(offset: number): Error {
  return new InvalidFreeError(`no block was ever handed out at ${offset}`)
}

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
import { Size } from './size-classes.ts'
import { slotOf } from './slabs.ts'
import type { HeapView } from './space.ts'
import { At, SlabWord, SpanTag, Window } from './words.ts'

/** The tile of an offset beyond 2^32; -1 for what is no offset. */
export function tileOf(offset: number): number {
  return Number.isInteger(offset) && offset > 0 && offset < 2 ** 43 ? (offset / Size.TILE) | 0 : -1
}

/** A live block. */
export interface Block {
  offset: number
  byteLength: number
}

/**
 * The record of the slab whose live slot starts at an offset, or minus the record of the live span that does; throws
 * ERR_DOUBLE_FREE or ERR_INVALID_FREE when there is none.
 */
export function blockAt(space: HeapView, offset: number): number {
  const { index, slabs } = space
  const { words, layout } = space.tables
  const tile = Math.floor(offset / Size.TILE) - layout.firstTile
  const entry = tile >= 0 && tile < layout.tileCount ? words[At.TILES + tile] : 0
  if (entry > 0) {
    const slab = slabs.sound(entry, words[entry + SlabWord.CLASS])
    if (offset % 1 === 0 && slabs.live(slab, slotOf(words, slab, offset))) return entry
  } else if (entry < 0) {
    const span = index.startingAt(-entry, offset & Window.INSIDE)
    const kind = span === 0 ? 0 : index.kind(span)
    if ((kind === SpanTag.LIVE || kind === SpanTag.HUGE) && offset % 1 === 0) return -span
  }
  throw notLive(space, offset)
}

/** The live block that wholly contains a range, or undefined. */
export function blockAround({ tables, index, slabs }: HeapView, offset: number, byteLength: number): Block | undefined {
  const { words } = tables
  const start = offset & (Window.BYTES - 1)
  const window = (offset - start) / Window.BYTES
  const tile = index.tile(window, start)
  let block: Block
  if (tile > 0) {
    const size = slabs.slotSize(slabs.sound(tile, words[tile + SlabWord.CLASS]))
    const first = slabs.firstSlot(tile)
    const slot = Math.floor((offset - first) / size)
    if (!slabs.live(tile, slot)) return undefined
    block = { offset: first + slot * size, byteLength: size }
  } else {
    const span = index.headOf(index.around(window, start))
    if (span === 0) return undefined
    block = { offset: index.offset(span), byteLength: index.length(span) }
  }
  return offset + byteLength <= block.offset + block.byteLength ? block : undefined
}

/** Every live block. The one that was given last may be freed. */
export function* liveBlocks({ index, slabs }: HeapView): Generator<Block> {
  for (const span of index.all()) {
    const kind = index.kind(span)
    if (kind === SpanTag.LIVE || kind === SpanTag.HUGE)
      yield { offset: index.offset(span), byteLength: index.length(span) }
    if (kind === SpanTag.SLAB) yield* slabs.liveSlots(index.slabOf(span))
  }
}

/** Why no live block starts at an offset. */
function notLive(space: HeapView, offset: number): Error {
  const { index, slabs, tables } = space
  if (!Number.isInteger(offset) || offset < tables.offset || offset >= tables.offset + tables.byteLength)
    return new InvalidFreeError(`${offset} is not an offset in the range of this heap`)
  const start = offset & Window.INSIDE
  const window = (offset - start) / Window.BYTES
  const tile = index.tile(window, start)
  return tile > 0
    ? notLiveSlot(space, offset, slabs.sound(tile, tables.words[tile + SlabWord.CLASS]))
    : notLiveSpan(space, offset, window, start)
}

function notLiveSlot({ slabs }: HeapView, offset: number, slab: number): Error {
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

function notLiveSpan({ index }: HeapView, offset: number, window: number, start: number): Error {
  if (offset % 8 !== 0) return new InvalidFreeError(`${offset} is not a multiple of 8: no block starts there`)
  const span = index.around(window, start)
  const kind = span === 0 ? 0 : index.kind(span)
  if (kind === SpanTag.LIVE || kind === SpanTag.HUGE || kind === SpanTag.PART)
    return new InvalidFreeError(`${offset} lies inside a block, not at its start`)
  return kind === SpanTag.KEPT || (kind === SpanTag.FREE && index.everUsed(window, start))
    ? freedAlready(offset)
    : neverUsed(offset)
}

function freedAlready(offset: number): Error {
  return new DoubleFreeError(`the block at ${offset} has already been freed`)
}

function neverUsed(offset: number): Error {
  return new InvalidFreeError(`no block was ever handed out at ${offset}`)
}

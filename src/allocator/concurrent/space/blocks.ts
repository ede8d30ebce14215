/**
 * The blocks that are there, wherever they are: freed, measured, resized.
 *
 *     free(p)     a shard of ours   plainly
 *                 another's         one CAS, which its owner collects
 *                 neither           under the shard's lock: it is live after all, or why it is not
 *                 a big block       under the heap's lock
 *
 * What is no live block is ERR_DOUBLE_FREE or ERR_INVALID_FREE, as far as the tables can tell. Where a shard is still to be rebuilt by its owner a
 * block is looked for in all records. Cost: a free by another 47 ns; one that is refused some microseconds.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { DoubleFreeError, InvalidFreeError } from '../../../errors.ts'
import { blockAround, blockAt } from '../../heap/find-block.ts'
import { Size, staysInSlot } from '../../heap/size-classes.ts'
import { slotOf } from '../../heap/slabs.ts'
import { staysWhole } from '../../heap/spans/huge.ts'
import { At, SlabWord, SpanTag, SpanWord, Window } from '../../heap/words.ts'
import type { Peers } from '../peers.ts'
import type { SharedPins } from '../pins.ts'
import type { Shard } from '../shard/shard.ts'
import { freeOwnSpan, isLiveSlot, remoteAt } from '../steps.ts'
import { ShardState, ShardWord, SPAN_REMOTE } from '../words.ts'
import type { BigBlocks } from './big-blocks.ts'
import type { Entries } from './entries.ts'
import type { Shards } from './shards.ts'

/** Where blocks are looked for. */
export interface BlockParts {
  readonly entries: Entries
  readonly peers: Peers
  readonly pins: SharedPins
  readonly shards: Shards
  readonly big: BigBlocks
}

export class Blocks {
  readonly #entries: Entries
  readonly #peers: Peers
  readonly #pins: SharedPins
  readonly #shards: Shards
  readonly #big: BigBlocks

  constructor({ entries, peers, pins, shards, big }: BlockParts) {
    this.#entries = entries
    this.#peers = peers
    this.#pins = pins
    this.#shards = shards
    this.#big = big
  }

  /** Frees a block that is not in the home, or not seen to be live there. Throws ERR_DOUBLE_FREE or ERR_INVALID_FREE. */
  free(offset: number): void {
    const index = this.#entries.indexOf(offset)
    if (index < 0) throw notHere(offset)
    const state = this.#entries.state(index)
    if (state === ShardState.BIG || state === ShardState.PART) {
      this.#freeBigAt(offset)
      return
    }
    if (state === ShardState.FREE) throw this.#neverOrFreed(index, offset)
    const shard = this.#shards.at(index)
    if (shard.m[ShardWord.PINNED] !== 0) this.#assertUnpinned(offset)
    if (shard.owned ? this.#freeOwned(shard, offset) : shard.freeByOther(offset)) return
    this.#freeUnderLock(shard, offset)
  }

  #freeOwned(shard: Shard, offset: number): boolean {
    const { m, slabs, index, layout } = shard
    const tileAt = At.TILES + Math.floor(offset / Size.TILE) - layout.firstTile
    const entry = m[tileAt]
    if (entry > 0) {
      const slot = slotOf(m, entry, offset)
      if (slot >= slabs.slots(entry)) return false
      if (!isLiveSlot(m, entry, slot, layout.remote)) return false
      if (slabs.free(entry, slot)) slabs.settle(entry)
      return true
    }
    if (entry === 0 || offset % 8 !== 0) return false
    const span = index.startingAt(-entry, offset & Window.INSIDE)
    if (span === 0 || index.kind(span) !== SpanTag.LIVE || index.offset(span) !== offset) return false
    if (!freeOwnSpan(m, span)) return false
    shard.giveKept(span)
    return true
  }

  /** Why a block is not seen to be live, or that it is, under the lock. */
  #freeUnderLock(shard: Shard, offset: number): void {
    shard.within(() => {
      if (this.#entries.state(shard.number) !== ShardState.USED) throw this.#neverOrFreed(shard.number, offset)
      for (let tries = 3; tries > 0; tries--) {
        if (shard.isBroken && !shard.owned) return this.#freeInRecords(shard, offset)
        // Throws when it is not live.
        const found = blockAt(shard.seen, offset)
        if (found < 0 && shard.index.kind(-found) === SpanTag.HUGE) return shard.space.releaseHuge(-found)
        if (shard.owned ? this.#freeOwned(shard, offset) : shard.freeByOther(offset)) return
      }
      throw new DoubleFreeError(`the block at ${offset} was freed by another at the same moment`)
    })
  }

  /** In tables that their owner has still to rebuild: tiles and links are not relied on, so the owner collects it without. */
  #freeInRecords(shard: Shard, offset: number): void {
    const found = shard.findInRecords(offset)
    if (found === undefined) throw new InvalidFreeError(`${offset} is not the start of a live block of Heap`)
    const { m, layout, index } = shard
    if (found.slot < 0) {
      if (index.kind(found.span) === SpanTag.LIVE) Atomics.or(m, found.span + SPAN_REMOTE, 1)
      else m[found.span + SpanWord.TAG] += SpanTag.PART - SpanTag.HUGE
      return
    }
    const word = found.slab + SlabWord.BITS + (found.slot >>> 5)
    Atomics.or(m, remoteAt(word, layout.remote, found.slot), SlabWord.FIRST_BIT >>> found.slot)
  }

  #freeBigAt(offset: number): void {
    this.#peers.locked(() => {
      const block = this.#entries.bigAround(offset)
      if (block === undefined) throw this.#neverOrFreed(this.#entries.indexOf(offset), offset)
      if (block.offset !== offset) throw new InvalidFreeError(`${offset} lies inside a block`)
      this.#assertUnpinned(offset)
      this.#big.free(block)
    })
  }

  #assertUnpinned(offset: number): void {
    const peer = this.#pins.pinnedBy(offset)
    if (peer === 0 || (!this.#peers.isThere(peer) && this.#peers.buryIfDead(peer))) return
    this.#pins.assertFree(offset, this.sizeAt(offset))
  }

  /** Throws when a block is pinned by a peer that is there. */
  assertUnpinned(offset: number): void {
    const index = this.#entries.indexOf(offset)
    if (index >= 0 && this.#entries.isPinned(index)) this.#assertUnpinned(offset)
  }

  #neverOrFreed(index: number, offset: number): Error {
    if (offset % 8 !== 0) return new InvalidFreeError(`${offset} is not a multiple of 8: no block starts there`)
    const { offset: start } = this.#entries.shardLayout(index)
    const highest = this.#entries.state(index) === ShardState.FREE ? this.#entries.everUsed(index) : 0
    return offset < start + highest
      ? new DoubleFreeError(`the block at ${offset} has already been freed`)
      : new InvalidFreeError(`no block was ever handed out at ${offset}`)
  }

  /** Usable bytes of the live block that starts at an offset; throws as `free` does. */
  sizeAt(offset: number): number {
    const index = this.#entries.indexOf(offset)
    if (index < 0) throw notHere(offset)
    const state = this.#entries.state(index)
    if (state === ShardState.BIG || state === ShardState.PART)
      return this.#peers.locked(() => {
        const block = this.#entries.bigAround(offset)
        if (block === undefined) throw this.#neverOrFreed(index, offset)
        if (block.offset !== offset) throw new InvalidFreeError(`${offset} lies inside a block`)
        return block.byteLength
      })
    if (state === ShardState.FREE) throw this.#neverOrFreed(index, offset)
    const shard = this.#shards.at(index)
    const seen = shard.sizeSeen(offset)
    if (seen > 0) return seen
    return shard.within(() => {
      if (this.#entries.state(index) !== ShardState.USED) throw this.#neverOrFreed(index, offset)
      if (shard.isBroken && !shard.owned) {
        const found = shard.findInRecords(offset)
        if (found === undefined) throw new InvalidFreeError(`${offset} is not the start of a live block of Heap`)
        return found.slot < 0 ? shard.index.length(found.span) : shard.slabs.slotSize(found.slab)
      }
      const found = blockAt(shard.seen, offset)
      return found > 0 ? shard.slabs.slotSize(found) : shard.index.length(-found)
    })
  }

  /** The live block that wholly contains a range, or undefined. */
  blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    const index = this.#entries.indexOf(offset)
    if (index < 0 || this.#entries.state(index) === ShardState.FREE) return undefined
    if (this.#entries.state(index) !== ShardState.USED) {
      const big = this.#entries.bigAround(offset)
      return big && offset + byteLength <= big.offset + big.byteLength ? big : undefined
    }
    const shard = this.#shards.at(index)
    return shard.within(() =>
      this.#entries.state(index) === ShardState.USED ? blockAround(shard.seen, offset, byteLength) : undefined
    )
  }

  /** Whether a live block has at least `byteLength` bytes after this, or fewer, where it is. Only spans in shards of ours grow, and are cut. */
  resize(offset: number, byteLength: number): boolean {
    const index = this.#entries.indexOf(offset)
    if (this.#entries.state(index) !== ShardState.USED)
      return staysWhole(this.#entries.bigAt(index).byteLength, byteLength)
    const shard = this.#shards.at(index)
    // In another's shard a span stays as it is, by the rule for slots.
    if (!shard.owned) return staysInSlot(this.sizeAt(offset), byteLength)
    return shard.within(() => {
      const found = blockAt(shard.seen, offset)
      if (found > 0) return staysInSlot(shard.slabs.slotSize(found), byteLength)
      if (byteLength <= Size.SMALL_MAX) return false
      if (shard.index.kind(-found) === SpanTag.HUGE) return staysWhole(shard.index.length(-found), byteLength)
      return byteLength <= Window.BYTES && shard.space.resize(-found, alignUp(byteLength, 8))
    })
  }
}

function notHere(offset: number): InvalidFreeError {
  return new InvalidFreeError(`${offset} is not an offset in this heap`)
}

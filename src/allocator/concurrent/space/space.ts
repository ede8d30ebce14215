/**
 * All of a concurrent heap as one peer has it, part by part, and what is done to all of it at once.
 *
 *     peers, pins     the peers that use it, and the blocks that must stay           peers.ts, pins.ts
 *     entries         what each shard is used for                                    entries.ts
 *     shards          the shards, and how they change hands                          shards.ts, committed.ts
 *     big             blocks longer than a shard                                     big-blocks.ts
 *     room            which shard a request gets a block from                        room.ts
 *     blocks          blocks that are there                                          blocks.ts
 *
 * Each part holds those above it. Cost: that of the parts; a purge goes through every shard.
 * @module
 */
import { int32sIn } from '../../../arena/buffer-range.ts'
import { Peers } from '../peers.ts'
import { SharedPins } from '../pins.ts'
import { type ConcurrentLayout, concurrentLayout } from '../words.ts'
import { BigBlocks } from './big-blocks.ts'
import { Blocks } from './blocks.ts'
import { Entries } from './entries.ts'
import type { SpaceHost } from './host.ts'
import { Room } from './room.ts'
import { Shards } from './shards.ts'

/** Bytes that are given back under one lock. */
const PURGE_AT_ONCE = 2 ** 22

export class Space {
  readonly layout: ConcurrentLayout
  /** All of the metadata. */
  readonly all: Int32Array
  readonly peers: Peers
  readonly pins: SharedPins
  readonly entries: Entries
  readonly shards: Shards
  readonly big: BigBlocks
  readonly room: Room
  readonly blocks: Blocks

  constructor(host: SpaceHost) {
    const { claim, inside, pageSize } = host
    this.layout = concurrentLayout(claim.offset, claim.byteLength, pageSize)
    this.all = int32sIn(claim.metadata)
    this.pins = new SharedPins(claim.metadata, this.layout)
    this.peers = new Peers(inside, claim.metadata, this.layout, (peer) => this.pins.removeAll(peer))
    this.entries = new Entries(this.all, this.layout, claim, pageSize)
    this.shards = new Shards(host, this.entries, this.peers, this.pins)
    this.big = new BigBlocks(host, this.entries, this.shards.committed, this.peers)
    const { entries, peers, shards, big } = this
    this.room = new Room({ host, entries, peers, shards, big })
    this.blocks = new Blocks(this)
  }

  /** Gives free pages back, of every shard: as the owner where this peer owns it or it has no owner, else without what its owner keeps. */
  purge(most: number): number {
    const before = this.shards.committed.bytes
    let left = most
    for (const shard of this.shards.used()) {
      if (left <= 0) break
      const ours = shard.owned
      const mine = ours || (shard.owner === 0 && this.shards.adopt(shard))
      if (mine) {
        shard.collectAll()
        shard.within(() => shard.space.releaseEmpty())
      }
      // In parts, so that no peer waits long for the lock.
      for (let given = 1; given > 0 && left > 0; left -= given)
        given = shard.within(() => (shard.isBroken ? 0 : shard.space.purge(Math.min(left, PURGE_AT_ONCE))))
      if (!ours && mine) {
        shard.tidy()
        if (!this.shards.giveBack(shard)) this.shards.leaveTidy(shard)
      } else if (mine && shard.isEmpty) {
        shard.tidy()
        if (shard === this.room.home) this.room.setHome(undefined)
        if (!this.shards.giveBack(shard)) this.room.setHome(shard)
      }
    }
    return before - this.shards.committed.bytes
  }

  /** Frees every block: this peer is the only one. */
  freeAll(): void {
    this.room.setHome(undefined)
    for (const block of [...this.entries.bigBlocks()]) this.big.free(block)
    this.big.freeLostParts()
    for (const shard of this.shards.used()) {
      if (!shard.owned && !this.shards.adopt(shard)) continue
      shard.within(() => {
        // Spans first: without a span there is no block, whatever else is left undone.
        shard.space.reset()
      })
      this.shards.giveBack(shard)
    }
  }
}

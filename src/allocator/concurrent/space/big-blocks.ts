/**
 * Blocks that are longer than a shard, or that no shard has room for: each takes a run of free shards.
 *
 *     take    the parts, then the first shard, which makes it a block
 *     free    the first shard is a part like the others; the pages read zero; then the shards are free, one by one
 *
 * Each is a store of its own under the heap's lock, so a peer that dies in between leaves parts that no block begins, which are found by that and
 * freed before room is looked for. The search begins at the last shard: short blocks fill the claim from its start. Cost: a step a shard, and
 * the pages.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { Window } from '../../heap/words.ts'
import type { Peers } from '../peers.ts'
import { ShardState } from '../words.ts'
import type { Committed } from './committed.ts'
import type { BigBlock, Entries } from './entries.ts'
import type { SpaceHost } from './host.ts'

export class BigBlocks {
  readonly #host: SpaceHost
  readonly #entries: Entries
  readonly #committed: Committed
  readonly #peers: Peers

  constructor(host: SpaceHost, entries: Entries, committed: Committed, peers: Peers) {
    this.#host = host
    this.#entries = entries
    this.#committed = committed
    this.#peers = peers
  }

  /** A block of `length` bytes, a multiple of 8; 0 when there is no run of free shards for it. Its bytes read zero. */
  take(length: number, alignment: number): number {
    const entries = this.#entries
    return this.#peers.locked(() => {
      for (let index = entries.count - 1; index >= 0; index--) {
        const block = this.#runFrom(index, length, alignment, none)
        if (block === undefined) continue
        const { byteLength: pages } = entries.pagesOf(block)
        if (this.#committed.bytes + pages > this.#host.limit) return 0
        entries.enterBig(block)
        this.#host.grew(pages)
        this.#committed.notePeak(this.#committed.bytes)
        return block.offset
      }
      return 0
    })
  }

  /** Whether a run would be free if these shards were. */
  wouldFit(length: number, alignment: number, empty: ReadonlySet<number>): boolean {
    for (let index = 0; index < this.#entries.count; index++)
      if (this.#runFrom(index, length, alignment, empty) !== undefined) return true
    return false
  }

  /** The block that would begin in a shard; undefined when it has no room. `empty`: shards that count as free as well. */
  #runFrom(index: number, length: number, alignment: number, empty: ReadonlySet<number>): BigBlock | undefined {
    const entries = this.#entries
    const free = (part: number): boolean => entries.state(part) === ShardState.FREE || empty.has(part)
    if (!free(index)) return undefined
    const offset = alignUp(Math.max(entries.shardLayout(index).offset, 8), alignment)
    const end = offset + length
    const { bounds } = entries
    if (entries.indexOf(offset) !== index || end > bounds.offset + bounds.byteLength) return undefined
    if (length <= Window.BYTES && Math.floor(offset / Window.BYTES) !== Math.floor((end - 1) / Window.BYTES))
      return undefined
    for (let part = entries.indexOf(end - 1); part > index; part--) if (!free(part)) return undefined
    return { index, offset, byteLength: length }
  }

  free(block: BigBlock): void {
    const entries = this.#entries
    this.#peers.locked(() => {
      const { offset: first, byteLength: pages } = entries.pagesOf(block)
      // First it is no block any more; its parts are used by no request until they are free.
      entries.setState(block.index, ShardState.PART)
      this.#host.claim.clear(first, pages)
      this.#host.gave(pages)
      const end = block.offset + block.byteLength
      const last = entries.indexOf(end - 1)
      for (let part = block.index; part <= last; part++) {
        const { offset, byteLength } = entries.shardLayout(part)
        entries.noteEverUsed(part, Math.min(end - offset, byteLength))
        entries.setState(part, ShardState.FREE)
      }
    })
  }

  /** Frees parts of runs that do not begin: what a peer left that died in `take` or `free`. */
  freeLostParts(): void {
    const entries = this.#entries
    this.#peers.locked(() => {
      let end = 0
      for (let index = 0; index < entries.count; index++) {
        const { offset, byteLength } = entries.shardLayout(index)
        const state = entries.state(index)
        if (state === ShardState.BIG) {
          const block = entries.bigAt(index)
          end = block.offset + block.byteLength
        } else if (state === ShardState.PART && offset >= end) {
          this.#host.claim.clear(offset, byteLength)
          entries.noteEverUsed(index, 0)
          entries.setState(index, ShardState.FREE)
        }
      }
    })
  }
}

const none: ReadonlySet<number> = new Set()

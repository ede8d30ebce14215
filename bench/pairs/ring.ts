/**
 * The loop that drives every peer: a table of live blocks, and an order in which they are replaced.
 *
 *     FIFO     the oldest is freed, a new one takes its place
 *     LIFO     the newest 100 are freed, newest first, then 100 are made
 *     random   any is freed, a new one takes its place
 *
 * All peers run the same source text.
 * @module
 */
import type { Peer } from './peer.ts'

export type Order = 'FIFO' | 'LIFO' | 'random'
export const ORDERS: readonly Order[] = ['FIFO', 'LIFO', 'random']

/** Pairs of a free and a malloc in one batch, the unit that is timed. */
export const BATCH = 1000
const LIFO_DEPTH = 100

export interface OrderTable {
  /** Indices of blocks, the length a multiple of BATCH. */
  readonly indices: Int32Array
  /** How many are freed before as many are made. */
  readonly group: number
}

/** The order in which a table of `liveCount` blocks is worked through; the same in every run. */
export function orderTable(order: Order, liveCount: number): OrderTable {
  const length = order === 'LIFO' ? BATCH : BATCH * Math.max(100, Math.ceil(liveCount / BATCH))
  const indices = new Int32Array(length)
  let state = 88172645
  for (let i = 0; i < length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    if (order === 'FIFO') indices[i] = i % liveCount
    else if (order === 'LIFO') indices[i] = liveCount - LIFO_DEPTH + (i % LIFO_DEPTH)
    else indices[i] = (state >>> 0) % liveCount
  }
  return { indices, group: order === 'LIFO' ? LIFO_DEPTH : 1 }
}

/** Runs one batch; each call goes on in the order where the last one stopped. */
export type Batch = () => void

const SOURCE = `
  let at = 0
  return function batch() {
    const end = at + count
    while (at < end) {
      for (let j = group - 1; j >= 0; j--) {
        drop(blocks[order[at + j]])
      }
      for (let j = 0; j < group; j++) {
        const block = make(byteLength)
        if (write) block[0] = j
        blocks[order[at + j]] = block
      }
      at += group
    }
    if (at === order.length) at = 0
  }`

/** A table of live blocks of one peer. Views are written to, one byte each. */
export class Ring {
  readonly batch: Batch

  private constructor(batch: Batch) {
    this.batch = batch
  }

  /** Makes `liveCount` blocks; undefined when that takes longer than `fillMs`. */
  static fill<B>(
    peer: Peer<B>,
    table: OrderTable,
    byteLength: number,
    liveCount: number,
    fillMs: number
  ): Ring | undefined {
    const first = peer.first?.[0] ?? peer.make(byteLength)
    const isView = typeof first !== 'number'
    const blocks = (isView ? new Array<B>(liveCount) : new Float64Array(liveCount)) as B[]
    blocks[0] = first
    const until = performance.now() + fillMs
    for (let i = 1; i < liveCount; i++) {
      blocks[i] = peer.first?.[i] ?? peer.make(byteLength)
      if (i % BATCH === 0 && performance.now() > until) return undefined
    }
    const names = ['make', 'drop', 'blocks', 'order', 'byteLength', 'group', 'count', 'write']
    const compile = new Function(...names, SOURCE)
    const { indices, group } = table
    return new Ring(compile(peer.make, peer.drop, blocks, indices, byteLength, group, BATCH, isView) as Batch)
  }
}

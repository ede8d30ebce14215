/**
 * How many bytes all shards, big blocks and the common part have committed, for the limit and the peak.
 *
 *     committed = shards in use + pages of big blocks + pages of the common part that were written
 *     peak     <= sum of the shards' peaks, which need not have been at the same time;  peak <= limit
 *
 * The common part keeps the peak of what is gone: of shards that were given back, and of big blocks. Cost: 20 ns a shard.
 * @module
 */
import { alignUp } from '../../../bits.ts'
import { At } from '../../heap/words.ts'
import type { SharedPins } from '../pins.ts'
import type { Shard } from '../shard/shard.ts'
import { Common, ShardState } from '../words.ts'
import type { Entries } from './entries.ts'

export class Committed {
  readonly #entries: Entries
  readonly #pins: SharedPins
  /** The common part's words as 64-bit floats. */
  readonly #numbers: Float64Array
  readonly #limit: number
  readonly #shardAt: (index: number) => Shard

  constructor(
    entries: Entries,
    pins: SharedPins,
    numbers: Float64Array,
    limit: number,
    shardAt: (index: number) => Shard
  ) {
    this.#entries = entries
    this.#pins = pins
    this.#numbers = numbers
    this.#limit = limit
    this.#shardAt = shardAt
  }

  /** Committed bytes of all, metadata included. */
  get bytes(): number {
    const entries = this.#entries
    let bytes = this.metadataBytes
    for (let index = 0; index < entries.count; index++) {
      const state = entries.state(index)
      if (state === ShardState.USED) bytes += this.#shardAt(index).space.committedBytes
      else if (state === ShardState.BIG) bytes += entries.pagesOf(entries.bigAt(index)).byteLength
    }
    return bytes
  }

  /** Committed bytes of all but one shard. */
  bytesWithout(shard: Shard): number {
    return this.bytes - (this.#entries.state(shard.number) === ShardState.USED ? shard.space.committedBytes : 0)
  }

  /** At most so many bytes were ever committed at a time. */
  get peakBytes(): number {
    const entries = this.#entries
    let peaks = this.metadataBytes
    for (let index = 0; index < entries.count; index++) {
      const state = entries.state(index)
      if (state === ShardState.USED) {
        const { space } = this.#shardAt(index)
        peaks += Math.max(space.peakBytes, space.committedBytes)
      } else if (state === ShardState.BIG) peaks += entries.pagesOf(entries.bigAt(index)).byteLength
    }
    return Math.min(Math.max(peaks, this.notedPeak), this.#limit)
  }

  /** The peak as the common part has it. */
  get notedPeak(): number {
    return this.#numbers[Common.PEAK / 2] as number
  }

  notePeak(bytes: number): void {
    if (bytes > this.notedPeak) this.#numbers[Common.PEAK / 2] = bytes
  }

  /** More than this can never be committed. */
  get most(): number {
    const { bounds, layout, pageSize } = this.#entries
    return bounds.byteLength + layout.byteLength + 2 * pageSize
  }

  /** Bytes of the common part that have been written. */
  get metadataBytes(): number {
    const { all, layout, pageSize, count } = this.#entries
    const pins = alignUp((Common.PINS + this.#pins.top * Common.PIN_WORDS) * 4, pageSize)
    const roots = all[At.ROOT_TOP] * 72
    const rootsFrom = Math.floor((layout.roots * 4) / pageSize) * pageSize
    const rootsBytes = roots === 0 ? 0 : alignUp(layout.roots * 4 + roots, pageSize) - Math.max(rootsFrom, pins)
    // The words of a big block's shard that say whether it is pinned.
    let big = 0
    for (let index = 0; index < count; index++)
      if (this.#entries.state(index) === ShardState.BIG && this.#entries.isPinned(index)) big += pageSize
    return pins + Math.max(0, rootsBytes) + big
  }
}

/**
 * One allocator under test, with the model of what it should hold, and what must be true after every command.
 *
 * `last` is what `stats()` said after the command before: "nothing has changed" is a comparison with it.
 * @module
 */

import { Buddy } from '../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../src/allocator/bump/bump.ts'
import type { AllocatorStats, FreeingAllocator } from '../../src/allocator/contract.ts'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Slab } from '../../src/allocator/slab/slab.ts'
import type { Arena } from '../../src/arena/arena.ts'
import { Clock } from '../../test/helpers/clock.ts'
import type { FakeOs } from '../../test/helpers/fake-os.ts'
import { type LiveBlock, Model } from '../model.ts'
import type { Contents } from './contents.ts'
import { isKernelFailure, NO_CODE, type Outcome, outcomeOf, show } from './outcome.ts'
import type { LaneSpec } from './scenario.ts'
import type { Tally } from './sentences.ts'

/** What a lane stands on. */
export interface Ground {
  readonly arena: Arena
  readonly os: FakeOs
  readonly contents: Contents
  /** Address of the arena's first byte. */
  readonly base: number
}

/** A mark of a bump allocator, and the blocks there were. */
export interface Mark {
  readonly mark: number
  readonly count: number
}

/** A class keeps one slab that stands empty at most. */
const EMPTY_SLABS = 40 * 32768

/** `check` runs after every command while the highest block ends this far or less into the claim; then more rarely. */
const CHECKED_BYTES = 2 ** 23

export class Lane {
  /** Whether blocks were handed out and taken back without the model having seen them. */
  unseen = false
  readonly spec: LaneSpec
  readonly ground: Ground
  readonly tally: Tally
  /** Whether the kernel may fail. */
  readonly faults: boolean
  allocator: Bump | FreeingAllocator
  /** What runs the timers of a heap. */
  readonly clock: Clock = new Clock()
  model: Model = new Model()
  marks: Mark[] = []
  /** What `stats()` said of the empty allocator. */
  fresh: AllocatorStats
  last: AllocatorStats
  /** Class of the small block that was last seen in a tile. */
  readonly tiles: Map<number, number> = new Map()
  /** Committed bytes but for the metadata, at most. */
  #peak = 0
  #seed = 1
  #steps = 0

  constructor(spec: LaneSpec, ground: Ground, tally: Tally, faults: boolean) {
    this.spec = spec
    this.ground = ground
    this.tally = tally
    this.faults = faults
    this.allocator = makeAllocator(spec, ground.arena, this.clock)
    this.fresh = this.last = this.allocator.stats()
  }

  /** The allocator, unless it is a bump allocator. */
  get freeing(): FreeingAllocator | undefined {
    return this.allocator instanceof Bump ? undefined : this.allocator
  }

  get bump(): Bump | undefined {
    return this.allocator instanceof Bump ? this.allocator : undefined
  }

  get end(): number {
    return this.spec.offset + this.spec.byteLength
  }

  nextSeed(): number {
    return (this.#seed = (this.#seed * 48271) % 2147483647)
  }

  /** Makes a call: it ends in a value or an error with a code, and only where the kernel may fail in one of the kernel's. */
  call<T>(call: () => T): Outcome<T> {
    const outcome = outcomeOf(call)
    if (outcome.code === undefined) return outcome
    this.tally.holds('errors', outcome.code !== NO_CODE, () => `${show(outcome)}\n${outcome.error.stack}`)
    this.tally.holds('errors', outcome.code !== 'ERR_CORRUPTED', () => show(outcome))
    if (isKernelFailure(outcome)) {
      this.tally.holds('errors', this.faults, () => show(outcome))
      this.tally.take('kernel failure')
      // A block whose view could not be made was taken back, unseen: what lies beyond the highest block may have been in use.
      this.unseen = true
      this.#compareBlocks('faults')
    }
    return outcome
  }

  /** What must be true after every command. */
  settle(): void {
    const stats = this.#stats()
    const { tally, model, spec } = this
    const used = stats.usedBytes
    const sum = used + stats.freeSlotBytes + stats.freeDirtyBytes + stats.metadataBytes
    tally.holds('stats', stats.committedBytes === sum, () => `${sum} bytes in parts of ${JSON.stringify(stats)}`)
    tally.holds(
      'stats',
      stats.usedCount === model.usedCount,
      () => `${model.usedCount} blocks, ${JSON.stringify(stats)}`
    )
    tally.holds('stats', this.#usedAgrees(used), () => `${model.usedBytes} bytes used, ${JSON.stringify(stats)}`)
    const sane =
      stats.reservedBytes === spec.byteLength &&
      stats.freeSlotBytes >= 0 &&
      stats.freeDirtyBytes >= 0 &&
      stats.metadataBytes > 0 &&
      stats.peakCommittedBytes >= stats.committedBytes &&
      stats.committedBytes - stats.metadataBytes <= spec.byteLength
    tally.holds('stats', sane, () => JSON.stringify(stats))
    if (spec.limit !== undefined) {
      const most = Math.max(spec.limit, this.fresh.committedBytes)
      tally.holds('limit', stats.committedBytes <= most, () => `${stats.committedBytes} committed, limit ${most}`)
    }
    this.#peak = Math.max(this.#peak, stats.peakCommittedBytes - stats.metadataBytes)
    this.last = stats
    if (++this.#steps % this.#checkEvery() === 0) this.check()
  }

  /**
   * Asked after a block was made. A heap that has just grown above its peak holds less than half of it free, but for the parts of pages
   * that live blocks share, two for each, and slabs that stand empty.
   */
  notePeak(): void {
    const { spec, model, tally } = this
    if (spec.kind !== 'Heap' || this.faults || spec.limit !== undefined) return
    const stats = this.#stats()
    const data = stats.committedBytes - stats.metadataBytes
    if (data <= this.#peak) return
    this.#peak = data
    const page = this.ground.arena.pageSize
    const most = stats.committedBytes / 2 + 65536 + 2 * page * (model.usedCount + 2) + EMPTY_SLABS
    tally.holds('peak', stats.freeDirtyBytes <= most, () => `${JSON.stringify(stats)}, at most ${most} free`)
  }

  check(): void {
    const checked = outcomeOf(() => this.allocator.check())
    this.tally.holds('check', checked.code === undefined, () => show(checked))
  }

  /** That stats and blocks are what they were after the last command. */
  requireUnchanged(sentence: 'unchanged' | 'refused' | 'arguments' | 'pinned', what: () => string): void {
    const stats = this.#stats()
    const { last, tally } = this
    for (const key of Object.keys(last) as (keyof AllocatorStats)[])
      tally.holds(
        sentence,
        stats[key] === last[key],
        () => `${key} was ${last[key]}, is ${stats[key]}, after ${what()}`
      )
    this.#compareBlocks(sentence)
  }

  /** That `blocks()` names the model's blocks. */
  compareBlocks(): void {
    this.#compareBlocks('blocks')
  }

  /** That every block has its contents: all bytes, or the ends. */
  verifyAll(endsOnly: boolean): void {
    for (const block of this.model.live) this.verify(block, endsOnly)
  }

  verify(block: LiveBlock, endsOnly = false): void {
    const { contents } = this.ground
    const wrong = contents.firstWrong(block, block.offset, block.byteLength, endsOnly)
    this.tally.holds(
      'contents',
      wrong < 0,
      () => `byte ${wrong} of the ${block.byteLength} at ${block.offset} has changed`
    )
  }

  /** Every command, as long as the claim is used a few MiB far: `check` walks all tables, a few ns for each cell of them. */
  #checkEvery(): number {
    return Math.min(64, 1 + Math.floor((this.model.highest - this.spec.offset) / CHECKED_BYTES))
  }

  #stats(): AllocatorStats {
    const outcome = outcomeOf(() => this.allocator.stats())
    this.tally.holds('errors', outcome.code === undefined, () => show(outcome))
    return outcome.code === undefined ? outcome.value : this.last
  }

  /** A bump allocator counts what it skipped for alignment; the others count blocks and nothing else. */
  #usedAgrees(used: number): boolean {
    const { bump, model } = this
    if (bump === undefined) return used === model.usedBytes
    return used >= model.usedBytes && used <= bump.mark() - Math.max(this.spec.offset, 0)
  }

  #compareBlocks(sentence: 'blocks' | 'unchanged' | 'refused' | 'arguments' | 'pinned' | 'faults'): void {
    const { freeing, model, tally } = this
    if (freeing === undefined) return
    let count = 0
    for (const { offset, byteLength } of freeing.blocks()) {
      count++
      const block = model.at(offset)
      tally.holds(sentence, block?.usable === byteLength, () => `blocks() names ${byteLength} bytes at ${offset}`)
    }
    tally.holds(sentence, count === model.usedCount, () => `blocks() names ${count} blocks of ${model.usedCount}`)
  }
}

/** The allocator that a lane is about, on an arena. */
export function makeAllocator(spec: LaneSpec, arena: Arena, clock: Clock): Bump | FreeingAllocator {
  const { kind, offset, byteLength, limit, slotSize, minBlock, decayMs } = spec
  const options = { offset, byteLength, limit }
  switch (kind) {
    case 'Bump':
      return new Bump(arena, options)
    case 'Slab':
      return new Slab(arena, { ...options, slotSize: slotSize as number })
    case 'Buddy':
      return new Buddy(arena, { ...options, minBlock })
    case 'Heap':
      return new Heap(arena, { ...options, decayMs, schedule: clock.schedule })
  }
}

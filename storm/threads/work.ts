/**
 * What a worker of the thread storm does: blocks filled with a pattern, handed round by way of a table that all have in common.
 *
 *     control block   | ops | stop | bad | spare | table: SLOTS offsets |             in a block of the heap itself, under the root 'table'
 *     a block         | its length | offset ^ length ^ SALT | … | the same again in its last word
 *
 * A step takes a block out of the table or makes one, proves its pattern, does something with it, and puts it back or frees it. A worker that dies
 * in a step has at most `HELD_MOST` blocks in its hands, which no other worker knows.
 * @module
 */
import { type Arena, Heap } from '../../src/index.ts'
import { Random } from '../random.ts'

export const SLOTS = 4096
export const HELD_MOST = 4
const SALT = 0x5a17
export const OPS = 0
export const STOP = 1
export const TABLE = 16
const BATCH = 64

export function controlBytes(): number {
  return (TABLE + SLOTS) * 4
}

/** The words of a whole arena below 2 GiB. */
export function wordsOf(arena: Arena): Int32Array {
  return arena.view(Int32Array, 0, arena.byteLength / 4)
}

export function fillBlock(words: Int32Array, offset: number, length: number): void {
  const at = offset >>> 2
  words[at + (length >>> 2) - 1] = offset ^ length ^ SALT
  words[at] = length
  words[at + 1] = offset ^ length ^ SALT
}

/** The length of a block that is as it was filled; throws when it is not. */
export function proveBlock(words: Int32Array, offset: number): number {
  const at = offset >>> 2
  const length = words[at]
  const mark = offset ^ length ^ SALT
  if (length < 16 || length > 400_000 || words[at + 1] !== mark || words[at + (length >>> 2) - 1] !== mark)
    throw new Error(`the block at ${offset} is spoilt: ${length}, ${words[at + 1]}`)
  return length
}

function lengthOf(random: Random): number {
  const kind = random.below(100)
  if (kind < 70) return 16 + 4 * random.below(253)
  if (kind < 97) return 1032 + 4 * random.below(8000)
  return 131_072 + 4 * random.below(30_000)
}

function codeOf(run: () => void): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

export class Hand {
  readonly #heap: Heap
  readonly #words: Int32Array
  readonly #control: Int32Array
  readonly #random: Random
  readonly counts: Record<string, number> = {}

  constructor(arena: Arena, heap: Heap, seed: number) {
    this.#heap = heap
    this.#words = wordsOf(arena)
    this.#control = controlOf(arena, heap)
    this.#random = new Random(seed)
  }

  get control(): Int32Array {
    return this.#control
  }

  get isStopped(): boolean {
    return Atomics.load(this.#control, STOP) !== 0
  }

  /** Some steps; false when it is time to stop. */
  run(): boolean {
    for (let i = 0; i < BATCH; i++) this.#step()
    Atomics.add(this.#control, OPS, BATCH)
    return !this.isStopped
  }

  #step(): void {
    const kind = this.#random.below(1000)
    if (kind < 860) this.#exchange(lengthOf(this.#random))
    else if (kind < 930) this.#drop()
    else if (kind < 970) this.#resize()
    else if (kind < 985) this.#pinned()
    else if (kind < 994) this.#wrong()
    else if (kind < 997) this.#many()
    else if (kind === 997) this.#heap.rest()
    else if (kind === 998) this.#heap.purge()
    else this.#heap.stats()
    if (kind >= 860) this.#count(kind)
  }

  #count(kind: number): void {
    const name =
      kind < 930
        ? 'drop'
        : kind < 970
          ? 'realloc'
          : kind < 985
            ? 'pin'
            : kind < 994
              ? 'wrong'
              : kind < 997
                ? 'many'
                : 'whole'
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  #slot(): number {
    return TABLE + this.#random.below(SLOTS)
  }

  #take(): number {
    return Atomics.exchange(this.#control, this.#slot(), 0)
  }

  /** Puts a block into the table, and frees the one that was there. */
  #put(offset: number): void {
    const old = Atomics.exchange(this.#control, this.#slot(), offset)
    if (old !== 0) this.#free(old)
  }

  #free(offset: number): void {
    proveBlock(this.#words, offset)
    this.#words[(offset >>> 2) + 1] = 0
    this.#heap.free(offset)
  }

  #exchange(length: number): void {
    const offset = this.#random.below(4) === 0 ? this.#heap.calloc(length) : this.#heap.malloc(length)
    fillBlock(this.#words, offset, length)
    this.#put(offset)
  }

  #drop(): void {
    const offset = this.#take()
    if (offset !== 0) this.#free(offset)
  }

  #resize(): void {
    const offset = this.#take()
    if (offset === 0) return
    const before = proveBlock(this.#words, offset)
    const length = lengthOf(this.#random)
    const moved = this.#heap.realloc(offset, length)
    const at = moved >>> 2
    if (this.#words[at] !== before || this.#words[at + 1] !== (offset ^ before ^ SALT))
      throw new Error(`realloc of ${offset} lost its contents`)
    fillBlock(this.#words, moved, length)
    this.#put(moved)
  }

  #pinned(): void {
    const offset = this.#take()
    if (offset === 0) return
    const pin = this.#heap.pin(offset)
    const code = codeOf(() => this.#heap.free(offset))
    pin[Symbol.dispose]()
    if (code !== 'ERR_BLOCK_PINNED') throw new Error(`a pinned block at ${offset}: ${code}`)
    proveBlock(this.#words, offset)
    this.#put(offset)
  }

  /** Frees of what is no block: inside one that is ours for now, and twice of one. */
  #wrong(): void {
    const offset = this.#take()
    if (offset === 0) return
    for (const bad of [offset + 4, offset + 8]) {
      const code = codeOf(() => this.#heap.free(bad))
      if (code !== 'ERR_INVALID_FREE') throw new Error(`a free inside a block, at ${bad}: ${code}`)
    }
    this.#put(offset)
  }

  #many(): void {
    const offsets = new Float64Array(40)
    const count = this.#heap.mallocMany(48, offsets)
    for (let i = 0; i < count; i++) fillBlock(this.#words, offsets[i] as number, 48)
    for (let i = 0; i < count; i++) proveBlock(this.#words, offsets[i] as number)
    this.#heap.freeMany(offsets, count)
  }
}

/** The control block, by its root. */
export function controlOf(arena: Arena, heap: Heap): Int32Array {
  return arena.view(Int32Array, heap.root('table'), TABLE + SLOTS)
}

/** Comes to the heap and works until it is told to stop. */
export async function work(arena: Arena, seed: number, ready: () => void): Promise<Record<string, number>> {
  const heap = Heap.attach(arena)
  const hand = new Hand(arena, heap, seed)
  ready()
  while (hand.run()) if (seed % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
  heap.close()
  return hand.counts
}

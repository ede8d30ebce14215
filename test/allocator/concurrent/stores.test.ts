/**
 * A peer dies after any of its stores: what was live before its last step still is, what the step was about is there or is not, and the other
 * peer goes on: it frees, allocates, takes the dead one's shards over, and the heap is whole.
 *
 * Every store of the victim into the metadata is logged, and those of a step are taken back one by one. In each state its entry is made that of
 * a thread that cannot be; the other peer does its work on it; then all of the metadata is put back.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Common } from '../../../src/allocator/concurrent/words.ts'
import { Arena, Heap, MiB } from '../../../src/index.ts'
import { randomOf } from '../program.ts'

const test = suite('concurrent heap: a death after each store')

/** Of a step with more stores, so many states are looked at, in equal distances; `SOAK=1` for all. */
const MOST_STATES = process.env.SOAK === undefined ? 6 : Number.POSITIVE_INFINITY

interface Store {
  readonly array: Int32Array | Float64Array
  readonly at: number
  readonly before: number
  readonly after: number
}

type Words = Int32Array | Float64Array

/** Arrays over the metadata that log what is stored, while `log` is set. */
class StoreLog {
  log: Store[] | undefined
  metadata: ArrayBuffer | undefined
  #settled = false
  readonly #real: WeakMap<object, Words> = new WeakMap()

  /** Runs something in which arrays over long buffers are made that log. */
  within<T>(run: () => T): T {
    const { Int32Array: Ints, Float64Array: Floats } = globalThis
    globalThis.Int32Array = this.#replaced(Ints as never) as never
    globalThis.Float64Array = this.#replaced(Floats as never) as never
    try {
      return run()
    } finally {
      globalThis.Int32Array = Ints
      globalThis.Float64Array = Floats
    }
  }

  /** The heap has been made, or is to be. */
  settle(settled: boolean): void {
    this.#settled = settled
  }

  #replaced(type: new (...given: unknown[]) => Words): unknown {
    return new Proxy(type, {
      construct: (target, given) => {
        const array = Reflect.construct(target, given) as Words
        if (given[0] instanceof ArrayBuffer && given[0].byteLength > 65536 && given[0].byteLength < MiB) {
          // The last one: before it come those over which a heap is looked for.
          if (!this.#settled) this.metadata = given[0]
          if (given[0] === this.metadata) return this.#logged(array)
        }
        return array
      },
    })
  }

  #logged(array: Words): Words {
    const store = (at: number, value: number): void => {
      this.log?.push({ array, at, before: array[at] as number, after: value })
      array[at] = value
    }
    const logged: Words = new Proxy(array, {
      get: (_, key) => {
        if (typeof key === 'string' && Number.isInteger(Number(key))) return array[Number(key)]
        if (key === 'fill')
          return (value: number, from = 0, to = array.length) => {
            for (let at = from; at < to; at++) if (array[at] !== value) store(at, value)
            return logged
          }
        const found = Reflect.get(array, key)
        return typeof found === 'function' ? found.bind(array) : found
      },
      set: (_, key, value) => {
        store(Number(key), value)
        return true
      },
    })
    this.#real.set(logged, array)
    return logged
  }

  /** `Atomics` that know the proxies. */
  install(): void {
    const atomics = Atomics as unknown as Record<string, (...given: never[]) => number>
    for (const name of ['load', 'store', 'compareExchange', 'and', 'or', 'exchange', 'add', 'sub']) {
      const before = atomics[name] as unknown as (...given: unknown[]) => number
      atomics[name] = ((m: object, at: number, ...rest: number[]) => {
        const array = this.#real.get(m)
        if (array === undefined) return before(m, at, ...rest)
        const old = array[at] as number
        const answer = before(array, at, ...rest)
        if (array[at] !== old) this.log?.push({ array, at, before: old, after: array[at] as number })
        return answer
      }) as never
    }
  }
}

const log = new StoreLog()
log.install()

/** Where the thread of a peer's entry is named, in words. */
const VICTIM_ENTRY = Common.PEERS + Common.PEER_WORDS
const NO_THREAD = 0x7ffffff0

for (const seed of [1, 2, 3])
  test(`random programs, ${seed}`, () => {
    const arena = Arena.reserve(2 * MiB)
    arena.handle()
    const other = new Heap(arena, { concurrent: true, decayMs: -1 })
    log.settle(false)
    const victim = log.within(() => Heap.attach(arena, { decayMs: -1 }))
    log.settle(true)
    const metadata = new Uint8Array(log.metadata as ArrayBuffer)
    const random = randomOf(seed)
    const blocks: number[] = []
    let states = 0
    const step = (): number[] => {
      const index = random(Math.max(blocks.length, 1))
      const kind = random(10)
      const length = random(8) === 0 ? random(60_000) : random(3) === 0 ? random(9000) : random(1000)
      if (blocks.length === 0 || kind < 5) {
        const block = victim.tryMalloc(length)
        if (block !== 0) blocks.push(block)
        return [block]
      }
      const block = blocks[index] as number
      if (kind < 8) {
        blocks.splice(index, 1)
        victim.free(block)
        return [block]
      }
      const moved = victim.realloc(block, length)
      blocks[index] = moved
      return [block, moved]
    }
    for (let turn = 0; turn < 60; turn++) {
      // The other frees what the victim has allocated, and the other way round.
      if (turn % 3 === 0 && blocks.length > 4) other.free(blocks.splice(random(blocks.length), 1)[0] as number)
      if (turn % 4 === 0) blocks.push(other.malloc(random(3000)))
      const before = new Set(blocks)
      const stores: Store[] = []
      log.log = stores
      const about = new Set(log.within(step))
      log.log = undefined
      const stride = Math.max(1, Math.ceil((stores.length + 1) / MOST_STATES))
      const whole = metadata.slice()
      for (let done = stores.length; done >= 0; done--) {
        if (done % stride === 0) {
          const state = metadata.slice()
          const words = new Int32Array(log.metadata as ArrayBuffer)
          words[VICTIM_ENTRY] = NO_THREAD
          goOn(other, before, about, blocks)
          states++
          metadata.set(state)
        }
        if (done === 0) break
        const { array, at, before: old } = stores[done - 1] as Store
        array[at] = old
      }
      metadata.set(whole)
    }
    assert.ok(states > 150, `${states} states`)
    arena.close()
    log.metadata = undefined
  })

/** What the other peer does after the victim's death. */
function goOn(other: Heap, before: ReadonlySet<number>, about: ReadonlySet<number>, blocks: readonly number[]): void {
  const settled = blocks.filter((block) => before.has(block) && !about.has(block))
  if (settled.length > 0) other.free(settled[0] as number)
  other.check()
  const live = new Set([...other.blocks()].map(({ offset }) => offset))
  for (const block of settled.slice(1)) assert.ok(live.has(block), `the block at ${block} is lost`)
  for (const block of live)
    assert.ok(before.has(block) || about.has(block), `a block at ${block} that no thread has allocated`)
  assert.not(live.has(settled[0] ?? -1))
  other.free(other.malloc(500))
}

test.run()

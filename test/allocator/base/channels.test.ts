/** What is published of allocators: once a step, when it is over, the right figures, and nothing without a subscriber. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Buddy, Bump, Heap, KiB, MiB, Slab } from '../../../src/index.ts'
import { throwsCode } from '../../helpers/errors.ts'

const test = suite('channels')

type Any = Heap | Slab | Buddy | Bump
interface Message {
  readonly allocator: Any
  readonly byteLength: number
  readonly alignment?: number
}

const kinds: Record<string, (arena: Arena, options?: object) => Any> = {
  Heap: (arena, options) => new Heap(arena, { decayMs: -1, ...options }),
  Slab: (arena, options) => new Slab(arena, { slotSize: 2048, ...options }),
  Buddy: (arena, options) => new Buddy(arena, options),
  Bump: (arena, options) => new Bump(arena, options),
}

/** Runs with a subscriber, which looks whether the allocator is whole, and gives what it was told. */
function listening(name: string, run: (messages: Message[]) => void, act: (message: Message) => void = () => {}): void {
  const messages: Message[] = []
  const listener = (message: unknown): void => {
    messages.push(message as Message)
    ;(message as Message).allocator.check()
    act(message as Message)
  }
  subscribe(name, listener)
  try {
    run(messages)
  } finally {
    unsubscribe(name, listener)
  }
}

const sum = (messages: Message[]): number => messages.reduce((total, { byteLength }) => total + byteLength, 0)
const data = (allocator: Any): number => allocator.stats().committedBytes - allocator.stats().metadataBytes

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: every byte that is committed is published, by every call`, () => {
    using arena = Arena.reserve(4 * MiB)
    const allocator = make(arena)
    listening('sorites:grow', (messages) => {
      const before = data(allocator)
      for (let i = 0; i < 50; i++) {
        allocator.malloc(2000)
        allocator.tryMalloc(2000)
        allocator.calloc(2000)
        allocator.memalign(8, 2000)
        allocator.alloc(Buffer, 2000, { alignment: 16 })
      }
      assert.ok(messages.length > 0)
      assert.ok(messages.every((message) => message.allocator === allocator && message.byteLength > 0))
      assert.is(sum(messages), data(allocator) - before)
    })
  })

  test(`${kind}: what purge gives back is published`, () => {
    using arena = Arena.reserve(4 * MiB)
    const allocator = make(arena)
    const blocks = Array.from({ length: 100 }, () => allocator.malloc(2000))
    if (allocator instanceof Bump) allocator.reset()
    else for (const block of blocks) allocator.free(block)
    const before = data(allocator)
    listening('sorites:purge', (messages) => {
      allocator.purge()
      assert.is(messages.length, 1)
      assert.is(messages[0]?.allocator, allocator)
      assert.ok(sum(messages) > 100 * KiB)
      assert.is(sum(messages), before - data(allocator))
      allocator.purge()
      assert.is(messages.length, 1)
    })
  })

  test(`${kind}: a request that does not fit is published once, and its subscriber may do anything`, () => {
    using arena = Arena.reserve(4 * MiB)
    let asked = 0
    for (const onFull of [undefined, () => asked++ < 2]) {
      const allocator = make(arena, { byteLength: 64 * KiB, ...(onFull && { onFull }) })
      while (allocator.tryMalloc(2000) !== 0);
      asked = 0
      const calls: [() => unknown, number][] = [
        [() => allocator.tryMalloc(2000), 8],
        [() => throwsCode(() => allocator.malloc(2000), 'ERR_OUT_OF_MEMORY'), 8],
        [() => throwsCode(() => allocator.calloc(2000), 'ERR_OUT_OF_MEMORY'), 8],
        [() => throwsCode(() => allocator.memalign(16, 2000), 'ERR_OUT_OF_MEMORY'), 16],
        [() => throwsCode(() => allocator.alloc(Uint8Array, 2000), 'ERR_OUT_OF_MEMORY'), 8],
      ]
      for (const [call, alignment] of calls)
        listening(
          'sorites:full',
          (messages) => {
            call()
            assert.equal(messages, [{ allocator, byteLength: 2000, alignment }])
          },
          () => assert.is(allocator.tryMalloc(2000), 0)
        )
      allocator.close()
    }
  })

  test(`${kind}: a subscriber may close the allocator`, () => {
    for (const name of ['sorites:grow', 'sorites:full']) {
      using arena = Arena.reserve(4 * MiB)
      const allocator = make(arena, { byteLength: 64 * KiB })
      const listener = (message: unknown): void => (message as Message).allocator.close()
      subscribe(name, listener)
      try {
        for (let i = 0; i < 100; i++) allocator.calloc(2000)
        assert.unreachable()
      } catch (error) {
        assert.ok(['ERR_ARENA_CLOSED', 'ERR_OUT_OF_MEMORY'].includes((error as { code: string }).code), `${error}`)
      } finally {
        unsubscribe(name, listener)
      }
      new Bump(arena).close()
    }
  })
}

test('realloc and mallocMany are published as well', () => {
  using arena = Arena.reserve(4 * MiB)
  for (const make of [kinds.Heap, kinds.Buddy] as ((arena: Arena, options?: object) => Heap)[]) {
    const allocator = make(arena, { byteLength: 256 * KiB })
    const block = allocator.malloc(1000)
    listening('sorites:grow', (messages) => {
      const before = data(allocator)
      const moved = allocator.realloc(block, 50_000)
      assert.is(sum(messages), data(allocator) - before)
      assert.ok(messages.length > 0)
      listening('sorites:full', (full) => {
        throwsCode(() => allocator.realloc(moved, MiB), 'ERR_OUT_OF_MEMORY')
        assert.equal(full, [{ allocator, byteLength: MiB, alignment: 8 }])
        const count = allocator.mallocMany(1000, new Float64Array(10_000))
        assert.ok(count < 10_000)
        assert.is(full.length, 2)
      })
      assert.is(sum(messages), data(allocator) - before)
    })
    allocator.close()
  }
})

test('what a heap gives back by itself is published', () => {
  using arena = Arena.reserve(4 * MiB)
  let run = (): void => undefined
  const schedule = (next: () => void): (() => void) => {
    run = next
    return () => undefined
  }
  const heap = new Heap(arena, { decayMs: 1, schedule })
  listening('sorites:purge', (messages) => {
    heap.free(heap.malloc(500_000))
    for (let i = 0; i < 1000 && messages.length === 0; i++) run()
    assert.ok(sum(messages) > 0)
    assert.ok(messages.every(({ allocator }) => allocator === heap))
  })
})

test.run()

/**
 * Conformance, fourth part: claims, allocators beside and inside one another, limits, and the end.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Bump } from '../../../src/allocator/bump/bump.ts'
import type { AllocatorOptions, FreeingAllocator } from '../../../src/allocator/contract.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { balance, bytesAt, changesNothing, fill, type Subject } from '../subject.ts'

export function claimTests(subject: Subject): void {
  claimedRangeTests(subject)
  innerTests(subject)
  closingTests(subject)
}

function claimedRangeTests(subject: Subject): void {
  const test = suite(`${subject.name}: claims`)
  const some = subject.fit(100)

  test('several allocators share an arena and never meet', () => {
    const arena = Arena.reserve(4 * MiB)
    const allocators = [0, 1, 2, 3].map((index) => subject.on(arena, { offset: index * MiB, byteLength: MiB }))
    for (let round = 0; round < 100; round++)
      for (const [index, allocator] of allocators.entries()) {
        const offset = allocator.malloc(some)
        assert.is(Math.floor(offset / MiB), index)
        bytesAt(arena, offset, some).fill(index)
      }
    for (const allocator of allocators) allocator.check()
    arena.close()
  })

  test('a claim that overlaps another is refused, until that is closed', () => {
    const arena = Arena.reserve(2 * MiB)
    const first = subject.on(arena, { offset: 0, byteLength: MiB })
    throwsCode(() => subject.on(arena), 'ERR_ARENA_BUSY')
    throwsCode(() => subject.on(arena, { offset: MiB - 8, byteLength: MiB }), 'ERR_ARENA_BUSY')
    throwsCode(() => arena.purge(0, MiB), 'ERR_ARENA_BUSY')
    first.malloc(some)
    first.close()
    const whole = subject.on(arena)
    assert.ok(whole.malloc(some) > 0)
    whole.check()
    arena.close()
  })

  test('options are checked', () => {
    const arena = Arena.reserve(MiB)
    const bad = (options: unknown, code: string): void => {
      throwsCode(() => subject.on(arena, options as AllocatorOptions), code)
    }
    for (const name of ['offset', 'byteLength', 'limit']) {
      for (const value of [-8, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
        bad({ [name]: value }, 'ERR_OUT_OF_RANGE')
      for (const value of ['8', 8n, null, {}]) bad({ [name]: value }, 'ERR_INVALID_ARG_TYPE')
    }
    bad({ offset: 4 }, 'ERR_OUT_OF_RANGE')
    bad({ byteLength: 2 * MiB }, 'ERR_OUT_OF_RANGE')
    bad({ offset: MiB }, 'ERR_OUT_OF_RANGE')
    const allocator = subject.on(arena)
    allocator.malloc(some)
    throwsCode(() => subject.on({} as Arena), 'ERR_INVALID_ARG_TYPE', '"arena"')
    throwsCode(() => subject.on(undefined as unknown as Arena), 'ERR_INVALID_ARG_TYPE', '"arena"')
    arena.close()
  })

  test('a limit is a limit on committed bytes', () => {
    subject.run(
      (allocator) => {
        const blocks = fill(allocator, some).length
        assert.ok(blocks > 0)
        assert.ok(allocator.stats().peakCommittedBytes <= 48 * KiB)
        assert.ok(allocator.stats().committedBytes > 32 * KiB)
        changesNothing(allocator, () => {
          throwsCode(() => allocator.malloc(some), 'ERR_OUT_OF_MEMORY')
        })
      },
      MiB,
      { limit: 48 * KiB }
    )
    subject.run((allocator) => assert.is(allocator.tryMalloc(some), 0), MiB, { limit: 0 })
  })

  test('64 GiB cost next to nothing until they are used', () => {
    subject.run((allocator, arena) => {
      assert.ok(allocator.stats().committedBytes < 64 * KiB)
      bytesAt(arena, allocator.malloc(some), some).fill(1)
      assert.ok(allocator.stats().committedBytes < 512 * KiB)
      assert.ok(arena.resident() <= 2 * arena.pageSize)
      allocator.check()
    }, 64 * GiB)
  })

  test.run()
}

function innerTests(subject: Subject): void {
  const test = suite(`${subject.name}: claims inside blocks`)
  const room = subject.fit(4000)

  test('an inner allocator works, and its block is held', () => {
    subject.run((outer, arena) => {
      const block = outer.malloc(room)
      const inner = new Bump(arena, { offset: block, byteLength: room - (room % 8) })
      const offset = inner.malloc(8)
      assert.ok(offset >= block && offset + 8 <= block + room)
      assert.equal([...inner.alloc(Uint8Array, 8)], [0, 0, 0, 0, 0, 0, 0, 0])
      inner.check()
      outer.malloc(8)
      if (subject.abilities.frees)
        changesNothing(outer, () => {
          throwsCode(() => outer.free(block), 'ERR_ARENA_BUSY')
          throwsCode(() => outer.free(arena.view(Uint8Array, block, 8)), 'ERR_ARENA_BUSY')
          throwsCode(() => outer.realloc(block, 8), 'ERR_ARENA_BUSY')
          throwsCode(() => outer.free(block + 8), 'ERR_INVALID_FREE')
        })
      inner.close()
      if (subject.abilities.frees) outer.free(block)
      outer.check()
    })
  })

  test('a claim that no live block holds is refused', () => {
    subject.run((outer, arena) => {
      const first = outer.malloc(room)
      outer.malloc(room)
      throwsCode(() => new Bump(arena, { offset: first, byteLength: arena.byteLength - first }), 'ERR_ARENA_BUSY')
      throwsCode(() => new Bump(arena, { offset: arena.byteLength - 800, byteLength: 800 }), 'ERR_ARENA_BUSY')
      outer.reset()
      throwsCode(() => new Bump(arena, { offset: first, byteLength: 8 }), 'ERR_ARENA_BUSY')
    })
  })

  for (const end of ['reset', 'close'] as const)
    test(`${end} revokes inner claims`, () => {
      subject.run((outer, arena) => {
        const block = outer.malloc(room)
        const inner = new Bump(arena, { offset: block, byteLength: 40 })
        inner.malloc(8)
        outer[end]()
        throwsCode(() => inner.malloc(8), 'ERR_ARENA_CLOSED')
        inner.close()
        if (end === 'close') return
        assert.ok(outer.malloc(room) > 0)
        outer.check()
        if (subject.abilities.frees) for (const { offset } of outer.blocks()) outer.free(offset)
      })
    })

  test.run()
}

function closingTests(subject: Subject): void {
  const test = suite(`${subject.name}: the end`)

  const assertClosed = (allocator: FreeingAllocator, offset: number, view: Uint8Array): void => {
    const calls: (() => unknown)[] = [
      () => allocator.malloc(8),
      () => allocator.tryMalloc(8),
      () => allocator.calloc(8),
      () => allocator.memalign(8, 8),
      () => allocator.alloc(Uint8Array, 8),
      () => allocator.allocUnsafe(Uint8Array, 8),
      () => allocator.reset(),
      () => allocator.stats(),
      () => allocator.check(),
    ]
    if (subject.abilities.frees)
      calls.push(
        () => allocator.free(offset),
        () => allocator.free(view),
        () => allocator.realloc(offset, 8),
        () => allocator.purge(),
        () => allocator.usableSize(offset),
        () => allocator.usableSize(view),
        () => [...allocator.blocks()]
      )
    for (const call of calls) throwsCode(call, 'ERR_ARENA_CLOSED')
    allocator.close()
    allocator[Symbol.dispose]()
  }

  test('after close every call says so', () => {
    subject.run((allocator, arena) => {
      const offset = allocator.malloc(8)
      const view = allocator.alloc(Uint8Array, 8)
      allocator.close()
      assertClosed(allocator, offset, view)
      const next = subject.on(arena)
      next.malloc(8)
      next.check()
      assertClosed(allocator, offset, view)
    })
  })

  test('after arena.close every call says so', () => {
    const arena = Arena.reserve(MiB)
    const allocator = subject.on(arena)
    const offset = allocator.malloc(8)
    const view = allocator.alloc(Uint8Array, 8)
    arena.close()
    assertClosed(allocator, offset, view)
  })

  test('using gives the claim back', () => {
    const arena = Arena.reserve(MiB)
    {
      using allocator = subject.on(arena)
      allocator.malloc(8)
    }
    const next = subject.on(arena)
    balance(next)
    assert.is(next.stats().usedCount, 0)
    arena.close()
  })

  test('blocks() stops when the allocator is closed in between', () => {
    if (!subject.abilities.frees) return
    subject.run((allocator) => {
      for (let index = 0; index < 10; index++) allocator.malloc(8)
      throwsCode(() => {
        for (const _ of allocator.blocks()) allocator.close()
      }, 'ERR_ARENA_CLOSED')
    })
  })

  test.run()
}

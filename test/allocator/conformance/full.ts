/**
 * Conformance: `onFull`, which is asked for room when a request does not fit. It may do anything with the allocator; whatever it does, the
 * tables are whole and nothing is lost.
 *
 * Longer than other files: every call that can find an allocator full, with each answer of `onFull`.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Bump } from '../../../src/allocator/bump/bump.ts'
import type { FreeingAllocator } from '../../../src/allocator/contract.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { balance, bytesAt, changesNothing, fill, type Subject } from '../subject.ts'

type OnFull = (byteLength: number, allocator: FreeingAllocator) => boolean

/** A full allocator that asks, and the blocks in it. What it asks for is in `asked`. */
function full(subject: Subject, onFull: OnFull, run: (full: Full) => void): void {
  const arena = Arena.reserve(MiB)
  const asked: number[] = []
  let answer: OnFull = () => false
  const allocator: FreeingAllocator = subject.on(arena, {
    byteLength: 128 * KiB,
    onFull(byteLength: number): boolean {
      asked.push(byteLength)
      return answer(byteLength, allocator)
    },
  })
  const size = subject.fit(1000)
  const blocks = fill(allocator, size)
  assert.ok(blocks.length > 10)
  assert.equal(asked.splice(0), [size])
  answer = onFull
  run({ arena, allocator, asked, blocks, size })
  arena.close()
}

interface Full {
  readonly arena: Arena
  readonly allocator: FreeingAllocator
  readonly asked: number[]
  readonly blocks: number[]
  readonly size: number
}

/** Every call that makes a block. */
const calls: readonly [string, (allocator: FreeingAllocator, size: number) => unknown][] = [
  ['malloc', (allocator, size) => allocator.malloc(size)],
  ['tryMalloc', (allocator, size) => allocator.tryMalloc(size)],
  ['calloc', (allocator, size) => allocator.calloc(size)],
  ['memalign', (allocator, size) => allocator.memalign(8, size)],
  ['alloc', (allocator, size) => allocator.alloc(Uint8Array, size)],
  ['allocUnsafe', (allocator, size) => allocator.allocUnsafe(Buffer, size)],
  ['alloc on 8', (allocator, size) => allocator.alloc(DataView, size, { alignment: 8 })],
]

/** Blocks that the callback leaves alone. */
let kept: number[] = []

export function fullTests(subject: Subject): void {
  const test = suite(`${subject.name}: onFull`)
  const { frees } = subject.abilities

  /** Makes room for one block, or for all. */
  const makeRoom = (allocator: FreeingAllocator, blocks: number[]): void => {
    if (frees) allocator.free(blocks.pop() as number)
    else allocator.reset()
  }

  test('it is asked once when the answer is false, and nothing has changed', () => {
    full(
      subject,
      () => false,
      ({ allocator, asked, size }) => {
        for (const [name, call] of calls) {
          changesNothing(allocator, () => {
            if (name === 'tryMalloc') assert.is(call(allocator, size), 0)
            else throwsCode(() => call(allocator, size), 'ERR_OUT_OF_MEMORY')
          })
          assert.equal(asked.splice(0), [size], name)
        }
      }
    )
  })

  for (const [name, call] of calls)
    test(`${name}: what it makes room for is there`, () => {
      let blocks: number[] = []
      full(
        subject,
        (_, allocator) => {
          makeRoom(allocator, blocks)
          return true
        },
        (it) => {
          blocks = it.blocks
          for (const offset of blocks) bytesAt(it.arena, offset, it.size).fill(255)
          const made = call(it.allocator, it.size)
          assert.equal(it.asked, [it.size])
          const offset = typeof made === 'number' ? made : it.arena.offsetOf(made as Uint8Array)
          assert.ok(offset > 0)
          if (name === 'calloc' || name.startsWith('alloc ') || name === 'alloc')
            assert.ok(bytesAt(it.arena, offset, it.size).every((byte) => byte === 0))
          it.allocator.check()
          balance(it.allocator)
        }
      )
    })

  for (const [name, call] of calls) {
    test(`${name}: what it throws goes through, and nothing has changed`, () => {
      const mine = new Error('mine')
      full(
        subject,
        () => {
          throw mine
        },
        ({ allocator, asked, size }) => {
          for (let i = 0; i < 2; i++)
            changesNothing(allocator, () => {
              try {
                call(allocator, size)
                assert.unreachable()
              } catch (error) {
                assert.is(error, mine)
              }
            })
          assert.is(asked.length, 2)
        }
      )
    })

    for (const answer of [true, false])
      test(`${name}: it may close the allocator, or the arena, and say ${answer}`, () => {
        for (const what of ['allocator', 'arena'] as const) {
          let arena: Arena | undefined
          full(
            subject,
            (_, allocator) => {
              if (what === 'arena') arena?.close()
              else allocator.close()
              return answer
            },
            (it) => {
              arena = it.arena
              throwsCode(() => call(it.allocator, it.size), 'ERR_ARENA_CLOSED')
            }
          )
        }
      })
  }

  test('a request of its own that does not fit fails, and is not asked for', () => {
    full(
      subject,
      (byteLength, allocator) => {
        assert.is(allocator.tryMalloc(byteLength), 0)
        throwsCode(() => allocator.malloc(byteLength), 'ERR_OUT_OF_MEMORY')
        return false
      },
      ({ allocator, asked, size }) => {
        assert.is(allocator.tryMalloc(size), 0)
        assert.is(asked.length, 1)
      }
    )
  })

  test('true for ever, and nothing freed: it has an end', () => {
    full(
      subject,
      () => true,
      ({ allocator, asked, size }) => {
        changesNothing(allocator, () => {
          assert.is(allocator.tryMalloc(size), 0)
          throwsCode(() => allocator.malloc(size), 'ERR_OUT_OF_MEMORY')
        })
        assert.ok(asked.length <= 2 * 128, `${asked.length}`)
      }
    )
  })

  test('what is no true is false', () => {
    for (const answer of [1, 'true', {}, undefined, Promise.resolve(true)])
      full(
        subject,
        () => answer as never,
        ({ allocator, asked, size }) => {
          assert.is(allocator.tryMalloc(size), 0)
          assert.is(asked.length, 1)
        }
      )
  })

  test('it is called as a method of the options, and what is no function is refused', () => {
    const arena = Arena.reserve(MiB)
    let limit = 0
    const options = {
      byteLength: 64 * KiB,
      limit: 60 * KiB,
      onFull(): boolean {
        limit += this.limit
        return false
      },
    }
    fill(subject.on(arena, options), subject.fit(1000))
    assert.is(limit, 60 * KiB)
    for (const bad of [null, 1, 'x', {}, true])
      throwsCode(
        () => subject.on(arena, { offset: 512 * KiB, onFull: bad as never }),
        'ERR_INVALID_ARG_TYPE',
        'options.onFull'
      )
    arena.close()
  })

  test('a request that fits is not asked for', () => {
    subject.run(
      (allocator) => {
        for (let i = 0; i < 100; i++) allocator.malloc(subject.fit(100))
      },
      MiB,
      {
        onFull: () => {
          throw new Error('not to be called')
        },
      }
    )
  })

  if (!frees) reallocOfLast(subject)
  else freeingTests(subject)
  test.run()
}

/** Of a bump allocator. */
function reallocOfLast(subject: Subject): void {
  const test = suite(`${subject.name}: onFull and realloc`)

  test('realloc of the last block asks, and finds the block as the callback left it', () => {
    for (const keep of [true, false]) {
      let last = 0
      full(
        subject,
        (_, allocator) => {
          if (!keep) allocator.reset()
          return !keep
        },
        ({ allocator, asked, blocks, size }) => {
          last = blocks.at(-1) as number
          throwsCode(
            () => (allocator as unknown as Bump).realloc(last, 100 * size),
            keep ? 'ERR_OUT_OF_MEMORY' : 'ERR_INVALID_FREE'
          )
          assert.equal(asked, [100 * size])
          allocator.check()
        }
      )
    }
  })

  test.run()
}

function freeingTests(subject: Subject): void {
  const test = suite(`${subject.name}: onFull and blocks that are freed`)

  if (subject.fit(50_000) === 50_000)
    test('it is asked as long as it frees something', () => {
      const small: number[] = []
      const arena = Arena.reserve(MiB)
      let asked = 0
      const allocator = subject.on(arena, {
        byteLength: 256 * KiB,
        onFull: () => {
          asked++
          const block = small.shift()
          if (block !== undefined) allocator.free(block)
          return block !== undefined
        },
      })
      for (let i = 0; i < 100_000; i++) {
        const offset = allocator.tryMalloc(16)
        if (offset === 0) break
        small.push(offset)
      }
      small.push(...fill(allocator, 16))
      asked = 0
      assert.ok(allocator.malloc(50_000) > 0)
      assert.ok(asked > 40, `${asked}`)
      allocator.check()
      balance(allocator)
      arena.close()
    })

  if (subject.fit(5000) === 5000)
    test('realloc: contents are kept, and a block that it freed is refused', () => {
      for (const length of [2000, 5000]) {
        let blocks: number[] = []
        let own = false
        full(
          subject,
          (_, allocator) => {
            const block = own ? blocks[0] : blocks.pop()
            if (block !== undefined) allocator.free(block)
            return true
          },
          (it) => {
            blocks = it.blocks
            const first = blocks[0] as number
            bytesAt(it.arena, first, it.size).fill(7)
            const grown = it.allocator.realloc(first, length)
            assert.ok(it.allocator.usableSize(grown) >= length)
            assert.ok(bytesAt(it.arena, grown, it.size).every((byte) => byte === 7))
            it.allocator.check()
            fill(it.allocator, 8)
            if (it.asked.length === 0 || blocks.length < 3) return
            blocks[0] = grown
            own = true
            assert.throws(
              () => it.allocator.realloc(grown, 120_000),
              (error: { code: string }) => ['ERR_DOUBLE_FREE', 'ERR_INVALID_FREE'].includes(error.code)
            )
            it.allocator.check()
          }
        )
      }
    })

  test('mallocMany: goes on where room was made', () => {
    let blocks: number[] = []
    full(
      subject,
      (_, allocator) => {
        for (const block of blocks.splice(0, 2)) allocator.free(block)
        return blocks.length > 4
      },
      (it) => {
        blocks = it.blocks
        const before = it.allocator.stats().usedCount
        const left = blocks.length
        const offsets = new Float64Array(left)
        const count = it.allocator.mallocMany(it.size, offsets)
        assert.ok(count > 0 && count < left)
        assert.ok(it.asked.every((byteLength) => byteLength === it.size))
        assert.is(new Set(offsets.subarray(0, count)).size, count)
        assert.is(it.allocator.stats().usedCount, before - (left - blocks.length) + count)
        it.allocator.freeMany(offsets, count)
        it.allocator.check()
      }
    )
  })

  test('mallocMany: when it throws, what was made is given back', () => {
    const mine = new Error('mine')
    let blocks: number[] = []
    full(
      subject,
      (_, allocator) => {
        if (blocks.length === 0) throw mine
        for (const block of blocks.splice(0)) allocator.free(block)
        return true
      },
      (it) => {
        blocks = it.blocks
        try {
          it.allocator.mallocMany(it.size, new Float64Array(10_000))
          assert.unreachable()
        } catch (error) {
          assert.is(error, mine)
        }
        assert.is(it.allocator.stats().usedCount, 0)
        it.allocator.check()
      }
    )
  })

  test('mallocMany: after a reset it begins anew; after close it says so', () => {
    let resets = 0
    full(
      subject,
      (_, allocator) => {
        allocator.reset()
        return resets++ === 0
      },
      ({ allocator, size }) => {
        const offsets = new Float64Array(10_000)
        const count = allocator.mallocMany(size, offsets)
        assert.equal([count, resets], [0, 2])
        assert.is(allocator.stats().usedCount, 0)
        allocator.check()
      }
    )
    full(
      subject,
      (_, allocator) => {
        allocator.close()
        return true
      },
      ({ allocator, size }) =>
        throwsCode(() => allocator.mallocMany(size, new Float64Array(10_000)), 'ERR_ARENA_CLOSED')
    )
  })

  test('mallocMany: what the callback does to the array changes nothing of which blocks there are', () => {
    for (const spoil of [
      (offsets: Float64Array, held: number[]) => offsets.fill(held[0] as number),
      (offsets: Float64Array) => void structuredClone(offsets.buffer, { transfer: [offsets.buffer as ArrayBuffer] }),
    ])
      for (const throws of [false, true]) {
        const offsets = new Float64Array(10_000)
        let blocks: number[] = []
        full(
          subject,
          (_, allocator) => {
            const free = blocks.splice(0, 4)
            for (const block of free) allocator.free(block)
            if (free.length > 0) return true
            spoil(offsets, kept)
            if (throws) throw new Error('mine')
            return false
          },
          (it) => {
            blocks = it.blocks.slice(8)
            kept = it.blocks.slice(0, 8)
            let count = 0
            try {
              count = it.allocator.mallocMany(it.size, offsets)
            } catch (error) {
              assert.is((error as Error).message, 'mine')
            }
            assert.is(it.allocator.stats().usedCount, kept.length + count)
            it.allocator.check()
            const made = count === 0 ? [] : offsets.subarray(0, count)
            for (const block of [...kept, ...made]) it.allocator.free(block)
            assert.is(it.allocator.stats().usedCount, 0)
          }
        )
      }
  })

  test.run()
}

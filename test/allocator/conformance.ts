/**
 * The suite that every allocator passes: the contract of allocator/contract.ts, call by call, and what must hold whatever happens.
 *
 *     conformance('Slab', (arena, options) => new Slab(arena, { slotSize: 64, ...options }), { frees: true, mostBytes: 64 })
 *
 * Its parts: raw calls here, views in conformance/views.ts, frees in conformance/frees.ts, claims and their end in
 * conformance/claims.ts, pins in conformance/pins.ts, random programs in program.ts.
 *
 * Longer than other files: the raw calls in the order of the contract.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GiB, KiB, MiB } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'
import { claimTests } from './conformance/claims.ts'
import { freeTests } from './conformance/frees.ts'
import { fullTests } from './conformance/full.ts'
import { manyTests } from './conformance/many.ts'
import { pinTests } from './conformance/pins.ts'
import { viewTests } from './conformance/views.ts'
import { runProgram } from './program.ts'
import {
  type Abilities,
  badLengths,
  balance,
  bytesAt,
  changesNothing,
  type Factory,
  fill,
  readsZero,
  Subject,
} from './subject.ts'

export function conformance(name: string, factory: Factory, abilities: Abilities): void {
  const subject = new Subject(name, factory, abilities)
  rawTests(subject)
  zeroTests(subject)
  programTests(subject)
  viewTests(subject)
  if (abilities.frees) freeTests(subject)
  if (abilities.frees) manyTests(subject)
  claimTests(subject)
  pinTests(subject)
  fullTests(subject)
}

function rawTests(subject: Subject): void {
  const test = suite(`${subject.name}: raw calls`)
  const some = subject.fit(40)

  test('blocks are distinct, aligned, inside the claim, and keep what is written', () => {
    subject.run((allocator, arena) => {
      const offsets = Array.from({ length: 500 }, () => allocator.malloc(some))
      for (const [index, offset] of offsets.entries()) bytesAt(arena, offset, some).fill(index % 251)
      assert.is(new Set(offsets).size, offsets.length)
      for (const [index, offset] of offsets.entries()) {
        assert.is(offset % 8, 0)
        assert.ok(offset > 0 && offset + some <= arena.byteLength)
        assert.ok(bytesAt(arena, offset, some).every((byte) => byte === index % 251))
      }
      assert.is(allocator.stats().usedCount, 500)
      assert.ok(allocator.stats().usedBytes >= 500 * some)
      allocator.check()
    }, 4 * MiB)
  })

  test('an empty block is a block', () => {
    subject.run((allocator) => {
      const offsets = new Set([allocator.malloc(0), allocator.malloc(0), allocator.calloc(0), allocator.memalign(8, 0)])
      assert.is(offsets.size, 4)
      assert.not(offsets.has(0))
      assert.is(allocator.stats().usedCount, 4)
      allocator.check()
    })
  })

  for (const call of ['malloc', 'tryMalloc', 'calloc', 'memalign'] as const)
    test(`${call} refuses what is not a length, and changes nothing`, () => {
      subject.run((allocator) => {
        allocator.malloc(some)
        changesNothing(allocator, () => {
          for (const [bad, code] of badLengths) {
            const length = bad as number
            throwsCode(
              () => (call === 'memalign' ? allocator.memalign(8, length) : allocator[call](length)),
              code,
              '"byteLength"'
            )
          }
        })
      })
    })

  test('calloc refuses a second argument: it takes no count', () => {
    subject.run((allocator) => {
      const calloc = allocator.calloc.bind(allocator) as unknown as (...given: unknown[]) => number
      changesNothing(allocator, () => {
        throwsCode(() => calloc(4, 8), 'ERR_INVALID_ARG_TYPE', 'calloc takes no count')
        throwsCode(() => calloc(4, undefined), 'ERR_INVALID_ARG_TYPE')
        throwsCode(() => calloc(), 'ERR_INVALID_ARG_TYPE')
      })
    })
  })

  test('memalign refuses what is not an alignment, and changes nothing', () => {
    subject.run((allocator) => {
      changesNothing(allocator, () => {
        for (const bad of [0, -8, 3, 12, 1.5, Number.NaN, 2 * GiB, 2 ** 60, Number.POSITIVE_INFINITY])
          throwsCode(() => allocator.memalign(bad, 8), 'ERR_OUT_OF_RANGE', '"alignment"')
        for (const bad of ['8', 8n, undefined, null, {}, Symbol('8')])
          throwsCode(() => allocator.memalign(bad as number, 8), 'ERR_INVALID_ARG_TYPE', '"alignment"')
      })
    })
  })

  test('memalign aligns up to 1 GiB, and commits no more than the block', () => {
    subject.run((allocator, arena) => {
      for (let alignment = 1; alignment <= subject.mostAlignment; alignment *= 2) {
        const offset = allocator.memalign(alignment, subject.fit(100))
        assert.is(offset % alignment, 0)
        assert.is(offset % 8, 0)
        bytesAt(arena, offset, subject.fit(100)).fill(1)
        balance(allocator)
      }
      const { committedBytes, metadataBytes } = allocator.stats()
      assert.ok(committedBytes - metadataBytes < 31 * 3 * arena.pageSize, `${committedBytes} bytes committed`)
      assert.ok(arena.resident() <= committedBytes)
      allocator.check()
    }, 8 * GiB)
  })

  test('a full allocator says so, and changes nothing', () => {
    subject.run((allocator) => {
      const length = subject.fit(3000)
      assert.ok(fill(allocator, length).length > 10)
      changesNothing(allocator, () => {
        assert.is(allocator.tryMalloc(length), 0)
        throwsCode(() => allocator.malloc(length), 'ERR_OUT_OF_MEMORY', `${length} bytes`)
        throwsCode(() => allocator.calloc(length), 'ERR_OUT_OF_MEMORY')
        throwsCode(() => allocator.memalign(8, length), 'ERR_OUT_OF_MEMORY')
        throwsCode(() => allocator.alloc(Uint8Array, length), 'ERR_OUT_OF_MEMORY')
        throwsCode(() => allocator.allocUnsafe(Uint8Array, length), 'ERR_OUT_OF_MEMORY')
      })
    })
  })

  test('lengths that no claim has are a matter of memory, unless the kind has a longest', () => {
    const { mostBytes } = subject.abilities
    subject.run((allocator) => {
      changesNothing(allocator, () => {
        for (const length of [2 * MiB, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
          if (mostBytes !== undefined) throwsCode(() => allocator.malloc(length), 'ERR_OUT_OF_RANGE', '"byteLength"')
          else {
            assert.is(allocator.tryMalloc(length), 0)
            throwsCode(() => allocator.malloc(length), 'ERR_OUT_OF_MEMORY')
            throwsCode(() => allocator.memalign(4096, length), 'ERR_OUT_OF_MEMORY')
          }
        }
      })
    })
  })

  test('figures by size add up, and no more is resident than committed', () => {
    subject.run((allocator, arena) => {
      const lengths = Array.from({ length: 300 }, (_, i) => subject.fit((i * 37) % 3000))
      for (const length of lengths) bytesAt(arena, allocator.malloc(length), length).fill(1)
      const {
        classes,
        residentBytes = 0,
        residentMetadataBytes = 0,
        ...totals
      } = allocator.stats({
        classes: true,
        resident: true,
      })
      assert.equal(totals, allocator.stats())
      const written = lengths.reduce((sum, length) => sum + length, 0)
      assert.ok(residentBytes >= written, `${residentBytes} resident of ${written} written`)
      assert.ok(residentBytes <= totals.committedBytes - totals.metadataBytes, `${residentBytes} resident`)
      assert.ok(residentMetadataBytes > 0 && residentMetadataBytes <= totals.metadataBytes + 6 * 4096)
      if (!subject.abilities.frees) return assert.equal(classes, [])
      for (const name of ['usedCount', 'usedBytes', 'freeSlotBytes'] as const)
        assert.is(
          classes?.reduce((sum, one) => sum + one[name], 0),
          totals[name],
          name
        )
      for (const { least, most, usedCount, usedBytes } of classes ?? [])
        assert.ok(least * usedCount <= usedBytes && usedBytes <= most * usedCount)
      allocator.check()
    }, 4 * MiB)
    subject.run((allocator) => {
      const stats = (options: unknown) => () => allocator.stats(options as undefined)
      throwsCode(stats(1), 'ERR_INVALID_ARG_TYPE', '"options"')
      throwsCode(stats({ classes: 1 }), 'ERR_INVALID_ARG_TYPE', '"options.classes"')
      throwsCode(stats({ resident: 'yes' }), 'ERR_INVALID_ARG_TYPE', '"options.resident"')
    })
  })

  test('reset drops every block and keeps the claim', () => {
    subject.run((allocator) => {
      const first = fill(allocator, subject.fit(1000)).length
      allocator.reset()
      assert.is(allocator.stats().usedCount, 0)
      assert.is(allocator.stats().usedBytes, 0)
      allocator.check()
      balance(allocator)
      assert.is(fill(allocator, subject.fit(1000)).length, first)
      allocator.check()
    })
  })

  test.run()
}

function zeroTests(subject: Subject): void {
  const test = suite(`${subject.name}: zeroing`)
  const lengths = [0, 1, 8, 13, 64, 1000, 5000, 70 * KiB].filter((length) => length <= subject.fit(length))

  test('calloc reads zero: fresh, and after use', () => {
    subject.run((allocator, arena) => {
      for (let round = 0; round < 4; round++) {
        for (const length of lengths) {
          const offset = allocator.calloc(length)
          assert.ok(readsZero(arena, offset, length), `round ${round}, ${length} bytes`)
          bytesAt(arena, offset, length).fill(255)
        }
        allocator.reset()
      }
    })
  })

  test('calloc reads zero on a claim that others have written to', () => {
    subject.run((outer, arena) => {
      outer.close()
      bytesAt(arena, 0, arena.byteLength).fill(255)
      const allocator = subject.on(arena)
      for (const length of lengths) assert.ok(readsZero(arena, allocator.calloc(length), length))
      for (const length of lengths) assert.ok(allocator.alloc(Uint8Array, length).every((byte) => byte === 0))
    })
  })

  test('calloc of more than a MiB reads zero', () => {
    if (subject.fit(3 * MiB) < 3 * MiB) return
    subject.run((allocator, arena) => {
      bytesAt(arena, allocator.malloc(3 * MiB), 3 * MiB).fill(255)
      allocator.reset()
      assert.ok(readsZero(arena, allocator.calloc(3 * MiB - 5), 3 * MiB - 5))
    }, 8 * MiB)
  })

  test.run()
}

function programTests(subject: Subject): void {
  const test = suite(`${subject.name}: random programs`)

  for (const pageSize of [4 * KiB, 16 * KiB, 64 * KiB])
    test(`on pages of ${pageSize / KiB} KiB`, () => {
      for (let seed = 1; seed <= 4; seed++)
        subject.run((allocator, arena) => runProgram(subject, allocator, arena, seed), 512 * KiB, undefined, pageSize)
    })

  test('on small claims that no page begins or ends', () => {
    for (let seed = 1; seed <= 6; seed++)
      subject.run((allocator, arena) => runProgram(subject, allocator, arena, seed), MiB, {
        offset: seed * 1000,
        byteLength: 9000 + seed * 8,
      })
  })

  test('with a limit, which is never passed', () => {
    const limit = 100 * KiB
    for (let seed = 1; seed <= 4; seed++)
      subject.run(
        (allocator, arena) => {
          runProgram(subject, allocator, arena, seed)
          assert.ok(allocator.stats().peakCommittedBytes <= limit)
        },
        MiB,
        { limit }
      )
  })

  test('across the end of a window, which no block crosses', () => {
    subject.run(
      (allocator, arena) => {
        for (const offset of fill(allocator, subject.fit(600))) {
          assert.is(Math.floor(offset / GiB), Math.floor((offset + subject.fit(600) - 1) / GiB))
          bytesAt(arena, offset, subject.fit(600)).fill(1)
        }
        allocator.check()
        allocator.reset()
        runProgram(subject, allocator, arena, 7)
      },
      2 * GiB,
      { offset: GiB - 100_008, byteLength: 300_000 }
    )
  })

  test.run()
}

/**
 * Conformance, third part: what is true of allocators that free single blocks.
 *
 * Longer than other files: every wrong free, by offset and by view.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { badLengths, balance, bytesAt, changesNothing, fill, readsZero, type Subject } from '../subject.ts'

export function freeTests(subject: Subject): void {
  refusalTests(subject)
  reallocTests(subject)
  purgeTests(subject)
}

function refusalTests(subject: Subject): void {
  const test = suite(`${subject.name}: frees`)
  const some = subject.fit(40)

  test('by offset and by every kind of view', () => {
    subject.run((allocator, arena) => {
      const one = allocator.alloc(Float64Array, 2)
      const two = allocator.alloc(Uint8Array, 9)
      const three = allocator.alloc(Uint8Array, 9)
      const four = allocator.alloc(BigInt64Array, 0)
      const five = allocator.alloc(Uint8Array, 9)
      assert.ok(allocator.usableSize(one) >= 16)
      assert.is(allocator.usableSize(one), allocator.usableSize(arena.offsetOf(one)))
      allocator.free(one)
      allocator.free(new DataView(two.buffer, two.byteOffset, 4))
      allocator.free(Buffer.from(three.buffer, three.byteOffset, 9))
      allocator.free(four)
      allocator.free(five.subarray(0, 3))
      assert.is(allocator.stats().usedCount, 0)
      allocator.check()
    })
  })

  test('an empty block once', () => {
    subject.run((allocator) => {
      const offset = allocator.malloc(0)
      assert.ok(allocator.usableSize(offset) >= 0)
      allocator.free(offset)
      throwsCode(() => allocator.free(offset), 'ERR_DOUBLE_FREE')
      assert.is(allocator.stats().usedCount, 0)
    })
  })

  test('a double free is one', () => {
    subject.run((allocator) => {
      const offsets = Array.from({ length: 20 }, () => allocator.malloc(some))
      for (const offset of offsets.filter((_, index) => index % 2 === 0)) {
        allocator.free(offset)
        changesNothing(allocator, () => {
          throwsCode(() => allocator.free(offset), 'ERR_DOUBLE_FREE')
          throwsCode(() => allocator.usableSize(offset), 'ERR_DOUBLE_FREE')
          throwsCode(() => allocator.realloc(offset, some), 'ERR_DOUBLE_FREE')
        })
      }
    })
  })

  test('what is not the start of a live block is refused, and nothing changes', () => {
    subject.run((allocator, arena) => {
      const first = allocator.malloc(some)
      const view = allocator.alloc(Uint8Array, some)
      const wrong = [
        0,
        -8,
        -1,
        1,
        4,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        -0,
        first + 1,
        first + 4,
        first + 8,
        first + 0.5,
        arena.byteLength,
        arena.byteLength - 8,
        arena.byteLength + first,
        2 ** 31 + first,
        2 ** 32 + first,
        2 ** 53,
        1e300,
        arena.byteLength / 2,
      ]
      changesNothing(allocator, () => {
        for (const offset of wrong)
          for (const call of ['free', 'usableSize'] as const)
            throwsCode(() => allocator[call](offset), 'ERR_INVALID_FREE')
        for (const offset of wrong) throwsCode(() => allocator.realloc(offset, 8), 'ERR_INVALID_FREE')
        throwsCode(() => allocator.free(view.subarray(8)), 'ERR_INVALID_FREE')
        throwsCode(() => allocator.free(new Uint8Array(view.buffer)), 'ERR_INVALID_FREE')
      })
      allocator.free(first)
      allocator.free(view)
    })
  })

  test('views of other memory are refused, and what is neither offset nor view', () => {
    const other = Arena.reserve(MiB)
    const stranger = subject.on(other)
    subject.run((allocator) => {
      allocator.malloc(some)
      const theirs = stranger.alloc(Uint8Array, 8)
      changesNothing(allocator, () => {
        for (const view of [
          theirs,
          new Uint8Array(8),
          Buffer.alloc(8),
          new DataView(new ArrayBuffer(8)),
          new Uint8Array(new SharedArrayBuffer(8)),
        ]) {
          throwsCode(() => allocator.free(view), 'ERR_INVALID_FREE')
          throwsCode(() => allocator.usableSize(view), 'ERR_INVALID_FREE')
        }
        for (const bad of ['8', 8n, undefined, null, {}, [8], new ArrayBuffer(8), Symbol('8'), () => 8, true]) {
          throwsCode(() => allocator.free(bad as number), 'ERR_INVALID_ARG_TYPE', '"block"')
          throwsCode(() => allocator.usableSize(bad as number), 'ERR_INVALID_ARG_TYPE', '"block"')
          throwsCode(() => allocator.realloc(bad as number, 8), 'ERR_INVALID_ARG_TYPE', '"offset"')
        }
      })
      stranger.free(theirs)
    })
    other.close()
  })

  test('blocks of before a reset are gone', () => {
    subject.run((allocator) => {
      const offsets = Array.from({ length: 5 }, () => allocator.malloc(some))
      allocator.reset()
      changesNothing(allocator, () => {
        for (const offset of offsets) throwsCode(() => allocator.free(offset), 'ERR_INVALID_FREE')
      })
    })
  })

  test('a full allocator has room again for each block that is freed', () => {
    subject.run((allocator) => {
      const length = subject.fit(2000)
      const offsets = fill(allocator, length)
      for (const offset of offsets) allocator.free(offset)
      allocator.check()
      assert.is(allocator.stats().usedBytes, 0)
      assert.is(fill(allocator, length).length, offsets.length)
      allocator.check()
    })
  })

  test('blocks() names every live block once', () => {
    subject.run((allocator) => {
      const offsets = Array.from({ length: 200 }, (_, index) => allocator.malloc(subject.fit(index)))
      const kept = new Set(offsets.filter((_, index) => index % 3 !== 0))
      for (const offset of offsets) if (!kept.has(offset)) allocator.free(offset)
      const blocks = [...allocator.blocks()]
      assert.equal(new Set(blocks.map((block) => block.offset)), new Set([...kept].sort((a, b) => a - b)))
      assert.is(blocks.length, kept.size)
      for (const { offset, byteLength } of blocks) assert.is(byteLength, allocator.usableSize(offset))
      assert.is(
        blocks.reduce((sum, block) => sum + block.byteLength, 0),
        allocator.stats().usedBytes
      )
      for (const { offset } of allocator.blocks()) allocator.free(offset)
      assert.is(allocator.stats().usedCount, 0)
    })
  })

  test.run()
}

function reallocTests(subject: Subject): void {
  const test = suite(`${subject.name}: realloc`)

  test('keeps the contents up to the smaller length', () => {
    subject.run((allocator, arena) => {
      let offset = allocator.malloc(subject.fit(8))
      let length = subject.fit(8)
      bytesAt(arena, offset, length).fill(7)
      for (const wanted of [16, 100, 30, 5000, 20_000, 100, 0, 64].map((bytes) => subject.fit(bytes))) {
        allocator.malloc(8)
        offset = allocator.realloc(offset, wanted)
        assert.ok(allocator.usableSize(offset) >= wanted)
        assert.ok(
          bytesAt(arena, offset, Math.min(length, wanted)).every((byte) => byte === 7),
          `to ${wanted}`
        )
        length = wanted
        bytesAt(arena, offset, length).fill(7)
        allocator.check()
      }
    })
  })

  test('keeps every pattern of bits, also what is no number as a float', () => {
    subject.run((allocator, arena) => {
      const length = subject.fit(256) & -8
      const odd = [
        0x7ff00000_00000001n,
        0x7ff80000_00000000n,
        0xfff7ffff_fff7ffffn,
        0xffffffff_ffffffffn,
        0x80000000_00000000n,
      ]
      for (let round = 0; round < 3000; round++) {
        const block = allocator.malloc(8)
        const pattern = odd[round % odd.length] as bigint
        arena.view(BigUint64Array, block, 1)[0] = pattern
        const moved = allocator.realloc(block, length)
        assert.is(arena.view(BigUint64Array, moved, 1)[0], pattern)
        allocator.free(moved)
      }
    })
  })

  test('to nothing shrinks to the smallest block', () => {
    subject.run((allocator) => {
      const offset = allocator.realloc(allocator.malloc(subject.fit(3000)), 0)
      assert.is.not(offset, 0)
      assert.is(allocator.usableSize(offset), allocator.usableSize(allocator.malloc(0)))
      allocator.free(offset)
      allocator.check()
    })
  })

  test('refuses what is not a length, and changes nothing', () => {
    subject.run((allocator) => {
      const offset = allocator.malloc(8)
      changesNothing(allocator, () => {
        for (const [bad, code] of badLengths)
          throwsCode(() => allocator.realloc(offset, bad as number), code, '"byteLength"')
      })
      allocator.free(offset)
    })
  })

  test('without room leaves the block as it was', () => {
    if (subject.abilities.mostBytes !== undefined) return
    subject.run((allocator, arena) => {
      const view = allocator.alloc(Uint8Array, 1000)
      view.fill(3)
      changesNothing(allocator, () => {
        for (const length of [2 * MiB, 2 ** 40, Number.MAX_SAFE_INTEGER])
          throwsCode(() => allocator.realloc(arena.offsetOf(view), length), 'ERR_OUT_OF_MEMORY')
      })
      assert.ok(view.every((byte) => byte === 3))
      allocator.free(view)
    })
  })

  test.run()
}

function purgeTests(subject: Subject): void {
  const test = suite(`${subject.name}: purge`)
  const length = subject.fit(2000)

  for (const pageSize of [4 * KiB, 16 * KiB, 64 * KiB])
    test(`gives free pages of ${pageSize / KiB} KiB back, which read zero and may be used again`, () => {
      subject.run(
        (allocator, arena) => {
          const offsets = fill(allocator, length)
          for (const offset of offsets) bytesAt(arena, offset, length).fill(255)
          const full = allocator.stats()
          for (const offset of offsets) allocator.free(offset)
          const given = allocator.purge()
          const empty = allocator.stats()
          assert.ok(given >= full.usedBytes - 2 * pageSize, `${given} of ${full.usedBytes} bytes`)
          assert.ok(full.committedBytes - empty.committedBytes >= given)
          assert.ok(arena.resident() <= empty.committedBytes, `${arena.resident()} bytes resident`)
          assert.is(allocator.purge(), 0)
          allocator.check()
          balance(allocator)
          for (const offset of fill(allocator, length)) bytesAt(arena, offset, length).fill(1)
          assert.is(allocator.stats().usedBytes, full.usedBytes)
        },
        MiB,
        undefined,
        pageSize
      )
    })

  test('touches no page of a live block', () => {
    subject.run((allocator, arena) => {
      const offsets = fill(allocator, length)
      for (const offset of offsets) bytesAt(arena, offset, length).fill(offset % 251)
      const kept = offsets.filter((_, index) => index % 40 === 0)
      for (const offset of offsets) if (!kept.includes(offset)) allocator.free(offset)
      const given = allocator.purge()
      if (length * 40 > 4 * arena.pageSize) assert.ok(given > 0)
      for (const offset of kept) assert.ok(bytesAt(arena, offset, length).every((byte) => byte === offset % 251))
      assert.ok(arena.resident() <= allocator.stats().committedBytes)
      allocator.check()
      for (let index = kept.length; index < offsets.length; index++) {
        const offset = allocator.calloc(length)
        assert.ok(readsZero(arena, offset, length))
        bytesAt(arena, offset, length).fill(255)
      }
      allocator.check()
    })
  })

  test('makes room under a limit', () => {
    subject.run(
      (allocator) => {
        const offsets = fill(allocator, length)
        assert.ok(allocator.stats().committedBytes <= 64 * KiB)
        for (const offset of offsets) allocator.free(offset)
        allocator.purge()
        assert.ok(allocator.stats().committedBytes < 16 * KiB)
        assert.is(fill(allocator, length).length, offsets.length)
        assert.ok(allocator.stats().peakCommittedBytes <= 64 * KiB)
        allocator.check()
      },
      MiB,
      { limit: 64 * KiB }
    )
  })

  test.run()
}

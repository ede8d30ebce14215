/**
 * What `check` finds: metadata changed behind an allocator's back, word by word; and what happens when the kernel refuses.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PEAK_BYTES } from '../../../src/allocator/base/header.ts'
import { Buddy } from '../../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../../src/allocator/bump/bump.ts'
import type { FreeingAllocator } from '../../../src/allocator/contract.ts'
import { type AllocatorFacade, partsOf } from '../../../src/allocator/facade.ts'
import { Slab } from '../../../src/allocator/slab/slab.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { balance, bytesAt, readsZero } from '../subject.ts'

/** The metadata, which no public call shows. */
function metadataOf(allocator: object): ArrayBuffer {
  return partsOf(allocator as AllocatorFacade).life.claim.metadata.buffer
}

const kinds: Record<string, (arena: Arena) => FreeingAllocator> = {
  Slab: (arena) => new Slab(arena, { slotSize: 64, byteLength: 32768 }),
  Buddy: (arena) => new Buddy(arena, { byteLength: 32768 }),
  Bump: (arena) => new Bump(arena, { byteLength: 32768 }) as unknown as FreeingAllocator,
}

/** Bytes that no equation binds: caches, bounds that may be higher than what they bound, and room to spare. */
function isFree(kind: string, byte: number): boolean {
  const number = Math.floor(byte / 8)
  if (byte >= 28 && byte < 32) return true
  // Metadata bytes, touched, the peak, and what the kind does not use.
  if ([7, 10, PEAK_BYTES, 14, 15].includes(number)) return true
  if (kind !== 'Buddy' && number === 12) return true
  if (kind === 'Slab') return number === 12 || (number > 16 && number < 32)
  // Byte 133 moves the top by 16 bytes: the last block would end elsewhere, and no block's length is recorded.
  if (kind === 'Bump') return byte === 133 || (number > 16 && number < 32)
  return number >= 16 && number < 32 && byte >= 132
}

for (const [kind, make] of Object.entries(kinds)) {
  const test = suite(`${kind}: corruption`)

  test('a changed bit in the header is found', () => {
    const arena = Arena.reserve(MiB)
    const allocator = make(arena)
    const offsets = Array.from({ length: 100 }, () => allocator.malloc(64))
    if (kind !== 'Bump') for (const offset of offsets.filter((_, index) => index % 3 === 1)) allocator.free(offset)
    const bytes = new Uint8Array(metadataOf(allocator))
    allocator.check()
    const missed: number[] = []
    for (let byte = 0; byte < 256; byte++) {
      if (isFree(kind, byte)) continue
      bytes[byte] = (bytes[byte] as number) ^ 16
      try {
        allocator.check()
        missed.push(byte)
      } catch (error) {
        assert.is((error as { code?: string }).code, 'ERR_CORRUPTED', `byte ${byte}: ${error}`)
      }
      bytes[byte] = (bytes[byte] as number) ^ 16
    }
    assert.equal(missed, [])
    allocator.check()
    arena.close()
  })

  test('a changed bit in a table is found', () => {
    const arena = Arena.reserve(MiB)
    const allocator = make(arena)
    const offsets = Array.from({ length: 256 }, () => allocator.malloc(64))
    if (kind !== 'Bump') for (const offset of offsets.filter((_, index) => index % 32 === 1)) allocator.free(offset)
    const bytes = new Uint8Array(metadataOf(allocator))
    const { at } = partsOf(allocator as unknown as AllocatorFacade).life.layout
    const start = at.free ?? at.states ?? (at.bounds as number)
    // 250 blocks: one bit each, or one byte each.
    for (let byte = 1; byte < (kind === 'Buddy' ? 250 : 31); byte++) {
      bytes[start + byte] = (bytes[start + byte] as number) ^ 1
      throwsCode(() => allocator.check(), 'ERR_CORRUPTED')
      bytes[start + byte] = (bytes[start + byte] as number) ^ 1
    }
    allocator.check()
    arena.close()
  })

  test('a purge that the kernel refuses changes nothing', () => {
    const os = new FakeOs()
    const arena = Arena.reserve(MiB, { os })
    const allocator = make(arena)
    const offsets = Array.from({ length: 300 }, () => allocator.malloc(64))
    if (kind === 'Bump') allocator.reset()
    else for (const offset of offsets) allocator.free(offset)
    const before = allocator.stats()
    os.fail('purge')
    throwsCode(() => allocator.purge(), 'ENOMEM')
    assert.equal(allocator.stats(), before)
    allocator.check()
    assert.ok(allocator.purge() > 0)
    allocator.check()
    balance(allocator)
    arena.close()
  })

  test.run()
}

const test = suite('refusals of the kernel')

test('calloc of a long block fills it when its pages cannot be taken', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(16 * MiB, { os })
  const buddy = new Buddy(arena)
  const block = buddy.malloc(4 * MiB)
  bytesAt(arena, block, 4 * MiB).fill(255)
  buddy.free(block)
  os.fail('purge')
  assert.is(buddy.calloc(4 * MiB), block)
  assert.is(os.heal(), 0)
  assert.ok(readsZero(arena, block, 4 * MiB))
  buddy.check()
  arena.close()
})

test('an allocator whose claim cannot be given back stays open', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os })
  const slab = new Slab(arena, { slotSize: 64 })
  const slot = slab.malloc(64)
  os.fail('any')
  throwsCode(() => slab.close(), 'ENOMEM')
  slab.free(slot)
  slab.check()
  slab.close()
  throwsCode(() => slab.malloc(8), 'ERR_ARENA_CLOSED')
  arena.close()
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import type { Claim } from '../../../src/arena/claim.ts'
import { KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { claim, Holder } from './holder.ts'

test('a claim is the whole arena by default, or the rest of it', () => {
  using arena = Arena.reserve(MiB)
  const whole = claim(arena, new Holder('Heap'))
  assert.equal([whole.offset, whole.byteLength, whole.zeroed], [0, MiB, true])
  whole.release()
  const rest = claim(arena, new Holder('Heap'), 4096)
  assert.equal([rest.offset, rest.byteLength], [4096, MiB - 4096])
})

test('requests are checked, and nothing is taken', () => {
  using arena = Arena.reserve(MiB)
  const holder = new Holder('Heap')
  for (const bad of [-8, 4, MiB, MiB + 8, NaN, 8.5])
    throwsCode(() => claim(arena, holder, bad), 'ERR_OUT_OF_RANGE', '"options.offset"')
  for (const bad of [0, -8, 4, MiB + 8, NaN, 12, 8.5])
    throwsCode(() => claim(arena, holder, 0, bad), 'ERR_OUT_OF_RANGE', '"options.byteLength"')
  throwsCode(() => claim(arena, holder, 8, MiB), 'ERR_OUT_OF_RANGE', '"options.byteLength"')
  throwsCode(() => claim(arena, holder, '8' as never), 'ERR_INVALID_ARG_TYPE', '"options.offset"')
  throwsCode(() => claim(arena, holder, 0, 8, -1), 'ERR_OUT_OF_RANGE', '"metadataBytes"')
  throwsCode(() => claim(arena, holder, 0, 8, NaN), 'ERR_OUT_OF_RANGE', '"metadataBytes"')
  throwsCode(() => insideOf(arena).claim(undefined as never), 'ERR_INVALID_ARG_TYPE', '"request"')
  assert.ok(claim(arena, holder).zeroed)
})

test('claims that overlap are refused, neighbours are not', () => {
  using arena = Arena.reserve(MiB)
  const held = claim(arena, new Holder('Slab'), 4096, 4096)
  for (const [offset, length] of [
    [0, 4104],
    [4096, 8],
    [8184, 16],
    [0, MiB],
    [4088, 16],
    [4096, 4096],
  ])
    throwsCode(
      () => claim(arena, new Holder('Bump'), offset, length),
      'ERR_ARENA_BUSY',
      /Bump cannot claim .* Slab \(4096 bytes at offset 4096\)/
    )
  const before = claim(arena, new Holder('Bump'), 0, 4096)
  const after = claim(arena, new Holder('Bump'), 8192, 4096)
  held.release()
  claim(arena, new Holder('Buddy'), 4096, 4096)
  before.release()
  after.release()
})

test('inside a live block a claim nests, to any depth, and holders are told', () => {
  using arena = Arena.reserve(MiB)
  const heap = new Holder('Heap', [4096, 8192], [65536, 4096])
  const slab = new Holder('Slab', [4096, 1024])
  const outer = claim(arena, heap)
  const inner = claim(arena, slab, 4096, 8192)
  assert.not(inner.zeroed)
  const bump = claim(arena, new Holder('Bump'), 4096, 512)
  const second = claim(arena, new Holder('Bump'), 65536, 4096)
  assert.equal([heap.told, slab.told], [[1, 2], [1]])
  for (const [offset, length, expected] of [
    [4096, 8, true],
    [0, 4096, false],
    [12288, 8, false],
    [0, MiB, true],
    [69632, 8, false],
  ] as const)
    assert.is(outer.overlapsInner(offset, length), expected, `${offset} ${length}`)
  throwsCode(() => claim(arena, new Holder('Bump'), 0, 4096), 'ERR_ARENA_BUSY', 'Heap')
  throwsCode(() => claim(arena, new Holder('Bump'), 65536, 8192), 'ERR_ARENA_BUSY')
  throwsCode(() => claim(arena, new Holder('Bump'), 5120, 8), 'ERR_ARENA_BUSY', 'Slab')
  throwsCode(() => claim(arena, new Holder('Bump'), 8192, 8192), 'ERR_ARENA_BUSY', 'Slab')
  bump.release()
  second.release()
  assert.equal(
    [heap.told, slab.told],
    [
      [1, 2, 1],
      [1, 0],
    ]
  )
  inner.release()
  inner.release()
  assert.equal(heap.told, [1, 2, 1, 0])
})

test('a holder that answers with a block that does not contain the claim is not believed', () => {
  using arena = Arena.reserve(MiB)
  const liar = new Holder('Heap')
  liar.blockAround = () => ({ offset: 0, byteLength: 8 })
  claim(arena, liar)
  throwsCode(() => claim(arena, new Holder('Bump'), 0, 16), 'ERR_ARENA_BUSY')
  claim(arena, new Holder('Bump'), 0, 8)
})

test('revokeInner takes claims away, the inner ones first, and gives their metadata back', () => {
  using arena = Arena.reserve(MiB)
  const heap = new Holder('Heap', [0, 4096], [4096, 4096], [8192, 4096])
  const outer = claim(arena, heap)
  const holders = [0, 1, 2].map((index) => new Holder(`Slab${index}`, [index * 4096, 4096]))
  const inner = holders.map((holder, index) => claim(arena, holder, index * 4096, 4096))
  const deepest = new Holder('Bump')
  const deep = claim(arena, deepest, 4096, 8)
  outer.revokeInner(4096, 8)
  assert.equal(
    holders.map((holder) => holder.told),
    [[], [1, 'revoked'], []]
  )
  assert.equal(deepest.told, ['revoked'])
  assert.equal(heap.told, [1, 2, 3, 2])
  for (const gone of [inner[1] as Claim, deep]) {
    throwsCode(() => gone.purge(4096, 0), 'ERR_ARENA_CLOSED', 'has given its claim')
    throwsCode(() => gone.clear(4096, 0), 'ERR_ARENA_CLOSED')
    gone.release()
  }
  outer.revokeInner()
  assert.equal(heap.told.at(-1), 0)
  outer.revokeInner()
  assert.equal(heap.told, [1, 2, 3, 2, 0])
  assert.not(outer.overlapsInner(0, MiB))
})

for (const pageSize of [4, 16, 64])
  test(`releasing a claim revokes what is inside and purges its range, pages of ${pageSize} KiB`, () => {
    using arena = Arena.reserve(MiB, { os: new FakeOs({ pageSize: pageSize * KiB }) })
    const page = arena.pageSize
    const outer = claim(arena, new Holder('Heap', [0, page]), 0, 3 * page + 8)
    const slab = new Holder('Slab')
    claim(arena, slab, 0, page)
    const bytes = arena.view(Uint8Array, 0, 4 * page).fill(1)
    outer.release()
    assert.equal(slab.told, ['revoked'])
    // Asked before reading: a page that was read counts as resident.
    assert.is(arena.resident(0, 3 * page), 0)
    assert.equal([bytes[0], bytes[3 * page + 7], bytes[3 * page + 8]], [0, 0, 1])
  })

test('releasing an inner claim leaves the block as it is', () => {
  using arena = Arena.reserve(MiB)
  claim(arena, new Holder('Heap', [4096, 4096]))
  const inner = claim(arena, new Holder('Bump'), 4096, 4096)
  const bytes = arena.view(Uint8Array, 4096, 4096).fill(3)
  inner.release()
  assert.ok(bytes.every((byte) => byte === 3))
})

test('closing the arena tells every holder and touches nothing', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Holder('Heap', [0, 4096])
  const bump = new Holder('Bump')
  const slab = new Holder('Slab')
  const outer = claim(arena, heap, 0, 8192)
  const inner = claim(arena, bump, 0, 4096)
  claim(arena, slab, 8192, 4096)
  arena.close()
  assert.equal([heap.told, bump.told, slab.told], [[1, 'revoked'], ['revoked'], ['revoked']])
  for (const one of [outer, inner]) {
    throwsCode(() => one.purge(0, 4096), 'ERR_ARENA_CLOSED')
    one.release()
  }
})

test('purge by the user over a claim is refused', () => {
  using arena = Arena.reserve(MiB)
  const one = claim(arena, new Holder('Slab'), 8192, 4096)
  for (const [offset, length] of [
    [0, MiB],
    [8192, 8],
    [12280, 8],
    [0, 8200],
  ])
    throwsCode(() => arena.purge(offset, length), 'ERR_ARENA_BUSY', 'Slab')
  throwsCode(() => arena.purge(), 'ERR_ARENA_BUSY')
  arena.purge(0, 8192)
  arena.purge(12288, KiB)
  arena.purge(8192, 0)
  one.release()
  arena.purge()
})

test.run()

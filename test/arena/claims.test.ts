import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../src/arena/arena.ts'
import type { Claim, ClaimHolder } from '../../src/arena/claim.ts'
import { DIRECTORY_BYTES, ENTRY_BYTES, EntryWord, HEADER_BYTES, HeaderLength, HeaderWord, layoutHash, layoutOf, MAGIC, MOST_CLAIMS } from '../../src/arena/layout.ts'
import { type Address, GiB, KiB, MiB, TiB } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'
import { FakeOs } from '../helpers/fake-os.ts'

/** A holder whose live blocks are what the test says, and that writes down what it is told. */
class Holder implements ClaimHolder {
  readonly kind: string
  readonly told: unknown[] = []
  blocks: { offset: number; byteLength: number }[] = []
  constructor(kind: string, ...blocks: [number, number][]) {
    this.kind = kind
    this.blocks = blocks.map(([offset, byteLength]) => ({ offset, byteLength }))
  }
  blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    return this.blocks.find((block) => offset >= block.offset && offset + byteLength <= block.offset + block.byteLength)
  }
  innerClaims(count: number): void {
    this.told.push(count)
  }
  revoked(): void {
    this.told.push('revoked')
  }
}

function claim(arena: Arena, holder: ClaimHolder, offset?: number, byteLength?: number, metadataBytes = 256): Claim {
  return arena.claim({ holder, offset, byteLength, metadataBytes: () => metadataBytes })
}

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
  for (const bad of [-8, 4, MiB, MiB + 8, NaN, 8.5]) throwsCode(() => claim(arena, holder, bad), 'ERR_OUT_OF_RANGE', '"offset"')
  for (const bad of [0, -8, 4, MiB + 8, NaN, 12, 8.5])
    throwsCode(() => claim(arena, holder, 0, bad), 'ERR_OUT_OF_RANGE', '"byteLength"')
  throwsCode(() => claim(arena, holder, 8, MiB), 'ERR_OUT_OF_RANGE', '"byteLength"')
  throwsCode(() => claim(arena, holder, '8' as never), 'ERR_INVALID_ARG_TYPE', '"offset"')
  throwsCode(() => claim(arena, holder, 0, 8, -1), 'ERR_OUT_OF_RANGE', '"metadataBytes"')
  throwsCode(() => claim(arena, holder, 0, 8, NaN), 'ERR_OUT_OF_RANGE', '"metadataBytes"')
  throwsCode(() => arena.claim(undefined as never), 'ERR_INVALID_ARG_TYPE', '"request"')
  assert.ok(claim(arena, holder).zeroed)
})

test('claims that overlap are refused, neighbours are not', () => {
  using arena = Arena.reserve(MiB)
  const held = claim(arena, new Holder('Slab'), 4096, 4096)
  for (const [offset, length] of [[0, 4104], [4096, 8], [8184, 16], [0, MiB], [4088, 16], [4096, 4096]])
    throwsCode(() => claim(arena, new Holder('Bump'), offset, length), 'ERR_ARENA_BUSY', /Bump cannot claim .* Slab \(4096 bytes at offset 4096\)/)
  const before = claim(arena, new Holder('Bump'), 0, 4096)
  const after = claim(arena, new Holder('Bump'), 8192, 4096)
  held.release()
  claim(arena, new Holder('Buddy'), 4096, 4096)
  before.release()
  after.release()
})

test('metadata is zero, on 64 bytes or on a page, never shared, and zero again after release', () => {
  using arena = Arena.reserve(4 * MiB)
  const lengths = [1, 64, 100, 4095, 4096, 5000, 65536, 300_000, 0]
  for (let round = 0; round < 3; round++) {
    const claims = lengths.map((bytes, index) => claim(arena, new Holder('Slab'), index * 4096, 4096, bytes))
    claims.forEach((one, index) => {
      const bytes = new Uint8Array(one.metadata)
      assert.is(bytes.length, Math.ceil((lengths[index] as number) / 64) * 64)
      assert.ok(bytes.every((byte) => byte === 0), `round ${round}, ${lengths[index]}`)
      bytes.fill(index + 1)
    })
    claims.forEach((one, index) => assert.ok(new Uint8Array(one.metadata).every((byte) => byte === index + 1)))
    const order = round === 0 ? claims : round === 1 ? [...claims].reverse() : claims.filter((_, index) => index % 2 === 0)
    for (const one of order) one.release()
    for (const one of claims) one.release()
  }
})

test('small metadata packs into a page, tables start on one', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const base = [...os.live.keys()][0] as Address
  const space = layoutOf(MiB, arena.pageSize).metadataStart + DIRECTORY_BYTES
  const places: number[] = []
  for (const [index, length] of [200, 200, arena.pageSize, 200].entries()) {
    const { metadata } = claim(arena, new Holder('Bump'), index * 64, 64, length)
    new Uint8Array(metadata)[0] = index + 1
    const region = new Uint8Array(os.view((base + space) as Address, 4 * arena.pageSize))
    places.push(region.indexOf(index + 1))
  }
  assert.equal(places, [0, 256, arena.pageSize, 512])
})

test('metadata that does not fit is ERR_OUT_OF_MEMORY', () => {
  using arena = Arena.reserve(MiB)
  const holder = new Holder('Heap')
  throwsCode(() => claim(arena, holder, 0, 8, GiB), 'ERR_OUT_OF_MEMORY', `Heap needs ${GiB} bytes of metadata for 8 bytes`)
  throwsCode(() => claim(arena, holder, 0, 8, 2 ** 52), 'ERR_OUT_OF_MEMORY')
  const claims: Claim[] = []
  let full = false
  for (let index = 0; index < 64 && !full; index++)
    try {
      claims.push(claim(arena, holder, index * 8, 8, MiB))
    } catch {
      full = true
    }
  assert.ok(full && claims.length >= 8, String(claims.length))
  claims[0]?.release()
  claim(arena, holder, 0, 8, MiB)
})

test('a heap on a tebibyte gets its tables', () => {
  using arena = Arena.reserve(TiB)
  assert.is(claim(arena, new Holder('Heap'), 0, TiB, 3.25 * GiB).metadata.byteLength, 3.25 * GiB)
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
  for (const [offset, length, expected] of [[4096, 8, true], [0, 4096, false], [12288, 8, false], [0, MiB, true], [69632, 8, false]] as const)
    assert.is(outer.overlapsInner(offset, length), expected, `${offset} ${length}`)
  throwsCode(() => claim(arena, new Holder('Bump'), 0, 4096), 'ERR_ARENA_BUSY', 'Heap')
  throwsCode(() => claim(arena, new Holder('Bump'), 65536, 8192), 'ERR_ARENA_BUSY')
  throwsCode(() => claim(arena, new Holder('Bump'), 5120, 8), 'ERR_ARENA_BUSY', 'Slab')
  throwsCode(() => claim(arena, new Holder('Bump'), 8192, 8192), 'ERR_ARENA_BUSY', 'Slab')
  bump.release()
  second.release()
  assert.equal([heap.told, slab.told], [[1, 2, 1], [1, 0]])
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
  assert.equal(holders.map((holder) => holder.told), [[], [1, 'revoked'], []])
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

test('releasing a claim revokes what is inside and purges its range', () => {
  using arena = Arena.reserve(MiB)
  const outer = claim(arena, new Holder('Heap', [0, 4096]), 0, 3 * 4096 + 8)
  const slab = new Holder('Slab')
  claim(arena, slab, 0, 4096)
  const bytes = arena.view(Uint8Array, 0, 4 * 4096).fill(1)
  outer.release()
  assert.equal(slab.told, ['revoked'])
  // Asked before reading: a page that was read counts as resident.
  assert.is(arena.resident(0, 3 * 4096), 0)
  assert.equal([bytes[0], bytes[3 * 4096 + 7], bytes[3 * 4096 + 8]], [0, 0, 1])
})

test('releasing an inner claim leaves the block as it is', () => {
  using arena = Arena.reserve(MiB)
  claim(arena, new Holder('Heap', [4096, 4096]))
  const inner = claim(arena, new Holder('Bump'), 4096, 4096)
  const bytes = arena.view(Uint8Array, 4096, 4096).fill(3)
  inner.release()
  assert.ok(bytes.every((byte) => byte === 3))
})

test('zeroed: until somebody else could have written there', () => {
  using arena = Arena.reserve(4 * GiB)
  const fresh = (offset: number): boolean => {
    const one = claim(arena, new Holder('Slab'), offset, 4096)
    const { zeroed } = one
    one.release()
    return zeroed
  }
  arena.view(Uint8Array, 4096, 8)
  assert.not(fresh(0))
  assert.ok(fresh(GiB))
  assert.not(fresh(GiB))
  arena.window(2 * GiB)
  assert.not(fresh(2 * GiB + 4096))
  arena.windowBuffer(3)
  assert.ok(fresh(3 * GiB))
  using other = Arena.reserve(4 * GiB)
  other.view(Uint8Array, GiB - 4, 8)
  for (const [window, zeroed] of [false, false, true].entries())
    assert.is(claim(other, new Holder('Slab'), window * GiB, 4096).zeroed, zeroed)
})

test('purge and clear keep to the claim, and clear is exact to the byte', () => {
  using arena = Arena.reserve(MiB)
  const page = arena.pageSize
  const one = claim(arena, new Holder('Heap'), page, 8 * page)
  const bytes = arena.view(Uint8Array, 0, 16 * page).fill(1)
  for (const [offset, length] of [[0, page], [9 * page, page], [8 * page, 2 * page], [page, 9 * page]])
    for (const call of ['purge', 'clear'] as const)
      throwsCode(() => one[call](offset as number, length as number), 'ERR_OUT_OF_RANGE')
  throwsCode(() => one.purge(page + 8, page), 'ERR_OUT_OF_RANGE', 'whole pages')
  throwsCode(() => one.purge(page, 8), 'ERR_OUT_OF_RANGE', 'whole pages')
  one.purge(2 * page, page)
  one.purge(2 * page, 0)
  assert.is(bytes.indexOf(0), 2 * page)
  assert.is(bytes.subarray(2 * page).indexOf(1), page)
  for (const [start, end] of [[3 * page + 1, 3 * page + 2], [4 * page - 1, 4 * page + 1], [5 * page - 3, 7 * page + 3], [8 * page, 9 * page]]) {
    bytes.fill(1)
    one.clear(start as number, (end as number) - (start as number))
    assert.equal([bytes.indexOf(0), bytes.lastIndexOf(0)], [start, (end as number) - 1])
    assert.ok(bytes.subarray(start, end).every((byte) => byte === 0))
  }
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

test('header and directory are in memory, for whoever maps the arena', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const base = [...os.live.keys()][0] as Address
  const layout = layoutOf(MiB, arena.pageSize)
  const at = (base + layout.metadataStart) as Address
  const words = new Uint32Array(os.view(at, arena.pageSize))
  const lengths = new Float64Array(words.buffer)
  assert.is(words[HeaderWord.magic], 0)
  claim(arena, new Holder('Heap', [4096, 4096]), 0, 65536, 1000)
  const inner = claim(arena, new Holder('A kind with a very long name'), 4096, 64, 10)
  assert.equal(
    [words[HeaderWord.magic], words[HeaderWord.layoutHash], words[HeaderWord.pageSize], words[HeaderWord.state], words[HeaderWord.entries], words[HeaderWord.openClaims]],
    [MAGIC, layoutHash(), arena.pageSize, 1, 2, 2],
  )
  assert.equal([lengths[HeaderLength.byteLength], lengths[HeaderLength.metadataBytes]], [MiB, layout.metadataBytes])
  const entry = (index: number): unknown[] => {
    const start = HEADER_BYTES + index * ENTRY_BYTES
    const kind = Buffer.from(words.buffer, start + 44, 20).toString('latin1').replaceAll('\0', '')
    return [kind, ...lengths.subarray(start / 8, start / 8 + 4), words[start / 4 + EntryWord.state], words[start / 4 + EntryWord.around]]
  }
  const space = layout.metadataStart + DIRECTORY_BYTES
  assert.equal(entry(0), ['Heap', 0, 65536, space, 1024, 1, 0])
  assert.equal(entry(1), ['A kind with a very l', 4096, 64, space + 1024, 64, 1, 1])
  inner.release()
  assert.equal([words[HeaderWord.openClaims], entry(1)[5]], [1, 0])
})

test('a fresh claim touches two pages, a fresh arena none', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const [base, byteLength] = [...os.live][0] as [Address, number]
  const vector = new Uint8Array(byteLength / os.pageSize)
  const resident = (): number => {
    os.residency(base, byteLength, vector)
    return vector.filter((flags) => flags & 1).length
  }
  assert.is(resident(), 0)
  const { metadata } = claim(arena, new Holder('Bump'))
  assert.is(resident(), 1)
  new Uint8Array(metadata)[0] = 1
  assert.is(resident(), 2)
})

test('as many claims as the directory holds, and not one more', () => {
  using arena = Arena.reserve(2 * MiB)
  const holder = new Holder('Slab')
  const claims: Claim[] = []
  for (let index = 0; index < MOST_CLAIMS; index++) claims.push(claim(arena, holder, index * 8, 8, 0))
  throwsCode(() => claim(arena, holder, MOST_CLAIMS * 8, 8, 0), 'ERR_OUT_OF_MEMORY', `${MOST_CLAIMS} claims`)
  claims.pop()?.release()
  claim(arena, holder, MOST_CLAIMS * 8, 8, 0)
})

test('purge by the user over a claim is refused', () => {
  using arena = Arena.reserve(MiB)
  const one = claim(arena, new Holder('Slab'), 8192, 4096)
  for (const [offset, length] of [[0, MiB], [8192, 8], [12280, 8], [0, 8200]])
    throwsCode(() => arena.purge(offset, length), 'ERR_ARENA_BUSY', 'Slab')
  throwsCode(() => arena.purge(), 'ERR_ARENA_BUSY')
  arena.purge(0, 8192)
  arena.purge(12288, KiB)
  arena.purge(8192, 0)
  one.release()
  arena.purge()
})

test.run()

/** What a claim's memory holds: data that reads zero or not, metadata, and the directory that says where it is. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import type { Claim } from '../../../src/arena/claim.ts'
import {
  DIRECTORY_BYTES,
  ENTRY_BYTES,
  EntryWord,
  HEADER_BYTES,
  HeaderLength,
  HeaderWord,
  layoutHash,
  layoutOf,
  MAGIC,
  MOST_CLAIMS,
} from '../../../src/arena/format/layout.ts'
import { type Address, GiB, MiB, TiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { claim, Holder } from './holder.ts'

test('metadata is zero, on 64 bytes or on a page, never shared, and zero again after release', () => {
  using arena = Arena.reserve(4 * MiB)
  const lengths = [1, 64, 100, 4095, 4096, 5000, 65536, 300_000, 0]
  for (let round = 0; round < 3; round++) {
    const claims = lengths.map((bytes, index) => claim(arena, new Holder('Slab'), index * 4096, 4096, bytes))
    claims.forEach((one, index) => {
      const bytes = new Uint8Array(one.metadata.buffer)
      assert.is(bytes.length, Math.ceil((lengths[index] as number) / 64) * 64)
      assert.ok(
        bytes.every((byte) => byte === 0),
        `round ${round}, ${lengths[index]}`
      )
      bytes.fill(index + 1)
    })
    for (const [index, one] of claims.entries())
      assert.ok(new Uint8Array(one.metadata.buffer).every((byte) => byte === index + 1))
    const order =
      round === 0 ? claims : round === 1 ? [...claims].reverse() : claims.filter((_, index) => index % 2 === 0)
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
    new Uint8Array(metadata.buffer)[0] = index + 1
    const region = new Uint8Array(os.view((base + space) as Address, 4 * arena.pageSize))
    places.push(region.indexOf(index + 1))
  }
  assert.equal(places, [0, 256, arena.pageSize, 512])
})

test('metadata that does not fit is ERR_OUT_OF_MEMORY', () => {
  using arena = Arena.reserve(MiB)
  const holder = new Holder('Heap')
  throwsCode(
    () => claim(arena, holder, 0, 8, GiB),
    'ERR_OUT_OF_MEMORY',
    `Heap needs ${GiB} bytes of metadata for 8 bytes`
  )
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

test('zeroed: until another could have written there', () => {
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
  insideOf(arena).windowBuffer(3)
  assert.ok(fresh(3 * GiB))
  using other = Arena.reserve(4 * GiB)
  other.view(Uint8Array, GiB - 4, 8)
  for (const [window, zeroed] of [false, false, true].entries())
    assert.is(claim(other, new Holder('Slab'), window * GiB, 4096).zeroed, zeroed)
})

test('many claims come and go at many places, and none sees what another wrote', () => {
  using arena = Arena.reserve(MiB)
  for (let round = 0; round < 3; round++) {
    const claims = Array.from({ length: 200 }, (_, index) =>
      claim(arena, new Holder('Slab'), index * 64, 64, 64 * (1 + ((index + round) % 5)))
    )
    for (const one of claims) {
      assert.ok(new Uint8Array(one.metadata.buffer).every((byte) => byte === 0))
      new Uint8Array(one.metadata.buffer).fill(255)
    }
    for (const one of claims) one.release()
  }
})

test('purge and clear keep to the claim, and clear is exact to the byte', () => {
  using arena = Arena.reserve(MiB)
  const page = arena.pageSize
  const one = claim(arena, new Holder('Heap'), page, 8 * page)
  const bytes = arena.view(Uint8Array, 0, 16 * page).fill(1)
  for (const [offset, length] of [
    [0, page],
    [9 * page, page],
    [8 * page, 2 * page],
    [page, 9 * page],
  ])
    for (const call of ['purge', 'clear'] as const)
      throwsCode(() => one[call](offset as number, length as number), 'ERR_OUT_OF_RANGE')
  throwsCode(() => one.purge(page + 8, page), 'ERR_OUT_OF_RANGE', 'whole pages')
  throwsCode(() => one.purge(page, 8), 'ERR_OUT_OF_RANGE', 'whole pages')
  one.purge(2 * page, page)
  one.purge(2 * page, 0)
  assert.is(bytes.indexOf(0), 2 * page)
  assert.is(bytes.subarray(2 * page).indexOf(1), page)
  for (const [start, end] of [
    [3 * page + 1, 3 * page + 2],
    [4 * page - 1, 4 * page + 1],
    [5 * page - 3, 7 * page + 3],
    [8 * page, 9 * page],
  ]) {
    bytes.fill(1)
    one.clear(start as number, (end as number) - (start as number))
    assert.equal([bytes.indexOf(0), bytes.lastIndexOf(0)], [start, (end as number) - 1])
    assert.ok(bytes.subarray(start, end).every((byte) => byte === 0))
  }
})

test('header and directory are in memory, for all that map the arena', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const base = [...os.live.keys()][0] as Address
  const layout = layoutOf(MiB, arena.pageSize)
  const at = (base + layout.metadataStart) as Address
  const words = new Uint32Array(os.view(at, arena.pageSize))
  const lengths = new Float64Array(words.buffer)
  assert.is(words[HeaderWord.magic], 0)
  claim(arena, new Holder('Heap', [4096, 4096]), 0, 65536, 1000)
  const inner = claim(arena, new Holder('A kind with ong name'), 4096, 64, 10)
  assert.equal(
    [
      words[HeaderWord.magic],
      words[HeaderWord.layoutHash],
      words[HeaderWord.pageSize],
      words[HeaderWord.state],
      words[HeaderWord.entries],
      words[HeaderWord.openClaims],
    ],
    [MAGIC, layoutHash(), arena.pageSize, 1, 2, 2]
  )
  assert.equal([lengths[HeaderLength.byteLength], lengths[HeaderLength.metadataBytes]], [MiB, layout.metadataBytes])
  const entry = (index: number): unknown[] => {
    const start = HEADER_BYTES + index * ENTRY_BYTES
    const kind = Buffer.from(words.buffer, start + 44, 20)
      .toString('latin1')
      .replaceAll('\0', '')
    return [
      kind,
      ...lengths.subarray(start / 8, start / 8 + 4),
      words[start / 4 + EntryWord.state],
      words[start / 4 + EntryWord.around],
    ]
  }
  const space = layout.metadataStart + DIRECTORY_BYTES
  assert.equal(entry(0), ['Heap', 0, 65536, space, 1024, 1, 0])
  assert.equal(entry(1), ['A kind with ', 4096, 64, space + 1024, 64, 1, 1])
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
  new Uint8Array(metadata.buffer)[0] = 1
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

test.run()

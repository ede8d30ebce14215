import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { heapMetadataBytes } from '../../../src/allocator/heap/layout.ts'
import {
  ARENA_ALIGNMENT,
  DIRECTORY_BYTES,
  ENTRY_BYTES,
  ENTRY_HOLDER,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  fileLayoutOf,
  HEADER_BYTES,
  HEADER_LOCK,
  HEADER_OWNER,
  HeaderLength,
  HeaderWord,
  KIND_BYTES,
  layoutHash,
  layoutOf,
  layoutWithin,
  METADATA_GRANULE,
  MOST_BYTES,
  MOST_CLAIMS,
  mostClaims,
  WINDOW_BYTES,
} from '../../../src/arena/format/layout.ts'
import { THREAD_ID_BYTES } from '../../../src/arena/format/thread-id.ts'
import { windowCount, windowIndex } from '../../../src/arena/views/windows.ts'
import { GiB, KiB, MiB, TiB } from '../../../src/units.ts'

const sizes = [
  1,
  7,
  8,
  4095,
  4096,
  4097,
  64 * KiB,
  64 * KiB + 1,
  MiB,
  3 * MiB + 5,
  GiB - 1,
  GiB,
  GiB + 1,
  8 * GiB,
  64 * GiB,
  TiB,
  MOST_BYTES,
]

test('data and metadata are whole pages, side by side, and cover the mapping', () => {
  for (const pageSize of [4096, 16384, 65536])
    for (const wanted of sizes) {
      const layout = layoutOf(wanted, pageSize)
      for (const bytes of Object.values(layout)) assert.is(bytes % pageSize, 0)
      assert.is(mostClaims(layout.directoryBytes), MOST_CLAIMS)
      assert.ok(layout.byteLength >= wanted && layout.byteLength - wanted < pageSize)
      assert.is(layout.metadataStart, layout.byteLength)
      assert.is(layout.byteLength + layout.metadataBytes, layout.mappingBytes)
      assert.ok(Number.isSafeInteger(layout.mappingBytes))
    }
})

test('the metadata region holds the tables of a heap on the whole arena, and more', () => {
  for (const wanted of sizes) {
    const { byteLength, metadataBytes } = layoutOf(wanted, 4096)
    const room = metadataBytes - DIRECTORY_BYTES
    const heap = Math.min(0.45 * byteLength, 3.2 * GiB)
    assert.ok(room >= heap + byteLength / 16, `${wanted}: ${room}`)
    assert.ok(room >= 8 * MiB)
  }
})

test('within a length: whole pages, nothing beyond it, and the tables of a heap on all the data fit', () => {
  for (const pageSize of [4096, 16384, 65536])
    for (let total = 512 * KiB; total <= 64 * TiB; total = Math.ceil(total * 1.37)) {
      const layout = layoutWithin(total, pageSize)
      assert.ok(layout !== undefined, `${total}`)
      for (const bytes of Object.values(layout)) assert.is(bytes % pageSize, 0)
      assert.is(layout.metadataStart, layout.byteLength)
      assert.is(layout.byteLength + layout.metadataBytes, layout.mappingBytes)
      assert.is(layout.mappingBytes, Math.floor(total / pageSize) * pageSize)
      const room = layout.metadataBytes - layout.directoryBytes
      if (total <= TiB) assert.ok(room >= heapMetadataBytes(layout.byteLength), `${total}: ${room}`)
      assert.ok(mostClaims(layout.directoryBytes) >= 60 && layout.directoryBytes <= DIRECTORY_BYTES)
      if (total > 4 * MiB) assert.ok(layout.byteLength > 0.8 * total, `${total}: ${layout.byteLength}`)
    }
})

test('within a length: one page more would not fit', () => {
  for (const total of [128 * KiB, MiB, 3 * MiB + 4096, 64 * MiB, 64 * GiB]) {
    const { byteLength, directoryBytes } = layoutWithin(total, 4096) as NonNullable<ReturnType<typeof layoutWithin>>
    const data = byteLength + 4096
    const metadata = Math.ceil((Math.min(data / 8, 3.25 * GiB) + data / 32 + 64 * KiB) / 4096) * 4096
    assert.ok(data + directoryBytes + metadata > total)
  }
})

test('within too short a length there is no arena', () => {
  assert.is(layoutWithin(0, 4096), undefined)
  assert.is(layoutWithin(72 * KiB, 4096), undefined)
  assert.is(layoutWithin(76 * KiB, 4096)?.byteLength, 4096)
})

test('in a named file the metadata is what a heap on the whole arena needs, and little more', () => {
  for (const pageSize of [4096, 16384, 65536])
    for (const wanted of sizes) {
      const layout = fileLayoutOf(wanted, pageSize)
      for (const bytes of Object.values(layout)) assert.is(bytes % pageSize, 0)
      assert.is(layout.byteLength + layout.metadataBytes, layout.mappingBytes)
      const room = layout.metadataBytes - layout.directoryBytes
      assert.ok(room >= Math.min(0.13 * layout.byteLength, 4 * GiB) + 64 * KiB, `${wanted}: ${room}`)
      assert.ok(layout.metadataBytes <= 0.15 * layout.byteLength + 256 * KiB, `${wanted}: ${layout.metadataBytes}`)
      assert.ok(mostClaims(layout.directoryBytes) >= 252)
    }
})

test('small arenas take little address space', () => {
  assert.ok(layoutOf(64 * KiB, 4096).mappingBytes < 16 * MiB)
})

/** What else is in the header: the lock, and the second word of the identity. */
const headerRest = { lock: HEADER_LOCK / 4, lockEnd: HEADER_LOCK / 4 + 1, identityEnd: HeaderWord.identity + 1 }

test('no two fields of header or entry share a byte', () => {
  for (const [words, lengths, end] of [
    [{ ...HeaderWord, ...headerRest }, HeaderLength, HEADER_OWNER],
    [EntryWord, EntryLength, ENTRY_KIND],
  ] as const) {
    const bytes = [
      ...Object.values(words).flatMap((word) => [0, 1, 2, 3].map((at) => word * 4 + at)),
      ...Object.values(lengths).flatMap((length) => [0, 1, 2, 3, 4, 5, 6, 7].map((at) => length * 8 + at)),
    ]
    assert.is(new Set(bytes).size, bytes.length)
    assert.ok(Math.max(...bytes) < end)
  }
  assert.is(ENTRY_KIND + KIND_BYTES, ENTRY_HOLDER)
  assert.is(ENTRY_HOLDER + 8, ENTRY_BYTES)
  assert.ok(HEADER_OWNER + THREAD_ID_BYTES <= HEADER_BYTES)
})

test('the directory is exactly full', () => {
  assert.is(HEADER_BYTES + MOST_CLAIMS * ENTRY_BYTES, DIRECTORY_BYTES)
  assert.is(HEADER_BYTES % ENTRY_BYTES, 0)
  assert.is(ENTRY_BYTES % 8, 0)
  assert.is(METADATA_GRANULE % 8, 0)
  assert.is(ARENA_ALIGNMENT % WINDOW_BYTES, 0)
})

test('the layout hash is one word and always the same', () => {
  assert.is(layoutHash(), layoutHash())
  assert.ok(layoutHash() > 0 && layoutHash() < 2 ** 32)
})

test('windows cover an arena without a gap', () => {
  for (const byteLength of [4096, GiB - 4096, GiB, GiB + 4096, 2 * GiB, 64 * GiB, TiB]) {
    const count = windowCount(byteLength)
    assert.ok((count - 1) * WINDOW_BYTES < byteLength && byteLength <= count * WINDOW_BYTES)
    assert.is(windowIndex(0, byteLength), 0)
    assert.is(windowIndex(byteLength - 1, byteLength), count - 1)
    assert.is(windowIndex(byteLength, byteLength), count - 1)
    for (let index = 1; index < Math.min(count, 4); index++) {
      assert.is(windowIndex(index * WINDOW_BYTES - 1, byteLength), index - 1)
      assert.is(windowIndex(index * WINDOW_BYTES, byteLength), index)
    }
  }
})

test.run()

/** Directories as full as they can be, put together by hand: refused or taken up in a number of steps that grows with their length. */
import { writeSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import type { DirectoryEntry } from '../../../src/arena/format/entry-format.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_HOLDER,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HeaderWord,
  layoutOf,
  MOST_CLAIMS,
} from '../../../src/arena/format/layout.ts'
import { currentThread, DEAD_THREAD, packThreadId } from '../../../src/arena/format/thread-id.ts'
import { requireEntries } from '../../../src/arena/format/verify-entries.ts'
import { MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { claim, Holder } from '../claims/holder.ts'

const DATA = 64 * MiB
const os = new FakeOs()
const layout = layoutOf(DATA, os.pageSize)
const SPACE = layout.metadataStart + layout.directoryBytes

/** A map that counts how often it is asked. */
class Counting extends Map<number, DirectoryEntry> {
  gets = 0
  override get(key: number): DirectoryEntry | undefined {
    this.gets++
    return super.get(key)
  }
}

type Shape = (index: number) => Partial<DirectoryEntry>

const SHAPES: Record<string, Shape> = {
  'nested, the innermost first': (index) => ({ around: index + 1 < MOST_CLAIMS ? index + 1 : -1 }),
  'nested, the outermost first': (index) => ({ around: index - 1 }),
  'side by side, the last first': (index) => ({ offset: (MOST_CLAIMS - index) * 64, byteLength: 64 }),
  'all in one': (index) => (index === 0 ? {} : { around: 0, offset: index * 64, byteLength: 64 }),
  'metadata backwards': (index) => ({
    offset: index * 64,
    byteLength: 64,
    metadataOffset: SPACE + (MOST_CLAIMS - index) * 128,
  }),
}

function entriesOf(shape: Shape, holder = DEAD_THREAD): Counting {
  const entries = new Counting()
  for (let index = 0; index < MOST_CLAIMS; index++)
    entries.set(index, {
      kind: 'Slab',
      offset: 0,
      byteLength: DATA,
      metadataOffset: SPACE + index * 64,
      metadataLength: 64,
      around: -1,
      lasting: false,
      holder,
      ...shape(index),
    })
  return entries
}

/** Writes a directory into the file of an arena, as another process can. */
function write(fd: number, entries: ReadonlyMap<number, DirectoryEntry>): void {
  const bytes = new Uint8Array(entries.size * ENTRY_BYTES)
  const [words, lengths, holders] = [
    new Uint32Array(bytes.buffer),
    new Float64Array(bytes.buffer),
    new BigUint64Array(bytes.buffer),
  ]
  for (const [index, entry] of entries) {
    const [word, length] = [(index * ENTRY_BYTES) / 4, (index * ENTRY_BYTES) / 8]
    lengths[length + EntryLength.offset] = entry.offset
    lengths[length + EntryLength.byteLength] = entry.byteLength
    lengths[length + EntryLength.metadataOffset] = entry.metadataOffset
    lengths[length + EntryLength.metadataLength] = entry.metadataLength
    words[word + EntryWord.state] = entry.lasting ? ClaimState.lasting : ClaimState.open
    words[word + EntryWord.around] = entry.around + 1
    holders[(index * ENTRY_BYTES + ENTRY_HOLDER) / 8] = entry.holder
    bytes.set(new TextEncoder().encode(entry.kind), index * ENTRY_BYTES + ENTRY_KIND)
  }
  writeSync(fd, bytes, 0, bytes.length, HEADER_BYTES)
  const header = new Uint32Array([entries.size])
  writeSync(fd, new Uint8Array(header.buffer), 0, 4, 4 * HeaderWord.entries)
}

for (const [name, shape] of Object.entries(SHAPES)) {
  test(`${MOST_CLAIMS} claims ${name} are verified in two steps each`, () => {
    const entries = entriesOf(shape)
    const sound = requireEntries(entries, layout, os.maxViewBytes)
    assert.ok(entries.gets <= 2 * MOST_CLAIMS, `${entries.gets}`)
    assert.is(sound.metadata.length, MOST_CLAIMS)
  })

  test(`${MOST_CLAIMS} claims ${name} of dead holders make room for one over all of them`, () => {
    const counted = new FakeOs()
    const arena = Arena.reserve(DATA, { shared: true, os: counted })
    write(arena.fd as number, entriesOf(shape))
    const [views, purges] = [counted.count('view'), counted.count('removePages')]
    const all = claim(arena, new Holder('Bump'), 0, DATA, 4096)
    assert.ok(new Uint8Array(all.metadata.buffer).every((byte) => byte === 0))
    assert.is(insideOf(arena).claims().length, 1)
    // Metadata side by side is cleared as one; with gaps between it piece by piece.
    const pieces = name === 'metadata backwards' ? MOST_CLAIMS : 1
    assert.ok(counted.count('view') - views <= 3 * pieces + 20, `${counted.count('view') - views}`)
    assert.ok(counted.count('removePages') - purges <= pieces + 4)
    all.release()
    arena.close()
  })
}

test('a circle of all entries is refused, and so is a way that leads nowhere', () => {
  const circle = entriesOf((index) => ({ around: (index + 1) % MOST_CLAIMS }))
  throwsCode(() => requireEntries(circle, layout, os.maxViewBytes), 'ERR_CORRUPTED', 'leads in a circle')
  const nowhere = entriesOf((index) => ({ around: index + 1 }))
  throwsCode(
    () => requireEntries(nowhere, layout, os.maxViewBytes),
    'ERR_CORRUPTED',
    'expected an open claim that contains it'
  )
  for (const entries of [circle, nowhere]) assert.ok(entries.gets <= 2 * MOST_CLAIMS)
})

test('a thread that holds very many claims, by whatever tokens, is looked at once a call', () => {
  const counted = new FakeOs()
  const arena = Arena.reserve(DATA, { shared: true, os: counted })
  const parent = { ...currentThread(counted), processId: process.ppid, threadId: process.ppid }
  const shape = SHAPES['side by side, the last first'] as Shape
  write(
    arena.fd as number,
    entriesOf((index) => ({ ...shape(index), holder: packThreadId({ ...parent, startTime: index + 1 }) }))
  )
  let looks = 0
  const isAlive = counted.threads.isAlive.bind(counted.threads)
  counted.threads.isAlive = (processId, threadId) => {
    looks++
    return isAlive(processId, threadId)
  }
  assert.is(insideOf(arena).claims().length, MOST_CLAIMS)
  assert.is(looks, 1)
  arena.close()
})

test.run()

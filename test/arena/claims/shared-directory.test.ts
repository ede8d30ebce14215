/**
 * Claims on arenas that others have too. Two arena objects over one file stand for two processes; the threads are real.
 *
 * Longer than other files: what two holders of one directory can do to each other.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_HOLDER,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HEADER_LOCK,
  HeaderWord,
} from '../../../src/arena/format/layout.ts'
import { currentThread, packThreadId } from '../../../src/arena/format/thread-id.ts'
import { type Address, GiB, KiB, MiB } from '../../../src/units.ts'
import { compiled, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { Peer } from '../../helpers/peer.ts'
import { roomyFolder } from '../../helpers/scratch.ts'
import { claim, Holder, Lasting } from './holder.ts'

interface Pair {
  readonly os: FakeOs
  readonly mine: Arena
  readonly theirs: Arena
  /** The header and the directory. */
  readonly words: Uint32Array
}

function pair(byteLength = MiB): Pair {
  const os = new FakeOs()
  const mine = Arena.reserve(byteLength, { shared: true, os })
  const [base] = [...os.live.keys()] as [Address]
  const words = new Uint32Array(os.view((base + mine.byteLength) as Address, 16 * os.pageSize))
  const theirs = Arena.attach({ path: mine.path as string }, { os })
  return { os, mine, theirs, words }
}

function entry(words: Uint32Array, index: number): { state: number; holder: bigint } {
  const start = HEADER_BYTES + index * ENTRY_BYTES
  return {
    state: words[start / 4 + EntryWord.state] as number,
    holder: new BigUint64Array(words.buffer, words.byteOffset + start + ENTRY_HOLDER, 1)[0] as bigint,
  }
}

test('a claim of another is in the way, by kind and range, until it is released', () => {
  const { mine, theirs } = pair()
  const one = claim(theirs, new Holder('Slab'), 4096, 8192)
  for (const [offset, byteLength] of [
    [0, 4104],
    [4096, 8],
    [8192, 64],
    [12280, 16],
    [0, MiB],
  ])
    throwsCode(
      () => claim(mine, new Holder('Bump'), offset, byteLength),
      'ERR_ARENA_BUSY',
      /Bump cannot claim .* Slab \(8192 bytes at offset 4096, of the main thread of process \d+\)/
    )
  throwsCode(() => mine.purge(8192, 8), 'ERR_ARENA_BUSY', 'Slab')
  throwsCode(() => mine.purge(), 'ERR_ARENA_BUSY', 'Slab')
  mine.purge(0, 4096)
  const two = claim(mine, new Holder('Bump'), 12288, 4096)
  throwsCode(() => claim(theirs, new Holder('Heap'), 12288, 8), 'ERR_ARENA_BUSY', 'Bump')
  one.release()
  claim(mine, new Holder('Buddy'), 0, 12288).release()
  mine.purge(0, 12288)
  two.release()
  claim(theirs, new Holder('Heap'))
})

test('metadata of two is never in the same place, and reads zero each time', () => {
  const { mine, theirs } = pair()
  for (let round = 0; round < 3; round++) {
    const claims = Array.from({ length: 40 }, (_, i) =>
      claim(
        i % 2 ? mine : theirs,
        new Holder('Slab'),
        i * 64,
        64,
        64 * (1 + ((i + round) % 5)) + (i % 7 === 0 ? 5000 : 0)
      )
    )
    claims.forEach(({ metadata }, i) => {
      assert.ok(new Uint8Array(metadata.buffer).every((byte) => byte === 0))
      new Uint8Array(metadata.buffer).fill(i + 1)
    })
    claims.forEach(({ metadata }, i) => {
      assert.ok(new Uint8Array(metadata.buffer).every((byte) => byte === i + 1))
    })
    for (const one of claims) one.release()
  }
})

test('what lies in a block of ours is ours alone to grant', () => {
  const { mine, theirs } = pair()
  const heap = new Holder('Heap', [4096, 4096])
  claim(mine, heap)
  const inner = claim(mine, new Holder('Bump'), 4096, 4096)
  throwsCode(() => claim(theirs, new Holder('Bump'), 4096, 64), 'ERR_ARENA_BUSY', 'Heap')
  assert.equal(
    insideOf(theirs)
      .claims()
      .map(({ kind, state }) => [kind, state]),
    [['Heap', 'theirs']]
  )
  inner.release()
  assert.equal(heap.told, [1, 0])
})

test('whether a claim reads zero is known until another has the arena', () => {
  const os = new FakeOs()
  const mine = Arena.reserve(2 * GiB, { shared: true, os })
  assert.ok(claim(mine, new Holder('Slab'), 0, 4096).zeroed)
  const theirs = Arena.attach({ path: mine.path as string }, { os })
  assert.not(claim(mine, new Holder('Slab'), GiB, 4096).zeroed)
  assert.not(claim(theirs, new Holder('Slab'), GiB + 4096, 4096).zeroed)
})

test('a process that leaves gives its claims back; the data stays, for others may be reading it', () => {
  const { mine, theirs, words } = pair()
  const heap = new Holder('Heap', [0, 4096])
  const bump = new Holder('Bump')
  const bytes = mine.view(Uint8Array, 0, 8192).fill(6)
  const outer = claim(theirs, heap, 0, 8192, 5000)
  new Uint8Array(outer.metadata.buffer).fill(1)
  claim(theirs, bump, 0, 64)
  theirs.close()
  assert.equal([heap.told, bump.told], [[1, 'revoked'], ['revoked']])
  assert.ok(bytes.every((byte) => byte === 6))
  assert.equal([words[HeaderWord.openClaims], entry(words, 0).state, entry(words, 1).state], [0, 0, 0])
  const again = claim(mine, new Holder('Heap'), 0, MiB, 5000)
  assert.ok(new Uint8Array(again.metadata.buffer).every((byte) => byte === 0))
})

test('a lasting claim stays when its holder leaves, with its metadata, and is in the way', () => {
  const { os, mine, theirs, words } = pair()
  const heap = new Lasting('Heap', [0, 4096])
  const outer = claim(theirs, heap, 4096, 8192, 1000)
  heap.blocks = [{ offset: 4096, byteLength: 4096 }]
  claim(theirs, new Lasting('Bump'), 4096, 64)
  new Uint8Array(outer.metadata.buffer).fill(7)
  assert.equal(entry(words, 0), { state: ClaimState.lasting, holder: packThreadId(currentThread(os)) })
  // In a block nothing lasts but the block.
  assert.is(entry(words, 1).state, ClaimState.open)
  theirs.close()
  assert.equal(entry(words, 0), { state: ClaimState.lasting, holder: 0n })
  assert.is(entry(words, 1).state, ClaimState.free)
  assert.equal(heap.told, [1, 'revoked'])
  throwsCode(
    () => claim(mine, new Holder('Slab'), 0, MiB),
    'ERR_ARENA_BUSY',
    'Heap (8192 bytes at offset 4096, left by'
  )
  assert.equal(insideOf(mine).claims(), [
    { kind: 'Heap', offset: 4096, byteLength: 8192, state: 'left', lasting: true },
  ])
  // Its metadata is not given to others.
  const other = claim(mine, new Holder('Slab'), 0, 4096, 64)
  assert.ok(new Uint8Array(other.metadata.buffer).every((byte) => byte === 0))
})

test('claims of the dead are freed when they are in the way, with those inside, and lasting ones are not', () => {
  const { os, mine, theirs, words } = pair()
  const heap = new Holder('Heap', [0, 4096])
  const outer = claim(theirs, heap, 0, 8192, 5000)
  const inner = claim(theirs, new Holder('Slab', [0, 64]), 0, 4096, 100)
  const innermost = claim(theirs, new Holder('Bump'), 0, 64, 100)
  claim(theirs, new Lasting('Heap'), 16384, 4096, 64)
  const far = claim(theirs, new Holder('Slab'), 65536, 4096, 64)
  for (const { metadata } of [outer, inner, innermost, far]) new Uint8Array(metadata.buffer).fill(9)
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY')
  os.threads.dead.add(process.pid)
  const ours = claim(mine, new Holder('Bump'), 0, 8192, 20_000)
  assert.ok(new Uint8Array(ours.metadata.buffer).every((byte) => byte === 0))
  throwsCode(
    () => claim(mine, new Holder('Bump'), 16384, 64),
    'ERR_ARENA_BUSY',
    'Heap (4096 bytes at offset 16384, left by'
  )
  // The one that is in no request's way is left alone.
  assert.is(words[HeaderWord.openClaims], 3)
  mine.purge(65536, 64)
  assert.is(words[HeaderWord.openClaims], 2)
})

test('a process of another namespace has it too: then none is taken for dead', () => {
  const { os, mine, theirs, words } = pair()
  claim(theirs, new Holder('Slab'), 0, 4096)
  const container = new FakeOs()
  container.threads.where = { ...container.threads.place(), namespace: 99 }
  const third = Arena.attach({ path: mine.path as string }, { os: container })
  assert.is(words[HeaderWord.namespace], 0xffffffff)
  os.threads.dead.add(process.pid)
  container.threads.dead.add(process.pid)
  for (const arena of [mine, third]) throwsCode(() => claim(arena, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY')
})

test('a process that cannot tell its namespace has it too: then none is taken for dead', () => {
  const { mine, words } = pair()
  const blind = new FakeOs()
  blind.threads.where = { boot: 0, namespace: 0 }
  Arena.attach({ path: mine.path as string }, { os: blind })
  assert.is(words[HeaderWord.namespace], 0xffffffff)
})

test('the lock cannot be had: closing goes on, holders are told', () => {
  const { os, mine, theirs, words } = pair()
  const slab = new Holder('Slab')
  claim(theirs, slab)
  new BigUint64Array(words.buffer, words.byteOffset + HEADER_LOCK, 1)[0] = packThreadId(currentThread(os)) ^ (1n << 50n)
  os.threads.where = { ...os.threads.place(), namespace: 99 }
  theirs.close()
  assert.equal([theirs.closed, slab.told], [true, ['revoked']])
  throwsCode(() => mine.purge(), 'ERR_ARENA_BUSY', `process ${process.pid}, which has not let go`)
  mine.close()
})

test('after another start of the machine every process from before is dead, in whatever namespace', () => {
  const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
  const before = new FakeOs()
  before.threads.where = { boot: 5, namespace: 6 }
  const lost = Arena.open(join(folder, 'grains'), { byteLength: MiB, create: true, os: before })
  claim(lost, new Holder('Slab'), 0, 4096)
  const found = Arena.open(join(folder, 'grains'))
  claim(found, new Holder('Bump'), 0, MiB)
  for (const arena of [found, lost]) arena.close()
  rmSync(folder, { recursive: true })
})

test('a directory that makes no sense is ERR_CORRUPTED, by its entry', () => {
  for (const [change, text] of [
    [(numbers: Float64Array, at: number) => (numbers[at + EntryLength.offset] = NaN), 'entry 0'],
    [(numbers: Float64Array, at: number) => (numbers[at + EntryLength.offset] = 2 * MiB), 'entry 0'],
    [(numbers: Float64Array, at: number) => (numbers[at + EntryLength.byteLength] = -8), 'entry 0'],
    [(numbers: Float64Array, at: number) => (numbers[at + EntryLength.byteLength] = 12), 'entry 0'],
    [(numbers: Float64Array, at: number) => (numbers[at + EntryLength.metadataOffset] = 0), 'metadata'],
    [(numbers: Float64Array, at: number) => (numbers[at + EntryLength.metadataLength] = 2 ** 40), 'metadata'],
  ] as const) {
    const { mine, theirs, words } = pair()
    claim(theirs, new Holder('Slab'), 0, 4096)
    change(new Float64Array(words.buffer, words.byteOffset), HEADER_BYTES / 8)
    throwsCode(() => claim(mine, new Holder('Bump'), 8192, 64), 'ERR_CORRUPTED', text)
    throwsCode(() => mine.purge(0, 8), 'ERR_CORRUPTED')
  }
})

test('a count of entries beyond the directory is not followed', () => {
  const { mine, theirs, words } = pair()
  claim(theirs, new Holder('Slab'), 0, 4096)
  words[HeaderWord.entries] = 0xffffffff
  throwsCode(() => claim(mine, new Holder('Bump'), 0, 64), 'ERR_ARENA_BUSY')
})

test('a named file holds 252 claims, of all processes together', () => {
  const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
  const path = join(folder, 'grains')
  const [mine, theirs] = [Arena.open(path, { byteLength: MiB, create: true }), Arena.open(path)]
  for (let i = 0; i < 252; i++) claim(i % 2 ? mine : theirs, new Holder('Slab'), i * 8, 8, 64)
  for (const arena of [mine, theirs])
    throwsCode(() => claim(arena, new Holder('Slab'), 8192, 8, 64), 'ERR_OUT_OF_MEMORY', '252 claims')
  mine.close()
  claim(theirs, new Holder('Slab'), 8192, 8, 64)
  theirs.close()
  rmSync(folder, { recursive: true })
})

test('claims made before the first handle are seen by all that attach', () => {
  const os = new FakeOs()
  const mine = Arena.reserve(MiB, { os })
  claim(mine, new Holder('Heap'), 0, 4096)
  const theirs = Arena.attach(mine.handle(), { os })
  throwsCode(() => claim(theirs, new Holder('Slab'), 0, 64), 'ERR_ARENA_BUSY', 'Heap')
  const one = claim(theirs, new Holder('Slab'), 4096, 64)
  throwsCode(() => claim(mine, new Holder('Bump'), 4096, 64), 'ERR_ARENA_BUSY', 'Slab')
  one.release()
  claim(mine, new Holder('Bump'), 4096, 64)
})

test('what is done under the lock is done alone', () => {
  const { mine, theirs, words } = pair()
  const word = new BigUint64Array(words.buffer, words.byteOffset + HEADER_LOCK, 1)
  assert.is(
    insideOf(mine).locked(() => word[0]),
    packThreadId(currentThread(insideOf(mine)))
  )
  assert.is(word[0], 0n)
  throwsCode(
    () => insideOf(mine).locked(() => insideOf(theirs).locked(() => 1)),
    'ERR_ARENA_BUSY',
    'its directory is held'
  )
  const alone = Arena.reserve(MiB)
  assert.is(
    insideOf(alone).locked(() => insideOf(alone).locked(() => 5)),
    5
  )
})

test('the last close tells holders, whichever others are gone', () => {
  const { mine, theirs } = pair()
  const heap = new Lasting('Heap')
  claim(mine, heap)
  theirs.close()
  mine.close()
  assert.equal(heap.told, ['revoked'])
})

for (const node of nodes)
  test(`Node ${node.major}: a worker is terminated with its claims, and they are free again`, async () => {
    const child = await runChild(
      `
      const codes = []
      for (const options of [{}, { shared: true }]) {
        const arena = Arena.reserve(MiB, options)
        const holder = { kind: 'Bump', blockAround: () => undefined, innerClaims() {}, revoked() {} }
        const thread = new Thread(\`
          const holder = { kind: 'Slab', blockAround: () => undefined, innerClaims() {}, revoked() {} }
          const arena = Arena.attach(data), claim = insideOf(arena).claim({ holder, offset: 4096, byteLength: 4096, metadataBytes: () => 300 })
          new Uint8Array(claim.metadata.buffer).fill(1)
          arena.view(Uint8Array, 4096, 4096).fill(2)
          post(1)
          await next()\`, arena.handle())
        await thread.next()
        const request = { holder, byteLength: MiB, metadataBytes: () => 1000 }
        try { insideOf(arena).claim(request) } catch (error) { codes.push(error.code) }
        await thread.kill()
        const claim = insideOf(arena).claim(request)
        codes.push(new Uint8Array(claim.metadata.buffer).every((byte) => byte === 0), arena.view(Uint8Array, 4096, 1)[0])
        arena.close()
      }
      report({ codes })`,
      { node }
    )
    assert.equal(child.clean().report.codes, ['ERR_ARENA_BUSY', true, 2, 'ERR_ARENA_BUSY', true, 2])
  })

/** A process that dies with the lock: its entry is written, and the change is not counted. */
async function claimerKilledUnderLock(arena: Arena): Promise<void> {
  const peer = new Peer(
    `import { Slab } from ${JSON.stringify(compiled('src/allocator/slab/slab'))}
    const arena = Arena.attach({ fd: 3 })
    Atomics.add = () => process.kill(process.pid, 'SIGKILL')
    new Slab(arena, { offset: 0, byteLength: 65536, slotSize: 64 })`,
    { fds: [arena.fd as number] }
  )
  assert.is(await peer.ended(), 'SIGKILL')
}

for (const first of ['the one that knows the directory', 'another that comes'])
  test(`what a claimer had changed when it died under the lock is seen by all: ${first} has the lock first`, async () => {
    using arena = Arena.reserve(MiB, { shared: true })
    const claimed = () => claim(arena, new Holder('Bump'), 0, 128 * KiB, 64).release()
    claimed()
    await claimerKilledUnderLock(arena)
    if (first.startsWith('another')) Arena.attach({ fd: arena.fd as number }).close()
    claimed()
  })

test.run()

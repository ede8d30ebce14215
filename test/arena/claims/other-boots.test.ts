/** Locks, holders and owners that an earlier start of the machine has left are dead, in whatever namespace they were. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { fileLayoutOf, HEADER_LOCK, HeaderWord } from '../../../src/arena/format/layout.ts'
import {
  currentThread,
  DEAD_THREAD,
  livenessOf,
  packedLivenessIn,
  packThreadId,
} from '../../../src/arena/format/thread-id.ts'
import type { Place } from '../../../src/ffi/os-threads.ts'
import { type Address, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { freshPath } from '../../helpers/scratch.ts'
import { claim, Holder, Lasting } from './holder.ts'

const real = new FakeOs().threads.place()
const HERE: Place = { boot: 7, namespace: 3 }

/** A kernel of a process in this place, with a record of mappings of its own; it does not really sleep. */
function osIn(where: Place): FakeOs {
  const os = new FakeOs()
  os.threads.where = where
  os.threads.futexWait = () => 'timed-out'
  return os
}

/** The header's words of an arena in a named file of 1 MiB. */
function headerOf(os: FakeOs): Uint32Array {
  const [base] = [...os.live.keys()] as [Address]
  return new Uint32Array(os.view((base + fileLayoutOf(MiB, os.pageSize).metadataStart) as Address, 256))
}

/** Where the process was that left it, and what becomes of its things here: claim of a slab, lock, heap. */
const CASES: [string, Place, 'gone' | 'kept'][] = [
  ['another boot, the same namespace', { boot: 8, namespace: 3 }, 'gone'],
  ['another boot, another namespace', { boot: 8, namespace: 4 }, 'gone'],
  ['another boot, a namespace that could not be read', { boot: 8, namespace: 0 }, 'gone'],
  ['the same boot, another namespace', { boot: 7, namespace: 4 }, 'kept'],
  ['a boot that could not be read, another namespace', { boot: 0, namespace: 4 }, 'kept'],
  ['the same boot and namespace, alive', HERE, 'kept'],
]

for (const [name, there, fate] of CASES)
  test(`left in ${name}: ${fate}`, () => {
    const path = freshPath()
    const before = osIn(there)
    const lost = Arena.open(path, { byteLength: MiB, create: true, os: before })
    claim(lost, new Holder('Slab'), 0, 4096)
    claim(lost, new Lasting('Heap'), 8192, 4096)
    const found = Arena.open(path, { os: osIn(HERE) })
    if (fate === 'gone') {
      assert.equal(
        insideOf(found)
          .claims()
          .map(({ state }) => state),
        ['left', 'left']
      )
      assert.equal(found.staleOwner, { processId: process.pid, threadId: process.pid })
      claim(found, new Holder('Bump'), 0, 4096)
      assert.is(insideOf(found).adopt({ holder: new Lasting('Heap') })?.offset, 8192)
    } else {
      throwsCode(() => claim(found, new Holder('Bump'), 0, 4096), 'ERR_ARENA_BUSY', 'Slab')
      throwsCode(() => insideOf(found).adopt({ holder: new Lasting('Heap') }), 'ERR_ARENA_BUSY', 'it has a holder')
      assert.is(found.staleOwner, undefined)
    }
    for (const arena of [found, lost]) arena.close()
  })

for (const [name, there, fate] of CASES.slice(0, 5))
  test(`a lock held in ${name} is ${fate === 'gone' ? 'taken over' : 'waited for, and busy'}`, () => {
    const path = freshPath()
    const before = osIn(there)
    const lost = Arena.open(path, { byteLength: MiB, create: true, os: before })
    const header = headerOf(before)
    const lock = new BigUint64Array(header.buffer, HEADER_LOCK, 1)
    // Another thread's than ours, and alive for all that its numbers say.
    const parent = { ...currentThread(before), processId: process.ppid, threadId: process.ppid }
    lock[0] = packThreadId(parent)
    const os = osIn(HERE)
    if (fate === 'gone') {
      const found = Arena.open(path, { os })
      assert.equal([lock[0], header[HeaderWord.boot], header[HeaderWord.namespace]], [0n, HERE.boot, HERE.namespace])
      found.close()
    } else {
      const { live } = os
      throwsCode(() => Arena.open(path, { os }), 'ERR_ARENA_BUSY', `process ${process.ppid}, which has not let go`)
      assert.equal([lock[0], live.size, os.files.opened.size], [packThreadId(parent), 0, 0])
    }
    lock[0] = 0n
    lost.close()
  })

test('two namespaces have it, the machine starts anew, two other namespaces have it: all from before are dead for both', () => {
  const path = freshPath()
  const [one, two] = [osIn({ boot: 1, namespace: 11 }), osIn({ boot: 1, namespace: 12 })]
  const first = Arena.open(path, { byteLength: MiB, create: true, os: one })
  const second = Arena.open(path, { os: two })
  claim(first, new Holder('Slab'), 0, 4096)
  claim(second, new Holder('Slab'), 4096, 4096)
  claim(first, new Lasting('Heap'), 8192, 4096)
  assert.is(headerOf(one)[HeaderWord.namespace], 0xffffffff)
  const third = Arena.open(path, { os: osIn({ boot: 2, namespace: 13 }) })
  const fourth = Arena.open(path, { os: osIn({ boot: 2, namespace: 14 }) })
  assert.is(headerOf(one)[HeaderWord.namespace], 0xffffffff)
  claim(third, new Holder('Bump'), 0, 4096)
  // The header says that no process can be told dead; the entries say which were there.
  claim(fourth, new Holder('Bump'), 4096, 4096)
  assert.is(insideOf(fourth).adopt({ holder: new Lasting('Heap') })?.offset, 8192)
  throwsCode(() => claim(fourth, new Holder('Bump'), 0, 4096), 'ERR_ARENA_BUSY')
  for (const arena of [fourth, third, second, first]) arena.close()
})

test('the same in a mapped file, where the first process is asked before there is a lock', () => {
  const path = freshPath()
  const options = { mode: 'write', byteLength: MiB, create: true } as const
  const lost = mapFile(path, { ...options, os: osIn({ boot: 8, namespace: 4 }) })
  claim(lost.arena, new Holder('Slab'), 0, 4096)
  const found = mapFile(path, { mode: 'write', os: osIn(HERE) })
  claim(found.arena, new Holder('Bump'), 0, 8192)
  for (const file of [found, lost]) file.close()
})

test('the fate of a token depends on where it was written; numbers that no thread has are dead anywhere', () => {
  const os = new FakeOs()
  const self = currentThread(os)
  const fates = (token: bigint): string[] =>
    [real, { ...real, namespace: 1 }, { ...real, boot: 1 }, { boot: 1, namespace: 1 }, { boot: 0, namespace: 1 }].map(
      (place) => packedLivenessIn(os, token, place)
    )
  const earlier = packThreadId({ ...self, boot: 1 })
  assert.equal(fates(earlier), ['dead', 'unknown', 'dead', 'dead', 'unknown'])
  assert.equal(fates(DEAD_THREAD), ['dead', 'dead', 'dead', 'dead', 'dead'])
  // Proven to be of this boot: it is attaching, and has not written the boot yet.
  assert.equal(fates(packThreadId(self)), ['alive', 'unknown', 'alive', 'alive', 'unknown'])
  // Without a check nothing is proven.
  assert.equal(fates(packThreadId({ ...self, boot: 0 })), ['alive', 'unknown', 'dead', 'dead', 'unknown'])
  assert.is(livenessOf(os, { ...self, boot: 1, namespace: 1 }), 'dead')
  assert.is(livenessOf(os, { ...self, namespace: 1, threadId: 2 ** 22 }), 'dead')
})

test.run()

/**
 * Damaged tables, as `npm run fuzz` makes them: a share of its cases, the same ones each time; single words of a closed heap in a file; and
 * a thread that stores into the tables of an allocator while it is used.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MAGIC, STATE_WORD } from '../../../src/allocator/base/header.ts'
import { heapLayout } from '../../../src/allocator/heap/layout.ts'
import { At, Root } from '../../../src/allocator/heap/words.ts'
import { Heap, MiB, mapFile } from '../../../src/index.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { freshPath } from '../../helpers/scratch.ts'

const test = suite('damaged tables')

test('a share of the fuzz', () => {
  const program = fileURLToPath(new URL('../../../fuzz/main.js', import.meta.url))
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, '--cases', '1000', '--seed', '7'], {
    encoding: 'utf8',
  })
  assert.is(status, 0, `${stdout}${stderr}`)
  assert.match(stdout, /1000 damaged tables: \d+ refused, \d+ harmless, 0 wrong/)
})

test('a number of slots beyond any slab, in the heap of a peer that died: no loop goes on to it', () => {
  const program = fileURLToPath(new URL('../../../fuzz/main.js', import.meta.url))
  // As long as the fuzz draws the same cases: slab words of a concurrent heap, the number of slots among them.
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, '--seed', '20261129', '--case', '1934'], {
    encoding: 'utf8',
  })
  assert.is(status, 0, `${stdout}\n${stderr}`)
  assert.match(stdout, /^1 damaged tables: 1 refused/m)
})

/** A file with a heap that its writer has closed, and where its header is in it. */
function closedHeap(): { path: string; at: number } {
  const path = freshPath('damaged')
  const { arena } = mapFile(path, { mode: 'write', create: true, byteLength: 4 * MiB })
  const heap = new Heap(arena, { decayMs: -1 })
  const blocks = Array.from({ length: 300 }, (_, i) => heap.malloc(8 + ((i * 37) % 3000)))
  for (let i = 0; i < 300; i += 3) heap.free(blocks[i] as number)
  heap.setRoot('here', blocks[1] as number)
  arena.close()
  const bytes = readFileSync(path)
  for (let at = 0; at < bytes.length; at += 64)
    if (bytes.readInt32LE(at) === MAGIC && bytes.readInt32LE(at + 8) === 4) return { path, at }
  throw new Error('no heap in the file')
}

/** Attaches with one word changed; the code of the error, or undefined. */
function attachWith(path: string, at: number, word: number): string | undefined {
  const fd = openSync(path, 'r+')
  const old = readFileSync(path).subarray(at, at + 4)
  writeSync(fd, Int32Array.of(word), 0, 4, at)
  const { arena } = mapFile(path, { mode: 'write' })
  try {
    Heap.attach(arena, { decayMs: -1 }).check()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  } finally {
    arena.close()
    writeSync(fd, old, 0, 4, at)
    closeSync(fd)
  }
}

test('each single word that matters of a closed heap is looked at before it is used', () => {
  const { path, at } = closedHeap()
  const { arena } = mapFile(path, { mode: 'write' })
  arena.close()
  const bytes = readFileSync(path)
  const top = At.TILES + bytes.readInt32LE(at + At.TILE_TOP * 4)
  for (let word = 0; word < top; word += 7) {
    // The writer that is not there any more.
    if (word >= 32 && word < 40) continue
    const old = bytes.readInt32LE(at + word * 4)
    assert.is(attachWith(path, at + word * 4, old + 8), 'ERR_CORRUPTED', `word ${word}`)
  }
  assert.is(attachWith(path, at + STATE_WORD * 4, 0), 'ERR_CORRUPTED', 'a state of a heap that was never finished')
  assert.is(attachWith(path, at, MAGIC), undefined)
  rmSync(path)
})

test('a root that leads elsewhere is no contradiction to any other word, and refused', () => {
  const { path, at } = closedHeap()
  const bytes = readFileSync(path)
  const { roots } = heapLayout(bytes.readDoubleLE(at + 32), bytes.readDoubleLE(at + 40), bytes.readInt32LE(at + 20))
  const root = at + (roots + Root.NAME_WORDS) * 4
  const low = readFileSync(path).readInt32LE(root)
  assert.is(attachWith(path, root, low ^ (1 << 20)), 'ERR_CORRUPTED')
  for (let word = roots; word < roots + Root.WORDS; word++)
    assert.is(attachWith(path, at + word * 4, bytes.readInt32LE(at + word * 4) ^ 1), 'ERR_CORRUPTED', `${word}`)
  for (const top of [0, 2, 1025, -1, 0x7fffffff])
    assert.is(attachWith(path, at + At.ROOT_TOP * 4, top), 'ERR_CORRUPTED', `${top} roots`)
  rmSync(path)
})

test('the current slab of a class may count 65,536 frees, and starts anew', () => {
  const { path, at } = closedHeap()
  const { arena } = mapFile(path, { mode: 'write' })
  const heap = Heap.attach(arena, { decayMs: -1 })
  const block = heap.malloc(200)
  const fd = openSync(path, 'r+')
  const bytes = readFileSync(path)
  // Class 200 is the 20th; the countdown is in the fifth word of its current slab, above 14 bits.
  const slab = bytes.readInt32LE(at + (At.CLASSES + 19 * 8 + 3) * 4)
  const counts = bytes.readInt32LE(at + (slab + 4) * 4)
  assert.ok(counts >> 14 > 2 ** 15)
  writeSync(fd, Int32Array.of((counts & 0x3fff) | (1 << 14)), 0, 4, at + (slab + 4) * 4)
  heap.free(block)
  heap.check()
  assert.is(heap.malloc(200), block)
  throwsCode(() => heap.free(block + 8), 'ERR_INVALID_FREE')
  heap.free(block)
  heap.check()
  closeSync(fd)
  arena.close()
  rmSync(path)
})

for (const kind of ['Heap', 'Concurrent', 'Slab', 'Buddy', 'Bump'])
  test(`a thread that stores into the tables meanwhile: ${kind}`, () => {
    const program = fileURLToPath(new URL('../../../fuzz/scribble.js', import.meta.url))
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, [program, kind, '100'], { encoding: 'utf8' })
    assert.is(signal, null, stderr)
    assert.is(status, 0, `${stdout}${stderr}`)
    assert.is(stdout, `${kind}, seed 3: 100 rounds\n`)
  })

test.run()

/**
 * What must be true when a process was killed. Each throws an `Error` that says what is not.
 * @module
 */
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Bump } from '../../src/allocator/bump/bump.ts'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Slab } from '../../src/allocator/slab/slab.ts'
import { Arena } from '../../src/arena/arena.ts'
import { firstWrong } from '../hand/bytes.ts'
import type { Random } from '../random.ts'
import { HEAP_BYTES, Notes } from './ground.ts'
import { MADE_FILE_BYTES } from './work.ts'

/** Live blocks without a note: those of a step that was cut short. */
const MOST_UNNOTED = 2

function must(holds: boolean, text: () => string): void {
  if (!holds) throw new Error(text())
}

/** The heap can be had; what is noted is there; the rest, of so many `kills`, can be freed; it goes on working. */
export function proveHeap(arena: Arena, kills: number): void {
  const heap = Heap.attach(arena, { offset: 0, decayMs: -1 })
  must(heap.role === 'writer', () => 'the writer was killed, and the role is not to be had')
  heap.check()
  const notes = new Notes(arena)
  const live = new Set([...heap.blocks()].map(({ offset }) => offset))
  const noted = notes.taken()
  for (const note of noted) proveNote(arena, notes, note, live)
  const known = new Set(noted.map((note) => notes.offset(note)))
  const extra = [...live].filter((offset) => !known.has(offset))
  const most = notes.resetting ? Number.POSITIVE_INFINITY : MOST_UNNOTED * kills
  notes.resetting = false
  must(extra.length <= most, () => `${extra.length} live blocks have no note after ${kills} kills`)
  for (const offset of extra) heap.free(offset)
  for (let size = 0; size < 3000; size += 130) {
    const offset = heap.tryMalloc(size)
    if (offset !== 0) heap.free(offset)
  }
  heap.check()
  heap.close()
}

function proveNote(arena: Arena, notes: Notes, note: number, live: ReadonlySet<number>): void {
  const offset = notes.offset(note)
  must(live.has(offset), () => `the block at ${offset} was noted, and is not live`)
  const wrong = firstWrong(arena, offset, notes.byteLength(note), notes.seed(note))
  must(wrong === -1, () => `byte ${wrong} of the block at ${offset}, ${notes.byteLength(note)} long, has changed`)
}

/** Claims of the dead are in no request's way; their heaps can be had and ended; then all of it is free. */
export function proveDirectory(arena: Arena, random: Random): void {
  for (let left = 0; left < 200; left++) {
    const heap = leftHeap(arena)
    if (heap === undefined) break
    heap.check()
    heap.destroy()
  }
  const byteLength = 8 * (1024 + random.below(1024))
  const slab = new Slab(arena, { offset: 8 * random.below((HEAP_BYTES - byteLength) / 8), byteLength, slotSize: 32 })
  const offset = slab.calloc(32)
  must(
    arena.view(Uint8Array, offset, 32).every((byte) => byte === 0),
    () => 'a zeroed block is not zero'
  )
  slab.check()
  slab.close()
  const whole = new Bump(arena, { offset: 0, byteLength: HEAP_BYTES })
  whole.check()
  whole.close()
}

function leftHeap(arena: Arena): Heap | undefined {
  try {
    return Heap.attach(arena, { role: 'writer', decayMs: -1 })
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_NOT_FOUND') return undefined
    throw error
  }
}

/** A reader may find nonsense while a writer works or after it has died, and is told so by a code; it comes to an end. */
export function readAnything(reader: Heap): void {
  for (const call of [
    () => reader.root('a'),
    () => reader.stats({ classes: true }),
    () => reader.check(),
    () => [...reader.blocks()].length,
    () => reader.usableSize(64),
  ])
    try {
      call()
    } catch (error) {
      const { code } = error as { code?: string }
      must(code !== undefined, () => `a reader was told ${(error as Error).stack}`)
    }
}

/** A name on the way out (src/arena/sources/temporary-names.ts): all that a process killed in \`unlink\` may leave, until the next arena is made. */
const UNLINKED = /^\.sorites-.*-\d+\.\d+$/

/** Whatever has a name is whole, and there is nothing else. */
export function proveMade(folder: string, what: 'arena' | 'file'): void {
  if (what === 'arena' && readdirSync(folder).some((name) => UNLINKED.test(name))) {
    const path = join(folder, '0')
    rmSync(path, { force: true })
    Arena.open(path, { create: true, byteLength: 65536 }).close()
  }
  const names = readdirSync(folder)
  for (const name of names) {
    const path = join(folder, name)
    must(
      /^\d+$/.test(name),
      () => `a file was left: ${name.replace(/[0-9a-f]{8,}/, '…')}, ${statSync(path).size} bytes`
    )
    if (what === 'file')
      must(
        statSync(path).size === MADE_FILE_BYTES,
        () => `a file of ${statSync(path).size} bytes, not ${MADE_FILE_BYTES}, has the name`
      )
    else Arena.open(path).close()
  }
  for (const name of names) rmSync(join(folder, name))
}

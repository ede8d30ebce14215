/**
 * What is done until the kill: for ever, one step after the other, from a seed.
 * @module
 */
import { join } from 'node:path'
import { Buddy } from '../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../src/allocator/bump/bump.ts'
import { Heap } from '../../src/allocator/heap/heap.ts'
import { Slab } from '../../src/allocator/slab/slab.ts'
import { Arena } from '../../src/arena/arena.ts'
import { mapFile } from '../../src/arena/file/map-file.ts'
import type { Os } from '../../src/ffi/os.ts'
import { KiB } from '../../src/units.ts'
import { fill } from '../hand/bytes.ts'
import { Random } from '../random.ts'
import { come, HEAP_BYTES, NOTES, Notes, type Way } from './ground.ts'

/** What a victim is told. */
export interface Work {
  readonly what: 'write' | 'claim' | 'make-arena' | 'make-file'
  readonly seed: number
  readonly way?: Way
  /** For makers. */
  readonly folder?: string
  /** Ends itself at the nth call to the kernel; 0: is killed by others. */
  readonly doom: number
}

/** Steps for ever. `running` is called when the first is about to be done, `breathe` after some: a worker must hear of its end. */
export function work({ what, seed, way, folder }: Work, os: Os, running: () => void): void {
  const random = new Random(seed)
  const step =
    what === 'write'
      ? writer(way as Way, random, os)
      : what === 'claim'
        ? claimer(way as Way, random, os)
        : maker(what, folder as string, random, os)
  running()
  for (;;) step()
}

/** Allocates, changes and frees blocks of a heap, and notes them. */
function writer(way: Way, random: Random, os: Os): () => void {
  const arena = come(way, os)
  const heap = Heap.attach(arena, { role: 'writer', offset: 0, decayMs: random.pick([-1, 0, 1]) })
  const notes = new Notes(arena)
  const length = (): number =>
    random.pick([
      8 + random.below(100),
      random.below(1000),
      random.below(1000),
      random.below(20000),
      random.below(100_000),
    ])
  const note = (place: number, offset: number, byteLength: number): void => {
    const seed = random.below(2 ** 30)
    fill(arena, offset, byteLength, seed)
    notes.write(place, offset, byteLength, seed)
  }
  const make = (byteLength: number): number => {
    if (random.below(8) === 0) return heap.memalign(2 ** random.below(13), byteLength)
    return random.below(3) === 0 ? heap.calloc(byteLength) : heap.tryMalloc(byteLength)
  }
  return () => {
    const place = random.below(NOTES)
    const offset = notes.offset(place)
    const byteLength = length()
    if (random.below(500) === 0) heap.purge()
    if (random.below(300) === 0) heap.setRoot('a', offset)
    if (random.below(3000) === 0) {
      notes.resetting = true
      for (const taken of notes.taken()) notes.clear(taken)
      heap.reset()
      notes.resetting = false
    } else if (offset === 0) {
      const made = make(byteLength)
      if (made !== 0) note(place, made, byteLength)
    } else {
      notes.clear(place)
      if (random.below(4) === 0) note(place, heap.realloc(offset, byteLength), byteLength)
      else heap.free(offset)
    }
  }
}

/** Claims ranges with allocators of all kinds, uses them a little, and gives them back. */
function claimer(way: Way, random: Random, os: Os): () => void {
  const arena = come(way, os)
  const held: { close(): void }[] = []
  return () => {
    if (held.length > 0 && random.below(2) === 0) {
      const allocator = held.splice(random.below(held.length), 1)[0]
      if (allocator instanceof Heap && random.below(4) > 0) allocator.destroy()
      else allocator?.close()
      return
    }
    const byteLength = 8 * KiB * (1 + random.below(16))
    const options = { offset: 8 * random.below((HEAP_BYTES - byteLength) / 8), byteLength }
    try {
      const kind = random.below(4)
      const allocator =
        kind === 0
          ? new Bump(arena, options)
          : kind === 1
            ? new Buddy(arena, options)
            : kind === 2
              ? new Slab(arena, { ...options, slotSize: 64 })
              : new Heap(arena, options)
      allocator.calloc(8 + random.below(56))
      held.push(allocator)
      if (random.below(3) === 0) held.push(new Bump(arena, { offset: allocator.malloc(64), byteLength: 64 }))
    } catch (error) {
      const { code = '' } = error as { code?: string }
      if (!['ERR_ARENA_BUSY', 'ERR_OUT_OF_MEMORY'].includes(code)) throw error
    }
  }
}

/** Makes named arenas, or files, and closes them. */
function maker(what: Work['what'], folder: string, random: Random, os: Os): () => void {
  let count = 0
  return () => {
    const path = join(folder, `${count++}`)
    const byteLength = 4096 * (1 + random.below(32))
    if (what === 'make-arena') {
      const arena = Arena.open(path, { create: true, byteLength, os })
      if (random.below(2) === 0) arena.unlink()
      arena.close()
    } else mapFile(path, { mode: 'write', create: true, byteLength: MADE_FILE_BYTES, os }).close()
  }
}

/** Every file that a maker makes has this length, or is not there. */
export const MADE_FILE_BYTES: number = 100_000

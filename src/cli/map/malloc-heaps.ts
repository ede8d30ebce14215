/**
 * What glibc's malloc keeps although it is free, told by walking the blocks of its heaps in the process's memory.
 *
 *     a block     size of the one before | its own size, and three bits | …      the lowest bit: the block before is in use
 *     a heap      block, block, …, top        the top reaches to the heap's end
 *
 * A walk counts only when it ends exactly at the top: another allocator, or a heap that changed meanwhile, ends elsewhere, and then nothing
 * is said. Small blocks that malloc keeps for the next request of their size (tcache, fast bins) look used, so the figures are "at least".
 * @module
 */
import { MiB } from '../../units.ts'
import type { Owned } from './owners.ts'
import type { TargetMemory } from './target-memory.ts'

export interface HeapWalk {
  readonly usedBytes: number
  /** Free blocks between used ones: they cannot go back to the kernel by themselves. */
  readonly freeBytes: number
  /** The free end, which `malloc_trim` and large frees give back. */
  readonly topBytes: number
  readonly blocks: number
}

export interface MallocContents extends HeapWalk {
  readonly heaps: number
  /** Heaps that could not be told. */
  readonly unknownHeaps: number
}

const IN_USE = 1
const FLAGS = 7
const LEAST_BLOCK = 32
const MOST_BLOCKS = 4e6
const ATTEMPTS = 3
/** Of `struct heap_info`: before glibc 2.35, and since. */
const HEAP_INFO_BYTES = [48, 32] as const
/** Of `struct malloc_state`, up to a multiple of 16: since glibc 2.26. */
const STATE_BYTES = 0x8a0
const ARENA = 64 * MiB

/** Walks every heap of malloc that the mappings have. Undefined when none can be told. */
export function mallocContents(memory: TargetMemory, owned: readonly Owned[]): MallocContents | undefined {
  const walks = owned.flatMap(({ entry, owner, part }) => {
    if (owner !== 'malloc' || !entry.permissions.startsWith('rw')) return []
    if (part === 'main heap') return [attempt(() => walkMain(memory, entry.start, entry.end))]
    if (part === 'arenas of threads') return [attempt(() => walkArena(memory, entry.start))]
    return []
  })
  const known = walks.filter((walk) => walk !== undefined)
  if (known.length === 0) return undefined
  const sum = (name: keyof HeapWalk): number => known.reduce((total, walk) => total + walk[name], 0)
  return {
    usedBytes: sum('usedBytes'),
    freeBytes: sum('freeBytes'),
    topBytes: sum('topBytes'),
    blocks: sum('blocks'),
    heaps: known.length,
    unknownHeaps: walks.length - known.length,
  }
}

/** The process goes on while its memory is read, so a walk may fail where the next one does not. */
function attempt(walk: () => HeapWalk | undefined): HeapWalk | undefined {
  for (let count = 0; count < ATTEMPTS; count++) {
    const found = walk()
    if (found !== undefined) return found
  }
  return undefined
}

function walkMain(memory: TargetMemory, start: number, end: number): HeapWalk | undefined {
  return walkBlocks(memory, start, end)
}

/** An arena's heap begins with `heap_info`; the arena's first one has its `malloc_state` next. */
function walkArena(memory: TargetMemory, start: number): HeapWalk | undefined {
  const [state, size] = [memory.word(start), memory.word(start + 16)]
  if (state === undefined || size === undefined || size > ARENA || size < LEAST_BLOCK) return undefined
  const first = state > start && state < start + 4096 ? [state - start + STATE_BYTES - 8] : HEAP_INFO_BYTES
  for (const offset of first) {
    const walk = walkBlocks(memory, start + Math.ceil(offset / 16) * 16, start + size)
    if (walk !== undefined) return walk
  }
  return undefined
}

function walkBlocks(memory: TargetMemory, start: number, end: number): HeapWalk | undefined {
  let [used, free, blocks] = [0, 0, 0]
  for (let block = start; blocks < MOST_BLOCKS; blocks++) {
    const header = memory.word(block + 8)
    if (header === undefined) return undefined
    const size = header - (header & FLAGS)
    const next = block + size
    if (next === end) return { usedBytes: used, freeBytes: free, topBytes: size, blocks }
    // A heap that is not the arena's last ends with two small blocks instead of a top.
    if (size <= 16 && end - block <= 64) return { usedBytes: used, freeBytes: free, topBytes: 0, blocks }
    if (size < LEAST_BLOCK || size % 16 !== 0 || next > end - LEAST_BLOCK / 2) return undefined
    const following = memory.word(next + 8)
    if (following === undefined) return undefined
    if ((following & IN_USE) === 1) used += size
    else free += size
    block = next
  }
  return undefined
}

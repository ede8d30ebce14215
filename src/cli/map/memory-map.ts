/**
 * Where the memory of a process is: mappings with their owners, sums, and what could be told of their insides.
 * @module
 */
import { type ArenaContents, arenaContents } from './arena-contents.ts'
import { figuresOfEntry, type MapFigures, type OwnerSum, sumByOwner, sumOf } from './figures.ts'
import { type MallocContents, mallocContents } from './malloc-heaps.ts'
import { assignOwners, type Owned } from './owners.ts'
import { readProcess } from './process-memory.ts'
import { TargetMemory } from './target-memory.ts'

export interface MemoryMap {
  readonly pid: number
  readonly command: string
  readonly total: MapFigures
  readonly pageTableBytes: number
  readonly owners: readonly OwnerSum[]
  readonly mappings: readonly Owned[]
  /** Undefined when it was not asked for, or cannot be told. */
  readonly malloc: MallocContents | undefined
  readonly arenas: readonly ArenaContents[]
}

export interface MapOptions {
  /** Whether to look into heaps and arenas too, which reads the process's memory. */
  readonly inside?: boolean
  /** Hears how far the reading is when it takes long: from 0 to 1. */
  readonly report?: (share: number) => void
}

export function memoryMap(pid: number, { inside = true, report }: MapOptions = {}): MemoryMap {
  const memory = readProcess(pid, report)
  const assigned = assignOwners(memory.entries, memory.program)
  const contents = inside ? contentsOf(pid, assigned) : { malloc: undefined, arenas: [] }
  const mappings = assigned.map((one) => inArena(one, contents.arenas))
  return {
    pid,
    command: memory.command,
    total: sumOf(mappings.map(({ entry }) => figuresOfEntry(entry))),
    pageTableBytes: memory.pageTableBytes,
    owners: sumByOwner(mappings),
    mappings,
    ...contents,
  }
}

/** A file that turned out to hold an arena is an arena's. */
function inArena(one: Owned, arenas: readonly ArenaContents[]): Owned {
  const { start, end } = one.entry
  const holds = one.owner === 'files' && arenas.some((arena) => start >= arena.start && end <= arena.end)
  return holds ? { ...one, owner: 'sorites' } : one
}

function contentsOf(pid: number, mappings: readonly Owned[]): Pick<MemoryMap, 'malloc' | 'arenas'> {
  const memory = new TargetMemory(pid)
  try {
    const pageSize = mappings[0]?.entry.fields.get('KernelPageSize') ?? 4096
    return { malloc: mallocContents(memory, mappings), arenas: arenaContents(memory, mappings, pageSize) }
  } finally {
    memory.close()
  }
}

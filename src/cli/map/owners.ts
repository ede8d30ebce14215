/**
 * Whose memory each mapping is, as a user of Node thinks of it.
 *
 * The kernel names files and little else. The rest is told by how each party makes its mappings (Node 20 to 26, glibc):
 *
 *     V8              MADV_DONTFORK (`dc`); its heap at random addresses below 2^46, far from the kernel's own choice
 *     V8 code         executable anonymous memory, and what is reserved around it
 *     WebAssembly     as V8, with gigabytes that are reserved and not accessible
 *     thread stacks   a page without access below; no huge pages (`nh`, Linux 6.7)
 *     malloc          `[heap]`; arenas of 64 MiB, on a multiple of that, accessible at their start; single mappings for large blocks
 *     sorites         on a multiple of 1 GiB, without reserved swap (`nr`), where the kernel chooses addresses; memory files and names
 *                     that begin with `sorites`. Its empty pages are `dc` as well
 *
 * A mapping belongs to one owner as a whole, so sums over owners are those over smaps.
 * @module
 */
import type { SmapsEntry } from '../../ffi/procfs.ts'
import { GiB, MiB } from '../../units.ts'

export const OWNERS = {
  'v8-heap': 'V8 heap',
  'v8-code': 'V8 code',
  webassembly: 'WebAssembly memory',
  malloc: 'Buffers and native malloc',
  sorites: 'sorites arenas',
  stacks: 'thread stacks',
  files: 'mapped files',
  shared: 'shared memory',
  libraries: 'program and libraries',
  kernel: 'kernel',
  other: 'other anonymous memory',
} as const

export type Owner = keyof typeof OWNERS

/** A mapping and its owner. */
export interface Owned {
  readonly entry: SmapsEntry
  readonly owner: Owner
  /** Which of the owner's parts: a path, an arena's name, `main heap`. */
  readonly part: string
}

const MALLOC_ARENA = 64 * MiB
/** V8 chooses addresses below this (2^46). The kernel chooses some right below 2^47. */
const V8_ADDRESSES_END = 2 ** 46
const WEBASSEMBLY_RESERVED = GiB
const MOST_GUARD = MiB
const CODE_HEADER = 256 * 1024

/** The owner of every mapping, in the order of addresses. */
export function assignOwners(entries: readonly SmapsEntry[], program: string): Owned[] {
  const libraries = libraryPaths(entries, program)
  const owned: (Owned | undefined)[] = entries.map((entry) => byName(entry, libraries))
  const own = (index: number, owner: Owner, part: string): void => {
    owned[index] = { entry: entries[index]!, owner, part }
  }
  const free = (index: number): boolean => index >= 0 && index < entries.length && owned[index] === undefined
  const passes = [
    assignArenasOfMalloc,
    assignSorites,
    assignCode,
    assignWebAssembly,
    assignV8,
    assignStacks,
    assignDataOfLibraries,
  ]
  for (const pass of passes) pass({ entries, owned, own, free })
  return owned.map((one, index) => one ?? { entry: entries[index]!, ...theRest(entries[index]!) })
}

interface Assignment {
  readonly entries: readonly SmapsEntry[]
  readonly owned: readonly (Owned | undefined)[]
  readonly own: (index: number, owner: Owner, part: string) => void
  /** Whether an entry exists and has no owner yet. */
  readonly free: (index: number) => boolean
}

const lengthOf = ({ start, end }: SmapsEntry): number => end - start
const closed = ({ permissions }: SmapsEntry): boolean => permissions.startsWith('---')
const writable = ({ permissions }: SmapsEntry): boolean => permissions.startsWith('rw')
const executable = ({ permissions }: SmapsEntry): boolean => permissions[2] === 'x'
const isV8 = ({ flags }: SmapsEntry): boolean => flags.includes('dc')
/** Whether the kernel chooses addresses above those that V8 chooses. */
const addressesAreHigh = (entries: readonly SmapsEntry[]): boolean =>
  entries.some(({ name, start }) => name === '[stack]' && start > V8_ADDRESSES_END)
const adjoins = (one: SmapsEntry | undefined, next: SmapsEntry | undefined): boolean =>
  one !== undefined && next !== undefined && one.end === next.start

/** Anonymous memory that was named: `[anon:NAME]`. */
export function givenName({ name }: SmapsEntry): string | undefined {
  return /^\[anon(?:_shmem)?:(.*)\]$/.exec(name)?.[1]
}

function anonymous(entry: SmapsEntry): boolean {
  return entry.inode === 0 && (entry.name === '' || givenName(entry) !== undefined)
}

/** Files that are run: those with an executable part, those with a library's name, and the program. */
function libraryPaths(entries: readonly SmapsEntry[], program: string): ReadonlySet<string> {
  const paths = new Set([program])
  for (const entry of entries)
    if (entry.inode !== 0 && (executable(entry) || /\.(so|node)(\.[\d.]+)?$/.test(entry.name))) paths.add(entry.name)
  return paths
}

/** What the name tells. */
function byName(entry: SmapsEntry, libraries: ReadonlySet<string>): Owned | undefined {
  const { name, inode } = entry
  const memoryFile = /^\/memfd:sorites(?::(.*?))?(?: \(deleted\))?$/.exec(name)
  if (memoryFile !== null) return { entry, owner: 'sorites', part: memoryFile[1] ?? 'shared, without a name' }
  if (name === '[heap]') return { entry, owner: 'malloc', part: 'main heap' }
  if (name.startsWith('[stack')) return { entry, owner: 'stacks', part: 'main thread' }
  if (/^\[(v|uprobes|sigpage)/.test(name)) return { entry, owner: 'kernel', part: name }
  if (name.startsWith('anon_inode:')) return { entry, owner: 'kernel', part: name }
  if (/^\/(memfd:|dev\/shm\/|dev\/zero|SYSV)/.test(name))
    return { entry, owner: 'shared', part: name.replace(/ \(deleted\)$/, '') }
  if (inode !== 0) return { entry, owner: libraries.has(name) ? 'libraries' : 'files', part: name }
  return undefined
}

/** On a multiple of 64 MiB: accessible memory, then reserved memory up to the next multiple. */
function assignArenasOfMalloc({ entries, own, free }: Assignment): void {
  entries.forEach((entry, index) => {
    if (!free(index) || !anonymous(entry) || !writable(entry) || isV8(entry)) return
    if (entry.start % MALLOC_ARENA !== 0 || lengthOf(entry) > MALLOC_ARENA) return
    const next = entries[index + 1]
    const end = entry.start + MALLOC_ARENA
    const reserved = free(index + 1) && adjoins(entry, next) && closed(next!) && next!.end >= end
    if (!reserved && entry.end !== end) return
    if (!reserved && entry.start % GiB === 0 && entry.flags.includes('nh')) return
    own(index, 'malloc', 'arenas of threads')
    if (reserved) own(index + 1, 'malloc', 'arenas of threads')
  })
}

/** From a multiple of 1 GiB on, everything without reserved swap that adjoins: data, then metadata, each with its own advice. */
function assignSorites({ entries, own, free }: Assignment): void {
  const high = addressesAreHigh(entries)
  entries.forEach((entry, index) => {
    if (!free(index) || entry.start % GiB !== 0 || (high && entry.start < V8_ADDRESSES_END)) return
    // A memory of WebAssembly that happens to begin there: nothing was advised for it, and gigabytes without access adjoin it.
    const isWebAssembly = (at: number): boolean => {
      const [one, next] = [entries[at], entries[at + 1]]
      if (one === undefined || next === undefined || one.flags.some((flag) => flag === 'nh' || flag === 'hg'))
        return false
      return (
        givenName(one) === undefined && adjoins(one, next) && closed(next) && lengthOf(next) >= WEBASSEMBLY_RESERVED
      )
    }
    const mine = (at: number): boolean => {
      const one = entries[at]
      return one !== undefined && free(at) && anonymous(one) && writable(one) && one.flags.includes('nr')
    }
    if (!mine(index) || isWebAssembly(index)) return
    const part = givenName(entry) ?? 'without a name'
    own(index, 'sorites', part)
    for (let at = index + 1; mine(at) && adjoins(entries[at - 1], entries[at]) && entries[at]!.start % GiB !== 0; at++)
      own(at, 'sorites', part)
  })
}

/** Executable anonymous memory, and on both sides what is reserved for more of it. The program's own code may be mapped in its midst. */
function assignCode({ entries, own, free }: Assignment): void {
  entries.forEach((entry, index) => {
    if (!free(index) || !anonymous(entry) || !executable(entry)) return
    own(index, 'v8-code', '')
    const around = (at: number): boolean =>
      free(at) &&
      anonymous(entries[at]!) &&
      (closed(entries[at]!) || executable(entries[at]!)) &&
      isV8(entries[at]!) === isV8(entry)
    const code = (at: number): boolean =>
      entries[at] !== undefined && entries[at]!.inode !== 0 && executable(entries[at]!)
    for (let at = index + 1; adjoins(entries[at - 1], entries[at]) && (around(at) || code(at)); at++)
      if (around(at)) own(at, 'v8-code', '')
    let at = index - 1
    for (; adjoins(entries[at], entries[at + 1]) && around(at); at--) own(at, 'v8-code', '')
    if (
      free(at) &&
      adjoins(entries[at], entries[at + 1]) &&
      isV8(entries[at]!) &&
      lengthOf(entries[at]!) <= CODE_HEADER
    )
      own(at, 'v8-code', '')
  })
}

/** Gigabytes without access, and the accessible memory that adjoins them. */
function assignWebAssembly({ entries, own, free }: Assignment): void {
  entries.forEach((entry, index) => {
    if (!free(index) || !anonymous(entry) || !closed(entry) || lengthOf(entry) < WEBASSEMBLY_RESERVED) return
    own(index, 'webassembly', '')
    for (const [at, other] of [
      [index - 1, index],
      [index + 1, index],
    ] as const)
      if (
        free(at) &&
        writable(entries[at]!) &&
        (adjoins(entries[at], entries[other]) || adjoins(entries[other], entries[at]))
      )
        own(at, 'webassembly', '')
  })
}

function assignV8({ entries, own, free }: Assignment): void {
  const high = addressesAreHigh(entries)
  const heapStart = entries.find(({ name }) => name === '[heap]')?.end ?? 0
  entries.forEach((entry, index) => {
    if (!free(index) || !anonymous(entry)) return
    const random =
      high && entry.start < V8_ADDRESSES_END && entry.start > heapStart && !adjoins(entries[index - 1], entry)
    const reserved = closed(entry) && entry.start < V8_ADDRESSES_END && high && entry.start > heapStart
    if (isV8(entry) || random || reserved) own(index, 'v8-heap', '')
  })
  // What is reserved behind a part of the heap.
  entries.forEach((entry, index) => {
    if (free(index) && anonymous(entry) && closed(entry) && isV8(entry)) own(index, 'v8-heap', '')
  })
}

/** Memory above a guard: a short range without access. */
function assignStacks({ entries, own, free }: Assignment): void {
  entries.forEach((guard, index) => {
    const stack = entries[index + 1]
    if (!free(index) || !anonymous(guard) || !closed(guard) || lengthOf(guard) > MOST_GUARD) return
    if (!free(index + 1) || !adjoins(guard, stack) || !anonymous(stack!) || !writable(stack!)) return
    own(index, 'stacks', 'threads')
    own(index + 1, 'stacks', 'threads')
  })
}

/** Variables of a library that begin as zeros: anonymous memory right behind its file. */
function assignDataOfLibraries({ entries, owned, own, free }: Assignment): void {
  entries.forEach((entry, index) => {
    const before = owned[index - 1]
    if (!free(index) || !anonymous(entry) || before?.owner !== 'libraries') return
    // A block of malloc may lie there as well, so only what is not larger than such variables are.
    if (adjoins(before.entry, entry) && lengthOf(entry) <= 4 * MiB) own(index, 'libraries', before.part)
  })
}

function theRest(entry: SmapsEntry): { owner: Owner; part: string } {
  if (writable(entry)) return { owner: 'malloc', part: 'blocks mapped one by one' }
  return { owner: 'other', part: closed(entry) ? 'reserved without access' : entry.permissions }
}

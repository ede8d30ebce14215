/**
 * What the kernel says of a process's memory in /proc/self, parsed. For measuring: the allocators read none of it.
 *
 *     statm          0.05 ms   size and resident, in pages
 *     status         0.6 ms    the same and much else, by name
 *     smaps_rollup   7 ms      exact sums over all mappings: Rss, Pss, Private_Dirty, AnonHugePages, LazyFree, …
 *     smaps, maps    9 ms      mapping by mapping, with and without those figures
 *     pagemap        8 ms      for a GiB: what is behind each page
 *     N/task/N/stat  0.03 ms   a thread: whether it has ended, when it was started
 *
 * Parsers take text and give bytes; readers read and parse. The times are for a process of 1 GiB.
 * @module
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { alignDown, alignUp } from '../bits.ts'
import type { Address } from '../units.ts'
import type { Place } from './os-threads.ts'

/** Bytes by the kernel's own names: `Rss`, `VmSize`, `LazyFree`, … */
export type MemoryFields = ReadonlyMap<string, number>

/** /proc/self/statm, in bytes. */
export interface Statm {
  readonly sizeBytes: number
  readonly residentBytes: number
  /** Of the resident bytes, those of files and of shared memory. */
  readonly sharedBytes: number
  readonly dataBytes: number
}

/** A line of /proc/self/maps. */
export interface MapsEntry {
  readonly start: number
  readonly end: number
  /** As in `rw-p`. */
  readonly permissions: string
  readonly fileOffset: number
  readonly inode: number
  /** A path, or a name such as `[heap]`, or empty. */
  readonly name: string
}

/** An entry of /proc/self/smaps. */
export interface SmapsEntry extends MapsEntry {
  readonly fields: MemoryFields
  /** Two-letter flags, as in `nh` (no huge pages). */
  readonly flags: readonly string[]
}

/** What is behind the pages of a range, by /proc/self/pagemap. */
export interface PagemapCounts {
  readonly pages: number
  /** In memory, the kernel's shared page of zeros included. */
  readonly present: number
  readonly swapped: number
  /** Present, and mapped nowhere else. */
  readonly exclusive: number
  /** Present or swapped, and of a file or of shared memory. */
  readonly shared: number
}

export function parseStatm(text: string, pageSize: number): Statm {
  const [size = 0, resident = 0, shared = 0, , , data = 0] = text.trim().split(' ').map(Number)
  return {
    sizeBytes: size * pageSize,
    residentBytes: resident * pageSize,
    sharedBytes: shared * pageSize,
    dataBytes: data * pageSize,
  }
}

/** The lines `Name:  123 kB` of status, smaps_rollup, meminfo or an entry of smaps. */
export function parseFields(text: string): MemoryFields {
  const fields = new Map<string, number>()
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    const line = text.slice(start, end)
    if (line.endsWith(' kB')) addField(fields, line)
    start = end + 1
  }
  return fields
}

/** An expression for the whole text takes three times as long. */
function addField(fields: Map<string, number>, line: string): void {
  const [, name, kibibytes] = /^([\w()]+):\s+(\d+) kB$/.exec(line) ?? []
  if (name !== undefined) fields.set(name, Number(kibibytes) * 1024)
}

const MAPS_LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ (\d+) *(.*)$/

/** The lines of maps. Addresses above 2^53, which only the kernel's own page at the top has, come rounded. */
export function parseMaps(text: string): MapsEntry[] {
  return text
    .split('\n')
    .map(parseMapsLine)
    .filter((entry) => entry !== undefined)
}

function parseMapsLine(line: string): MapsEntry | undefined {
  const match = MAPS_LINE.exec(line)
  if (match === null) return undefined
  const [, start = '', end = '', permissions = '', fileOffset = '', inode = '', name = ''] = match
  return {
    start: Number.parseInt(start, 16),
    end: Number.parseInt(end, 16),
    permissions,
    fileOffset: Number.parseInt(fileOffset, 16),
    inode: Number(inode),
    name,
  }
}

export function parseSmaps(text: string): SmapsEntry[] {
  const entries: SmapsEntry[] = []
  for (const part of text.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const entry = parseMapsLine(part.split('\n', 1)[0] as string)
    if (entry === undefined) continue
    const flags = /^VmFlags: (.*)$/m.exec(part)?.[1] ?? ''
    entries.push({ ...entry, fields: parseFields(part), flags: flags.split(' ').filter((flag) => flag !== '') })
  }
  return entries
}

/** Counts the entries of pagemap, eight bytes a page. */
export function countPagemap(entries: Uint8Array): PagemapCounts {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength)
  const counts = { pages: entries.byteLength / 8, present: 0, swapped: 0, exclusive: 0, shared: 0 }
  for (let at = 4; at < entries.byteLength; at += 8) {
    // The upper half of an entry: bit 63 present, 62 swapped, 61 file or shared, 56 exclusive.
    const bits = view.getUint32(at, true)
    if (bits & 0x80000000) {
      counts.present++
      if (bits & 0x01000000) counts.exclusive++
    }
    if (bits & 0x40000000) counts.swapped++
    if (bits & 0xc0000000 && bits & 0x20000000) counts.shared++
  }
  return counts
}

export function readStatm(pageSize: number): Statm {
  return parseStatm(readText('statm'), pageSize)
}

export function readStatus(): MemoryFields {
  return parseFields(readText('status'))
}

export function readSmapsRollup(): MemoryFields {
  return parseFields(readText('smaps_rollup'))
}

export function readMaps(): MapsEntry[] {
  return parseMaps(readText('maps'))
}

export function readSmaps(): SmapsEntry[] {
  return parseSmaps(readText('smaps'))
}

/** What is behind the pages that a range touches. */
export function readPagemap(address: Address, byteLength: number, pageSize: number): PagemapCounts {
  const first = alignDown(address, pageSize) / pageSize
  const pages = alignUp(address + byteLength, pageSize) / pageSize - first
  const total = { pages: 0, present: 0, swapped: 0, exclusive: 0, shared: 0 }
  const entries = new Uint8Array(8 * Math.min(pages, 65536))
  const fd = openSync('/proc/self/pagemap', 'r')
  try {
    while (total.pages < pages) {
      const wanted = Math.min(entries.length, 8 * (pages - total.pages))
      const length = readSync(fd, entries, 0, wanted, 8 * (first + total.pages))
      if (length < 8) break
      const counts = countPagemap(entries.subarray(0, alignDown(length, 8)))
      for (const name of Object.keys(total) as (keyof PagemapCounts)[]) total[name] += counts[name]
    }
  } finally {
    closeSync(fd)
  }
  return total
}

/** A flag of a thread in its stat (PF_EXITING), set before the kernel tells those that wait for its end. */
const EXITING = 4

/** What /proc/N/task/N/stat says of a thread. */
export interface ThreadStat {
  /** It will never run a program's code again: it is a zombie, or the kernel is taking it down. */
  readonly ended: boolean
  /** Ticks from the start of the machine to its own. */
  readonly startTime: number
}

/** The program's name stands second, in parentheses, and may hold spaces and parentheses itself: the last one ends it. */
export function parseThreadStat(text: string): ThreadStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const startTime = Number(fields[19])
  if (fields.length < 20 || !Number.isSafeInteger(startTime)) return undefined
  return { ended: fields[0] === 'Z' || fields[0] === 'X' || (Number(fields[6]) & EXITING) !== 0, startTime }
}

/** A thread of any process; undefined when there is none, or it cannot be read. */
export function readThreadStat(processId: number, threadId: number): ThreadStat | undefined {
  try {
    return parseThreadStat(readFileSync(`/proc/${processId}/task/${threadId}/stat`, 'latin1'))
  } catch {
    return undefined
  }
}

/** Whether a thread of any process is stopped, by a signal or a debugger: it goes on when it is let, and not by itself. */
export function isThreadStopped(processId: number, threadId: number): boolean {
  try {
    const text = readFileSync(`/proc/${processId}/task/${threadId}/stat`, 'latin1')
    return /^[Tt]/.test(text.slice(text.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

/** Which start of which machine this is, and which processes are counted together with ours. */
export function readPlace(): Place {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid'))
  return { boot: Number.parseInt(boot.slice(0, 8), 16) || 0, namespace: Number(/\d+/.exec(namespace)?.[0] ?? 0) >>> 0 }
}

function attempt(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}

function readText(file: string): string {
  return readFileSync(`/proc/self/${file}`, 'latin1')
}

/**
 * What the kernel says of the memory of a process, read once.
 *
 *     /proc/PID/smaps       every mapping with its figures; needs the right to trace the process
 *     /proc/PID/status      page tables, name
 *     /proc/PID/exe         which program
 *
 * A mapping that appears or goes while smaps is read may be missing; the kernel gives whole pages of the file, so figures of one mapping
 * belong together. smaps has some 700 bytes for each mapping, and a process may have a million of them: it is parsed piece by piece, and what
 * is 0 is not kept.
 * @module
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseFields, parseSmaps, type SmapsEntry } from '../../ffi/procfs.ts'
import { Failure, UsageError } from '../failure.ts'

export interface ProcessMemory {
  readonly pid: number
  readonly command: string
  /** The path of the program, empty where it may not be known. */
  readonly program: string
  readonly entries: readonly SmapsEntry[]
  /** Page tables of the process, which count nowhere in smaps. */
  readonly pageTableBytes: number
}

/** A process by what was given on the command line. */
export function processNumber(text: string): number {
  if (text === 'self') return process.pid
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (pid === 0) throw new UsageError(`a process is a number or "self", not "${text}"`)
  return pid
}

/**
 * Throws a `Failure` when there is no such process, when it may not be looked at, or when it has ended meanwhile. `report` hears from the first
 * second on which share of the mappings has been read.
 */
export function readProcess(pid: number, report?: (share: number) => void): ProcessMemory {
  if (process.platform !== 'linux') throw new Failure(`memory is read from /proc of Linux; this is ${process.platform}`)
  const status = readOf(pid, 'status')
  const entries = readSmaps(pid, report)
  if (entries.length === 0) throw new Failure(`process ${pid} has no memory: ${whyNone(status)}`)
  const command = withoutEscapes(/^Name:\s*(.*)$/m.exec(status)?.[1] ?? '')
  return { pid, command, program: programOf(pid), entries, pageTableBytes: parseFields(status).get('VmPTE') ?? 0 }
}

const PIECE_BYTES = 1 << 20
const LAST_LINE = '\nVmFlags:'

function readSmaps(pid: number, report?: (share: number) => void): SmapsEntry[] {
  const begin = performance.now()
  let count = 0
  const entries: SmapsEntry[] = []
  const names = new Map<string, string>()
  let rest = ''
  for (const piece of pieces(pid, 'smaps')) {
    const text = rest + piece
    const last = text.lastIndexOf(LAST_LINE)
    const end = last < 0 ? 0 : text.indexOf('\n', last + 1) + 1
    for (const entry of parseSmaps(text.slice(0, end))) entries.push(withItsName(lasting(entry, names)))
    rest = text.slice(end)
    if (report === undefined || performance.now() - begin < 1000) continue
    count ||= countLines(pid, 'maps')
    report(entries.length / count)
  }
  for (const entry of parseSmaps(rest)) entries.push(withItsName(lasting(entry, names)))
  return entries
}

/** The entry without what is 0, and without strings that keep the whole text in memory. */
function lasting({ name, fields, ...entry }: SmapsEntry, names: Map<string, string>): SmapsEntry {
  let own = names.get(name)
  if (own === undefined) {
    own = withoutEscapes(Buffer.from(name, 'latin1').toString())
    names.set(name, own)
  }
  return { ...entry, name: own, fields: new Map([...fields].filter(([, bytes]) => bytes !== 0)) }
}

/** Where the kernel writes a name into a line, a newline in it is `\\n` or `\\012`. */
function withoutEscapes(name: string): string {
  return name.replaceAll(/\\(n|012|\\)/g, (_, letter: string) => (letter === '\\' ? '\\' : '\n'))
}

/** The text of a file of /proc, of bytes as they are. */
function* pieces(pid: number, name: string): Iterable<string> {
  const bytes = Buffer.allocUnsafe(PIECE_BYTES)
  const fd = attempt(pid, () => openSync(`/proc/${pid}/${name}`, 'r'))
  try {
    for (;;) {
      let filled = 0
      for (let count = 1; count > 0 && filled < PIECE_BYTES; filled += count)
        count = attempt(pid, () => readSync(fd, bytes, filled, PIECE_BYTES - filled, null))
      if (filled === 0) return
      yield bytes.toString('latin1', 0, filled)
    }
  } finally {
    closeSync(fd)
  }
}

function countLines(pid: number, name: string): number {
  let count = 0
  for (const piece of pieces(pid, name)) count += piece.split('\n').length - 1
  return Math.max(1, count)
}

/** A folder with more files than this is not searched. */
const MOST_FILES = 10_000

/** A file that got its name after it was made (`O_TMPFILE`) is shown as `#INODE (deleted)`, so the folder is searched for it. */
function withItsName(entry: SmapsEntry): SmapsEntry {
  const folder = /^(.*\/)#\d+ \(deleted\)$/.exec(entry.name)?.[1]
  if (folder === undefined) return entry
  try {
    const names = readdirSync(folder)
    const found =
      names.length > MOST_FILES ? undefined : names.find((name) => inodeOf(join(folder, name)) === entry.inode)
    return found === undefined ? entry : { ...entry, name: join(folder, found) }
  } catch {
    return entry
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch {
    return undefined
  }
}

function whyNone(status: string): string {
  return /^State:\s*[ZX]/m.test(status) ? 'it has ended' : 'it belongs to the kernel, or has ended meanwhile'
}

function readOf(pid: number, name: string): string {
  return attempt(pid, () => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
}

function attempt<T>(pid: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw failureOf(pid, error as NodeJS.ErrnoException)
  }
}

function failureOf(pid: number, { code, message }: NodeJS.ErrnoException): Failure {
  if (code === 'ENOENT' || code === 'ESRCH') return new Failure(`there is no process ${pid}, or it has ended`)
  if (code === 'EACCES' || code === 'EPERM')
    return new Failure(`no permission to look at process ${pid}: it belongs to another user, or is protected`)
  return new Failure(`process ${pid} cannot be looked at: ${message}`)
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return ''
  }
}

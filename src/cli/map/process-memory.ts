/**
 * What the kernel says of the memory of a process, read once.
 *
 *     /proc/PID/smaps       every mapping with its figures; needs the right to trace the process
 *     /proc/PID/status      page tables, name
 *     /proc/PID/exe         which program
 *
 * A mapping that appears or goes while smaps is read may be missing; the kernel gives whole pages of the file, so figures of one mapping
 * belong together.
 * @module
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
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

/** Throws a `Failure` when there is no such process, when it may not be looked at, or when it has ended meanwhile. */
export function readProcess(pid: number): ProcessMemory {
  if (process.platform !== 'linux') throw new Failure(`memory is read from /proc of Linux; this is ${process.platform}`)
  const status = readOf(pid, 'status')
  const smaps = readOf(pid, 'smaps')
  const entries = parseSmaps(smaps).map(withItsName)
  if (entries.length === 0) throw new Failure(`process ${pid} has no memory: ${whyNone(status)}`)
  const command = /^Name:\s*(.*)$/m.exec(status)?.[1] ?? ''
  return { pid, command, program: programOf(pid), entries, pageTableBytes: parseFields(status).get('VmPTE') ?? 0 }
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
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
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

/**
 * Mapping a file: open, reserve addresses, lay the file over them, lengthen if need be, close. What fails on the way leaves no
 * descriptor, no addresses and no changed file behind. A file that is made gets its name last, when nothing can fail any more
 * (sources/new-file.ts), so there is never one to be taken away again.
 *
 *     open ─▶ may it be mapped? ─▶ blocks ─▶ addresses, file laid over them ─▶ length ─▶ populate ─▶ name
 *
 * Nothing is written before it is known that the file can be mapped: files of /proc and the like take a write for a command.
 * @module
 */
import { bytes, OutOfRangeError, UnsupportedOperationError } from '../../errors.ts'
import { EIO, ENODEV, ENOENT, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import type { Access, FileStatus } from '../../ffi/os-files.ts'
import { MiB } from '../../units.ts'
import { ARENA_ALIGNMENT } from '../format/layout.ts'
import { finishGrowth, type Growth, prepareGrowth } from '../sources/file-length.ts'
import { ATTEMPTS, NewFile, namingPath } from '../sources/new-file.ts'
import { requirePlacedByUs } from '../sources/placed-files.ts'
import { FileLink } from './file-link.ts'
import { FileMapping, type FilePlace } from './file-mapping.ts'
import {
  type CheckedFileOptions,
  checkFileOptions,
  type FileMode,
  type FileOptions,
  type FileTarget,
} from './file-options.ts'
import { type MappedFile, mappedFileOf } from './mapped-file.ts'
import { refuseArenaAtEnd } from './resizing.ts'

/** What the page cache keeps in one piece can be mapped in one piece, with one entry of the TLB, on multiples of this. */
const LARGE_PAGE_BYTES: number = 2 * MiB

/** A file that is open, for as long as it takes to map it. */
interface Opened {
  readonly fd: number
  readonly access: Access
  readonly status: FileStatus
  /** Whether it was made now, and has no name yet. */
  readonly made: boolean
}

/**
 * Maps a file. A descriptor that is given stays open; one that is opened for a path is closed before this returns.
 *
 * Throws a `SystemError` (`ENOENT`, `EACCES`, `ENOSPC`, …), `ERR_OUT_OF_RANGE` for a range that the file does not have, and
 * `ERR_UNSUPPORTED_OPERATION` for what cannot be mapped.
 *
 * @param file - The path, as a string or a `file:` URL, or a descriptor.
 * @param options - The mode, the range in bytes, whether it is made.
 * @returns The mapped file.
 * @throws What the kernel refuses (`ENOENT`, `EACCES`, `ENOSPC`, …); `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` of an option;
 *   `ERR_UNSUPPORTED_OPERATION` for what cannot be mapped.
 * @example
 * ```js
 * const made = mapFile(`${path}.new`, { mode: 'write', create: true, byteLength: 4096 })
 * made.bytes[0] = 7
 * made.close()
 * mapFile(`${path}.new`, { mode: 'read' }).bytes[0] // -> 7
 * ```
 */
export function mapFile<Mode extends FileMode>(file: FileTarget, options: FileOptions<Mode>): MappedFile<Mode> {
  const checked = checkFileOptions(file, options)
  const { target, create } = checked
  if (typeof target === 'number') return mapDescriptor(checked, target)
  for (let attempt = 1; ; attempt++) {
    try {
      return mapPath(checked, target)
    } catch (error) {
      if (!create || !isErrno(error, ENOENT) || attempt === ATTEMPTS) throw error
    }
    const made = makeFile<Mode>(checked, target)
    if (made !== undefined) return made
  }
}

function accessOf(mode: FileMode): Access {
  return mode === 'write' ? 'read-write' : 'read'
}

/** A descriptor that appends would write elsewhere than it is told to: then the file is opened once more. */
function mapDescriptor<Mode extends FileMode>(options: CheckedFileOptions, fd: number): MappedFile<Mode> {
  const { mode, os, title } = options
  if (mode !== 'write' || !os.files.appends(fd)) return mapExisting(options, fd)
  let own: number
  try {
    own = os.files.open(`/proc/self/fd/${fd}`, 'read-write')
  } catch (error) {
    throw new UnsupportedOperationError(
      `"file" is ${title}, which is open for appending and cannot be opened once more: ${(error as Error).message}`
    )
  }
  try {
    return mapExisting(options, own)
  } finally {
    os.files.close(own)
  }
}

function mapPath<Mode extends FileMode>(options: CheckedFileOptions, path: string): MappedFile<Mode> {
  const { files } = options.os
  // Some devices do something when they are opened.
  const found = files.statusAt(path)
  if (found !== undefined && !found.directory) requireRegular(options, found)
  const fd = files.open(path, accessOf(options.mode))
  try {
    return mapExisting(options, fd)
  } finally {
    files.close(fd)
  }
}

function mapExisting<Mode extends FileMode>(options: CheckedFileOptions, fd: number): MappedFile<Mode> {
  const { target, mode, os, create, permissions } = options
  const { files } = os
  const status = files.status(fd)
  requireRegular(options, status)
  if (create && typeof target === 'string') requirePlacedByUs({ files, fd, status, path: target, permissions })
  requireStorage(options, fd, status)
  return mapOpened<Mode>(options, { fd, access: accessOf(mode), status, made: false })
}

/** A new file; undefined when its name has been taken meanwhile. */
function makeFile<Mode extends FileMode>(options: CheckedFileOptions, path: string): MappedFile<Mode> | undefined {
  const { os, permissions } = options
  const file = NewFile.make(os, path, permissions)
  const { fd } = file
  try {
    const opened: Opened = { fd, access: 'read-write', status: os.files.status(fd), made: true }
    const mapped = namingPath(path, () => mapOpened<Mode>(options, opened))
    return closeUnless(mapped, () => file.publish()) ? mapped : undefined
  } finally {
    file.releaseName()
    os.files.close(fd)
  }
}

/** Closes a mapping that was not handed out, unless something is true. */
function closeUnless(file: MappedFile, isTrue: () => boolean): boolean {
  let kept = false
  try {
    kept = isTrue()
    return kept
  } finally {
    if (!kept) closeUnseen(file)
  }
}

/** Refused once (too many mappings), it is tried again: no caller has it. */
function closeUnseen(file: MappedFile): void {
  try {
    file.close()
  } catch {
    file.close()
  }
}

function requireRegular({ title }: CheckedFileOptions, { regular }: FileStatus): void {
  if (!regular) throw new UnsupportedOperationError(`${title} is no ordinary file and cannot be mapped`)
}

/** Throws for files that are made up when they are read, unless the kernel can map them (what devices have in /sys). */
function requireStorage({ title, os, mode }: CheckedFileOptions, fd: number, { byteLength }: FileStatus): void {
  const kind = os.files.fileSystem(fd)
  if (kind === 'storage') return
  if (kind === 'huge')
    throw new UnsupportedOperationError(
      `${title} is made of huge pages, and cannot be mapped in pages of ${os.pageSize} bytes`
    )
  if (byteLength > 0 && canBeMapped(os, fd, mode)) return
  throw new UnsupportedOperationError(
    `${title} is on a file system that the kernel makes up, and says that it has ${bytes(byteLength)}: what is in it is made when it is ` +
      'read, and cannot be mapped. Read and write it with node:fs'
  )
}

/** Asks the kernel, with a page of the file that is not touched. */
function canBeMapped(os: Os, fd: number, mode: FileMode): boolean {
  const probe = new FileMapping(os, { mode, hardened: true, offset: 0, byteLength: 1, maxByteLength: 1 }, os.pageSize)
  try {
    probe.lay(fd, 1)
    return true
  } catch (error) {
    if (isErrno(error, ENODEV) || isErrno(error, EIO)) return false
    throw error
  } finally {
    probe.release()
  }
}

function mapOpened<Mode extends FileMode>(options: CheckedFileOptions, opened: Opened): MappedFile<Mode> {
  const { os, title } = options
  const { fd, status } = opened
  const place = placeIn(options, status.byteLength)
  const end = place.offset + place.byteLength
  const growth = { os, title, fd, fileEnd: status.byteLength, from: place.offset, end }
  const longer = place.mode === 'write' && place.byteLength > 0 && end > status.byteLength
  if (longer) prepare(growth)
  const file = overlay<Mode>(options, opened, place)
  closeUnless(file, () => {
    if (longer) finishGrowth(growth)
    if (options.populate) file.populate()
    return true
  })
  return file
}

function prepare(growth: Growth): void {
  const { os, title, fd, from, fileEnd } = growth
  refuseArenaAtEnd(title, os, fd, from, fileEnd)
  prepareGrowth(growth)
}

/** Lays the file over addresses of its own. */
function overlay<Mode extends FileMode>(
  { os, title, target, windowBytes }: CheckedFileOptions,
  { fd, access, status, made }: Opened,
  place: FilePlace
): MappedFile<Mode> {
  const fileMapping = new FileMapping(os, place, alignmentOf(place, os.pageSize))
  try {
    fileMapping.lay(fd, place.byteLength)
    const link = new FileLink({ title, files: os.files, target, fd, access, status, made })
    const path = typeof target === 'string' ? target : undefined
    return mappedFileOf<Mode>({ title, path, place, fileMapping, link, windowBytes })
  } catch (error) {
    fileMapping.release()
    throw error
  }
}

/** An arena wants its data on a window's alignment in the address space too; what the cache has in large pages fits on those. */
function alignmentOf({ mode, maxByteLength }: FilePlace, pageSize: number): number {
  if (mode !== 'read') return ARENA_ALIGNMENT
  return maxByteLength < LARGE_PAGE_BYTES ? pageSize : Math.max(LARGE_PAGE_BYTES, pageSize)
}

/** Which bytes are mapped of a file of `fileEnd` bytes. */
function placeIn(options: CheckedFileOptions, fileEnd: number): FilePlace {
  const { title, mode, hardened, offset } = options
  const rest = Math.max(0, fileEnd - offset)
  // A reader that follows the file takes as much of it as it has addresses for.
  const most = mode === 'read' ? (options.maxByteLength ?? rest) : rest
  const byteLength = options.byteLength ?? Math.min(rest, most)
  const maxByteLength = options.maxByteLength ?? byteLength
  if (mode !== 'write') {
    if (offset > fileEnd) throw new OutOfRangeError('options.offset', `at most ${fileEnd}, where ${title} ends`, offset)
    if (byteLength > rest)
      throw new OutOfRangeError('options.byteLength', `at most ${rest}, up to where ${title} ends`, byteLength)
  }
  if (maxByteLength < byteLength)
    throw new OutOfRangeError('options.maxByteLength', `at least ${byteLength}, what is mapped at first`, maxByteLength)
  if (!Number.isSafeInteger(offset + maxByteLength))
    throw new OutOfRangeError('options.offset', `at most 2^53 - 1 - ${maxByteLength}`, offset)
  return { mode, hardened, offset, byteLength, maxByteLength }
}

/**
 * Mapping a file: open, lengthen if need be, reserve addresses, lay the file over them, close. What fails on the way leaves no
 * descriptor, no addresses and no changed file behind; a file that was made for it is taken away again.
 * @module
 */
import { ArenaBusyError, OutOfRangeError, SystemError, UnsupportedOperationError } from '../../errors.ts'
import { EEXIST, ENOENT, isErrno } from '../../ffi/errno.ts'
import type { Access, FileStatus } from '../../ffi/os-files.ts'
import { MiB } from '../../units.ts'
import { holdsMappedArena } from '../header.ts'
import { ARENA_ALIGNMENT } from '../layout.ts'
import { lengthenFile, shortenAgain } from './file-length.ts'
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

/** What the page cache keeps in one piece can be mapped in one piece, with one entry of the TLB, on multiples of this. */
const LARGE_PAGE_BYTES: number = 2 * MiB

/** What a new file may be used for by others, before the process's own mask. */
const NEW_FILE_PERMISSIONS = 0o666

/** A file that is open, for as long as it takes to map it. */
interface Opened {
  readonly fd: number
  readonly access: Access
  readonly status: FileStatus
  /** Whether `mapFile` has opened it, and made it. */
  readonly own: boolean
  readonly created: boolean
}

/**
 * Maps a file. A descriptor that is given stays open; one that is opened for a path is closed before this returns.
 *
 * Throws a `SystemError` (`ENOENT`, `EACCES`, `ENOSPC`, …), `ERR_OUT_OF_RANGE` for a range that the file does not have, and
 * `ERR_UNSUPPORTED_OPERATION` for what is no ordinary file.
 */
export function mapFile<Mode extends FileMode>(file: FileTarget, options: FileOptions<Mode>): MappedFile<Mode> {
  const checked = checkFileOptions(file, options)
  const opened = openTarget(checked)
  try {
    return mapOpened<Mode>(checked, opened)
  } catch (error) {
    if (opened.created) takeAway(checked)
    throw error
  } finally {
    if (opened.own) checked.os.files.close(opened.fd)
  }
}

function openTarget(options: CheckedFileOptions): Opened {
  const { target, mode, os, title } = options
  const access: Access = mode === 'write' ? 'read-write' : 'read'
  const [fd, created] = typeof target === 'number' ? [target, false] : openPath(options, target, access)
  const own = typeof target !== 'number'
  try {
    const status = os.files.status(fd)
    if (!status.regular) throw new UnsupportedOperationError(`${title} is no ordinary file and cannot be mapped`)
    return { fd, access, status, own, created }
  } catch (error) {
    if (own) os.files.close(fd)
    if (created) takeAway(options)
    throw error
  }
}

/** Opens a path, or makes the file where that is wanted and there is none; says whether it did. */
function openPath({ create, os }: CheckedFileOptions, path: string, access: Access): [number, boolean] {
  for (;;) {
    try {
      return [os.files.open(path, access), false]
    } catch (error) {
      if (!create || !isErrno(error, ENOENT)) throw error
    }
    try {
      return [os.files.create(path, NEW_FILE_PERMISSIONS), true]
    } catch (error) {
      // Another process was faster: then it is there now.
      if (!isErrno(error, EEXIST)) throw error
    }
  }
}

/** Takes away a file that was made a moment ago. */
function takeAway({ target, os }: CheckedFileOptions): void {
  try {
    os.files.remove(target as string)
  } catch (error) {
    // There is an error to report already; an empty file stays.
    if (!(error instanceof SystemError)) throw error
  }
}

function mapOpened<Mode extends FileMode>(options: CheckedFileOptions, opened: Opened): MappedFile<Mode> {
  const { os, populate } = options
  const { fd, status } = opened
  const place = placeIn(options, status.byteLength)
  const end = place.offset + place.byteLength
  const longer = place.mode === 'write' && place.byteLength > 0 && end > status.byteLength
  if (longer) lengthen(options, opened, place.offset, end)
  try {
    const file = overlay<Mode>(options, opened, place)
    if (populate) populateOrClose(file)
    return file
  } catch (error) {
    if (longer) shortenAgain(os, fd, status.byteLength)
    throw error
  }
}

/** Lays the file over addresses of its own. */
function overlay<Mode extends FileMode>(
  { os, title, target }: CheckedFileOptions,
  { fd, access, status }: Opened,
  place: FilePlace
): MappedFile<Mode> {
  const mapping = new FileMapping(os, place, alignmentOf(place, os.pageSize))
  try {
    mapping.lay(fd, place.byteLength)
    const link = new FileLink({ title, files: os.files, target, fd, access, status })
    const path = typeof target === 'string' ? target : undefined
    return mappedFileOf<Mode>({ title, path, place, mapping, link })
  } catch (error) {
    mapping.release()
    throw error
  }
}

/** An arena wants its data on a window's alignment in the address space too; what the cache has in large pages fits on those. */
function alignmentOf({ mode, maxByteLength }: FilePlace, pageSize: number): number {
  if (mode !== 'read') return ARENA_ALIGNMENT
  return maxByteLength < LARGE_PAGE_BYTES ? pageSize : Math.max(LARGE_PAGE_BYTES, pageSize)
}

function populateOrClose(file: MappedFile): void {
  try {
    file.populate()
  } catch (error) {
    file.close()
    throw error
  }
}

function lengthen({ os, title }: CheckedFileOptions, { fd, status }: Opened, offset: number, end: number): void {
  if (holdsMappedArena(os, fd, offset, status.byteLength))
    throw new ArenaBusyError(`${title} holds an arena, whose tables are at its end: its length cannot be changed`)
  lengthenFile(os, fd, status.byteLength, offset, end)
}

/** Which bytes are mapped of a file of `fileEnd` bytes. */
function placeIn(options: CheckedFileOptions, fileEnd: number): FilePlace {
  const { title, mode, hardened, offset } = options
  const rest = Math.max(0, fileEnd - offset)
  const byteLength = options.byteLength ?? rest
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

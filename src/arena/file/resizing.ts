/**
 * Changing the length of a file under its mapping, without a moment in which a view could fault.
 *
 *     longer      blocks for the new bytes ─▶ the file is laid over the pages they are in ─▶ the length
 *     shorter     empty pages over those that the file will lose ─▶ the file is cut
 *     followed    what others have added is laid over more pages; empty pages over those that they have cut
 *
 * Views stay valid throughout: over the part that was cut they read zero, and when the file grows again they show it again. What
 * fails on the way is taken back in the mapping; of the file only the length is changed, and that comes last. Some 40 us in /dev/shm,
 * 200 us on ext4: nearly all of it the file system's.
 * @module
 */
import { wholeNumber } from '../../arguments.ts'
import { ArenaBusyError, bytes, UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { holdsMappedArena } from '../format/header.ts'
import { finishGrowth, prepareGrowth } from '../sources/file-length.ts'
import type { Extent } from '../views/extent.ts'
import type { ArenaInFile } from './arena-in-file.ts'
import type { FileLink } from './file-link.ts'
import type { FileMapping, FilePlace } from './file-mapping.ts'
import { unsupportedIn } from './file-options.ts'
import type { Truncation } from './truncation.ts'

/** What changes its length, and room for it on the disk. */
export interface ResizableFile {
  /** For messages. */
  readonly title: string
  readonly place: FilePlace
  readonly fileMapping: FileMapping
  readonly link: FileLink
  readonly extent: Extent
  readonly truncation: Truncation
  readonly arena: ArenaInFile
}

/** @internal */
export class Resizing {
  readonly #file: ResizableFile

  constructor(file: ResizableFile) {
    this.#file = file
  }

  /** Makes the mapping, and with it the file, so long; without a length the mapping follows the file. */
  resize(byteLength: number | undefined): void {
    const { title, place, extent, arena } = this.#file
    extent.requireOpen()
    const follows = byteLength === undefined && place.mode === 'read'
    if (place.mode !== 'write' && !follows) throw unsupportedIn(title, place.mode, 'resize')
    if (byteLength !== undefined) wholeNumber('byteLength', byteLength, 0, place.maxByteLength)
    if (arena.isOpened) throw arenaFixesLength(title)
    if (byteLength === undefined) this.#follow()
    else this.#change(byteLength)
  }

  #change(byteLength: number): void {
    const { link, extent } = this.#file
    link.use('read-write', (fd) => resizeFile(this.#resizable(), fd, byteLength))
    extent.byteLength = byteLength
  }

  #follow(): void {
    const { place, link, extent } = this.#file
    const access = place.mode === 'write' ? 'read-write' : 'read'
    extent.byteLength = link.use(access, (fd) => followFile(this.#resizable(), fd, place.maxByteLength))
  }

  #resizable(): Resizable {
    const { title, place, fileMapping, extent } = this.#file
    return { title, fileMapping, offset: place.offset, byteLength: extent.byteLength }
  }

  /** Gives the holes in a range room on the disk. */
  reserveBlocks(offset: number, byteLength?: number): void {
    const { title, place, fileMapping, link, extent, truncation } = this.#file
    extent.requireOpen()
    if (place.mode !== 'write') throw unsupportedIn(title, place.mode, 'reserveBlocks')
    const length = extent.range(offset, byteLength)
    if (length === 0) return
    truncation.requireLength(offset, length)
    link.use('read-write', (fd) => fileMapping.os.files.allocate(fd, place.offset + offset, length))
  }
}

/** A mapping whose file may change its length. */
export interface Resizable {
  readonly title: string
  readonly fileMapping: FileMapping
  /** First byte of the file that is mapped. */
  readonly offset: number
  /** Bytes mapped now. */
  readonly byteLength: number
}

/** Makes a file, open as `fd`, and its mapping so long that the mapping has `wanted` bytes. */
export function resizeFile(resizable: Resizable, fd: number, wanted: number): void {
  const { fileMapping, offset, byteLength } = resizable
  const { files } = fileMapping.os
  const fileEnd = files.status(fd).byteLength
  requireFreeEnd(resizable, fd, fileEnd, wanted)
  const end = offset + wanted
  const grow = wanted > 0 && end > fileEnd
  const growth = { os: fileMapping.os, title: resizable.title, fd, fileEnd, from: offset, end }
  if (grow) prepareGrowth(growth)
  if (wanted < byteLength) fileMapping.cover(wanted)
  else fileMapping.lay(fd, wanted)
  try {
    if (grow) finishGrowth(growth)
    else if (wanted < byteLength && fileEnd > end) files.truncate(fd, end)
  } catch (error) {
    if (wanted < byteLength) fileMapping.lay(fd, byteLength)
    else fileMapping.cover(byteLength)
    throw error
  }
}

/** Lets a mapping have what its file has now, up to `most` bytes; gives how many those are. */
function followFile({ fileMapping, offset, byteLength }: Resizable, fd: number, most: number): number {
  const { files } = fileMapping.os
  const available = (): number => Math.min(most, Math.max(0, files.status(fd).byteLength - offset))
  let wanted = available()
  fileMapping.cover(wanted)
  fileMapping.lay(fd, wanted)
  try {
    // What was cut in between must not stay under a page that views reach.
    for (let left = available(); left < wanted; left = available()) {
      fileMapping.cover(left)
      wanted = left
    }
    return wanted
  } catch (error) {
    fileMapping.cover(Math.min(wanted, byteLength))
    throw error
  }
}

/** Throws when something at the file's end would be lost. */
function requireFreeEnd(
  { title, fileMapping, offset, byteLength }: Resizable,
  fd: number,
  fileEnd: number,
  wanted: number
): void {
  if (wanted < byteLength && fileEnd > offset + byteLength)
    throw new UnsupportedOperationError(
      `${title} has ${bytes(fileEnd)} and goes on behind the mapping, which ends at ${offset + byteLength}: to make it shorter would ` +
        'cut what is not mapped'
    )
  if (offset + wanted !== fileEnd) refuseArenaAtEnd(title, fileMapping.os, fd, offset, fileEnd)
}

/** Throws when a file, mapped from an offset on, holds an arena: its length is part of where the arena's tables are. */
export function refuseArenaAtEnd(title: string, os: Os, fd: number, offset: number, fileEnd: number): void {
  if (holdsMappedArena(os, fd, offset, fileEnd)) throw arenaFixesLength(title)
}

function arenaFixesLength(title: string): ArenaBusyError {
  return new ArenaBusyError(`${title} holds an arena, whose tables are at its end: its length cannot be changed`)
}

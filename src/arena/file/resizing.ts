/**
 * Changing the length of a file under its mapping, without a moment in which a view could fault.
 *
 *     longer      blocks for the new bytes ─▶ the file is laid over the pages they are in
 *     shorter     empty pages over those that the file will lose ─▶ the file is cut
 *
 * Views stay valid throughout: over the part that was cut they read zero, and when the file grows again they show it again. What
 * fails on the way is taken back. Some 30 us in /dev/shm, 200 us on ext4: nearly all of it the file system's.
 * @module
 */
import { ArenaBusyError, UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { holdsMappedArena } from '../header.ts'
import { lengthenFile, shortenAgain } from './file-length.ts'
import type { FileMapping } from './file-mapping.ts'

/** A mapping whose file may change its length. */
export interface Resizable {
  readonly title: string
  readonly mapping: FileMapping
  /** First byte of the file that is mapped. */
  readonly offset: number
  /** Bytes mapped now. */
  readonly byteLength: number
}

/** Makes a file, open as `fd`, and its mapping so long that the mapping has `wanted` bytes. */
export function resizeFile(resizable: Resizable, fd: number, wanted: number): void {
  const { mapping, offset, byteLength } = resizable
  const { os } = mapping
  const fileEnd = os.files.status(fd).byteLength
  requireFreeEnd(resizable, fd, fileEnd, wanted)
  if (wanted < byteLength) {
    mapping.cover(wanted)
    try {
      setEnd(os, fd, fileEnd, offset, offset + wanted)
    } catch (error) {
      mapping.lay(fd, byteLength)
      throw error
    }
    return
  }
  if (offset + wanted > fileEnd) lengthenFile(os, fd, fileEnd, offset, offset + wanted)
  try {
    mapping.lay(fd, wanted)
  } catch (error) {
    shortenAgain(os, fd, fileEnd)
    throw error
  }
}

/** Cuts the file; or, when somebody else has cut it by more already, makes it longer again. */
function setEnd(os: Os, fd: number, fileEnd: number, offset: number, end: number): void {
  if (fileEnd > end) os.files.truncate(fd, end)
  else if (fileEnd < end) lengthenFile(os, fd, fileEnd, offset, end)
}

/** Throws when something at the file's end would be lost. */
function requireFreeEnd(
  { title, mapping, offset, byteLength }: Resizable,
  fd: number,
  fileEnd: number,
  wanted: number
): void {
  if (wanted < byteLength && fileEnd > offset + byteLength)
    throw new UnsupportedOperationError(
      `${title} has ${fileEnd} bytes and goes on behind the mapping, which ends at ${offset + byteLength}: to make it shorter would ` +
        'cut what is not mapped'
    )
  if (offset + wanted !== fileEnd && holdsMappedArena(mapping.os, fd, offset, fileEnd))
    throw new ArenaBusyError(`${title} holds an arena, whose tables are at its end: its length cannot be changed`)
}

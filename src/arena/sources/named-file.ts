/**
 * Arenas with a name: a file, in /dev/shm or anywhere, that any process finds by its path and that stays until it is unlinked.
 *
 * A new one is made whole, with all its blocks and its header, before it has a name (new-file.ts), so that no process ever sees
 * half of one. Of two that make the same at the same time the later one finds the other's. One that is there already must have been
 * placed there by us, or by those with whom it is said to be shared (placed-files.ts).
 *
 *     unlink      PATH ── is it the file we have? ── rename ──▶ .sorites-… ── is it still? ── remove
 *
 * A name is taken away only from the file that is behind our descriptor. Another file that took the name in the moment between the
 * question and the renaming is given its name back. What is left: if a third file takes the name in that moment too, the second
 * keeps its temporary name, and the error says so; and where files cannot be renamed without replacing others (NFS), the name is
 * removed right after the question. A process that is killed between the renaming and the removal leaves the temporary name; the next
 * arena that is made or unlinked in the folder removes it.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'
import { EEXIST, EINVAL, ENOENT, ENOSYS, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import type { FileStatus } from '../../ffi/os-files.ts'
import { newIdentity, writeHeader, writeIdentity } from '../format/header.ts'
import { fileLayoutOf, HEADER_BYTES } from '../format/layout.ts'
import { BackingKind } from '../mapping/backing.ts'
import type { CheckedOpening, CheckedOptions } from '../options.ts'
import { finishGrowth, prepareGrowth } from './file-length.ts'
import { NewFile, namingPath } from './new-file.ts'
import { notSealed, type OpenedArena, openFile, openOver } from './opened-arena.ts'
import { requirePlacedByUs } from './placed-files.ts'
import { removeStale, temporaryName } from './temporary-names.ts'

/** How often to begin anew when the name comes and goes. */
const ATTEMPTS = 10

/** Opens the arena at `path`, or makes it if that is asked for. */
export function openNamed(path: string, opening: CheckedOpening, options: CheckedOptions): OpenedArena {
  for (let attempt = 1; ; attempt++) {
    try {
      return foundSite(path, opening, options)
    } catch (error) {
      if (!isErrno(error, ENOENT) || !opening.create || attempt === ATTEMPTS) throw error
    }
    // A file with a name has no seals, so what would be made here would be refused at once.
    if (options.sealed) throw notSealed(path)
    const opened = createSite(path, opening, options)
    if (opened !== undefined) return opened
  }
}

function foundSite(path: string, opening: CheckedOpening, options: CheckedOptions): OpenedArena {
  const { files } = options.os
  // Some devices do something when they are opened.
  const found = files.statusAt(path)
  if (found !== undefined && !found.directory) requireRegular(path, found)
  const fd = files.open(path, 'read-write')
  try {
    const status = files.status(fd)
    requireRegular(path, status)
    requirePlacedByUs({ files, fd, status, path, permissions: opening.sharedWith })
  } catch (error) {
    files.close(fd)
    throw error
  }
  return openFile(fd, options, { path, byteLength: opening.byteLength })
}

function requireRegular(path: string, { regular }: FileStatus): void {
  if (!regular) throw new UnsupportedOperationError(`${path} is no ordinary file and holds no arena`)
}

/** A new arena; undefined when the name has been taken meanwhile. */
function createSite(path: string, opening: CheckedOpening, options: CheckedOptions): OpenedArena | undefined {
  const { os } = options
  // What a process that was killed in \`unlink\` has left here takes as much memory as an arena.
  removeStale(os, path)
  const layout = fileLayoutOf(opening.byteLength as number, os.pageSize)
  const identity = newIdentity()
  const file = NewFile.make(os, path, opening.permissions)
  try {
    takeBlocks(os, path, file.fd, layout.mappingBytes)
    const opened = openOver(layout, BackingKind.namedFile, file.fd, options, identity, path)
    return publish(opened, file)
  } finally {
    file.discard()
  }
}

/** Gives a new file all its blocks. Closes it when it cannot have them. */
function takeBlocks(os: Os, path: string, fd: number, byteLength: number): void {
  const growth = { os, title: path, fd, fileEnd: 0, from: 0, end: byteLength }
  try {
    namingPath(path, () => {
      prepareGrowth(growth)
      finishGrowth(growth)
    })
  } catch (error) {
    os.files.close(fd)
    throw error
  }
}

/** Completes a file and gives it its name; undoes the site when that cannot be had. */
function publish(opened: OpenedArena, file: NewFile): OpenedArena | undefined {
  const { mapping, layout, identity, fd } = opened
  const { os } = mapping
  let published = false
  try {
    const header = os.view(mapping.address(layout.metadataStart), HEADER_BYTES)
    writeHeader(header, layout, os.pageSize)
    if (identity !== undefined) writeIdentity(header, identity, os.threads.place())
    published = file.publish()
    return published ? opened : undefined
  } finally {
    if (!published) {
      os.release(mapping.base, layout.mappingBytes)
      os.files.close(fd)
    }
  }
}

/** Takes an arena's name away if it is still that of the file behind `fd`. Whether it was. */
export function unlinkNamed(os: Os, path: string, fd: number): boolean {
  const { files } = os
  const { identity } = files.status(fd)
  // Of a symbolic link the file's own name goes.
  const name = files.realPath(path)
  if (name === undefined || files.entryAt(name)?.identity !== identity) return false
  removeStale(os, name)
  const temporary = temporaryName(os, name, identity)
  try {
    files.rename(name, temporary)
  } catch (error) {
    if (isErrno(error, ENOENT)) return false
    if (!isErrno(error, EINVAL) && !isErrno(error, ENOSYS)) throw error
    return removeNow(os, name, identity)
  }
  if (files.entryAt(temporary)?.identity !== identity) {
    putBack(os, temporary, name)
    return false
  }
  try {
    files.remove(temporary)
    return true
  } catch (error) {
    putBack(os, temporary, name)
    throw error
  }
}

function removeNow(os: Os, name: string, identity: string): boolean {
  if (os.files.entryAt(name)?.identity !== identity) return false
  try {
    os.files.remove(name)
    return true
  } catch (error) {
    if (isErrno(error, ENOENT)) return false
    throw error
  }
}

/** Gives a file its name back. */
function putBack(os: Os, temporary: string, name: string): void {
  try {
    os.files.rename(temporary, name)
  } catch (error) {
    if (!isErrno(error, EEXIST)) throw error
    throw new UnsupportedOperationError(
      `${name} was replaced twice while it was unlinked: the file that had the name in between is ${temporary} now`
    )
  }
}

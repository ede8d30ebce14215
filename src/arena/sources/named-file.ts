/**
 * Arenas with a name: a file, in /dev/shm or anywhere, that any process finds by its path and that stays until it is unlinked.
 *
 * A new one is made whole, with all its blocks and its header, before it has a name (new-file.ts), so that no process ever sees
 * half of one. When two processes make the same name at the same time, the later one finds the arena of the other. One that is there already must have been
 * placed there by this user, or by one that `permissions` lets write (placed-files.ts).
 * @module
 */

import { ENOENT, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { type Identity, newIdentity, writeHeader, writeIdentity } from '../format/header.ts'
import { fileLayoutOf, HEADER_BYTES } from '../format/layout.ts'
import { BackingKind } from '../mapping/backing.ts'
import type { CheckedOpening, CheckedOptions } from '../options.ts'
import { finishGrowth, prepareGrowth } from './file-length.ts'
import { ATTEMPTS, NewFile, namingPath } from './new-file.ts'
import { notSealed, type OpenedArena, openFile, openOver, requireRegular } from './opened-arena.ts'
import { requirePlacedByUs } from './placed-files.ts'
import { removeStale } from './temporary-names.ts'

/** Opens the arena at `path`, or makes it if that is asked for. */
export function openNamed(path: string, opening: CheckedOpening, options: CheckedOptions): OpenedArena {
  for (let attempt = 1; ; attempt++) {
    try {
      return findNamed(path, opening, options)
    } catch (error) {
      if (!isErrno(error, ENOENT) || !opening.create || attempt === ATTEMPTS) throw error
    }
    // A file with a name has no seals, so what would be made here would be refused at once.
    if (options.sealed) throw notSealed(path)
    const opened = createNamed(path, opening, options)
    if (opened !== undefined) return opened
  }
}

function findNamed(path: string, opening: CheckedOpening, options: CheckedOptions): OpenedArena {
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

/** A new arena; undefined when the name has been taken meanwhile. */
function createNamed(path: string, opening: CheckedOpening, options: CheckedOptions): OpenedArena | undefined {
  const { os } = options
  // What a process that was killed in \`unlink\` has left here takes as much memory as an arena.
  removeStale(os, path)
  const layout = fileLayoutOf(opening.byteLength as number, os.pageSize)
  const identity = newIdentity()
  const file = NewFile.make(os, path, opening.permissions)
  try {
    takeBlocks(os, path, file.fd, layout.mappingBytes)
    const start = { origin: 'new', reach: 'processes', identity } as const
    const opened = openOver(layout, { kind: BackingKind.namedFile, fd: file.fd, path }, options, start)
    return publish(opened, file, identity)
  } finally {
    file.releaseName()
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

/** Completes a file and gives it its name; undoes the mapping when that cannot be had. */
function publish(opened: OpenedArena, file: NewFile, identity: Identity): OpenedArena | undefined {
  const { mapping, layout } = opened
  let published = false
  try {
    const header = mapping.range(layout.metadataStart, HEADER_BYTES)
    writeHeader(header, layout, mapping.pageSize)
    writeIdentity(header, identity, mapping.threads.place())
    published = file.publish()
    return published ? opened : undefined
  } finally {
    if (!published) mapping.owner.leave(false)
  }
}

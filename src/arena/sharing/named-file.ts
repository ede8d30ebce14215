/**
 * Arenas with a name: a file, in /dev/shm or anywhere, that any process finds by its path and that stays until it is unlinked.
 *
 * A new one is made whole under another name first, with all its blocks and its header, and then gets its own, so that nobody ever
 * sees half of one. Of two who make the same at the same time the one who is later finds the other's.
 *
 *     .sorites-<random>   create, allocate, header ──link──▶ PATH ──unlink──▶ PATH alone          in the same folder
 * @module
 */
import { dirname, join } from 'node:path'
import { SystemError } from '../../errors.ts'
import { EEXIST, ENOENT, fileError, isErrno } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { BackingKind } from '../backing.ts'
import { newIdentity, writeHeader, writeIdentity } from '../header.ts'
import { fileLayoutOf, HEADER_BYTES } from '../layout.ts'
import type { CheckedOpening, CheckedOptions } from '../options.ts'
import { generationOf } from './handle.ts'
import { existingSite, fileSite, notSealed, type Site } from './site.ts'

/** How often to begin anew when the name comes and goes. */
const ATTEMPTS = 10

/** Opens the arena at `path`, or makes it if that is asked for. */
export function namedSite(path: string, opening: CheckedOpening, options: CheckedOptions): Site {
  const { os } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return existingSite(os.files.open(path, 'read-write'), options, { path, byteLength: opening.byteLength })
    } catch (error) {
      if (!isErrno(error, ENOENT) || !opening.create || attempt === ATTEMPTS) throw error
    }
    // A file with a name has no seals, so what would be made here would be refused at once.
    if (options.sealed) throw notSealed(path)
    const site = createSite(path, opening, options)
    if (site !== undefined) return site
  }
}

/** Takes an arena's name away if it is still that of the file behind `fd`. Whether it was. */
export function unlinkNamed(os: Os, path: string, fd: number): boolean {
  try {
    if (os.files.statusAt(path)?.identity !== os.files.status(fd).identity) return false
    os.files.remove(path)
    return true
  } catch (error) {
    if (isErrno(error, ENOENT)) return false
    throw error
  }
}

/** A new arena; undefined when the name has been taken meanwhile. */
function createSite(path: string, opening: CheckedOpening, options: CheckedOptions): Site | undefined {
  const { os } = options
  const layout = fileLayoutOf(opening.byteLength as number, os.pageSize)
  const identity = newIdentity()
  // Not made of the path, which may be as long as names can be.
  const temporary = join(dirname(path), `.sorites-${generationOf(identity)}`)
  const fd = createFile(os, path, temporary, layout.mappingBytes, opening.permissions)
  try {
    const site = fileSite(layout, BackingKind.namedFile, fd, options, identity, path)
    return publish(site, temporary, path)
  } finally {
    unlinkQuietly(os, temporary)
  }
}

/** A file with all its blocks, under a temporary name. What fails is told of the one that was asked for, and leaves nothing behind. */
function createFile(os: Os, path: string, temporary: string, byteLength: number, permissions: number): number {
  let fd = -1
  try {
    fd = os.files.create(temporary, permissions)
    os.files.allocate(fd, 0, byteLength)
    return fd
  } catch (error) {
    if (fd >= 0) {
      os.files.close(fd)
      unlinkQuietly(os, temporary)
    }
    if (!(error instanceof SystemError)) throw error
    throw fileError(error.syscall, -error.errno, path, error.length)
  }
}

/** Completes a file and gives it its name; undoes the site when that cannot be had. */
function publish(site: Site, temporary: string, path: string): Site | undefined {
  const { ground, layout, identity, fd } = site
  const { os } = ground
  try {
    const header = os.view(ground.address(layout.metadataStart), HEADER_BYTES)
    writeHeader(header, layout, os.pageSize)
    if (identity !== undefined) writeIdentity(header, identity, os.threads.place())
    os.files.link(temporary, path)
    return site
  } catch (error) {
    os.release(ground.base, layout.mappingBytes)
    os.files.close(fd)
    if (isErrno(error, EEXIST)) return undefined
    throw error
  }
}

/** What is left then is a second name for the file, or for nothing. */
function unlinkQuietly(os: Os, path: string): void {
  try {
    os.files.remove(path)
  } catch {
    // It has served; there is nothing to be done about it.
  }
}

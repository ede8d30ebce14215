/**
 * How an arena comes to its addresses: reserve, lay a file over them if there is one, advise, name, and the first pages if they
 * are wanted. What fails on the way leaves nothing behind.
 *
 *     addresses   | data                        | metadata       |
 *     file        | metadata       | data                        |      so that its header is at its start
 *
 * Advice against huge pages is given for the whole mapping at once, here and not at the first touch: one call of half a
 * microsecond, after which a byte touched costs a page and no more. Huge pages in the metadata, even where they are wanted in the data,
 * would cost 2 MiB for the first claim.
 * @module
 */
import { ENOMEM, isErrno, systemError } from '../../ffi/errno.ts'
import type { Os } from '../../ffi/os.ts'
import { type Address, GiB } from '../../units.ts'
import { ARENA_ALIGNMENT, type Layout } from '../format/layout.ts'
import { anonymousBacking, type Backing, type BackingKind, backingOf } from '../mapping/backing.ts'
import { waitingBytes } from '../mapping/lifetime.ts'
import { OsMapping } from '../mapping/os-mapping.ts'
import { NO_FILE, type OwnFile } from '../mapping/own-file.ts'
import { SoleOwner } from '../mapping/owner.ts'
import type { CheckedOptions } from '../options.ts'

/** A mapping that was made, and where it is. */
export interface Reserved {
  readonly mapping: OsMapping
  readonly base: Address
}

/** Reserves what a layout needs. Throws a `SystemError`; nothing is taken then. */
export function reserveMapping(layout: Layout, options: CheckedOptions): Reserved {
  return furnish(layout, options, NO_FILE, () => anonymousBacking(options.os))
}

/**
 * Maps a file that has what a layout needs. Throws a `SystemError`; nothing is taken then. The descriptor stays open, and is the
 * caller's to close.
 */
export function mapFilePages(layout: Layout, kind: BackingKind, file: OwnFile, options: CheckedOptions): Reserved {
  return furnish(layout, options, file, (base) => {
    const { os } = options
    const { byteLength, metadataBytes } = layout
    os.mapFile(base, byteLength, file.fd, metadataBytes, 'shared', 'read-write')
    os.mapFile((base + byteLength) as Address, metadataBytes, file.fd, 0, 'shared', 'read-write')
    return backingOf(kind, os, file, base, metadataBytes)
  })
}

function furnish(layout: Layout, options: CheckedOptions, file: OwnFile, back: (base: Address) => Backing): Reserved {
  const { os, name } = options
  const base = reserveAddresses(os, layout)
  try {
    const owner = new SoleOwner(os, base, layout.mappingBytes, file)
    const mapping = new OsMapping(os, base, back(base), owner)
    os.adviseHugePages(base, layout.mappingBytes, 'never')
    if (name !== undefined) os.name(base, layout.mappingBytes, name)
    applyOptions({ mapping, base }, layout, options)
    return { mapping, base }
  } catch (error) {
    os.release(base, layout.mappingBytes)
    throw error
  }
}

/** Does to the pages of a mapping what the options ask for. */
export function applyOptions({ mapping, base }: Reserved, layout: Layout, options: CheckedOptions): void {
  const { os, hugePages, populate, dump } = options
  if (!dump) os.keepFromDumps(base, layout.mappingBytes)
  if (hugePages === 'advise') os.adviseHugePages(base, layout.byteLength, 'advise')
  if (populate) mapping.populate(0, layout.byteLength)
}

/** Reserves the addresses, and says when closed arenas are what keeps them. */
function reserveAddresses(os: Os, layout: Layout): Address {
  try {
    return os.reserve(layout.mappingBytes, ARENA_ALIGNMENT)
  } catch (error) {
    const waiting = (waitingBytes() / GiB).toFixed(3)
    if (!isErrno(error, ENOMEM) || waitingBytes() === 0) throw error
    const remedy = `; ${waiting} GiB of closed arenas wait for the garbage collector: keep an arena and reset its allocators`
    throw systemError(error.syscall, ENOMEM, { length: layout.mappingBytes, detail: remedy })
  }
}

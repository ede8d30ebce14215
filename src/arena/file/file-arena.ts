/**
 * The arena in a mapped file, so that a heap lives on in it: data from the mapping's first byte on, metadata in its last part.
 *
 *     mapping   |0  data                              |  header  directory | claims' metadata     |
 *     arena     |0                          byteLength|            seen by no window of the arena |
 *
 * A file that holds an arena already is recognised by its header and taken as it is, its claims included (claims/other-claims.ts).
 * Otherwise the metadata must read zero: in copy mode empty pages are put there; in write mode nothing is overwritten, and a file
 * that holds anything else in that place is refused. Nothing is written before the first claim.
 *
 * Holes in the file are known to read zero, window by window, as long as no view of the file has been made. Opening takes a few
 * microseconds for a hole, and reading time for metadata that may hold something.
 * @module
 */
import { alignDown } from '../../bits.ts'
import { OutOfRangeError, TruncatedError, UnsupportedOperationError } from '../../errors.ts'
import { type Address, MiB } from '../../units.ts'
import { type Arena, arenaOver } from '../arena.ts'
import type { ArenaStart } from '../claims/directory-access.ts'
import { holdsMappedArena, holdsNamedArena } from '../format/header.ts'
import { type Layout, layoutWithin, MAGIC, WINDOW_BYTES } from '../format/layout.ts'
import { BackingKind } from '../mapping/backing.ts'
import type { Lifetime } from '../mapping/lifetime.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { OpenState } from '../mapping/open-state.ts'
import { NO_FILE } from '../mapping/own-file.ts'
import type { OpenedArena } from '../sources/opened-arena.ts'
import { OsPlace } from '../sources/os-place.ts'
import { USUAL_WINDOW_BYTES } from '../views/windows.ts'
import type { FileLink } from './file-link.ts'
import type { FileMapping, FilePlace } from './file-mapping.ts'

/** What an arena in a file is made from. */
export interface FileArenaSource {
  readonly title: string
  readonly place: FilePlace
  /** Bytes that are mapped now. */
  readonly byteLength: number
  readonly fileMapping: FileMapping
  /** That of the mapping. */
  readonly mapping: Mapping
  readonly link: FileLink
  readonly lifetime: Lifetime
  readonly openState: OpenState
  /** Whether there are views of the file, through which any code may write. */
  readonly exposed: boolean
  /** Bytes in the windows that its views come from; undefined: the usual. */
  readonly windowBytes: number | undefined
}

/** The first position of the mapping, from one on, that may not read zero. */
type NextData = (position: number) => number

/** Opens the arena in a mapped file. Changes nothing when it throws. */
export function openFileArena(source: FileArenaSource): Arena {
  const { title, place, byteLength, fileMapping, lifetime, openState, exposed } = source
  const { os } = fileMapping
  if (place.offset % os.pageSize !== 0)
    throw new OutOfRangeError('options.offset', `a multiple of ${os.pageSize}, for an arena in the file`, place.offset)
  const layout = layoutWithin(byteLength, os.pageSize)
  if (layout === undefined)
    throw new OutOfRangeError(
      'options.byteLength',
      `at least ${leastBytes(os.pageSize)} bytes, for an arena in the file`,
      byteLength
    )
  const { mappingBytes } = layout
  // The last page is the first to go.
  const intact = (): boolean => os.copyOut((fileMapping.base + mappingBytes - 1) as Address, 1, new Uint8Array(1)) === 1
  const { windowBytes = USUAL_WINDOW_BYTES } = source
  const parts = { title: `the arena in ${title}`, lifetime, openState, intact, windowBytes }
  if (hasMagic(source, layout))
    return arenaOver({ ...parts, opened: openedIn(source, layout, true), exposed: () => true })
  return withHoles(source, (nextData) => {
    makeRoom(source, layout, nextData)
    const end = (window: number): number => Math.min((window + 1) * WINDOW_BYTES, layout.byteLength)
    const written = (window: number): boolean => exposed || nextData(window * WINDOW_BYTES) < end(window)
    return arenaOver({ ...parts, opened: openedIn(source, layout, false), exposed: written })
  })
}

/** In write mode others can have the arena too: they map the same file. `found`: whether the file holds the arena already. */
function openedIn({ fileMapping, mapping, place }: FileArenaSource, layout: Layout, found: boolean): OpenedArena {
  const common = place.mode === 'write'
  const kind = common ? BackingKind.mappedFile : BackingKind.fileCopy
  const { os, base } = fileMapping
  return {
    layout,
    mapping,
    start: found ? startOfFound(common) : startOfNew(common),
    place: new OsPlace({ os, base, layout, kind, file: NO_FILE, path: undefined }),
    name: undefined,
  }
}

function startOfFound(common: boolean): ArenaStart {
  return common
    ? { origin: 'existing', reach: 'processes', proof: 'at once' }
    : { origin: 'existing', reach: 'process' }
}

/** Another process may be making the same arena in the same file: the first one that claims gives it its identity. */
function startOfNew(common: boolean): ArenaStart {
  return common ? { origin: 'new', reach: 'processes', identity: undefined } : { origin: 'new', reach: 'process' }
}

function hasMagic({ fileMapping }: FileArenaSource, layout: Layout): boolean {
  const word = new Uint32Array(1)
  const copied = fileMapping.os.copyOut(fileMapping.address(layout.metadataStart), 4, new Uint8Array(word.buffer))
  return copied === word.byteLength && word[0] === MAGIC
}

/** Sees to it that the metadata reads zero. */
function makeRoom(source: FileArenaSource, layout: Layout, nextData: NextData): void {
  const { title, place, fileMapping } = source
  refuseOtherArena(source)
  const { metadataStart, metadataBytes } = layout
  if (place.mode === 'copy') fileMapping.os.replace(fileMapping.address(metadataStart), metadataBytes)
  else if (!readsZero(source, metadataStart, metadataStart + metadataBytes, nextData))
    throw new UnsupportedOperationError(
      `${title} holds other data in the last ${metadataBytes} bytes of the mapping, where an arena has its tables: nothing was ` +
        'changed. Map a new file, or one that reads zero there'
    )
}

/** Throws when the file holds an arena that is not the one that would be here. */
function refuseOtherArena({ title, place, byteLength, fileMapping, link }: FileArenaSource): void {
  const { os } = fileMapping
  const { pageSize } = os
  if (link.byteLength() !== undefined && place.offset === 0 && link.use('read', (fd) => holdsNamedArena(os, fd)))
    throw new UnsupportedOperationError(
      `${title} holds an arena that Arena.open has made, and opens: nothing was changed`
    )
  const fileEnd = link.byteLength()
  if (fileEnd === undefined || alignDown(fileEnd - place.offset, pageSize) === alignDown(byteLength, pageSize)) return
  if (link.use('read', (fd) => holdsMappedArena(os, fd, place.offset, fileEnd)))
    throw new UnsupportedOperationError(
      `${title} holds an arena of ${fileEnd - place.offset} bytes and ${byteLength} are mapped: map it to its end`
    )
}

/** Whether a range of the mapping reads zero. Holes are skipped, the rest is read. */
function readsZero(source: FileArenaSource, from: number, to: number, nextData: NextData): boolean {
  const { title, fileMapping } = source
  const part = new Uint8Array(Math.min(MiB, to - from))
  const zeros = new Uint8Array(part.length)
  for (let at = nextData(from); at < to; at = nextData(at + part.length)) {
    const length = Math.min(part.length, to - at)
    if (fileMapping.os.copyOut(fileMapping.address(at), length, part) < length)
      throw new TruncatedError(`${title} does not have all its pages any more`)
    if (Buffer.compare(part.subarray(0, length), zeros.subarray(0, length)) !== 0) return false
  }
  return true
}

/** Runs something that asks for holes. Where there is no way back to the file, there are none. */
function withHoles<T>({ place, fileMapping, link }: FileArenaSource, run: (nextData: NextData) => T): T {
  const { files } = fileMapping.os
  if (link.byteLength() === undefined) return run((position) => position)
  return link.use('read', (fd) => run((position) => files.nextData(fd, place.offset + position) - place.offset))
}

/** The shortest mapping that holds an arena. */
function leastBytes(pageSize: number): number {
  let pages = 1
  while (layoutWithin(pages * pageSize, pageSize) === undefined) pages++
  return pages * pageSize
}

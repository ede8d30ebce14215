/**
 * The ways to come to an arena: reserve pages of this process, make a file in memory, map a file that holds an arena, join what another
 * thread has mapped. Each gives an `OpenedArena`, of which an arena object is made. What fails on the way leaves nothing behind.
 *
 *     way              start                                        reach of the memory
 *     reservePrivate   new, none there                              this arena object, and threads once a handle is made
 *     reserveShared    new, with an identity                        threads and processes
 *     openOver         new, with an identity (named-file.ts)        threads and processes
 *     openFile         existing                                     threads and processes
 *     joinThreads      existing                                     threads, and processes where it is a file
 *     attachTo         one of the last two, by what the source is
 * @module
 */
import { resolve } from 'node:path'
import { alignUp } from '../../bits.ts'
import { CorruptedError, OutOfRangeError, UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import type { FileStatus } from '../../ffi/os-files.ts'
import { rangeOf } from '../buffer-range.ts'
import type { ArenaStart } from '../claims/directory-access.ts'
import { holdsMappedArena, identityText, newIdentity, readHeader, requireFileLayout } from '../format/header.ts'
import { HEADER_BYTES, type Layout, layoutOf } from '../format/layout.ts'
import { BackingKind, backingOf } from '../mapping/backing.ts'
import type { Mapping } from '../mapping/mapping.ts'
import { OsMapping } from '../mapping/os-mapping.ts'
import { isOurs, NO_FILE, ownFile } from '../mapping/own-file.ts'
import type { CheckedOptions } from '../options.ts'
import { ThreadOwner } from '../threads/thread-owner.ts'
import type { ArenaPlace } from './arena-place.ts'
import type { FoundSource, ThreadSource } from './handle.ts'
import { OsPlace } from './os-place.ts'
import { applyOptions, mapFilePages, reserveMapping } from './reserve.ts'

/** All that an arena object is made of. */
export interface OpenedArena {
  readonly layout: Layout
  readonly mapping: Mapping
  readonly start: ArenaStart
  readonly place: ArenaPlace
  /** The arena's name in messages. */
  readonly name: string | undefined
}

/** Pages of this process. */
export function reservePrivate(byteLength: number, options: CheckedOptions): OpenedArena {
  const { os, name } = options
  const layout = layoutOf(byteLength, os.pageSize)
  const { mapping, base } = reserveMapping(layout, options)
  const place = new OsPlace({ os, base, layout, kind: BackingKind.anonymous, file: NO_FILE, path: undefined })
  return { layout, mapping, start: { origin: 'new', reach: 'process' }, place, name }
}

/** A new file in memory. */
export function reserveShared(byteLength: number, options: CheckedOptions): OpenedArena {
  const { os, name } = options
  const layout = layoutOf(byteLength, os.pageSize)
  const fd = os.files.createInMemory(layout.mappingBytes, name === undefined ? 'sorites' : `sorites:${name}`)
  const start: ArenaStart = { origin: 'new', reach: 'processes', identity: newIdentity() }
  return openOver(layout, { kind: BackingKind.memoryFile, fd, path: undefined }, options, start)
}

/** The file that an arena lies in. */
interface ArenaFile {
  readonly kind: BackingKind
  readonly fd: number
  readonly path: string | undefined
}

/** A file of a certain layout. The descriptor is the arena's from now on: closed when the file cannot be mapped. */
export function openOver(
  layout: Layout,
  { kind, fd, path }: ArenaFile,
  options: CheckedOptions,
  start: ArenaStart
): OpenedArena {
  const { os, name } = options
  try {
    const file = ownFile(os, fd)
    const { mapping, base } = mapFilePages(layout, kind, file, options)
    return { layout, mapping, start, place: new OsPlace({ os, base, layout, kind, file, path }), name }
  } catch (error) {
    os.files.close(fd)
    throw error
  }
}

/** What a file must turn out to be. */
export interface Expectation {
  /** Its name, where it was opened by one. */
  readonly path?: string | undefined
  readonly generation?: string | undefined
  readonly byteLength?: number | undefined
  /** Bytes of data, exactly: of a handle. */
  readonly dataBytes?: number | undefined
}

/** A path that leads to a descriptor of a process. */
const DESCRIPTOR_PATH = /^\/proc\/(self|\d+)\/(task\/\d+\/)?fd\/\d+$/

interface Inspected {
  readonly layout: Layout
  /** Whether it can become neither shorter nor longer. */
  readonly sealed: boolean
}

/** A file that holds an arena already. The descriptor is the arena's from now on: closed when the file is not what it must be. */
export function openFile(fd: number, options: CheckedOptions, expectation: Expectation): OpenedArena {
  const { os } = options
  const { path } = expectation
  let inspected: Inspected
  try {
    inspected = inspect(fd, options, expectation)
  } catch (error) {
    os.files.close(fd)
    throw error
  }
  // Seals cannot be taken back, and this is the descriptor that is mapped.
  const kind = inspected.sealed ? BackingKind.memoryFile : BackingKind.namedFile
  // The way to a descriptor is no name: it ends when that descriptor is closed, and ours goes on.
  const name = path !== undefined && DESCRIPTOR_PATH.test(path) ? undefined : path
  const start: ArenaStart = { origin: 'existing', reach: 'processes', proof: 'when needed' }
  return openOver(inspected.layout, { kind, fd, path: name }, options, start)
}

/** Reads the header, and compares. What is no ordinary file is not read: reading may wait for ever, or take something away. */
function inspect(fd: number, { os, sealed: wantsSeals }: CheckedOptions, expectation: Expectation): Inspected {
  const { generation, byteLength, dataBytes } = expectation
  const name = expectation.path ?? `descriptor ${fd}`
  const status = os.files.status(fd)
  requireRegular(name, status)
  const { byteLength: fileLength } = status
  const sealed = os.files.isSealed(fd)
  if (wantsSeals && !sealed) throw notSealed(name)
  const header = new Uint8Array(HEADER_BYTES)
  // The length of a pseudo-file is 0 however much can be read.
  if (fileLength > 0) os.files.read(fd, header, 0)
  refuseMapped(fd, os, fileLength, name)
  const { layout, identity } = readHeader(rangeOf(header.buffer), os.pageSize, name)
  if (layout.mappingBytes !== fileLength)
    throw new CorruptedError(
      `${name}: arena header: "byteLength" expected a file of ${layout.mappingBytes} bytes, got ${fileLength}`
    )
  requireFileLayout(layout, os.pageSize, name)
  if (generation !== undefined && generation !== identityText(identity))
    throw new OutOfRangeError('source.generation', `${identityText(identity)}, that of ${name}`, generation)
  if (dataBytes !== undefined && dataBytes !== layout.byteLength)
    throw new OutOfRangeError('source.byteLength', `${layout.byteLength}, the length of ${name}`, dataBytes)
  if (byteLength !== undefined && alignUp(byteLength, os.pageSize) !== layout.byteLength)
    throw new OutOfRangeError('options.byteLength', `${layout.byteLength}, the length of ${name}`, byteLength)
  return { layout, sealed }
}

/** Throws for what is no ordinary file. */
export function requireRegular(name: string, { regular }: FileStatus): void {
  if (!regular) throw new UnsupportedOperationError(`${name} is no ordinary file and holds no arena`)
}

/** The refusal of a file that others can shorten. */
export function notSealed(name: string): UnsupportedOperationError {
  return new UnsupportedOperationError(
    `options.sealed: ${name} is not a file in memory whose length is sealed: another process can shorten it, which ends this one`
  )
}

/** A mapped file's arena has its header behind the data. */
function refuseMapped(fd: number, os: Os, fileLength: number, name: string): void {
  if (holdsMappedArena(os, fd, 0, fileLength))
    throw new UnsupportedOperationError(
      `${name} holds the arena of a mapped file: mapFile(path, { mode: 'write' }).arena opens it`
    )
}

/** What a source leads to, of another thread or in a file. */
export function attachTo(found: FoundSource, options: CheckedOptions): OpenedArena {
  const { files } = options.os
  if ('table' in found) return joinThreads(found, options)
  if ('fd' in found) return openFile(files.duplicate(found.fd), options, {})
  const { generation, byteLength } = found
  const path = resolve(found.path)
  return openFile(files.open(path, 'read-write'), options, { path, generation, dataBytes: byteLength })
}

/** What another thread of this process has mapped. */
function joinThreads(source: ThreadSource, options: CheckedOptions): OpenedArena {
  const { os, name } = options
  const owner = ThreadOwner.join(os, source.table)
  const { base, layout, kind, file } = owner.table.facts
  try {
    if (options.sealed && file.fd >= 0 && !(isOurs(os, file) && os.files.isSealed(file.fd)))
      throw notSealed('the arena of this handle')
    const mapping = new OsMapping(os, base, backingOf(kind, os, file, base, layout.metadataBytes), owner)
    applyOptions({ mapping, base }, layout, options)
    const reach = kind === BackingKind.anonymous ? 'threads' : 'processes'
    const place = new OsPlace({ os, base, layout, kind, file, path: source.path }, owner)
    return { layout, mapping, start: { origin: 'existing', reach, proof: 'when needed' }, place, name }
  } catch (error) {
    owner.leave(false)
    throw error
  }
}

/**
 * Where an arena is: its mapping, and what else there is to know of it to make an arena object of it. There are four ways to come
 * to one: reserve pages of this process, make a file in memory, map a file that holds an arena, take part in what another thread
 * has mapped. What fails on the way leaves nothing behind.
 * @module
 */
import { alignUp } from '../../bits.ts'
import { CorruptedError, OutOfRangeError, UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import {
  holdsMappedArena,
  type Identity,
  identityText,
  newIdentity,
  readHeader,
  requireFileLayout,
} from '../format/header.ts'
import { HEADER_BYTES, type Layout, layoutOf } from '../format/layout.ts'
import { BackingKind, backingOf } from '../mapping/backing.ts'
import { Mapping } from '../mapping/mapping.ts'
import { type MappingOwner, SoleOwner } from '../mapping/owner.ts'
import type { CheckedOptions } from '../options.ts'
import { ThreadOwner } from '../threads/thread-owner.ts'
import type { ThreadTable } from '../threads/thread-table.ts'
import { mapFilePages, reserveMapping } from './reserve.ts'

/** A handle of another thread, found to be one. */
export interface ThreadSource {
  readonly table: ThreadTable
  readonly path: string | undefined
}

export interface OpenedArena {
  readonly layout: Layout
  readonly mapping: Mapping
  readonly owner: MappingOwner
  readonly kind: BackingKind
  /** The descriptor of its file, or -1. */
  readonly fd: number
  /** The file's name; undefined when it has none. */
  readonly path: string | undefined
  /** For a new arena that others can have: who it is to be. Of one that exists undefined: its header says. */
  readonly identity: Identity | undefined
  /** Whether others can have it, and may be there already. */
  readonly common: boolean
  /** Whether a directory of claims is there already that nobody here has read. */
  readonly recorded: boolean
  readonly name: string | undefined
}

/** Pages of this process. */
export function reservePrivate(byteLength: number, options: CheckedOptions): OpenedArena {
  const layout = layoutOf(byteLength, options.os.pageSize)
  const mapping = reserveMapping(layout, options)
  const owner = new SoleOwner(options.os, mapping.base, layout.mappingBytes, -1)
  const kind = BackingKind.anonymous
  return {
    layout,
    mapping,
    owner,
    kind,
    fd: -1,
    path: undefined,
    identity: undefined,
    common: false,
    recorded: false,
    name: options.name,
  }
}

/** A new file in memory. */
export function reserveShared(byteLength: number, options: CheckedOptions): OpenedArena {
  const { os, name } = options
  const layout = layoutOf(byteLength, os.pageSize)
  const fd = os.files.createInMemory(layout.mappingBytes, name === undefined ? 'sorites' : `sorites:${name}`)
  return openOver(layout, BackingKind.memoryFile, fd, options, newIdentity())
}

/** A file of a certain layout. It is the site's from now on: closed when it cannot be mapped. */
export function openOver(
  layout: Layout,
  kind: BackingKind,
  fd: number,
  options: CheckedOptions,
  identity: Identity | undefined,
  path?: string
): OpenedArena {
  const { os, name } = options
  try {
    const mapping = mapFilePages(layout, kind, fd, options)
    const owner = new SoleOwner(os, mapping.base, layout.mappingBytes, fd)
    return { layout, mapping, owner, kind, fd, path, identity, common: true, recorded: false, name }
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

/** A file that holds an arena already. The descriptor is the site's from now on: closed when the file is not what it must be. */
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
  return openOver(inspected.layout, kind, fd, options, undefined, name)
}

/** Reads the header, and compares. What is no ordinary file is not read: reading may wait for ever, or take something away. */
function inspect(fd: number, { os, sealed: wantsSeals }: CheckedOptions, expectation: Expectation): Inspected {
  const { generation, byteLength, dataBytes } = expectation
  const name = expectation.path ?? `descriptor ${fd}`
  const { regular, byteLength: fileLength } = os.files.status(fd)
  if (!regular) throw new UnsupportedOperationError(`${name} is no ordinary file and holds no arena`)
  const sealed = os.files.isSealed(fd)
  if (wantsSeals && !sealed) throw notSealed(name)
  const header = new Uint8Array(HEADER_BYTES)
  // The length of a pseudo-file is 0 however much can be read.
  if (fileLength > 0) os.files.read(fd, header, 0)
  refuseMapped(fd, os, fileLength, name)
  const { layout, identity } = readHeader(header.buffer, os.pageSize, name)
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

/** What another thread of this process has mapped. */
export function joinThreads(source: ThreadSource, options: CheckedOptions): OpenedArena {
  const { os, name } = options
  const owner = ThreadOwner.join(os, source.table)
  const { base, layout, kind, fd } = owner.table.facts
  if (options.sealed && fd >= 0 && !os.files.isSealed(fd)) {
    owner.leave(false)
    throw notSealed('the arena of this handle')
  }
  const mapping = new Mapping(os, base, backingOf(kind, os, fd, base, layout))
  try {
    if (!options.dump) os.keepFromDumps(base, layout.mappingBytes)
    if (options.hugePages === 'advise') os.adviseHugePages(base, layout.byteLength, 'advise')
    if (options.populate) mapping.populate(0, layout.byteLength)
  } catch (error) {
    owner.leave(false)
    throw error
  }
  return {
    layout,
    mapping,
    owner,
    kind,
    fd,
    path: source.path,
    identity: undefined,
    common: true,
    recorded: false,
    name,
  }
}

/**
 * Handles: small values by which another thread, or another process, finds an arena again.
 *
 *     arena.handle()      { byteLength, generation, token, path? }        plain and frozen; survives postMessage and JSON
 *     { fd }              a descriptor that this process has inherited
 *     { path }            a file, or /proc/<pid>/fd/<n>
 *
 * Between threads the token leads to the table of the arena's threads (threads/thread-table.ts). It holds no address, and it is sealed: its
 * content, and all else in the handle, goes into a keyed hash whose key only the threads of this process have.
 *
 *     token, in hexadecimal    | table 4 | uses 4 | process 8 | seal 16 | sum 8 |
 *     process                  the process that made it: a hash of the key
 *     seal                     HMAC of table, uses, byteLength, generation, path
 *     sum                      hash of all of that, without a key: what another process can verify of a handle that was altered
 *
 * In another process only the handle's path leads to the arena: one that was reserved with `shared`, or opened by name, has a path. The
 * generation is the arena's identity: what is found by the path must have the same, and the same length.
 * @module
 */
import { Buffer } from 'node:buffer'
import { createHash, createHmac } from 'node:crypto'
import { descriptor, filePath, type UrlLike, wholeNumber } from '../../arguments.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { identityText } from '../format/header.ts'
import { closedInAllThreads, type TablePlace, ThreadTable } from '../threads/thread-table.ts'

/** What `arena.handle()` gives. */
export interface ArenaHandle {
  /** Bytes of data. */
  readonly byteLength: number
  /** Which arena this is, among all there ever were. */
  readonly generation: string
  /** For threads of the same process: opaque text, which is refused when it, or anything else in the handle, was altered. */
  readonly token: string
  /** For other processes; undefined when they cannot have the arena. */
  readonly path?: string | undefined
}

/** What `Arena.attach` takes. */
export type ArenaSource = ArenaHandle | { readonly fd: number } | { readonly path: string | UrlLike }

/** A file, and what its arena must be. @internal */
export interface PathSource {
  readonly path: string
  readonly generation: string | undefined
  readonly byteLength: number | undefined
}

/** A source whose fields are of the right kinds. @internal */
export type CheckedSource = ArenaHandle | { readonly fd: number } | PathSource

/** A source that leads somewhere. @internal */
export type FoundSource = ThreadSource | { readonly fd: number } | PathSource

/** A handle of another thread, found to be one. @internal */
export interface ThreadSource {
  readonly table: ThreadTable
  readonly path: string | undefined
}

/** Bytes of a token's parts. */
const PLACE_BYTES = 8
const PROCESS_BYTES = 8
const SEAL_BYTES = 16
const SUM_BYTES = 8
const TOKEN = /^[0-9a-f]{80}$/
const VERSION = 'sorites handle 1'

/** The handle of an arena that other threads can have. @internal */
export function handleOf(os: Os, table: ThreadTable, path: string | undefined): ArenaHandle {
  const { byteLength } = table.facts.layout
  const generation = identityText(table.facts.identity)
  const place = Buffer.alloc(PLACE_BYTES)
  place.writeUInt32LE(table.place.number, 0)
  place.writeUInt32LE(table.place.uses, 4)
  const fields = { byteLength, generation, path }
  const sealed = Buffer.concat([place, processOf(os), sealOf(os, place, fields)])
  const token = Buffer.concat([sealed, sumOf(sealed, fields)]).toString('hex')
  // Without the key: a property that is undefined would be one in JSON's eyes and none in others'.
  return Object.freeze(path === undefined ? { byteLength, generation, token } : { byteLength, generation, token, path })
}

/** Throws unless the source is of one of the three kinds. Every field of it is read once. @internal */
export function checkSource(source: unknown): CheckedSource {
  if (typeof source !== 'object' || source === null) throw notASource(source)
  const { byteLength, generation, token, fd, path } = source as Record<string, unknown>
  if (generation !== undefined && typeof generation !== 'string')
    throw new InvalidArgumentTypeError('source.generation', 'a string', generation)
  if (token !== undefined) {
    if (typeof token !== 'string') throw new InvalidArgumentTypeError('source.token', 'a string', token)
    if (generation === undefined) throw new InvalidArgumentTypeError('source.generation', 'a string', generation)
    return {
      byteLength: wholeNumber('source.byteLength', byteLength, 1),
      generation,
      token,
      path: path === undefined ? undefined : filePath('source.path', path),
    }
  }
  if (fd !== undefined) return { fd: descriptor('source.fd', fd) }
  if (path === undefined) throw notASource(source)
  return {
    path: filePath('source.path', path),
    generation,
    byteLength: byteLength === undefined ? undefined : wholeNumber('source.byteLength', byteLength, 1),
  }
}

/** Where a source leads. Throws ERR_OUT_OF_RANGE for a handle that was altered, ERR_ARENA_CLOSED for one whose arena is gone. @internal */
export function findSource(os: Os, source: CheckedSource): FoundSource {
  if (!('token' in source)) return source
  const { token, path } = source
  if (!TOKEN.test(token)) throw altered(token)
  const bytes = Buffer.from(token, 'hex')
  const sealed = bytes.subarray(0, -SUM_BYTES)
  if (!bytes.subarray(-SUM_BYTES).equals(sumOf(sealed, source))) throw altered(token)
  const place = bytes.subarray(0, PLACE_BYTES)
  const process = bytes.subarray(PLACE_BYTES, PLACE_BYTES + PROCESS_BYTES)
  if (!process.equals(processOf(os))) return ofAnotherProcess(source)
  if (!sealed.subarray(-SEAL_BYTES).equals(sealOf(os, place, source))) throw altered(token)
  const table = ThreadTable.at(os, placeIn(place))
  if (table === undefined) throw closedInAllThreads()
  return { table, path }
}

function ofAnotherProcess({ path, generation, byteLength }: ArenaHandle): PathSource {
  if (path !== undefined) return { path, generation, byteLength }
  throw new OutOfRangeError(
    'source',
    'a handle of this process, or of an arena that was reserved with { shared: true }',
    'one of an arena that is private to another process'
  )
}

function placeIn(bytes: Buffer): TablePlace {
  return { number: bytes.readUInt32LE(0), uses: bytes.readUInt32LE(4) }
}

function notASource(source: unknown): InvalidArgumentTypeError {
  return new InvalidArgumentTypeError('source', "an arena's handle, { fd } or { path }", source)
}

function altered(token: string): OutOfRangeError {
  return new OutOfRangeError('source.token', 'that of a handle as it was given, with all its fields unaltered', token)
}

type Fields = Pick<ArenaHandle, 'byteLength' | 'generation' | 'path'>

function textOf({ byteLength, generation, path }: Fields): string {
  return JSON.stringify([byteLength, generation, path ?? null])
}

/** Per kernel interface, since it never changes. */
const processes: WeakMap<Os, Buffer> = new WeakMap()

function processOf(os: Os): Buffer {
  let process = processes.get(os)
  if (process === undefined) {
    process = createHmac('sha256', os.commons.secret).update(`${VERSION} process`).digest().subarray(0, PROCESS_BYTES)
    processes.set(os, process)
  }
  return process
}

function sealOf(os: Os, place: Uint8Array, fields: Fields): Buffer {
  const hash = createHmac('sha256', os.commons.secret).update(`${VERSION} seal`).update(place).update(textOf(fields))
  return hash.digest().subarray(0, SEAL_BYTES)
}

function sumOf(sealed: Uint8Array, fields: Fields): Buffer {
  return createHash('sha256').update(VERSION).update(sealed).update(textOf(fields)).digest().subarray(0, SUM_BYTES)
}

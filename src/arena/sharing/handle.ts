/**
 * Handles: small values by which another thread, or another process, finds an arena again.
 *
 *     arena.handle()      { byteLength, generation, control, path? }      survives postMessage; control is a SharedArrayBuffer
 *     { fd }              a descriptor that this process has inherited
 *     { path }            a file, or /proc/<pid>/fd/<n>
 *
 * Between threads the control words lead to the mapping (control.ts). A handle that went to another process as JSON has lost them,
 * and has its path left, which an arena has that was reserved with `shared` or opened by name. The generation is the arena's
 * identity: what is found by the path must have the same.
 * @module
 */
import { types } from 'node:util'
import { filePath, wholeNumber } from '../../arguments.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import type { Identity } from '../header.ts'

/** What `arena.handle()` gives. */
export interface ArenaHandle {
  /** Bytes of data. */
  readonly byteLength: number
  /** Which arena this is, among all there ever were. */
  readonly generation: string
  /** For threads of the same process. */
  readonly control: SharedArrayBuffer
  /** For other processes; undefined when they cannot have the arena. */
  readonly path?: string | undefined
}

/** What `Arena.attach` takes. */
export type ArenaSource = ArenaHandle | { readonly fd: number } | { readonly path: string | URL }

/** A handle that came from a thread of this process. @internal */
export interface ThreadSource {
  readonly control: SharedArrayBuffer
  readonly generation: string
  readonly path: string | undefined
}

/** A source that was looked at. @internal */
export type CheckedSource =
  | ThreadSource
  | { readonly fd: number }
  | { readonly path: string; readonly generation: string | undefined }

/** An identity as text. @internal */
export function generationOf(identity: Identity): string {
  return identity.map((word) => word.toString(16).padStart(8, '0')).join('')
}

/** Throws unless the source is of one of the three kinds. @internal */
export function checkSource(source: unknown): CheckedSource {
  if (typeof source !== 'object' || source === null)
    throw new InvalidArgumentTypeError('source', "an arena's handle, { fd } or { path }", source)
  const { control, generation, fd, path } = source as Record<string, unknown>
  if (generation !== undefined && typeof generation !== 'string')
    throw new InvalidArgumentTypeError('source.generation', 'a string', generation)
  if (types.isSharedArrayBuffer(control)) {
    if (generation === undefined) throw new InvalidArgumentTypeError('source.generation', 'a string', generation)
    return { control, generation, path: path === undefined ? undefined : filePath('source.path', path) }
  }
  if (fd !== undefined) return { fd: wholeNumber('source.fd', fd, 0, 2 ** 31 - 1) }
  if (path !== undefined) return { path: filePath('source.path', path), generation }
  if (generation === undefined)
    throw new InvalidArgumentTypeError('source', "an arena's handle, { fd } or { path }", source)
  throw new OutOfRangeError(
    'source',
    'a handle of this process, or of an arena that was reserved with { shared: true }',
    'one of an arena that is private to another process'
  )
}

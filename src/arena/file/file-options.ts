/**
 * What can be asked of `mapFile`, and what it means where nothing is said.
 *
 *     mode       stores                    needs        past the file's end           create
 *     'read'     stay here (a mistake)     reading      refused                       refused
 *     'copy'     stay here                 reading      refused                       refused
 *     'write'    reach file and others     both         the file is made longer       makes the file when there is none
 *
 * @module
 */
import { boolean, descriptor, oneOf, optionsObject, pathText, type UrlLike, wholeNumber } from '../../arguments.ts'
import { InvalidArgumentTypeError, OutOfRangeError, UnsupportedOperationError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import { MOST_BYTES } from '../format/layout.ts'
import { checkOs, checkPermissions, checkWindowBytes, USUAL_PERMISSIONS } from '../options.ts'

const MODES = ['read', 'copy', 'write'] as const

/** What stores to a mapped file do. */
export type FileMode = (typeof MODES)[number]

/** The refusal of a call that a mode does not have. @internal */
export function unsupportedIn(title: string, mode: FileMode, call: string): UnsupportedOperationError {
  return new UnsupportedOperationError(`${title} is mapped in mode '${mode}', which has no ${call}`)
}

/** What can be mapped: a path, a `file:` URL, an open descriptor, or an object that has one, such as a `FileHandle`. */
export type FileTarget = string | UrlLike | number | { readonly fd: number }

/** Options of `mapFile`. */
export interface FileOptions<Mode extends FileMode = FileMode> {
  /** `'read'`: views are read-only. `'copy'`: changes stay private. `'write'`: changes reach the file. */
  readonly mode: Mode
  /** First byte of the file to map. Any byte. @defaultValue 0 */
  readonly offset?: number | undefined
  /** Bytes to map. @defaultValue to the file's end */
  readonly byteLength?: number | undefined
  /**
   * `'read'` and `'write'`: the most bytes that `resize` may come to; addresses are reserved for them. In mode `'read'` a longer file
   * is mapped up to there. @defaultValue `byteLength`
   */
  readonly maxByteLength?: number | undefined
  /** `'write'` only: make the file when there is none. @defaultValue false */
  readonly create?: boolean | undefined
  /**
   * With `create` only: what others may do with a new file, as for `fs.open`, less the umask. A file that is there already, in a folder
   * where others can make files, may have no more writers than that. @defaultValue 0o600
   */
  readonly permissions?: number | undefined
  /**
   * `'read'` only: map the pages so that a store to them ends the process (SIGSEGV), instead of staying unseen.
   * @defaultValue false
   */
  readonly hardened?: boolean | undefined
  /** Fault every page in now, as `populate()` does. @defaultValue false */
  readonly populate?: boolean | undefined
  /**
   * Bytes in the ArrayBuffers that views lie in, a power of two from 1 MiB to 1 GiB. `structuredClone` and `postMessage` of a view copy
   * its whole buffer, and V8 counts its length as external memory. A view that crosses the end of one has an ArrayBuffer of its own.
   * @defaultValue 1 GiB for views of the file, 16 MiB for those of its arena
   */
  readonly windowBytes?: number | undefined
  /** The kernel to use: for tests. @defaultValue the system's */
  readonly os?: object | undefined
}

/** Options, checked. What depends on the file is still open. @internal */
export interface CheckedFileOptions {
  /** A path, or a descriptor. */
  readonly target: string | number
  /** For messages: `file "data.bin"`. */
  readonly title: string
  readonly mode: FileMode
  readonly offset: number
  readonly byteLength: number | undefined
  readonly maxByteLength: number | undefined
  readonly create: boolean
  readonly permissions: number
  readonly hardened: boolean
  readonly populate: boolean
  /** Undefined when nothing was asked. */
  readonly windowBytes: number | undefined
  readonly os: Os
}

/** Throws unless target and options are what they should be. @internal */
export function checkFileOptions(file: unknown, options: FileOptions): CheckedFileOptions {
  optionsObject('options', options)
  if (options === undefined)
    throw new InvalidArgumentTypeError('options', "an object with a mode: 'read', 'copy' or 'write'", options)
  const { offset = 0, byteLength, maxByteLength, permissions, hardened, populate, windowBytes, os } = options
  const mode = oneOf('options.mode', options.mode, MODES)
  wholeNumber('options.offset', offset)
  if (byteLength !== undefined) wholeNumber('options.byteLength', byteLength, 0, MOST_BYTES)
  if (maxByteLength !== undefined) wholeNumber('options.maxByteLength', maxByteLength, byteLength ?? 0, MOST_BYTES)
  if (maxByteLength !== undefined && mode === 'copy')
    throw new OutOfRangeError('options.maxByteLength', "nothing: it is for modes 'read' and 'write'", maxByteLength)
  const create = flag('create', options.create, mode, 'write')
  const target = checkTarget(file)
  return {
    target,
    title: typeof target === 'string' ? `file "${target}"` : `the file of descriptor ${target}`,
    mode,
    offset,
    byteLength,
    maxByteLength,
    create,
    permissions: permissionsOf(permissions, create),
    hardened: flag('hardened', hardened, mode, 'read'),
    populate: flag('populate', populate, mode, mode),
    windowBytes: checkWindowBytes(windowBytes),
    os: checkOs(os),
  }
}

function permissionsOf(permissions: unknown, create: boolean): number {
  const given = checkPermissions(permissions)
  if (given !== undefined && !create)
    throw new OutOfRangeError('options.permissions', 'nothing: it is for files that are made', permissions)
  return given ?? USUAL_PERMISSIONS
}

function flag(name: string, value: unknown, mode: FileMode, only: FileMode): boolean {
  boolean(`options.${name}`, value)
  if (value === true) requireMode(name, value, mode, only)
  return value === true
}

function requireMode(name: string, value: unknown, mode: FileMode, only: FileMode): void {
  if (mode !== only) throw new OutOfRangeError(`options.${name}`, `nothing: it is for mode '${only}'`, value)
}

function checkTarget(file: unknown): string | number {
  if (typeof file === 'number') return descriptor('file', file)
  const { fd } = (file ?? {}) as { fd?: unknown }
  if (typeof fd === 'number') return descriptor('file.fd', fd)
  const path = pathText('file', file)
  if (path !== undefined) return path
  throw new InvalidArgumentTypeError('file', "a path, a 'file:' URL, a descriptor or an object that has one", file)
}

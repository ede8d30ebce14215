/**
 * What can be asked of a new arena, and of one that is attached to.
 * @module
 */
import { boolean, oneOf, optionsObject, powerOfTwo, wholeNumber } from '../arguments.ts'
import { InvalidArgumentTypeError } from '../errors.ts'
import type { Os } from '../ffi/os.ts'
import type { HugePageAdvice } from '../ffi/os-pages.ts'
import { systemOs } from '../ffi/system.ts'
import { MOST_BYTES, WINDOW_BYTES } from './format/layout.ts'
import { LEAST_WINDOW_BYTES, USUAL_WINDOW_BYTES } from './views/windows.ts'

/** What can be asked of any arena. */
export interface AttachOptions {
  /** Shown in errors, and in `/proc/self/maps` where the kernel can. @defaultValue none */
  readonly name?: string | undefined
  /**
   * `'never'`: pages of the ordinary size only, so that touching a byte costs a page. `'advise'`: the kernel may use huge pages
   * for the data, six times fewer faults and up to 2 MiB for a byte. @defaultValue 'never'
   */
  readonly hugePages?: HugePageAdvice | undefined
  /** Fault every page in now, as `populate()` does. @defaultValue false */
  readonly populate?: boolean | undefined
  /**
   * Only memory that no other process can make shorter under our hands, which would end this process at the next access: a file in
   * memory whose length is sealed, as `Arena.reserve` with `shared` makes it, or memory of this process alone. Anything else is
   * ERR_UNSUPPORTED_OPERATION. @defaultValue false
   */
  readonly sealed?: boolean | undefined
  /**
   * Whether the arena is in core dumps of the process: `false` for what must not be written to a disk, or is too much. Throws a
   * `SystemError` (`EINVAL`) where the kernel cannot leave it out. @defaultValue true
   */
  readonly dump?: boolean | undefined
  /**
   * Bytes in the ArrayBuffers that views lie in, a power of two from 1 MiB to 1 GiB. `structuredClone` and `postMessage` of a view copy
   * its whole buffer, and V8 counts its length as external memory; more of them cost more collections. A view that crosses the end
   * of one has an ArrayBuffer of its own. @defaultValue 16 MiB
   */
  readonly windowBytes?: number | undefined
  /** The kernel to use: for tests, and for kernels that this library does not know. @defaultValue the system's */
  readonly os?: object | undefined
}

/** Options of `Arena.reserve`. */
export interface ArenaOptions extends Omit<AttachOptions, 'sealed'> {
  /**
   * Whether other processes can have the arena too: its pages are a file in memory then, which is gone when the last of them has
   * closed or died. Threads of this process can have any arena. @defaultValue false
   */
  readonly shared?: boolean | undefined
}

/** Options of `Arena.open`. */
export interface OpenOptions extends AttachOptions {
  /** Bytes of data: those of a new arena; of one that exists, what it must have. @defaultValue what it has */
  readonly byteLength?: number | undefined
  /** Make the file when there is none. Wants `byteLength`. @defaultValue false */
  readonly create?: boolean | undefined
  /**
   * What others may do with the file: with a new one, as for `fs.open`, less the umask. One that is there already, in a folder where
   * others can make files, may have no more writers than that, if this or `create` is given. @defaultValue 0o600
   */
  readonly permissions?: number | undefined
}

/** The options with their defaults. @internal */
export interface CheckedOptions {
  readonly name: string | undefined
  readonly hugePages: HugePageAdvice
  readonly populate: boolean
  readonly sealed: boolean
  readonly dump: boolean
  readonly windowBytes: number
  readonly os: Os
}

/** The permissions of a file that is made; undefined when none are asked for. @internal */
export function checkPermissions(permissions: unknown): number | undefined {
  return permissions === undefined ? undefined : wholeNumber('options.permissions', permissions, 0, 0o777)
}

/** Throws unless the options that all arenas have are what they should be. @internal */
export function checkOptions(options: AttachOptions | undefined): CheckedOptions {
  optionsObject('options', options)
  const { name, hugePages = 'never', populate = false, sealed = false, dump = true, windowBytes, os } = options ?? {}
  if (name !== undefined && typeof name !== 'string')
    throw new InvalidArgumentTypeError('options.name', 'a string', name)
  boolean('options.populate', populate)
  boolean('options.sealed', sealed)
  boolean('options.dump', dump)
  return {
    name,
    hugePages: oneOf('options.hugePages', hugePages, ['never', 'advise']),
    populate,
    sealed,
    dump,
    windowBytes: checkWindowBytes(windowBytes) ?? USUAL_WINDOW_BYTES,
    os: checkOs(os),
  }
}

/** Bytes in the windows that views come from; undefined when nothing is asked. @internal */
export function checkWindowBytes(windowBytes: number | undefined): number | undefined {
  if (windowBytes === undefined) return undefined
  return powerOfTwo('options.windowBytes', windowBytes, WINDOW_BYTES, LEAST_WINDOW_BYTES)
}

/** The kernel to use. @internal */
export function checkOs(os: unknown): Os {
  if (os === undefined) return systemOs()
  if (typeof os !== 'object' || os === null || typeof (os as Os).reserve !== 'function')
    throw new InvalidArgumentTypeError('options.os', 'an Os', os)
  return os as Os
}

/** Whether the arena is to be shared. @internal */
export function checkShared(options: ArenaOptions | undefined): boolean {
  optionsObject('options', options)
  const { shared = false } = options ?? {}
  boolean('options.shared', shared)
  return shared
}

/** The permissions of a file that is made, unless others are asked for. @internal */
export const USUAL_PERMISSIONS = 0o600

/** What is asked of a named file besides. @internal */
export interface CheckedOpening {
  readonly byteLength: number | undefined
  readonly create: boolean
  readonly permissions: number
  /** The permissions that other users of the file may have; undefined when the caller said nothing of it. */
  readonly sharedWith: number | undefined
}

/** @internal */
export function checkOpening(options: OpenOptions | undefined): CheckedOpening {
  optionsObject('options', options)
  const { byteLength, create = false, permissions } = options ?? {}
  boolean('options.create', create)
  if (byteLength !== undefined || create === true) wholeNumber('options.byteLength', byteLength, 1, MOST_BYTES)
  const given = checkPermissions(permissions)
  const asked = given ?? USUAL_PERMISSIONS
  return { byteLength, create, permissions: asked, sharedWith: create ? asked : given }
}

/**
 * What can be asked of a new arena.
 * @module
 */
import { oneOf, optionsObject } from '../arguments.ts'
import { InvalidArgumentTypeError } from '../errors.ts'
import type { HugePageAdvice, Os } from '../ffi/os.ts'
import { systemOs } from '../ffi/system.ts'

/** Options of `Arena.reserve`. */
export interface ArenaOptions {
  /** Shown in errors, and in `/proc/self/maps` where the kernel can. @defaultValue none */
  readonly name?: string | undefined
  /**
   * `'never'`: pages of the ordinary size only, so that touching a byte costs a page. `'advise'`: the kernel may use huge pages
   * for the data, six times fewer faults and up to 2 MiB for a byte. @defaultValue 'never'
   */
  readonly hugePages?: HugePageAdvice | undefined
  /** Fault every page in now, as `populate()` does. @defaultValue false */
  readonly populate?: boolean | undefined
  /** The kernel to use: for tests, and for kernels that this library does not know. @defaultValue the system's */
  readonly os?: Os | undefined
}

/** The options with their defaults. */
export interface CheckedOptions {
  readonly name: string | undefined
  readonly hugePages: HugePageAdvice
  readonly populate: boolean
  readonly os: Os
}

/** Throws unless the options are what they should be. */
export function checkOptions(options: ArenaOptions | undefined): CheckedOptions {
  optionsObject('options', options)
  const { name, hugePages = 'never', populate = false, os } = options ?? {}
  if (name !== undefined && typeof name !== 'string')
    throw new InvalidArgumentTypeError('options.name', 'a string', name)
  if (typeof populate !== 'boolean') throw new InvalidArgumentTypeError('options.populate', 'a boolean', populate)
  if (os !== undefined && (typeof os !== 'object' || os === null || typeof os.reserve !== 'function'))
    throw new InvalidArgumentTypeError('options.os', 'an Os', os)
  return { name, hugePages: oneOf('options.hugePages', hugePages, ['never', 'advise']), populate, os: os ?? systemOs() }
}

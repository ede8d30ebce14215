/**
 * What may be asked for of any allocator. Each property of a caller's object is read once, into an object of ours, and verified
 * there: one that answers otherwise the second time gets past no check.
 * @module
 */
import { ARENA_ALIGNMENT } from '../arena/format/layout.ts'
import { boolean, optionsObject, powerOfTwo, wholeNumber } from '../arguments.ts'
import { InvalidArgumentTypeError } from '../errors.ts'
import type { AllocatorOptions, AllocOptions, StatsOptions } from './contract.ts'

/** The longest alignment: that of an arena in the address space. */
export const MOST_ALIGNMENT: number = ARENA_ALIGNMENT

/** Told of a request that does not fit; true: it is tried again. */
export type OnFull = (byteLength: number) => boolean

/** Options of an allocator, checked. */
export interface CheckedAllocatorOptions {
  readonly offset: number | undefined
  readonly byteLength: number | undefined
  readonly limit: number | undefined
  readonly onFull: OnFull | undefined
}

export function checkAllocatorOptions(options: AllocatorOptions | undefined): CheckedAllocatorOptions {
  optionsObject('options', options)
  const { offset, byteLength, limit, onFull } = options ?? {}
  return {
    offset: optionalNumber('options.offset', offset),
    byteLength: optionalNumber('options.byteLength', byteLength),
    limit: optionalNumber('options.limit', limit),
    onFull: checkOnFull(options, onFull),
  }
}

const { apply } = Reflect

/** The callback, as one that is called as a method of the options, as it is written. */
export function checkOnFull(options: object | undefined, onFull: unknown): OnFull | undefined {
  if (onFull === undefined) return undefined
  if (typeof onFull !== 'function') throw new InvalidArgumentTypeError('options.onFull', 'a function', onFull)
  return (byteLength) => apply(onFull, options, [byteLength])
}

function optionalNumber(name: string, value: unknown): number | undefined {
  return value === undefined ? undefined : wholeNumber(name, value)
}

/** The alignment that is asked for; 8 where none is. */
export function checkAlignment(options: AllocOptions | undefined): number {
  optionsObject('options', options)
  const { alignment = 8 } = options ?? {}
  return powerOfTwo('options.alignment', alignment, MOST_ALIGNMENT)
}

export function checkStatsOptions(options: StatsOptions): { classes: boolean; resident: boolean } {
  optionsObject('options', options)
  const { classes = false, resident = false } = options
  boolean('options.classes', classes)
  boolean('options.resident', resident)
  return { classes, resident }
}

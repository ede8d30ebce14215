/**
 * What may be asked for of any allocator. Each property of a caller's object is read once, into an object of ours, and verified
 * there: one that answers otherwise the second time gets past no check.
 * @module
 */
import { boolean, optionsObject, powerOfTwo, wholeNumber } from '../arguments.ts'
import { GiB } from '../units.ts'
import type { AllocatorOptions, AllocOptions, StatsOptions } from './allocator.ts'

/** The longest alignment: that of an arena in the address space. */
export const MOST_ALIGNMENT: number = GiB

/** Options of an allocator, checked. */
export interface CheckedAllocatorOptions {
  readonly offset: number | undefined
  readonly byteLength: number | undefined
  readonly limit: number | undefined
}

export function checkAllocatorOptions(options: AllocatorOptions | undefined): CheckedAllocatorOptions {
  optionsObject('options', options)
  const { offset, byteLength, limit } = options ?? {}
  return {
    offset: optionalNumber('options.offset', offset),
    byteLength: optionalNumber('options.byteLength', byteLength),
    limit: optionalNumber('options.limit', limit),
  }
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

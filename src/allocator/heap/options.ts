/**
 * What may be asked for of a heap: when it is made, and when one comes to it that is there already.
 * @module
 */
import { boolean, optionsObject, wholeNumber } from '../../arguments.ts'
import { InvalidArgumentTypeError } from '../../errors.ts'
import { unreferencedTimer } from '../../runtime.ts'
import type { AllocatorOptions } from '../contract.ts'
import { type CheckedAllocatorOptions, checkAllocatorOptions, checkOnFull, type OnFull } from '../options.ts'
import { checkDecay, checkSchedule, type Schedule } from './decay.ts'

/** Options of a heap. */
export interface HeapOptions extends AllocatorOptions {
  /**
   * Milliseconds after which freed memory that was not used again is given back: -1 never, 0 at once, or for slots when the program
   * next comes to rest (slow).
   * @defaultValue 1000
   */
  readonly decayMs?: number | undefined
  /** What runs the timer of decay. @defaultValue setTimeout, unreferenced */
  readonly schedule?: Schedule | undefined
}

/** Options of `Heap.attach`. */
export interface HeapAttachOptions extends Pick<HeapOptions, 'decayMs' | 'schedule' | 'onFull'> {
  /** Where the heap's range begins. @defaultValue that of the first heap in the arena */
  readonly offset?: number | undefined
  /** Whether it may change the heap. @defaultValue writer, if there is none; else reader */
  readonly role?: HeapRole | undefined
  /**
   * Takes the role also from a writer that cannot be looked up, because it ran in another container. Ask for it only when that writer is
   * known to be gone. @defaultValue false
   */
  readonly takeOver?: boolean | undefined
}

/** Options of `Heap.open`. Those of a new heap hold for one that is made; one that is there has its range and its limit already. */
export interface HeapOpenOptions extends HeapOptions {
  /** Makes a heap when there is none. @defaultValue false */
  readonly create?: boolean | undefined
}

/** What an attached heap may do: change the blocks, or only read them. */
export type HeapRole = 'writer' | 'reader'

/** Options of a new heap, checked. @internal */
export interface CheckedHeapOptions extends CheckedAllocatorOptions {
  readonly decayMs: number
  readonly schedule: Schedule
}

/** Options of attaching to one, checked. @internal */
export interface CheckedAttachOptions {
  readonly offset: number | undefined
  readonly role: HeapRole | undefined
  readonly takeOver: boolean
  readonly onFull: OnFull | undefined
  readonly decayMs: number
  readonly schedule: Schedule
}

/** Reads each option once: see options.ts. @internal */
export function checkHeapOptions(options: HeapOptions | undefined): CheckedHeapOptions {
  return { ...checkAllocatorOptions(options), ...checkPurging(options) }
}

/** @internal */
export function checkOpen(options: HeapOpenOptions | undefined): CheckedHeapOptions & { create: boolean } {
  const checked = checkHeapOptions(options)
  const { create = false } = options ?? {}
  boolean('options.create', create)
  return { ...checked, create }
}

/** @internal */
export function checkAttach(options: HeapAttachOptions | undefined): CheckedAttachOptions {
  optionsObject('options', options)
  const { offset, role, takeOver = false, onFull } = options ?? {}
  if (offset !== undefined) wholeNumber('options.offset', offset)
  if (role !== undefined && role !== 'writer' && role !== 'reader')
    throw new InvalidArgumentTypeError('options.role', "'writer' or 'reader'", role)
  boolean('options.takeOver', takeOver)
  return { offset, role, takeOver, onFull: checkOnFull(options, onFull), ...checkPurging(options) }
}

function checkPurging(options: HeapOptions | HeapAttachOptions | undefined): { decayMs: number; schedule: Schedule } {
  const { decayMs, schedule = unreferencedTimer } = options ?? {}
  checkSchedule(schedule)
  return { decayMs: checkDecay(decayMs), schedule }
}

/**
 * What may be asked for of a heap: when it is made, and when one comes to it that is there already.
 * @module
 */
import { boolean, optionsObject, wholeNumber } from '../../arguments.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
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
  /** Several threads and processes use the heap at the same time, each as a peer: see docs/threads.md. @defaultValue false */
  readonly concurrent?: boolean | undefined
}

/** Options of `Heap.attach`. */
export interface HeapAttachOptions extends Pick<HeapOptions, 'decayMs' | 'schedule' | 'onFull'> {
  /** Where the heap's range begins. @defaultValue that of the first heap in the arena */
  readonly offset?: number | undefined
  /** Whether it may change the heap. @defaultValue writer, if there is none; else reader; of a concurrent heap peer */
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

/** What an attached heap may do: change the blocks, only read them, or change them at the same time as others. */
export type HeapRole = 'writer' | 'reader' | 'peer'

/** Options of a new heap, checked. @internal */
export interface CheckedHeapOptions extends CheckedAllocatorOptions {
  readonly concurrent: boolean
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

/** Offset 0 is never a block. */
const FIRST_BLOCK = 8

/** Reads each option once: see options.ts. @internal */
export function checkHeapOptions(options: HeapOptions | undefined): CheckedHeapOptions {
  const checked = checkAllocatorOptions(options)
  const { concurrent = false } = options ?? {}
  boolean('options.concurrent', concurrent)
  const { offset = 0, byteLength = Infinity } = checked
  if (offset + byteLength <= FIRST_BLOCK)
    throw new OutOfRangeError(
      'options.byteLength',
      `at least ${FIRST_BLOCK + 8}: no block begins before offset 8`,
      byteLength
    )
  return { ...checked, ...checkPurging(options), concurrent }
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
  if (role !== undefined && role !== 'writer' && role !== 'reader' && role !== 'peer')
    throw new InvalidArgumentTypeError('options.role', "'writer', 'reader' or 'peer'", role)
  boolean('options.takeOver', takeOver)
  return { offset, role, takeOver, onFull: checkOnFull(options, onFull), ...checkPurging(options) }
}

function checkPurging(options: HeapOptions | HeapAttachOptions | undefined): { decayMs: number; schedule: Schedule } {
  const { decayMs, schedule = unreferencedTimer } = options ?? {}
  checkSchedule(schedule)
  return { decayMs: checkDecay(decayMs), schedule }
}

/**
 * What may be asked for of a heap: when it is made, and when one comes to it that is there already.
 * @module
 */
import { boolean, optionsObject } from '../arguments.ts'
import { InvalidArgumentTypeError } from '../errors.ts'
import type { AllocatorOptions } from './allocator.ts'
import type { Schedule } from './decay.ts'

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
export interface HeapAttachOptions extends Pick<HeapOptions, 'decayMs' | 'schedule'> {
  /** Where the heap's range begins. @defaultValue that of the first heap in the arena */
  readonly offset?: number | undefined
  /** @defaultValue writer, if nobody is; else reader */
  readonly role?: HeapRole | undefined
  /**
   * Takes the role also from a writer of whom nothing can be known, because he ran in another container. Whoever asks for it knows that
   * he is gone. @defaultValue false
   */
  readonly takeOver?: boolean | undefined
}

/** What one who has a heap may do: change it, or look at it. */
export type HeapRole = 'writer' | 'reader'

export function checkAttach(options: unknown): void {
  optionsObject('options', options)
  const { role, takeOver } = (options ?? {}) as Record<keyof HeapAttachOptions, unknown>
  if (role !== undefined && role !== 'writer' && role !== 'reader')
    throw new InvalidArgumentTypeError('options.role', "'writer' or 'reader'", role)
  boolean('options.takeOver', takeOver)
}

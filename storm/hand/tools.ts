/**
 * What the calls of a hand work on: what it has, by number; what it is told and what it answers.
 * @module
 */
import type { Allocator } from '../../src/allocator/contract.ts'
import type { Arena } from '../../src/arena/arena.ts'
import type { MappedFile } from '../../src/arena/file/mapped-file.ts'
import { SystemError } from '../../src/errors.ts'
import { type FailingOs, failingOs } from '../failing-os.ts'
import type { Timers } from './timers.ts'

/** What a hand is told. Every call takes what it needs of it. */
export interface Order {
  readonly do: string
  readonly arena?: number
  readonly file?: number
  readonly allocator?: number
  readonly offset?: number
  readonly byteLength?: number
  readonly seed?: number
  readonly choice?: number
  readonly name?: number
  /** The nth call to the kernel is to fail; the second number picks the errno. */
  readonly fail?: readonly [number, number] | undefined
  // biome-ignore lint/suspicious/noExplicitAny: each call checks nothing, the model knows what it sends
  readonly [other: string]: any
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: the model knows what it asked for
  readonly value?: any
  /** The code of the error; 'no code' when it had none. */
  readonly code?: string
  readonly message?: string
  /** Whether the error is the kernel's. */
  readonly kernel?: boolean
  /** The call to the kernel that was made to fail. */
  readonly failed?: string | undefined
}

/** The code of an error without one. */
export const NO_CODE = 'no code'

export interface Allocation {
  readonly allocator: Allocator
  readonly arena: number
  readonly timers: Timers | undefined
}

/** What a hand has. */
export class Tools {
  readonly os: FailingOs = failingOs()
  readonly arenas: Map<number, Arena> = new Map()
  readonly files: Map<number, MappedFile> = new Map()
  readonly allocators: Map<number, Allocation> = new Map()
  readonly pins: Map<number, Disposable> = new Map()
  readonly uses: Map<number, { end: () => void; over: Promise<unknown> }> = new Map()
  readonly waits: Map<number, { readonly end: Promise<Answer>; readonly abort: AbortController }> = new Map()
  /** Views that were kept, and buffers that were taken away, by the arena they are of. */
  readonly kept: Map<number, Uint8Array[]> = new Map()
  readonly taken: Map<number, ArrayBuffer[]> = new Map()
  /** Arenas of which a buffer was taken away: their addresses are never given back. */
  readonly robbed: Set<number> = new Set()
  /** The error of an asynchronous call may come when nothing is armed any more. */
  #armed = false

  /** Makes the call of the library that the order is about: only that one can meet the kernel's failure. */
  call<T>(order: Order, run: () => T): T {
    if (order.fail === undefined) return run()
    this.os.arm(...(order.fail as [number, number]))
    this.#armed = true
    try {
      return run()
    } finally {
      this.os.disarm()
    }
  }

  /** What has failed since the last order. */
  takeFailed(): string | undefined {
    if (!this.#armed) return undefined
    this.#armed = false
    return this.os.disarm()
  }

  arena(order: Order): Arena {
    return found(this.arenas, order.arena)
  }

  file(order: Order): MappedFile {
    return found(this.files, order.file)
  }

  allocation(order: Order): Allocation {
    return found(this.allocators, order.allocator)
  }
}

function found<T>(table: Map<number, T>, key: number | undefined): T {
  const value = table.get(key ?? -1)
  if (value === undefined) throw new Error(`the storm has no ${key} here`)
  return value
}

export type Calls = Readonly<Record<string, (tools: Tools, order: Order) => unknown>>

/** An error as an answer. */
export function refusal(thrown: unknown): Answer {
  const error = thrown as Error & { code?: unknown }
  if (error?.name === 'AbortError') return { code: 'AbortError', message: error.message }
  const code = typeof error?.code === 'string' ? error.code : NO_CODE
  const message = code === NO_CODE ? String(error?.stack ?? error) : error.message
  return { code, message, kernel: error instanceof SystemError }
}

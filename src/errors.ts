/**
 * Every error the library throws, each with a stable `code`: match on the code, not on the text.
 *
 * As in Node, a wrong kind of argument is a `TypeError`, a wrong value a `RangeError`, and what the kernel refused is a
 * `SystemError` with `code`, `errno` and `syscall`. A message names the argument, what was expected and what came.
 * Errors are built on throw paths only: nothing here runs in a successful call.
 * @module
 */
import { types } from 'node:util'

/** The codes of all errors but the kernel's own (those carry the errno's name, such as `ENOMEM`). */
export type ErrorCode =
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DOUBLE_FREE'
  | 'ERR_INVALID_FREE'
  | 'ERR_ARENA_CLOSED'
  | 'ERR_ARENA_BUSY'
  | 'ERR_BLOCK_PINNED'
  | 'ERR_TRUNCATED'
  | 'ERR_UNSUPPORTED_OPERATION'
  | 'ERR_CORRUPTED'
  | 'ERR_NOT_FOUND'
  | 'ERR_OTHER_INSTANCE'

/** Stands in a message for a value that must not be shown, such as an address. @internal */
export const HIDDEN: unique symbol = Symbol('hidden')

const quote = JSON.stringify
const { getOwnPropertyDescriptor: propertyOf, getPrototypeOf: prototypeOf } = Object
const { isProxy } = types
const text = String

/** A short rendering of any value for a message; never throws and never runs user code. @internal */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quote(shorten(value))
    case 'bigint':
      // The text of a very long one takes seconds to make, and is of no use.
      return value < LONG && value > -LONG ? `${text(value)}n` : 'a bigint'
    case 'symbol':
      return value === HIDDEN ? 'another' : shorten(text(value))
    case 'object':
      return value === null ? 'null' : showObject(value)
    case 'function':
      return showFunction(value)
    default:
      return text(value)
  }
}

const LONG = 10n ** 24n

/** Names the class, as `an Array`. Of a proxy, which would run the user's code, it says only that it is an object. */
function showObject(value: object): string {
  const name = isProxy(value) ? undefined : ownName(ownValue(prototypeOf(value), 'constructor'))
  if (name === undefined || name === 'Object') return 'an object'
  return /^[AEIOU](?!int)/.test(name) ? `an ${name}` : `a ${name}`
}

function showFunction(value: unknown): string {
  const name = ownName(value)
  return name === undefined ? 'a function' : `the function ${name}`
}

/** The name of a function, where it is a data property that is a text. */
function ownName(value: unknown): string | undefined {
  const name = typeof value === 'function' ? ownValue(value, 'name') : undefined
  return typeof name === 'string' && name !== '' ? shorten(name) : undefined
}

/** What a data property of an object itself has. A getter is not run. */
function ownValue(of: object | null, name: string): unknown {
  return of === null || isProxy(of) ? undefined : propertyOf(of, name)?.value
}

function shorten(value: string): string {
  return value.length > 40 ? `${value.slice(0, 40)}…` : value
}

/** A number of bytes, for messages. @internal */
export function bytes(count: number): string {
  return counted(count, 'byte')
}

/** A number of things, for messages. @internal */
export function counted(count: number, thing: string): string {
  return count === 1 ? `1 ${thing}` : `${count} ${thing}s`
}

/** An argument of the wrong kind. */
export class InvalidArgumentTypeError extends TypeError {
  readonly code = 'ERR_INVALID_ARG_TYPE'
  constructor(argument: string, expected: string, received: unknown) {
    super(`"${argument}" expected ${expected}, got ${show(received)}`)
  }
}

/** An argument of the right kind whose value cannot be used. */
export class OutOfRangeError extends RangeError {
  readonly code = 'ERR_OUT_OF_RANGE'
  constructor(argument: string, expected: string, received: unknown) {
    super(`"${argument}" expected ${expected}, got ${show(received)}`)
  }
}

/** The allocator has no room for the block. Nothing was changed. */
export class OutOfMemoryError extends Error {
  readonly code = 'ERR_OUT_OF_MEMORY'
}

/** A free of a block that has already been freed. Nothing was changed. */
export class DoubleFreeError extends Error {
  readonly code = 'ERR_DOUBLE_FREE'
  /** Of `freeMany`: the place of the offset in the array. */
  readonly index?: number
}

/** A free of something that is not the start of a live block. Nothing was changed. */
export class InvalidFreeError extends Error {
  readonly code = 'ERR_INVALID_FREE'
  /** Of `freeMany`: the place of the offset in the array. */
  readonly index?: number
}

/** The arena, or the allocator, has been closed. */
export class ArenaClosedError extends Error {
  readonly code = 'ERR_ARENA_CLOSED'
}

/** The arena is pinned, or the range belongs to an allocator. */
export class ArenaBusyError extends Error {
  readonly code = 'ERR_ARENA_BUSY'
}

/** The block is pinned, or the allocator or the arena has a pinned block. Nothing was changed. */
export class BlockPinnedError extends Error {
  readonly code = 'ERR_BLOCK_PINNED'
  /** Of `freeMany`: the place of the offset in the array. */
  readonly index?: number
}

/** The file behind a mapping has become shorter than the range that was asked for. */
export class TruncatedError extends Error {
  readonly code = 'ERR_TRUNCATED'
}

/** This platform, runtime or allocator cannot do what was asked. */
export class UnsupportedOperationError extends Error {
  readonly code = 'ERR_UNSUPPORTED_OPERATION'
}

/** `check()` found metadata that contradicts itself. */
export class CorruptedError extends Error {
  readonly code = 'ERR_CORRUPTED'
}

/** An object of another copy of the library: of another version, or of another realm (a `vm` context). */
export class OtherInstanceError extends TypeError {
  readonly code = 'ERR_OTHER_INSTANCE'
}

/** What was to be found is not there: a heap, in an arena that has none. */
export class NotFoundError extends Error {
  readonly code = 'ERR_NOT_FOUND'
}

/** What the kernel refused, in the shape of Node's own system errors, without the address that they have: no address leaves the library. */
export class SystemError extends Error {
  /** The errno's name: `ENOMEM`, `EINVAL`, … */
  readonly code: string
  /** The errno, negative as in Node's system errors. */
  readonly errno: number
  /** The call that failed: `mmap`, `madvise`, … */
  readonly syscall: string
  /** The length in bytes the call was about, where there is one. */
  readonly length: number | undefined
  /** The file the call was about, where there is one. */
  readonly path: string | undefined

  constructor(syscall: string, errno: number, code: string, reason: string, length?: number, path?: string) {
    const where = path === undefined ? '' : ` '${path}'`
    const extent = length === undefined ? '' : `, ${bytes(length)}`
    super(`${code}: ${reason}, ${syscall}${where}${extent}`)
    this.code = code
    this.errno = -errno
    this.syscall = syscall
    this.length = length
    this.path = path
  }
}

for (const type of [
  OutOfMemoryError,
  DoubleFreeError,
  InvalidFreeError,
  ArenaClosedError,
  ArenaBusyError,
  BlockPinnedError,
  TruncatedError,
  UnsupportedOperationError,
  CorruptedError,
  NotFoundError,
  OtherInstanceError,
  SystemError,
])
  Object.defineProperty(type.prototype, 'name', { value: type.name, configurable: true, writable: true })

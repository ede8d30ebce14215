/**
 * Checks of public arguments. Each returns the value it was given, or throws an error that names the argument, what was
 * expected and what came. They run on slow paths, or where one comparison has already found something odd.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { isPowerOfTwo } from './bits.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from './errors.ts'

/** A `URL`, by what is asked of one: not every program that is compiled has the type. */
export interface UrlLike {
  readonly href: string
  readonly protocol: string
}

/** An `AbortSignal`, likewise. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** A whole number from `least` to `most`, both included. */
export function wholeNumber(name: string, value: unknown, least = 0, most: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number') throw new InvalidArgumentTypeError(name, 'a number', value)
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new OutOfRangeError(
      name,
      `a whole number from ${least} to ${most === Number.MAX_SAFE_INTEGER ? '2^53 - 1' : most}`,
      value
    )
  // Of -0 the ordinary one.
  return value + 0
}

/** A descriptor: what the kernel has 31 bits for. */
export function descriptor(name: string, value: unknown): number {
  return wholeNumber(name, value, 0, 2 ** 31 - 1)
}

/** A power of two from `least` to `most`. */
export function powerOfTwo(name: string, value: unknown, most: number, least = 1): number {
  if (typeof value !== 'number') throw new InvalidArgumentTypeError(name, 'a number', value)
  if (!isPowerOfTwo(value) || value < least || value > most)
    throw new OutOfRangeError(name, `a power of two from ${least} to ${most}`, value)
  return value
}

/** One of a few strings. */
export function oneOf<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T
  const expected = `one of ${choices.map((c) => `'${c}'`).join(', ')}`
  throw typeof value === 'string'
    ? new OutOfRangeError(name, expected, value)
    : new InvalidArgumentTypeError(name, expected, value)
}

/** An options object, or nothing. */
export function optionsObject(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null))
    throw new InvalidArgumentTypeError(name, 'an object', value)
}

/** True or false, or nothing. */
export function boolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw new InvalidArgumentTypeError(name, 'a boolean', value)
}

/**
 * The text of a URL; undefined for anything else. As Node tells one: by what it has, since a URL of another realm is no instance of
 * ours.
 */
function urlText(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { href, protocol, auth, path } = value as Record<string, unknown>
  return typeof href === 'string' && protocol && auth === undefined && path === undefined ? href : undefined
}

/** The path that a URL stands for. Node's errors say what is wrong with one; where it has none, the escapes are no text. */
function pathOfUrl(name: string, url: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    if (typeof (error as { code?: unknown }).code === 'string') throw error
    throw new OutOfRangeError(name, 'a file URL whose escapes are UTF-8', url)
  }
}

/** An AbortSignal or nothing, told as Node tells one, so that one of another realm will do. */
export function abortSignal(name: string, value: unknown): AbortSignalLike | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value)
    return value as AbortSignalLike
  throw new InvalidArgumentTypeError(name, 'an AbortSignal', value)
}

/** The path of a file, as text or as a `file:` URL; gives the text. */
export function filePath(name: string, value: unknown): string {
  const path = pathText(name, value)
  if (path === undefined) throw new InvalidArgumentTypeError(name, 'a string or a file URL', value)
  return path
}

/** The same, and undefined for what is neither. */
export function pathText(name: string, value: unknown): string | undefined {
  const url = urlText(value)
  const path = url === undefined ? value : pathOfUrl(name, url)
  if (typeof path !== 'string') return undefined
  // C would take the path to end at the zero.
  if (path === '' || path.includes('\0')) throw new OutOfRangeError(name, 'a path without NUL', value)
  return path
}

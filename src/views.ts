/**
 * The typed arrays that views are made of, and reading a view or a type that a caller hands in.
 *
 * A subclass, or a property on the object itself, may say anything of `length`, `byteOffset` or `buffer`, and code that believes it
 * writes outside of the view. So everything here goes by the runtime's own getters, taken when this file is loaded: they read what
 * the engine knows, run no code of the caller's, and work on the arrays of another realm (a vm context, a test runner's) as on ours.
 *
 *     view of a caller    viewBuffer, viewByteOffset, viewByteLength    5 to 10 ns each; a plain property 1 to 10
 *     type of a caller    elementBytes                                  a look-up in a set; a type of another realm is known by its
 *                                                                       source text, which the engine gives, the first time 1 us
 *
 * A view is a typed array, a DataView, or a Buffer, whose elements are bytes. A Buffer is made by `Buffer.from`, 80 ns: what is faster gives
 * an object of another prototype.
 * @module
 */
import { Buffer } from 'node:buffer'
import { bytes, InvalidArgumentTypeError, OutOfRangeError } from './errors.ts'

/** Any of JavaScript's typed arrays. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array

/** A constructor of a typed array, by which calls are told the type of a view. */
export interface TypedArrayConstructor<T extends TypedArray = TypedArray> {
  readonly BYTES_PER_ELEMENT: number
  readonly name: string
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T
}

/**
 * `Uint8Array<ArrayBuffer>` for TypeScript 5.7 and later, so that it is a `BufferSource`; `Uint8Array` for earlier ones, where that
 * type takes no parameter: declarations must be read by both.
 */
export type Bytes = ReturnType<Uint8ArrayConstructor['of']>

/** What a program without `@types/node` knows of a Buffer, beyond that it is a Uint8Array. */
interface PlainBuffer {
  compare(other: Uint8Array): number
  copy(target: Uint8Array, targetStart?: number, sourceStart?: number, sourceEnd?: number): number
  equals(other: Uint8Array): boolean
  toString(encoding?: string, start?: number, end?: number): string
}

/** `Buffer`, as the program's own types declare it. The library's declarations must be readable without `@types/node`. */
export type NodeBuffer = typeof globalThis extends { Buffer: { alloc(byteLength: number): infer T extends Uint8Array } }
  ? T
  : Bytes & PlainBuffer

/** `typeof Buffer`, as the program's own types declare it; never, where they do not: nothing can be passed for it there. */
export type NodeBufferConstructor = typeof globalThis extends { Buffer: infer T } ? T : never

/** What a view can be. A Buffer is a Uint8Array as well. */
export type View = TypedArray | DataView

/** What names the type of a view: a typed-array constructor, `DataView` or `Buffer`. */
export type ViewConstructor = TypedArrayConstructor | DataViewConstructor | NodeBufferConstructor

// ---- views ----

const { getOwnPropertyDescriptor, getPrototypeOf } = Object
const { call } = Function.prototype
const ByteArray = Uint8Array
const Floats = Float64Array

/** A getter of a prototype, as a function of the object. */
function getterOf<T>(prototype: object, name: PropertyKey): (of: ArrayBufferView) => T {
  return call.bind((getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor).get as () => T) as never
}

const arrays: object = getPrototypeOf(Uint8Array.prototype)
const arrayKind: (of: unknown) => string | undefined = getterOf(arrays, Symbol.toStringTag) as never
/** @internal */
export const arrayBuffer: (of: ArrayBufferView) => ArrayBufferLike = getterOf<ArrayBufferLike>(arrays, 'buffer')
/** @internal */
export const arrayByteOffset: (of: ArrayBufferView) => number = getterOf<number>(arrays, 'byteOffset')
const arrayByteLength = getterOf<number>(arrays, 'byteLength')
const dataBuffer = getterOf<ArrayBufferLike>(DataView.prototype, 'buffer')
const dataByteOffset = getterOf<number>(DataView.prototype, 'byteOffset')
const dataByteLength = getterOf<number>(DataView.prototype, 'byteLength')

/** Whether a value is a typed array, a Buffer or a DataView, of any realm. A proxy of one is none. @internal */
export const isView: (value: unknown) => value is ArrayBufferView = ArrayBuffer.isView as never

/** Whether a value is a typed array: the two getters above are for those, and save asking again. @internal */
export function isTypedArray(value: unknown): value is TypedArray {
  return arrayKind(value) !== undefined
}

/** The name of a view's type: of a subclass that of the class below. @internal */
export function kindOfView(view: ArrayBufferView): string {
  const kind = arrayKind(view) ?? 'DataView'
  return kind === 'Uint8Array' && getPrototypeOf(view) === Buffer.prototype ? 'Buffer' : kind
}

/** The buffer that a view lies over. @internal */
export function viewBuffer(view: ArrayBufferView): ArrayBufferLike {
  return arrayKind(view) === undefined ? dataBuffer(view) : arrayBuffer(view)
}

/** Where in its buffer a view starts; 0 when the buffer has been detached, or has become too short. @internal */
export function viewByteOffset(view: ArrayBufferView): number {
  return arrayKind(view) === undefined ? orZero(dataByteOffset, view) : arrayByteOffset(view)
}

/** How many bytes a view shows now; 0 when the buffer has been detached, or has become too short. @internal */
export function viewByteLength(view: ArrayBufferView): number {
  return arrayKind(view) === undefined ? orZero(dataByteLength, view) : arrayByteLength(view)
}

/** A DataView throws where a typed array says 0. */
function orZero(getter: (of: ArrayBufferView) => number, view: ArrayBufferView): number {
  try {
    return getter(view)
  } catch {
    return 0
  }
}

/**
 * The bytes of a caller's Uint8Array or Buffer, at least so many, as an array that we have made: nothing that is done to it asks
 * the caller's object again.
 * @internal
 */
export function plainBytes(name: string, target: unknown, least: number): Uint8Array {
  if (!isView(target) || arrayKind(target) !== 'Uint8Array')
    throw new InvalidArgumentTypeError(name, 'a Uint8Array', target)
  const byteLength = arrayByteLength(target)
  if (byteLength < least) throw new OutOfRangeError(name, `at least ${bytes(least)}`, bytes(byteLength))
  // The buffer of a detached array can have no view.
  if (least === 0) return new ByteArray(0)
  return new ByteArray(arrayBuffer(target), arrayByteOffset(target), least)
}

/**
 * A caller's Float64Array as one that we have made over the same numbers: empty when its buffer has been detached.
 * @internal
 */
export function plainFloats(name: string, target: unknown): Float64Array {
  if (!isView(target) || arrayKind(target) !== 'Float64Array')
    throw new InvalidArgumentTypeError(name, 'a Float64Array', target)
  const length = arrayByteLength(target) / 8
  return length === 0 ? new Floats(0) : new Floats(arrayBuffer(target), arrayByteOffset(target), length)
}

// ---- types ----

const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map([
  ['Int8Array', 1],
  ['Uint8Array', 1],
  ['Uint8ClampedArray', 1],
  ['Int16Array', 2],
  ['Uint16Array', 2],
  ['Float16Array', 2],
  ['Int32Array', 4],
  ['Uint32Array', 4],
  ['Float32Array', 4],
  ['Float64Array', 8],
  ['BigInt64Array', 8],
  ['BigUint64Array', 8],
  ['DataView', 1],
])

/** Bytes of an element, by type: ours, and those of other realms that have been seen. Weak, so that a realm can go. */
const known: WeakMap<object, number> = new WeakMap()
/** The types of this realm, by name. @internal */
export const VIEW_TYPES: Map<string, ViewConstructor> = new Map()
for (const [name, elementBytes] of ELEMENT_BYTES) {
  const type = (globalThis as Record<string, unknown>)[name]
  if (typeof type !== 'function') continue
  known.set(type, elementBytes)
  VIEW_TYPES.set(name, type as ViewConstructor)
}
// Contexts have the Buffer of the process, or none: there is one of them.
known.set(Buffer, 1)
VIEW_TYPES.set('Buffer', Buffer)

/**
 * Bytes of an element of a type. Throws unless it is one of the eleven typed-array constructors (Float16Array too where the runtime
 * has it) or `DataView`, of this realm or another, or `Buffer`.
 * @internal
 */
export function elementBytes(name: string, type: unknown): number {
  // A comparison takes less than a look-up.
  if (type === Buffer) return 1
  if (typeof type === 'function') {
    const found = known.get(type) ?? ofAnotherRealm(type)
    if (found !== undefined) return found
  }
  throw new InvalidArgumentTypeError(
    name,
    `one of ${[...VIEW_TYPES.keys()].join(', ')} (a class that extends one is refused)`,
    type
  )
}

const textOf = call.bind(Function.prototype.toString) as unknown as (of: object) => string
const NATIVE = /^function (\w+)\(\) \{ \[native code\] \}$/

/** The engine gives the source text of a function. No code can be written whose text is that of a built-in with a name. */
function ofAnotherRealm(type: object): number | undefined {
  const found = ELEMENT_BYTES.get(NATIVE.exec(textOf(type))?.[1] ?? '')
  if (found !== undefined) known.set(type, found)
  return found
}

const bufferOver = Buffer.from as (buffer: ArrayBufferLike, byteOffset: number, length: number) => Buffer

/** A view over a part of a buffer. The type is one that `elementBytes` knows. @internal */
export function makeView(type: ViewConstructor, buffer: ArrayBufferLike, byteOffset: number, length: number): View {
  if (type === Buffer) return bufferOver(buffer, byteOffset, length)
  return new (type as TypedArrayConstructor)(buffer, byteOffset, length)
}

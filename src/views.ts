/**
 * The typed arrays that views are made of, as types and as a run-time table. DataView and Buffer are not among them: both are
 * made over a typed array's `buffer` and `byteOffset`.
 * @module
 */
import { InvalidArgumentTypeError } from './errors.ts'

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

export interface TypedArrayConstructor<T extends TypedArray = TypedArray> {
  readonly BYTES_PER_ELEMENT: number
  readonly name: string
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T
}

const constructors: ReadonlySet<unknown> = new Set([
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
])

/** Throws unless `type` is one of the eleven typed-array constructors (Float16Array too where the runtime has it). */
export function typedArrayConstructor(name: string, type: unknown): void {
  if (constructors.has(type)) return
  const float16 = (globalThis as { Float16Array?: unknown }).Float16Array
  if (float16 !== undefined && type === float16) return
  throw new InvalidArgumentTypeError(name, 'a typed-array constructor', type)
}

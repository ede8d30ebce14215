/**
 * Views that cannot be written through, for the type checker: typed arrays without the calls that change them. At run time they
 * are ordinary typed arrays, and a store that gets past the checker changes a private page, never the file.
 *
 * Node's own calls are typed for arrays that may be written. For those `Buffer.from(view.buffer, view.byteOffset, view.byteLength)`
 * is a Buffer over the same bytes; that is what `buffer` is left in for.
 * @module
 */
import type { NodeBuffer, TypedArray, View } from '../../views.ts'
import type { FileMode } from './file-options.ts'

/** The type of a typed array's elements. */
type Element<T extends TypedArray> = T extends BigInt64Array | BigUint64Array ? bigint : number

/** A typed array of type `T` that cannot be written through. Every `T` is one. */
export interface ReadOnlyView<T extends TypedArray = TypedArray> {
  readonly [index: number]: Element<T>
  readonly BYTES_PER_ELEMENT: number
  readonly buffer: ArrayBufferLike
  readonly byteLength: number
  readonly byteOffset: number
  readonly length: number
  readonly [Symbol.toStringTag]: T[typeof Symbol.toStringTag]
  [Symbol.iterator](): IterableIterator<Element<T>>
  at(index: number): Element<T> | undefined
  entries(): IterableIterator<[number, Element<T>]>
  every(test: (value: Element<T>, index: number) => unknown): boolean
  /** A copy, which may be written. */
  filter(test: (value: Element<T>, index: number) => unknown): T
  find(test: (value: Element<T>, index: number) => unknown): Element<T> | undefined
  findIndex(test: (value: Element<T>, index: number) => unknown): number
  findLast(test: (value: Element<T>, index: number) => unknown): Element<T> | undefined
  findLastIndex(test: (value: Element<T>, index: number) => unknown): number
  forEach(run: (value: Element<T>, index: number) => void): void
  includes(value: Element<T>, from?: number): boolean
  indexOf(value: Element<T>, from?: number): number
  join(separator?: string): string
  keys(): IterableIterator<number>
  lastIndexOf(value: Element<T>, from?: number): number
  /** A copy, which may be written. */
  map(run: (value: Element<T>, index: number) => Element<T>): T
  reduce(run: (result: Element<T>, value: Element<T>, index: number) => Element<T>): Element<T>
  reduce<R>(run: (result: R, value: Element<T>, index: number) => R, first: R): R
  reduceRight(run: (result: Element<T>, value: Element<T>, index: number) => Element<T>): Element<T>
  reduceRight<R>(run: (result: R, value: Element<T>, index: number) => R, first: R): R
  /** A copy, which may be written. */
  slice(start?: number, end?: number): T
  some(test: (value: Element<T>, index: number) => unknown): boolean
  subarray(start?: number, end?: number): ReadOnlyView<T>
  /** A copy, which may be written. */
  toReversed(): T
  /** A copy, which may be written. */
  toSorted(compare?: (a: Element<T>, b: Element<T>) => number): T
  toLocaleString(): string
  toString(): string
  values(): IterableIterator<Element<T>>
  /** A copy, which may be written. */
  with(index: number, value: Element<T>): T
}

/** The calls of a DataView or a Buffer that read. */
type Reading<T> = Pick<T, Extract<keyof T, `get${string}` | `read${string}` | 'byteLength' | 'byteOffset' | 'buffer'>>

/** A DataView that cannot be written through. Every DataView is one. */
export type ReadOnlyDataView = Reading<DataView>

/** A Buffer that cannot be written through. Every Buffer is one. */
export type ReadOnlyBuffer = ReadOnlyView<Uint8Array> &
  Reading<NodeBuffer> &
  Pick<NodeBuffer, 'compare' | 'copy' | 'equals' | 'toString'>

/** What `view` of a mapped file gives: read-only in read mode. */
export type FileView<Mode extends FileMode, T extends View> = Mode extends 'read'
  ? T extends NodeBuffer
    ? ReadOnlyBuffer
    : T extends TypedArray
      ? ReadOnlyView<T>
      : ReadOnlyDataView
  : T

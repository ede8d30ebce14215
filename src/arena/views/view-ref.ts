/**
 * References to views: plain values that survive `postMessage`, `structuredClone` and JSON, where a view would be copied with its window.
 *
 *     { arena: '5f0c9a4be1d27733', type: 'Float64Array', offset: 4096, length: 12 }
 *
 * `arena` is the identity that an arena has in all threads and processes, and nowhere an address. A reference comes from outside: each
 * property is read once and verified, and one of another arena is refused. It keeps nothing alive, neither the arena nor a block.
 * @module
 */
import { oneOf } from '../../arguments.ts'
import { InvalidArgumentTypeError, OutOfRangeError } from '../../errors.ts'
import {
  elementBytes,
  kindOfView,
  type NodeBuffer,
  VIEW_TYPES,
  type ViewConstructor,
  viewByteLength,
} from '../../views.ts'
import { elementsIn } from './extent.ts'

/** What a reference leads to, by the name of its type. */
export interface ViewTypes {
  Int8Array: Int8Array
  Uint8Array: Uint8Array
  Uint8ClampedArray: Uint8ClampedArray
  Int16Array: Int16Array
  Uint16Array: Uint16Array
  Int32Array: Int32Array
  Uint32Array: Uint32Array
  Float32Array: Float32Array
  Float64Array: Float64Array
  BigInt64Array: BigInt64Array
  BigUint64Array: BigUint64Array
  DataView: DataView
  Buffer: NodeBuffer
}

/** The name of a type of view. */
export type ViewTypeName = keyof ViewTypes

/**
 * The name of a view's type, as far as the compiler knows it. What is declared as a Uint8Array may be a Buffer, and its reference says
 * so; of a view of no known type it may be any.
 */
export type ViewNameOf<V extends ArrayBufferView> =
  V extends Pick<NodeBuffer, 'equals'>
    ? 'Buffer'
    : V extends DataView
      ? 'DataView'
      : V extends { readonly [Symbol.toStringTag]: infer Name extends Exclude<ViewTypeName, 'DataView'> }
        ? Name extends 'Uint8Array'
          ? 'Uint8Array' | 'Buffer'
          : Name
        : ViewTypeName

/** What `arena.refOf` gives and `arena.viewOf` takes. */
export interface ViewRef<Name extends ViewTypeName = ViewTypeName> {
  /** Which arena: its `handle().generation`. */
  readonly arena: string
  /** The name of the view's type. */
  readonly type: Name
  /** Of the first byte, in the arena. */
  readonly offset: number
  /** In elements; of a DataView or Buffer in bytes. */
  readonly length: number
}

/** The reference to a view that starts at `offset`. @internal */
export function makeRef<V extends ArrayBufferView>(arena: string, view: V, offset: number): ViewRef<ViewNameOf<V>> {
  const type = kindOfView(view) as ViewNameOf<V>
  const length = viewByteLength(view) / elementBytes('view', VIEW_TYPES.get(type))
  return Object.freeze({ arena, type, offset, length })
}

/** What a reference says, verified. @internal */
export interface CheckedRef {
  readonly type: ViewConstructor
  readonly offset: number
  readonly length: number
}

/** Throws unless it is a reference to a range of this arena. @internal */
export function checkRef(ref: unknown, identity: string, title: string, byteLength: number): CheckedRef {
  if (typeof ref !== 'object' || ref === null) throw new InvalidArgumentTypeError('ref', 'what refOf gave', ref)
  const { arena, type: name, offset, length } = ref as Record<string, unknown>
  if (typeof arena !== 'string') throw new InvalidArgumentTypeError('ref.arena', 'a string', arena)
  if (arena !== identity) throw new OutOfRangeError('ref.arena', `"${identity}", that of ${title}`, arena)
  // The names are listed for the error alone: to list them takes longer than all the rest.
  const type = VIEW_TYPES.get(name as string) ?? (oneOf('ref.type', name, [...VIEW_TYPES.keys()]) as never)
  elementsIn(byteLength, elementBytes('ref.type', type), offset, length, 'ref.')
  return { type, offset: offset as number, length: length as number }
}

/**
 * Units of length, and the two kinds of position that must never be mixed.
 *
 * An `Offset` counts bytes from an arena's start: it is what callers see, and it means the same in every thread and process.
 * An `Address` is where the bytes are mapped in this process: it stays inside `ffi` and `arena`. Both are plain numbers
 * at run time; the brands cost nothing.
 * @module
 */

/** 2^10 bytes. */
export const KiB: number = 2 ** 10
/** 2^20 bytes. */
export const MiB: number = 2 ** 20
/** 2^30 bytes. */
export const GiB: number = 2 ** 30
/** 2^40 bytes. */
export const TiB: number = 2 ** 40

declare const brand: unique symbol

/** Bytes from the start of an arena. */
export type Offset = number & { readonly [brand]?: 'offset' }

/** An absolute address in this process. Never leaves `ffi` and `arena`. @internal */
export type Address = number & { readonly [brand]: 'address' }

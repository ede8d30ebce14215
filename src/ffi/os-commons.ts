/**
 * What the threads of a process have in common, and no other process has: a part of `Os`. Workers share no variable, so whatever
 * one thread is to find that another has made has to be at a place in memory that both can work out.
 * @module
 */

/** Bytes of one part. */
export const PART_BYTES: number = 256 * 1024
/** How many parts there are. */
export const PARTS = 256

export interface Commons {
  /** Sixteen random bytes, the same in every thread of the process, in no other process. */
  readonly secret: Uint8Array

  /**
   * An ArrayBuffer over a part of memory that every thread of the process has: zeros when it was never written, and never unmapped.
   * Made once a thread and part. The first 4,096 bytes of part 0 are not the caller's. It is never to be handed out.
   *
   * - ENOMEM: there are no addresses left for it.
   * - UnsupportedOperationError: this system gives a process no random bytes.
   */
  part(index: number): ArrayBuffer
}

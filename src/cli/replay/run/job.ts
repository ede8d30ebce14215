/**
 * What the process that measures is told, and what it answers.
 * @module
 */
import type { Observation } from './observe.ts'

export interface Job {
  /** A file in MTRC, not compressed. */
  readonly trace: string
  /** The name of a policy of the house, or the path of a module. */
  readonly policy: string
  readonly arenaBytes: number
  /** Verify the policy, and measure nothing. */
  readonly verify: boolean
  readonly frames: number
  /** Warm passes are made for so long, one at least. */
  readonly warmMs: number
}

/** Times and memory of a policy on a trace. Frames are those of `observation`. */
export interface Measured {
  /** Nanoseconds an event: of the first pass, which finds a new arena and writes to every page, and the median of the warm ones. */
  readonly coldNs: number
  readonly warmNs: number
  readonly passes: number
  /** By how much the peak of RSS rose in the cold pass, and the peak itself. */
  readonly peakRssBytes: number
  readonly processPeakBytes: number
  readonly observation: Observation
}

/** How it ended. `full`: the policy had no room at that event. `failed`: it broke its contract there. */
export type Answer =
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'verified' }
  | { readonly kind: 'full' | 'failed'; readonly event: number; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }

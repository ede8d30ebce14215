/**
 * The figures of an outcome that every report shows, computed once.
 * @module
 */
import type { Sample } from '../run/observe.ts'
import type { Outcome, TraceOutcome } from '../run/runner.ts'

/** 1 - live / used: what blocks have beyond what was asked for. */
export function internalShare({ liveBytes, usedBytes }: Sample): number {
  return usedBytes > 0 ? Math.max(0, 1 - liveBytes / usedBytes) : 0
}

/** 1 - used / held: what the policy holds and no block has. */
export function externalShare({ usedBytes, heldBytes }: Sample): number {
  return heldBytes > 0 ? Math.max(0, 1 - usedBytes / heldBytes) : 0
}

/** One line of the comparison. What an allocator of C does not tell, or a full policy did not reach, is undefined. */
export interface Line {
  readonly name: string
  readonly warmNs: number | undefined
  readonly coldNs: number | undefined
  readonly eventsPerSecond: number | undefined
  readonly peakHeldBytes: number | undefined
  /** The peak of what the policy held, over the peak of what was live. */
  readonly peakOverLive: number | undefined
  readonly peakRssBytes: number | undefined
  /** At the frame with most live bytes. */
  readonly internal: number | undefined
  readonly external: number | undefined
  readonly fullAt: number | undefined
}

export function lineOf({ trace }: TraceOutcome, outcome: Outcome): Line {
  const times = outcome.measured ?? outcome.native
  const observation = outcome.measured?.observation
  const peak = observation?.samples.reduce((most, sample) => (sample.liveBytes > most.liveBytes ? sample : most))
  const { peakLiveBytes } = trace.trace.summary
  const held = observation?.peakHeldBytes
  return {
    name: outcome.name,
    warmNs: times?.warmNs,
    coldNs: times?.coldNs,
    eventsPerSecond: times === undefined ? undefined : 1e9 / times.warmNs,
    peakHeldBytes: held,
    peakOverLive: held === undefined || peakLiveBytes === 0 ? undefined : held / peakLiveBytes,
    peakRssBytes: times?.peakRssBytes,
    internal: peak === undefined ? undefined : internalShare(peak),
    external: peak === undefined ? undefined : externalShare(peak),
    fullAt: outcome.fullAt,
  }
}

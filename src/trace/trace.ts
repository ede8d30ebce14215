/**
 * A trace: what a program asked of malloc, in order, as three columns of 32-bit integers.
 *
 *      event    0        1        2       …         meta = op | alignLog2 << 8 | thread << 16
 *      meta   [ malloc | calloc | free  | … ]       slot = which entry of the replayer's table holds the block
 *      slot   [ 0      | 1      | 0     | … ]       size = bytes requested (0 for a free)
 *      size   [ 24     | 4096   | 0     | … ]
 *
 * Slots are reused, so the table is only as long as the largest number of blocks that live at once.
 * @module
 */
import { TraceError } from './error.ts'

/** The low eight bits of an event's `meta`. */
export const MALLOC = 1
/** The op of a calloc. */
export const CALLOC = 2
/** The op of a realloc. */
export const REALLOC = 3
/** The op of a memalign. */
export const MEMALIGN = 4
/** The op of a free. */
export const FREE = 5

/** Bits of the trace's flags. */
export const FLAG_TRUNCATED = 1
/** The trace was recorded by this library. */
export const FLAG_RECORDED = 2
/** The trace was converted from another format. */
export const FLAG_FETCHED = 4
/** The trace was made up, not recorded. */
export const FLAG_SYNTHETIC = 8

/** Sizes and slots are below 2^31, so that the columns can be read as signed integers. */
export const LARGEST: number = 2 ** 31 - 1
/** The largest alignment an event may ask for: 1 GiB. */
export const LARGEST_ALIGN_LOG2 = 30

/** What a trace amounts to. Every figure follows from the columns. */
export interface TraceSummary {
  /** Calls, of every kind. */
  readonly events: number
  /** Entries that a replayer's table needs. */
  readonly slots: number
  /** Blocks that were ever made: malloc, calloc and memalign events. */
  readonly blocks: number
  /** Largest sum of the requested sizes of live blocks. */
  readonly peakLiveBytes: number
  /** Sum of the requested sizes of the blocks that live after the last event. */
  readonly endLiveBytes: number
  /** Blocks that live after the last event. */
  readonly endLiveCount: number
  /** Threads that have an event. */
  readonly threads: number
  /** Sum of all sizes requested, reallocs included. */
  readonly requestedBytes: number
}

/** The columns of a trace, all of one length. */
export interface TraceColumns {
  /** What was called: `op | log2(alignment) << 8 | thread << 16`. */
  readonly meta: Int32Array
  /** Which entry of a replayer's table holds the block. */
  readonly slot: Int32Array
  /** Bytes that were asked for; 0 for a free. */
  readonly size: Int32Array
}

/** What a program asked of malloc, in order: three columns with an entry for each event. */
export interface Trace extends TraceColumns {
  /** What the columns amount to. */
  readonly summary: TraceSummary
  /** Where the trace comes from: `FLAG_…` bits. */
  readonly flags: number
}

/**
 * Walks the columns: throws a `TraceError` on the first event that cannot be, and returns what they amount to.
 *
 * @param columns - Of a trace.
 * @returns Counts and bytes.
 * @throws `TraceError` on the first event that cannot be.
 * @example
 * ```js
 * const builder = new TraceBuilder()
 * builder.malloc(100)
 * summarize(builder.build()).requestedBytes // -> 100
 * ```
 */
export function summarize(columns: TraceColumns): TraceSummary {
  const { meta, slot, size } = columns
  // No trace needs more slots than events: a wild slot number is refused before it makes a table.
  const table = Math.min(largest(slot) + 1, meta.length)
  const sizes = new Float64Array(table).fill(-1)
  let live = 0
  let peakLiveBytes = 0
  let blocks = 0
  let endLiveCount = 0
  let requestedBytes = 0
  for (let event = 0; event < meta.length; event++) {
    const op = meta[event]! & 255
    const at = slot[event]!
    const bytes = size[event]!
    checkEvent(event, meta[event]!, at, bytes, table, sizes[at]! >= 0)
    if (sizes[at]! >= 0) live -= sizes[at]!
    sizes[at] = op === FREE ? -1 : bytes
    if (op === FREE) endLiveCount--
    else {
      if (op !== REALLOC) {
        blocks++
        endLiveCount++
      }
      live += bytes
      requestedBytes += bytes
      if (live > peakLiveBytes) peakLiveBytes = live
    }
  }
  return {
    events: meta.length,
    slots: table,
    blocks,
    peakLiveBytes,
    endLiveBytes: live,
    endLiveCount,
    threads: countThreads(meta),
    requestedBytes,
  }
}

/** How many threads the events are of. */
function countThreads(meta: Int32Array): number {
  const seen = new Uint8Array(1 << 16)
  for (let event = 0; event < meta.length; event++) seen[meta[event]! >>> 16] = 1
  return seen.reduce((sum, one) => sum + one, 0)
}

function largest(column: Int32Array): number {
  let most = -1
  for (let i = 0; i < column.length; i++) if (column[i]! > most) most = column[i]!
  return most
}

function checkEvent(event: number, meta: number, slot: number, size: number, slots: number, live: boolean): void {
  const op = meta & 255
  const fail = (message: string): never => {
    throw new TraceError('event', message, { event })
  }
  if (op < MALLOC || op > FREE) fail(`operation ${op} is none of 1 to 5`)
  if (slot < 0 || slot >= slots) fail(`slot ${slot >>> 0} is not below ${slots}`)
  if (size < 0) fail(`size ${size >>> 0} is not below 2^31`)
  const alignLog2 = (meta >>> 8) & 255
  if (op === MEMALIGN ? alignLog2 > LARGEST_ALIGN_LOG2 : alignLog2 !== 0) fail(`alignment 2^${alignLog2} cannot be`)
  if (op === FREE && size !== 0) fail(`a free of ${size} bytes`)
  if (op === REALLOC && size === 0) fail('a realloc to 0 bytes')
  if ((op === REALLOC || op === FREE) !== live) fail(live ? `slot ${slot} holds a live block` : `slot ${slot} is empty`)
}

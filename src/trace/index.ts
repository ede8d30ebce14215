/**
 * The public names of the trace tools, for research on allocators: read and write traces, replay them through any allocator,
 * verify every block on the way, and record new ones.
 * @module
 */
export { TraceBuilder } from './builder.ts'
export { ReplayError, TraceError, type TraceFault } from './error.ts'
export { decodeTrace, encodeTrace, writeTrace } from './format.ts'
export { type ParsedTrace, parseTrace, type ReadOptions, readTrace } from './readers/read-trace.ts'
export type { TraceFormat } from './readers/reader.ts'
export { Recorder } from './record.ts'
export { Replay, type ReplayTarget, type Touch } from './replay.ts'
export {
  CALLOC,
  FLAG_FETCHED,
  FLAG_RECORDED,
  FLAG_SYNTHETIC,
  FLAG_TRUNCATED,
  FREE,
  MALLOC,
  MEMALIGN,
  REALLOC,
  summarize,
  type Trace,
  type TraceColumns,
  type TraceSummary,
} from './trace.ts'
export { VerifiedReplay, type ViewSource } from './verified-replay.ts'

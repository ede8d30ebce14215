/**
 * The public names of `sorites/trace`, for research on allocators: read traces of several formats and write them, replay them through any
 * allocator, verify every block on the way, and record new ones.
 *
 *     import { Arena, GiB, Heap } from 'sorites'
 *     import { Replay, readTrace } from 'sorites/trace'
 *
 *     const heap = new Heap(Arena.reserve(GiB))
 *     new Replay(readTrace('program.mtrc.gz'), heap).run()
 *
 * docs/api.md lists them, docs/policies.md shows them at work. In the examples of the reference, `arena` is an arena of 64 MiB, `heap` a heap in
 * it, and `path` the path of a file.
 * @module sorites/trace
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
export { VerifiedReplay, type VerifiedTarget, type ViewSource } from './verified-replay.ts'

/**
 * A finished comparison, as traces.bench.ts writes it to JSON and figures.ts reads it, and the figures that follow from its rows.
 *
 *     net time  = ns of a row - ns of its floor, of the same trace in the same round       a harness in JavaScript costs more than one in C
 *     peak      = peak RSS growth of a row - that of its floor
 *     ratio     = median over rounds of (one subject / another, in the same round)         per trace
 *     over all  = geometric mean over traces; for peaks over those of 4 MiB live and more
 *
 * Below 4 MiB the peak of a JavaScript process is that of its engine: compiled code, and V8's heap.
 * @module
 */
import { MiB } from '../../src/units.ts'
import { geometricMean, median } from '../report/statistics.ts'
import type { Row } from './rounds.ts'

/** Times and peaks are not taken for less than this: a floor may come out above what stands on it. */
const LEAST_NS = 0.5
const LEAST_BYTES = 65536
const LEAST_LIVE = 4 * MiB

export interface ComparedTrace {
  readonly name: string
  readonly events: number
  readonly peakLiveBytes: number
}

export interface ComparedSubject {
  readonly name: string
  readonly floor: string
  /** Heaps are ours. */
  readonly kind: 'heap' | 'native'
}

export interface ComparisonData {
  readonly machine: string
  readonly nodes: readonly string[]
  readonly date: string
  readonly command: string
  readonly rounds: number
  /** Libraries of the native allocators. */
  readonly libraries: Readonly<Record<string, string>>
  readonly traces: readonly ComparedTrace[]
  readonly subjects: readonly ComparedSubject[]
  readonly rows: readonly Row[]
}

export type Measure = 'net' | 'gross' | 'peak'

/** A ratio over all traces, and the trace where it is worst. */
export interface Overall {
  readonly mean: number
  readonly worst: number
  readonly worstTrace: string
}

export class Comparison {
  readonly data: ComparisonData
  readonly #rows: Map<string, Row> = new Map()

  constructor(data: ComparisonData) {
    this.data = data
    for (const row of data.rows) this.#rows.set(`${row.subject} ${row.round} ${row.trace}`, row)
  }

  get heaps(): readonly ComparedSubject[] {
    return this.data.subjects.filter(({ kind }) => kind === 'heap')
  }

  get natives(): readonly ComparedSubject[] {
    return this.data.subjects.filter(({ kind }) => kind === 'native')
  }

  /** The traces that count for a measure. */
  tracesFor(measure: Measure): readonly ComparedTrace[] {
    return this.data.traces.filter(({ peakLiveBytes }) => measure !== 'peak' || peakLiveBytes >= LEAST_LIVE)
  }

  /** One subject's figure for a trace: median over rounds. */
  value(measure: Measure, subject: ComparedSubject, trace: ComparedTrace): number {
    return median(this.#byRound((round) => this.#of(measure, subject, trace, round)))
  }

  /** One subject over another for a trace: median of the rounds' ratios. */
  ratio(measure: Measure, subject: ComparedSubject, over: ComparedSubject, trace: ComparedTrace): number {
    return median(
      this.#byRound((round) => this.#of(measure, subject, trace, round) / this.#of(measure, over, trace, round))
    )
  }

  /** One subject over another, over all traces; undefined where none counts. */
  overall(measure: Measure, subject: ComparedSubject, over: ComparedSubject): Overall | undefined {
    return worstOf(this.tracesFor(measure), (trace) => this.ratio(measure, subject, over, trace))
  }

  /** One subject's peak over the least of the native ones. */
  peakOverBest(subject: ComparedSubject): Overall | undefined {
    return worstOf(this.tracesFor('peak'), (trace) =>
      Math.max(...this.natives.map((native) => this.ratio('peak', subject, native, trace)))
    )
  }

  #byRound<T>(value: (round: number) => T): T[] {
    return Array.from({ length: this.data.rounds }, (_, round) => value(round))
  }

  #of(measure: Measure, subject: ComparedSubject, trace: ComparedTrace, round: number): number {
    const row = this.#row(subject.name, trace, round)
    if (measure === 'gross') return row.ns
    const floor = this.#row(subject.floor, trace, round)
    return measure === 'net'
      ? Math.max(row.ns - floor.ns, LEAST_NS)
      : Math.max(row.peakBytes - floor.peakBytes, LEAST_BYTES)
  }

  #row(subject: string, trace: ComparedTrace, round: number): Row {
    const row = this.#rows.get(`${subject} ${round} ${trace.name}`)
    if (row === undefined) throw new Error(`no row for ${subject}, ${trace.name}, round ${round}`)
    return row
  }
}

function worstOf(traces: readonly ComparedTrace[], ratio: (trace: ComparedTrace) => number): Overall | undefined {
  if (traces.length === 0) return undefined
  const ratios = traces.map(ratio)
  const worst = Math.max(...ratios)
  return { mean: geometricMean(ratios), worst, worstTrace: traces[ratios.indexOf(worst)]!.name }
}

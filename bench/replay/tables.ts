/**
 * A comparison as Markdown.
 * @module
 */
import { countText, markdownTable, mebibytes, timeText } from '../report/markdown.ts'
import type { ComparedSubject, Comparison, Measure, Overall } from './comparison.ts'

/** Every trace with every allocator, then what it comes to. */
export function comparisonText(comparison: Comparison): string {
  const parts = [perTrace(comparison)]
  const glibc = comparison.natives.find(({ name }) => name === 'glibc')
  if (glibc !== undefined) parts.push(relativeTo(comparison, glibc))
  for (const heap of comparison.heaps) if (comparison.natives.length > 0) parts.push(heapOver(comparison, heap))
  return parts.join('\n\n')
}

/** What fits on a front page: each allocator's two figures. */
export function summaryText(comparison: Comparison): string | undefined {
  const glibc = comparison.natives.find(({ name }) => name === 'glibc')
  if (glibc === undefined) return undefined
  const rows = comparison.data.subjects.map((subject) => [
    subject.name,
    mean(comparison.overall('net', subject, glibc)),
    mean(comparison.overall('peak', subject, glibc)),
  ])
  return markdownTable(['relative to glibc', 'time of a call', 'peak RSS'], rows)
}

function perTrace(comparison: Comparison): string {
  const { subjects, traces, rounds } = comparison.data
  const head = [
    'trace',
    'events',
    'live MiB',
    ...subjects.map(({ name }) => `${name}, ns`),
    ...subjects.map(({ name }) => `${name}, MiB`),
  ]
  const rows = traces.map((trace) => [
    trace.name,
    countText(trace.events),
    mebibytes(trace.peakLiveBytes),
    ...subjects.map((subject) => timeText(comparison.value('net', subject, trace))),
    ...subjects.map((subject) => mebibytes(comparison.value('peak', subject, trace))),
  ])
  return `Net time an event and peak RSS, median of ${rounds} interleaved round${rounds === 1 ? '' : 's'}:\n\n${markdownTable(head, rows)}`
}

const mean = (overall: Overall | undefined) => overall?.mean.toFixed(2) ?? '–'
const worst = (overall: Overall | undefined) =>
  overall === undefined ? '–' : `${overall.worst.toFixed(2)} (${overall.worstTrace})`

function relativeTo(comparison: Comparison, base: ComparedSubject): string {
  const rows = comparison.data.subjects.map((subject) => {
    const over = (measure: Measure) => comparison.overall(measure, subject, base)
    return [
      subject.name,
      ...(['net', 'gross', 'peak'] as const).map((measure) => mean(over(measure))),
      ...(['net', 'peak'] as const).map((measure) => (subject === base ? '' : worst(over(measure)))),
    ]
  })
  const head = ['', 'net time', 'gross time', 'peak RSS', 'worst net time', 'worst peak RSS']
  return `**Relative to ${base.name}**, geometric means over ${counted(comparison)}:\n\n${markdownTable(head, rows)}`
}

function heapOver(comparison: Comparison, heap: ComparedSubject): string {
  const rows = comparison.natives.map((native) => {
    const over = (measure: Measure) => comparison.overall(measure, heap, native)
    return [native.name, mean(over('net')), worst(over('net')), mean(over('peak')), worst(over('peak'))]
  })
  const best = comparison.peakOverBest(heap)
  if (best !== undefined) rows.push(['the best of them', '', '', mean(best), worst(best)])
  const head = ['over', 'net time', 'worst', 'peak RSS', 'worst']
  return `**${heap.name}**, over each:\n\n${markdownTable(head, rows)}`
}

function counted(comparison: Comparison): string {
  const [all, large] = [comparison.tracesFor('net').length, comparison.tracesFor('peak').length]
  return `${all} trace${all === 1 ? '' : 's'}${all === large ? '' : `, ${large} of them for peak RSS`}`
}

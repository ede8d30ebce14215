/**
 * The first screen of the demo: what was measured, three figures, one chart.
 * @module
 */
import { basename } from 'node:path'
import { lineChart } from '../src/cli/terminal/chart.ts'
import type { Trace } from '../src/trace/trace.ts'
import type { Check } from './check.ts'
import type { Comparison } from './compare.ts'
import { bytes, paint, table } from './print.ts'

const count = (value: number) => value.toLocaleString('en')

export function summary(file: string, trace: Trace, found: Comparison, chart: boolean): string {
  const { events, blocks, peakLiveBytes } = trace.summary
  const lines = [
    paint('bold', 'The same job with sorites and with Buffers'),
    '',
    `${basename(file)} is what a real program asked of malloc: ${count(events)} calls, ${count(blocks)} blocks,`,
    `${bytes(peakLiveBytes)} of them in use at the most. The demo does it all again, in a fresh process each:`,
    '',
    table(['', 'sorites', 'Buffers', ''], figures(found)),
    paint('dim', ' What is left with Buffers has been freed, and malloc keeps it for the next ones.'),
  ]
  if (chart)
    lines.push(
      '',
      paint('bold', 'Memory of the process over the calls, above its start'),
      lineChart({
        x: 'count',
        y: 'bytes',
        rows: 12,
        series: [
          { name: 'Buffers', points: found.buffers.curve },
          { name: 'sorites', points: found.heap.curve },
          { name: 'in use', points: found.live },
        ],
      })
    )
  return lines.join('\n')
}

function figures({ heap, buffers }: Comparison): string[][] {
  return [
    [
      'time',
      duration(heap.milliseconds),
      duration(buffers.milliseconds),
      times(buffers.milliseconds, heap.milliseconds),
    ],
    ['memory at its peak', bytes(heap.peakBytes), bytes(buffers.peakBytes), times(buffers.peakBytes, heap.peakBytes)],
    [
      'memory back at the end',
      share(heap),
      share(buffers),
      `${bytes(heap.leftBytes)} and ${bytes(buffers.leftBytes)} are left`,
    ],
  ]
}

function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`
}

/** How the Buffers' figure compares with the heap's: more is worse. */
function times(of: number, against: number): string {
  if (of <= 0 || against <= 0) return ''
  return of >= against ? `${(of / against).toFixed(1)} × less` : `${(against / of).toFixed(1)} × more`
}

function share({ peakBytes, leftBytes }: { peakBytes: number; leftBytes: number }): string {
  return peakBytes === 0 ? '–' : `${Math.max(0, Math.round(100 * (1 - leftBytes / peakBytes)))} %`
}

export function verdict(checks: readonly Check[], verbose: boolean): string {
  const failed = checks.filter(({ ok }) => !ok)
  if (failed.length > 0)
    return paint(
      'red',
      `FAILED: ${failed.length} of ${checks.length} checks: ${failed.map(({ name }) => name).join('; ')}`
    )
  const more = verbose ? '' : ' (`npm run demo -- --verbose` shows them, step by step)'
  return `${paint('green', `OK: all ${checks.length} checks hold`)}${more}`
}

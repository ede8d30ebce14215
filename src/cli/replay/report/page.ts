/**
 * The report as one self-contained page: for each trace the comparison, memory and fragmentation over its events, sizes and lives, and the
 * heap over time for every policy, side by side.
 *
 * Charts of a trace share what is read and what is enlarged; a click moves the pictures of the heap to that event. The data
 * is reduced when it is written: a sample a frame, at most 2,048 cells a picture, so the page has the same size for any trace.
 * @module
 */
import { type Chart, FIGURE_STYLE, figure } from '../../page/chart.ts'
import { embedJson, escapeHtml, htmlPage, htmlTable } from '../../page/page.ts'
import type { HeapMapData } from '../../page/page-data.ts'
import { bytesText, countText, shareText } from '../../terminal/format.ts'
import type { Observation, Sample } from '../run/observe.ts'
import type { TraceOutcome } from '../run/runner.ts'
import { boundsOf } from '../size-classes.ts'
import { barFigure } from './bar-figure.ts'
import { externalShare, internalShare, lineOf } from './figures.ts'
import { HEAP_STYLE } from './heap-style.ts'
import { LINE_TITLES, lineCells, summaryText } from './text-report.ts'

interface Observed {
  readonly name: string
  readonly summary: string
  readonly observation: Observation
}

export function replayPage(results: readonly TraceOutcome[], origin: Readonly<Record<string, unknown>>): string {
  const names = results.map(({ trace }) => trace.name).join(', ')
  const title = `sorites replay: ${names}`
  const made = `${origin.date}, Node ${origin.node}, ${origin.machine}`
  return htmlPage({
    title,
    body: `<h1>${escapeHtml(title)}</h1><p class="origin">${escapeHtml(made)}</p>${results.map(traceSection).join('')}`,
    style: FIGURE_STYLE + HEAP_STYLE,
  })
}

function traceSection(result: TraceOutcome): string {
  const observed = result.outcomes.flatMap(({ name, summary, measured }) =>
    measured === undefined ? [] : [{ name, summary, observation: measured.observation }]
  )
  const lines = result.outcomes.map((outcome) => lineCells(lineOf(result, outcome)))
  const list = result.outcomes.flatMap(({ name, summary, kind }) =>
    kind === 'policy' ? [`<li><b>${escapeHtml(name)}</b>: ${escapeHtml(summary)}</li>`] : []
  )
  return `<section class="trace" data-events="${result.trace.trace.summary.events}">
<h2>${escapeHtml(result.trace.name)}</h2>
<p>${escapeHtml(summaryText(result))}.</p>
${htmlTable(LINE_TITLES, lines)}
<p class="origin">ns/event, M/s: time of an event and millions of events a second, median of the passes after the first. held: the most that
the allocator held of its arena; × live: that over the most that was live. RSS: by how much its peak rose in the first pass. internal: share
of the blocks' bytes that was not asked for; external: share of what is held that no block has; both where most is live.</p>
<ul>${list.join('')}</ul>
${overTime(observed).map(figure).join('')}
${observed.length === 0 ? '' : heapMaps(observed, result.trace.trace.summary.events)}
${sizes(result, observed)}
</section>`
}

/** The charts over the events of the trace. */
function overTime(observed: readonly Observed[]): Chart[] {
  if (observed.length === 0) return []
  const points = (samples: readonly Sample[], value: (sample: Sample) => number): [number, number][] =>
    samples.map((sample) => [sample.event, value(sample)])
  const series = (value: (sample: Sample) => number): Chart['series'] =>
    observed.map(({ name, observation }) => ({ name, points: points(observation.samples, value) }))
  const live = {
    name: 'live (asked for)',
    points: points(observed[0]!.observation.samples, ({ liveBytes }) => liveBytes),
  }
  return [
    {
      title: 'Memory held, over events',
      x: 'count',
      y: 'bytes',
      series: [...series(({ heldBytes }) => heldBytes), live],
    },
    {
      title: 'External fragmentation: held and in no block',
      x: 'count',
      y: 'share',
      series: series(externalShare),
    },
    {
      title: 'Internal fragmentation: in a block and not asked for',
      x: 'count',
      y: 'share',
      series: series(internalShare),
    },
  ]
}

function heapMaps(observed: readonly Observed[], events: number): string {
  const frames = observed[0]!.observation.samples.length
  const maps = observed.map(({ name, observation: { map, samples } }) => {
    const data: HeapMapData = {
      ...map,
      samples: samples.map(({ event, liveBytes, liveCount, heldBytes, residentBytes }) => ({
        event,
        liveBytes,
        liveCount,
        heldBytes,
        residentBytes,
      })),
    }
    return `<figure class="heapmap"><figcaption>${escapeHtml(name)}, a cell is ${bytesText(map.cellBytes)}</figcaption>
<canvas tabindex="0" role="img" aria-label="The arena of ${escapeHtml(name)}, cell by cell. Arrow keys go from cell to cell."></canvas>
<output class="state">&nbsp;</output><output class="cell" aria-live="polite">&nbsp;</output>
<script type="application/json">${embedJson(data)}</script></figure>`
  })
  return `<h3>The heap over time</h3>
<div class="controls"><button type="button" class="play" aria-pressed="false">Play</button><input type="range" min="0" max="${frames - 1}" value="${frames - 1}" aria-label="Time, in frames of the trace"><output class="time">event ${countText(events)}</output></div>
<p class="key"><i class="live"></i>live blocks, the darker the fuller <i class="free"></i>free, in memory <i class="absent"></i>not in memory</p>
<div class="maps">${maps.join('')}</div>`
}

function sizes({ figures }: TraceOutcome, observed: readonly Observed[]): string {
  const all = figures.sizes.reduce((sum, { blocks }) => sum + blocks, 0)
  const range = (least: number, most: number): string =>
    least === most ? countText(least) : `${countText(least)} – ${countText(most)}`
  const life = (events: number | undefined): string => (events === undefined ? '–' : countText(events))
  const waste = ({ observation }: Observed, least: number): string => {
    const use = observation.classes.find((one) => one.least === least)
    return use === undefined || use.usableBytes === 0 ? '–' : shareText(1 - use.requestedBytes / use.usableBytes)
  }
  const rows = figures.sizes.map(({ least, most, blocks, bytes, peakCount, left, medianLife, ninthLife }) => [
    range(least, most),
    countText(blocks),
    shareText(blocks / all),
    bytesText(bytes),
    countText(peakCount),
    life(medianLife),
    life(ninthLife),
    countText(left),
    ...observed.map((one) => waste(one, least)),
  ])
  const titles = ['bytes', 'blocks', 'share', 'asked for', 'most at once', 'median life', '90 %', 'left']
  return `<h3>Sizes and lives</h3>
${barFigure({
  title: 'Blocks by size',
  kind: 'count',
  bars: figures.sizes.map(({ least, most, blocks }) => ({
    label: tick(least),
    value: blocks,
    detail: `${range(least, most)} bytes: ${countText(blocks)} blocks`,
  })),
})}
${barFigure({
  title: 'Blocks by life, in events',
  kind: 'count',
  bars: figures.lives.map((blocks, index) => ({
    label: tick(boundsOf(index)[0]),
    value: blocks,
    detail: `${range(...boundsOf(index))} events: ${countText(blocks)} blocks`,
  })),
})}
${htmlTable([...titles, ...observed.map(({ name }) => `${name} waste`)], rows)}
<p class="origin">Lives are counted in events, of the blocks that were freed. Waste: the share of a class's bytes that was not asked for.</p>`
}

/** A short number for an axis. */
function tick(value: number): string {
  if (value >= 2 ** 20) return `${value / 2 ** 20}M`
  return value >= 1024 ? `${value / 1024}k` : String(value)
}

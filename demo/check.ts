/**
 * The demo's checks: pure functions of what was measured, so that a test can hand them measurements that must fail.
 * @module
 */
import { MiB } from '../src/index.ts'
import { bytes, change } from './print.ts'
import type { ReplayRun } from './replay-run.ts'
import type { Sample } from './sampler.ts'
import type { TouchRun } from './touch-run.ts'

export interface Check {
  readonly name: string
  readonly expected: string
  readonly got: string
  readonly ok: boolean
}

/** What reserving 64 GiB and making a heap on it may cost: process noise and a few pages. */
const START_BYTES = 2 * MiB

/** What the heap promised, and what the kernel saw of it. `tolerance` in bytes: JavaScript's own part in RSS. */
export function checkReplay(run: ReplayRun, tolerance: number): Check[] {
  const at = (phase: string): Sample | undefined => run.samples.find((sample) => sample.phase === phase)
  const [start, reserved, heap, full, freed, purged, closed] = [
    'start',
    'reserve',
    'heap',
    'full',
    'freed',
    'purged',
    'closed',
  ].map(at)
  const contents = check('contents', 'every block verified', run.failure ?? 'every block verified')
  if (!start || !reserved || !heap || !full || !freed || !purged || !closed)
    return [contents, { name: 'phases', expected: 'all of them', got: 'the run ended early', ok: false }]
  const growth = near('RSS grew by what we can name', heap, full, tolerance)
  const fall = near('RSS fell by what we can name', full, purged, tolerance)
  const overBooks = run.samples.filter(({ stats, residentBytes }) => stats && residentBytes > stats.committedBytes)
  return [
    atMost('reserving costs no RSS', reserved.rssBytes - start.rssBytes, START_BYTES),
    atMost('a heap on it costs little', heap.rssBytes - reserved.rssBytes, START_BYTES),
    contents,
    check('the books are exact', 'at every sample', booksOff(run.samples)),
    check(
      'resident <= committed',
      'at every sample',
      overBooks.length ? `not at ${overBooks.length}` : 'at every sample'
    ),
    growth,
    check('check() finds no fault', '3 times', `${run.checksPassed} times`),
    check('freed: nothing is used', '0 blocks', `${freed.stats?.usedCount} blocks`),
    atMost('purged: pages are gone', purged.residentBytes, Math.max(full.residentBytes / 100, MiB / 4)),
    fall,
    near('closed: what is left is JS’s', start, closed, tolerance),
    check('malloc after close', 'ERR_ARENA_CLOSED', run.afterClose),
  ]
}

/** What the kernel shows of one page in a reserved GiB. */
export function checkTouch(run: TouchRun): Check[] {
  const mapping = (step: string) => run.readings.find((reading) => reading.step === step)?.mappingRssBytes ?? Number.NaN
  const { pageSize } = run
  return [
    exactly('1 GiB reserved: its RSS', mapping('reserve'), 0),
    exactly('one byte written: its RSS', mapping('write'), pageSize),
    exactly('another page read: its RSS', mapping('read'), pageSize),
    exactly('16 MiB filled: its RSS', mapping('fill'), pageSize + run.filledBytes),
    exactly('purged: its RSS', mapping('purge'), 0),
  ]
}

function check(name: string, expected: string, got: string): Check {
  return { name, expected, got, ok: expected === got }
}

function exactly(name: string, got: number, expected: number): Check {
  return { name, expected: bytes(expected), got: bytes(got), ok: got === expected }
}

function atMost(name: string, got: number, most: number): Check {
  return { name, expected: `at most ${bytes(most)}`, got: bytes(got), ok: got <= most }
}

/** RSS from one sample to another against the pages that we can name: the arena's, its metadata's, JavaScript's heap. */
function near(name: string, from: Sample, to: Sample, tolerance: number): Check {
  const named = ({ residentBytes, stats, scriptBytes }: Sample) =>
    residentBytes + (stats?.metadataBytes ?? 0) + scriptBytes
  const expected = named(to) - named(from)
  const got = to.rssBytes - from.rssBytes
  const ok = Math.abs(got - expected) <= tolerance
  return { name, expected: `${change(expected)} ± ${bytes(tolerance)}`, got: change(got), ok }
}

/** committed = used + free slots + free dirty + metadata, at every sample. */
function booksOff(samples: readonly Sample[]): string {
  const wrong = samples.filter(({ stats }) => {
    if (stats === undefined) return false
    const { usedBytes, freeSlotBytes, freeDirtyBytes, metadataBytes } = stats
    return stats.committedBytes !== usedBytes + freeSlotBytes + freeDirtyBytes + metadataBytes
  })
  return wrong.length === 0 ? 'at every sample' : `not at ${wrong.length}`
}

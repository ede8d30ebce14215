/**
 * What `--verbose` prints: one section for each part, 90 columns.
 * @module
 */
import type { Check } from './check.ts'
import { bytes, change, paint, table } from './print.ts'
import type { ReplayRun } from './replay-run.ts'
import type { Sample } from './sampler.ts'
import type { TouchRun } from './touch-run.ts'

const count = (value: number) => value.toLocaleString('en')
const heading = (text: string) => `\n${paint('bold', text)}\n`

const PHASES: Readonly<Record<string, string>> = {
  start: 'start',
  reserve: 'arena reserved',
  heap: 'heap made on it',
  full: 'end of the trace',
  freed: 'everything freed',
  purged: 'purged',
  closed: 'arena closed',
}

export function reportReplay(run: ReplayRun): string {
  const start = run.samples[0]!
  const rows = rowsOf(run.samples).map(([name, sample]) => [
    name,
    bytes(sample.reservedBytes),
    bytes(sample.liveBytes),
    bytes(sample.stats?.committedBytes ?? 0),
    bytes(sample.residentBytes),
    bytes(sample.scriptBytes),
    bytes(sample.rssBytes),
    change(sample.rssBytes - start.rssBytes),
  ])
  const views = Object.entries(run.views).sort(([, a], [, b]) => b - a)
  return [
    heading(`1. The same on a ${bytes(run.samples[1]?.reservedBytes ?? 0)} arena, every block verified`),
    `Each block was a typed-array view, filled with a pattern of its own and verified when it`,
    `was resized or freed: ${bytes(run.verifiedBytes)} compared in ${views.length} types of view`,
    `(${views
      .slice(0, 4)
      .map(([name, n]) => `${count(n)} ${name}`)
      .join(', ')} …).`,
    '',
    table(['', 'reserved', 'requested', 'committed', 'resident', 'V8 heap', 'RSS', 'change'], rows),
  ].join('\n')
}

/** The settled phases, and the sample with the most resident pages of those in between. */
function rowsOf(samples: readonly Sample[]): [string, Sample][] {
  const between = samples.filter(({ phase }) => phase === 'growth')
  const peak = between.reduce<Sample | undefined>(
    (a, b) => (a && a.residentBytes >= b.residentBytes ? a : b),
    undefined
  )
  return samples.flatMap((sample): [string, Sample][] => {
    const name = PHASES[sample.phase]
    if (sample === peak) return [['the replay’s peak', sample]]
    return name === undefined ? [] : [[name, sample]]
  })
}

/** What each step is called, and why its line reads as it does. `rest`: RSS beyond what the arena's mapping accounts for. */
const STEPS: Readonly<Record<string, (run: TouchRun, rest: number) => [string, string]>> = {
  nothing: () => ['nothing', 'The measure for the rest: JavaScript’s own noise.'],
  reserve: (_, rest) => [
    'map 1 GiB',
    `Addresses only (the arena maps room for its allocators’ metadata too). No page. ${beyond(rest)}`,
  ],
  write: ({ pageSize }, rest) => [
    'write 1 byte',
    `One fault, one page: ${bytes(pageSize)} of the mapping, of mincore, of RSS. ${beyond(rest)} The page tables that lead there grew as well, and count in no RSS.`,
  ],
  read: (_, rest) => [
    'read elsewhere',
    `The kernel maps its one shared page of zeros: resident to mincore, not counted in RSS. ${beyond(rest)}`,
  ],
  fill: ({ filledBytes }, rest) => [
    'fill 16 MiB',
    `RSS follows the pages: ${bytes(filledBytes)}. ${beyond(rest)} Page tables: 8 bytes for each page.`,
  ],
  purge: () => ['purge the arena', 'Every page back to the kernel, at once. The addresses stay and read zero.'],
  close: () => ['close it', 'Nothing was resident any more. The addresses go when the last view is garbage.'],
}

function beyond(rest: number): string {
  return rest === 0 ? '' : `RSS moved by ${change(rest)} besides: Node’s own objects and code.`
}

export function reportTouch(run: TouchRun): string {
  const rows: string[][] = []
  const notes: string[] = []
  run.readings.forEach((reading, index) => {
    const before = run.readings[index - 1]
    const step = STEPS[reading.step]
    if (before === undefined || step === undefined) return
    const mapping = reading.mappingRssBytes - before.mappingRssBytes
    const [name, note] = step(run, reading.rssMovedBytes - mapping)
    rows.push([
      name,
      change(reading.sizeBytes - before.sizeBytes),
      change(mapping),
      change(reading.mincoreBytes - before.mincoreBytes),
      change(reading.rssMovedBytes),
      change(reading.rssBytes - before.rssBytes),
      change(reading.pageTableBytes - before.pageTableBytes),
    ])
    notes.push(wrap(`${name}: ${note}`))
  })
  const [first] = run.readings
  return [
    heading('2. One gibibyte, one byte: what each counter sees'),
    `A process of its own, ${bytes(first?.rssBytes ?? 0)} RSS before anything (${bytes(first?.fileBytes ?? 0)} of it Node’s own code).`,
    'Each line shows what one step changed:',
    '',
    table(['', 'size', 'mapping', 'mincore', 'RSS', 'loosely', 'page tables'], rows),
    paint('dim', ' mapping: its line in smaps. RSS: statm right before and after the step. Loosely: from one'),
    paint('dim', ' line to the next, with the garbage that reading all this makes. Page tables: VmPTE.'),
    '',
    ...notes,
  ].join('\n')
}

export function reportChecks(checks: readonly Check[]): string {
  const rows = checks.map(({ name, expected, got, ok }) => [
    ok ? paint('green', 'ok') : paint('red', 'FAIL'),
    name,
    expected,
    got,
  ])
  return [heading('3. Checks'), table(['', 'check', 'expected', 'got'], rows, 4)].join('\n')
}

/** Breaks a note into lines of at most 88 columns, the first word hanging out. */
function wrap(text: string): string {
  const lines: string[] = []
  let line = ' '
  for (const word of text.split(/ +/)) {
    if (line.length + word.length + 1 > 88) {
      lines.push(line)
      line = '   '
    }
    line += ` ${word}`
  }
  return [...lines, line].join('\n')
}

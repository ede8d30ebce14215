/**
 * `sorites watch`: the memory of a process over time, by owner, with findings at the end.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Arguments, Command } from '../command.ts'
import { Failure, OutputFile, onInterrupt, UsageError } from '../failure.ts'
import { machineText } from '../machine.ts'
import { processNumber } from '../map/process-memory.ts'
import type { Ending } from '../program.ts'
import { lineChart } from '../terminal/chart.ts'
import { bytesText, countedText, timeText } from '../terminal/format.ts'
import { print, printJson, say } from '../terminal/output.ts'
import { paint, printable } from '../terminal/style.ts'
import { textSeries } from './charts.ts'
import { findings, type Observed } from './findings.ts'
import { Live } from './live.ts'
import { watchPage } from './page.ts'
import { startWatched, type Watched } from './program.ts'
import { Samples } from './samples.ts'
import type { V8Figures } from './v8-figures.ts'

const DEFAULT_INTERVAL_MS = 250
const DEFAULT_PAGE = 'sorites-watch.html'
const DRAW_EVERY_MS = 500
/**
 * After a sample there is so many times as long without one as the kernel worked on it: it holds the process's mappings while it counts. Time
 * on the CPU, because waiting for one holds nothing.
 */
const REST = 4

export const command: Command = {
  name: 'watch',
  summary: 'the memory of a process over time, with findings at the end',
  usage: '[options] PID\n[options] -- PROGRAM [ARGUMENT…]',
  description: `Samples /proc/PID/smaps until the process ends, or until Ctrl-C. A program that is Node and is started here also tells V8's own
figures and its garbage collections, by a module that is loaded first; what that costs is said at the end. Another Ctrl-C
ends a program that does not end by itself, and the tool.`,
  options: {
    interval: {
      type: 'string',
      value: 'MS',
      help: `milliseconds between samples, ${DEFAULT_INTERVAL_MS} unless given`,
    },
    duration: {
      type: 'string',
      value: 'SECONDS',
      help: 'stop after so long; a program that was started here goes on to its end',
    },
    html: { type: 'string', value: 'FILE', help: `where the page goes, ${DEFAULT_PAGE} unless given` },
    json: {
      type: 'boolean',
      help: 'samples and findings, as JSON on stdout, and no page unless --html is given; what the program prints goes to stderr',
    },
  },
  takesProgram: true,
  examples: [
    'sorites watch 1234',
    'sorites watch -- node app.js',
    'sorites watch --html memory.html --interval 100 -- node --expose-gc app.js',
  ],
  run,
}

async function run(given: Arguments): Promise<number> {
  const intervalMs = given.number('interval', 10, 3_600_000) ?? DEFAULT_INTERVAL_MS
  const seconds = given.number('duration', 0.01, 1e9) ?? Infinity
  const [word, ...more] = given.positionals
  const started = given.program.length > 0
  if (started === (word !== undefined) || more.length > 0)
    throw new UsageError('watch expects one process, or `--` and a program to start')
  // Before the work, so that a place that cannot be written to is known at once.
  const path = given.text('html') ?? (given.flag('json') ? undefined : DEFAULT_PAGE)
  const page = path === undefined ? undefined : new OutputFile(path)
  const live = new Live()
  const stop = new AbortController()
  const program = started
    ? await startWatched(given.program, { intervalMs, live, json: given.flag('json') }, () => stop.abort())
    : undefined
  const settle = program === undefined ? onInterrupt(() => stop.abort()) : () => undefined
  const pid = program?.pid ?? processNumber(word as string)
  const watched = new Samples(pid, intervalMs)
  if (program === undefined) watched.take()
  const ending = await sample(watched, program, seconds * 1000, live, stop)
  settle()
  live.stop()
  watched.dropEdges()
  if (watched.list.length === 0)
    throw new Failure(
      `the program ended before its memory could be read${ending === undefined ? '' : ` (${ending.text})`}`
    )
  report(given, watched, program?.v8, page)
  if (ending !== undefined) say(`The program ended by ${ending.text}.`)
  return ending === undefined || ending.asked ? 0 : 1
}

/** Samples until the process ends, the time is over, or Ctrl-C. Resolves to how a program ended that did not end well. */
async function sample(
  watched: Samples,
  program: Watched | undefined,
  milliseconds: number,
  live: Live,
  stop: AbortController
): Promise<Ending | undefined> {
  const ended = program?.ended.finally(() => stop.abort())
  const until = performance.now() + milliseconds
  let drawn = 0
  while (!stop.signal.aborted && performance.now() < until) {
    const begin = performance.now()
    const used = process.cpuUsage()
    if (!tryTake(watched, program !== undefined)) break
    const taken = performance.now() - begin
    const rest = (REST * process.cpuUsage(used).system) / 1000
    if (performance.now() - drawn >= DRAW_EVERY_MS && watched.list.length > 1) {
      drawn = performance.now()
      live.draw(picture(watched))
    }
    await pause(Math.min(Math.max(watched.intervalMs - taken, rest), until - performance.now()), stop.signal)
  }
  return await ended
}

/** False when the process is not there any more. */
function tryTake(watched: Samples, started: boolean): boolean {
  try {
    watched.take()
    return true
  } catch (error) {
    if (!(error instanceof Failure) || (!started && watched.list.length === 0)) throw error
    return false
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, milliseconds), undefined, { signal }).catch(() => undefined)
}

function picture({ list }: Samples): string {
  return lineChart({ series: textSeries(list), x: 'time', y: 'bytes' }, process.stderr)
}

function report(given: Arguments, watched: Samples, v8: V8Figures | undefined, page: OutputFile | undefined): void {
  const { list, malloc, arenas, command: name, offspring } = watched
  const observed: Observed = {
    samples: list,
    malloc,
    arenas,
    offspring: [...offspring.values()],
    v8: v8 === undefined || v8.readings.length === 0 ? undefined : v8,
  }
  const title = `Memory of ${given.program.length > 0 ? given.program.join(' ') : `process ${given.positionals[0]} (${name})`}`
  if (page !== undefined) {
    const origin = `${machineText()}; ${new Date().toISOString().slice(0, 10)}; sorites watch`
    page.write(watchPage({ ...observed, title, origin }))
    page.commit()
  }
  if (given.flag('json'))
    printJson({
      title,
      machine: machineText(),
      samples: list,
      v8: { readings: v8?.readings ?? [], collections: v8?.collections ?? [], costMs: v8?.costMs ?? 0 },
      malloc,
      findings: findings(observed),
    })
  else print(textReport(title, watched, observed))
  if (page !== undefined) say(`written: ${page.path}`)
}

function textReport(title: string, { list }: Samples, observed: Observed): string {
  const duration = list.at(-1)!.time - list[0]!.time
  const head = `${printable(title)}: ${countedText(list.length, 'sample')} in ${timeText(duration)}, ${bytesText(list.at(-1)!.resident)} at last`
  const lines = findings(observed).flatMap(({ text, advice }) => [
    `• ${text}`,
    ...(advice === undefined ? [] : [paint(process.stdout, 'dim', `  ${advice}`)]),
  ])
  return [
    paint(process.stdout, 'bold', head),
    '',
    lineChart({ series: textSeries(list), x: 'time', y: 'bytes' }),
    '',
    ...lines,
  ].join('\n')
}

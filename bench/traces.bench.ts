/**
 * How long do real programs' traces take, and how much memory do they need at their peak: Heap against the allocators of C?
 *
 * Every allocator replays the same events by the same method, in a process of its own (replay/rounds.ts), those in C through a program of
 * ours that is compiled here (src/cli/native). What is not installed is left out, and named.
 *
 *     npm run bench:traces -- --help
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Scratch } from '../src/cli/native/compile.ts'
import { findNatives, type NativeAllocator } from '../src/cli/native/libraries.ts'
import { type ComparedSubject, Comparison } from './replay/comparison.ts'
import { timeMemoryFigure } from './replay/figure.ts'
import { commandText, HELP, type Options, parseOptions } from './replay/options.ts'
import { nativeSubjects, nodeSubjects, replayRounds, type Subject } from './replay/rounds.ts'
import { comparisonText, summaryText } from './replay/tables.ts'
import { machineText, originText, today, writeFrontSection, writeSection } from './report/page.ts'
import { Progress } from './report/progress.ts'

const argv = process.argv.slice(2)
const figures = fileURLToPath(new URL('../../bench/figures', import.meta.url))

function options(): Options {
  try {
    return parseOptions(argv)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exit(2)
  }
}

const versionOf = (node: string): string => execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()

/** Heaps under each Node, each with its floor. */
function heapSubjects(nodes: readonly string[]): Subject[] {
  return nodes.flatMap((node) => {
    const heap = `Heap on Node ${versionOf(node).slice(1).split('.')[0]}`
    return nodeSubjects(node, { heap, floor: `floor of ${heap}`, unchecked: undefined })
  })
}

function compare(chosen: Options): Comparison {
  using scratch = new Scratch()
  const wanted = ({ name }: NativeAllocator) => chosen.only.includes(name)
  const natives = findNatives((line) => {
    if (chosen.only.some((name) => line.startsWith(`${name}:`))) console.error(line)
  }).filter(wanted)
  const heaps = chosen.only.includes('heap') ? heapSubjects(chosen.nodes) : []
  const inC = natives.length > 0 ? nativeSubjects(natives, scratch) : []
  if (natives.length > 0 && inC.length === 0) console.error('allocators of C: skipped, there is no working `cc` here')
  const subjects = [...heaps, ...inC]
  const progress = new Progress(chosen.rounds * chosen.traces.length * subjects.length)
  const plan = { rounds: chosen.rounds, moreMs: chosen.quick ? 0 : 1200 }
  try {
    const rows = replayRounds(chosen.traces, subjects, plan, scratch, (what) => progress.next(what))
    return new Comparison({
      machine: machineText(),
      nodes: chosen.nodes.map(versionOf),
      date: today(),
      command: commandText(argv),
      rounds: chosen.rounds,
      libraries: Object.fromEntries(natives.map(({ name, library }) => [name, basename(library ?? 'libc')])),
      traces: chosen.traces.map(({ name, trace }) => ({ name, ...trace.summary })),
      subjects: compared(heaps, 'heap').concat(compared(inC, 'native')),
      rows,
    })
  } finally {
    progress.stop()
  }
}

const compared = (subjects: readonly Subject[], kind: ComparedSubject['kind']): ComparedSubject[] =>
  subjects.flatMap(({ name, floor }) => (floor === undefined ? [] : [{ name, floor, kind }]))

function main(): void {
  const chosen = options()
  if (chosen.help) {
    console.log(HELP)
    return
  }
  const comparison = compare(chosen)
  const { data } = comparison
  const text = comparisonText(comparison)
  const origin = originText(data.command, `Node ${data.nodes.join(', ')}`)
  console.log(`${origin}\n\n${text}`)
  if (chosen.json !== undefined) writeFileSync(chosen.json, jsonText(comparison))
  if (chosen.write) write(comparison, origin, text)
}

function write(comparison: Comparison, origin: string, text: string): void {
  writeSection('traces', `${origin}\n\n${text}`)
  mkdirSync(figures, { recursive: true })
  writeFileSync(join(figures, 'traces.json'), jsonText(comparison))
  const summary = summaryText(comparison)
  if (summary === undefined) return
  const figure = '![Time against peak memory of malloc traces, relative to glibc](figures/time-memory.svg)'
  const names = comparison.data.traces.map(({ name }) => name).join(', ')
  const measured = `${summary}\n\nGeometric means over these traces: ${names}.\n\n${origin}`
  writeSection('measured', `${figure}\n\n${measured}`)
  writeFrontSection('measured', measured)
  writeFileSync(join(figures, 'time-memory.svg'), timeMemoryFigure(comparison))
}

/** JSON with one row a line. */
function jsonText({ data: { rows, ...rest } }: Comparison): string {
  const head = JSON.stringify(rest, null, 1).slice(0, -2)
  return `${head},\n "rows": [\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n ]\n}\n`
}

main()

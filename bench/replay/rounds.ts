/**
 * Replays traces through several allocators in interleaved rounds: in each round every trace, and of each trace every allocator once, in an
 * order that is rotated from round to round. So a slow hour, or a busy neighbour, hits all of them.
 *
 *     row = one trace through one allocator in a process of its own: its cold pass, its warm passes
 *     time of a row = median of its quiet passes; of all of them where none was quiet
 *
 * The machine's speed is bimodal where two hyperthreads share a core: a loop of additions around each pass tells (src/cli/native/replay-source.ts, `spin`), and a
 * pass is quiet when it took no longer than 1.25 of its fastest.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileSource, type Scratch } from '../../src/cli/native/compile.ts'
import { environment, isFrom, type NativeAllocator } from '../../src/cli/native/libraries.ts'
import { REPLAY_SOURCE } from '../../src/cli/native/replay-source.ts'
import { encodeTrace } from '../../src/trace/format.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { median } from '../report/statistics.ts'

/** What traces are replayed through. */
export interface Subject {
  readonly name: string
  /** The subject of the same language and runtime that does nothing; undefined for that one itself. */
  readonly floor: string | undefined
  /** Runs `TRACE PASSES MORE_MS QUIET_NS`, and returns the lines that src/cli/native/replay-source.ts describes. */
  readonly run: (args: readonly string[]) => string
  /** Passes whose spins took longer are not quiet. */
  readonly quietNs: number
}

export interface Row {
  readonly trace: string
  readonly round: number
  readonly subject: string
  /** Nanoseconds an event in warm passes, and in the cold one. */
  readonly ns: number
  readonly coldNs: number
  /** Growth of the process's peak RSS in the cold pass. */
  readonly peakBytes: number
  readonly passes: number
  readonly quiet: number
}

export interface NamedTrace {
  readonly name: string
  readonly trace: Trace
}

export interface Plan {
  readonly rounds: number
  /** More passes are made for so long, until enough were quiet. */
  readonly moreMs: number
}

const QUIET = 1.25
const FILE = fileURLToPath(new URL('./in-node.js', import.meta.url))

/** Subjects that run under a Node: `heap`, `unchecked` or `floor` of in-node.ts, by the name they shall have. */
export function nodeSubjects(
  node: string,
  names: Readonly<Record<'heap' | 'unchecked' | 'floor', string | undefined>>
): Subject[] {
  const quietNs = QUIET * Number(execFileSync(node, [FILE, '--spin'], { encoding: 'utf8' }))
  return (['floor', 'heap', 'unchecked'] as const).flatMap((kind) => {
    const name = names[kind]
    if (name === undefined) return []
    const run = (args: readonly string[]) =>
      execFileSync(node, ['--expose-gc', FILE, kind, ...args], {
        encoding: 'utf8',
        env: environment({ name, library: undefined }),
      })
    return [{ name, floor: kind === 'floor' ? undefined : names.floor, run, quietNs }]
  })
}

/** The native allocators and their floor; none without a compiler. */
export function nativeSubjects(natives: readonly NativeAllocator[], scratch: Scratch): Subject[] {
  const program = compileSource('replay', REPLAY_SOURCE, scratch)
  const floor = compileSource('replay', REPLAY_SOURCE, scratch, 'FLOOR')
  if (program === undefined || floor === undefined) return []
  const quietNs = QUIET * Number(execFileSync(program, ['--spin'], { encoding: 'utf8' }))
  const name = 'C floor'
  const run = (args: readonly string[]) => execFileSync(floor, args, { encoding: 'utf8' })
  return [
    { name, floor: undefined, run, quietNs },
    ...natives.map((native) => ({
      name: native.name,
      floor: name,
      run: (args: readonly string[]) => runNative(program, args, native),
      quietNs,
    })),
  ]
}

function runNative(program: string, args: readonly string[], native: NativeAllocator): string {
  const lines = execFileSync(program, args, { encoding: 'utf8', env: environment(native) })
  const library = /^library (.*)$/m.exec(lines)?.[1] ?? ''
  if (!isFrom(native, library)) throw new Error(`${native.name} was not preloaded: malloc came from ${library}`)
  return lines
}

/** Replays all of it; `next` is told before each row. */
export function replayRounds(
  traces: readonly NamedTrace[],
  subjects: readonly Subject[],
  plan: Plan,
  scratch: Scratch,
  next: (what: string) => void
): Row[] {
  const files = traces.map(({ trace }, index) => {
    const file = join(scratch.path, `${index}.mtrc`)
    writeFileSync(file, encodeTrace(trace))
    return file
  })
  const rows: Row[] = []
  for (let round = 0; round < plan.rounds; round++)
    for (const [index, { name, trace }] of traces.entries())
      for (let turn = 0; turn < subjects.length; turn++) {
        const subject = subjects[(turn + round) % subjects.length]!
        next(`round ${round + 1}, ${name}, ${subject.name}`)
        const passes = Math.max(5, Math.min(200, Math.floor(3e6 / trace.summary.events)))
        const args = [files[index]!, passes, plan.moreMs, subject.quietNs].map(String)
        rows.push({ trace: name, round, subject: subject.name, ...reduce(subject.run(args), subject.quietNs) })
      }
  return rows
}

function reduce(lines: string, quietNs: number): Omit<Row, 'trace' | 'round' | 'subject'> {
  const number = (key: string) => Number(new RegExp(`^${key} (\\S+)$`, 'm').exec(lines)?.[1])
  const passes = [...lines.matchAll(/^pass (\S+) (\S+)$/gm)].map(([, ns, spun]) => ({
    ns: Number(ns),
    spun: Number(spun),
  }))
  const quiet = passes.filter(({ spun }) => spun <= quietNs)
  return {
    ns: median((quiet.length > 0 ? quiet : passes).map(({ ns }) => ns)),
    coldNs: number('cold'),
    peakBytes: number('peak'),
    passes: passes.length,
    quiet: quiet.length,
  }
}

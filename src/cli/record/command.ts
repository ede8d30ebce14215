/**
 * `sorites record -- node app.js`: what a Node program does with Buffers, ArrayBuffers and typed arrays, as a trace.
 * @module
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeTrace } from '../../trace/format.ts'
import { readBounded } from '../../trace/readers/read-trace.ts'
import type { Arguments, Command } from '../command.ts'
import { gzipped } from '../convert/pack.ts'
import { atEnd, Failure, OutputFile, reasonOf, UsageError, writeOutput } from '../failure.ts'
import { Scratch } from '../native/compile.ts'
import { type Ending, environmentWith, Program } from '../program.ts'
import { bytesText, countedText, countText } from '../terminal/format.ts'
import { say } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { EVENT_BYTES, FAULT, FAULT_BYTES, type Recording, traceOf } from './events.ts'

const DEFAULT_FILE = 'record.mtrc.gz'
const MOST_BYTES = 2 ** 30
const SITES_SHOWN = 15

const NOT_SEEN =
  'Not seen: what Node and native code make by themselves (files and sockets read, zlib, crypto, WebAssembly), resize and transfer ' +
  'of ArrayBuffers; and a block counts as live until the collector finds that it is garbage.'

export const command: Command = {
  name: 'record',
  summary: 'records the Buffers, ArrayBuffers and typed arrays of a Node program as a trace',
  usage: '[options] -- node app.js',
  description: `Runs the program with a module loaded before it that writes down each Buffer, ArrayBuffer and typed array
with its own memory: how long it is, and when the collector finds that it is garbage. \`sorites replay\` shows
what an arena would make of that.

${NOT_SEEN.replace('WebAssembly), ', 'WebAssembly),\n').replace('counts as', 'counts\nas')}

Of several processes and threads the one with the most events is taken, and the others are named.`,
  options: {
    output: { type: 'string', short: 'o', value: 'FILE', help: `where the trace goes (default ${DEFAULT_FILE})` },
    sites: { type: 'boolean', help: 'say which places of the program made most' },
  },
  examples: [
    'sorites record -- node app.js; sorites replay record.mtrc.gz',
    'sorites record --sites -o build.mtrc.gz -- npm run build',
  ],
  takesProgram: true,
  run: record,
}

async function record(given: Arguments): Promise<number> {
  const [program] = given.program
  if (program === undefined || given.positionals.length > 0)
    throw new UsageError('record expects a program after `--`, such as `sorites record -- node app.js`')
  // Before the program runs, so that a place that cannot be written to is known at once.
  const output = new OutputFile(given.text('output') ?? DEFAULT_FILE)
  const scratch = new Scratch()
  const settled = atEnd(() => scratch[Symbol.dispose]())
  try {
    writeOutput(join(scratch.path, FAULT), ' '.repeat(FAULT_BYTES))
    const ending = await runRecorded(given.program, scratch.path, given.flag('sites'))
    requireWritten(scratch.path)
    const name = mostEvents(scratch.path)
    if (name === undefined)
      throw new Failure(`${program} was not recorded: it is no Node program, or ended before its first line`)
    const recording = traceOf(readBounded(join(scratch.path, `${name}.events`), MOST_BYTES))
    const bytes = encodeTrace(recording.trace)
    output.write(output.path.endsWith('.gz') ? await gzipped(bytes, `compressing ${output.path}`) : bytes)
    output.commit()
    tell(recording, output.path)
    if (given.flag('sites')) tellSites(join(scratch.path, `${name}.sites.json`))
    if (ending !== undefined) say(`The program ended by ${ending.text}.`)
    return ending === undefined || ending.asked ? 0 : 1
  } finally {
    settled()
    scratch[Symbol.dispose]()
  }
}

/** Runs the program. After Ctrl-C what it did until then is kept. */
async function runRecorded(words: readonly string[], folder: string, sites: boolean): Promise<Ending | undefined> {
  const variables = { SORITES_RECORD_FOLDER: folder, SORITES_RECORD_SITES: sites ? '1' : '0' }
  const env = environmentWith(new URL('preload.js', import.meta.url).href, words, variables, folder)
  const program = await Program.start(words, { stdio: 'inherit', env })
  return program.ended
}

/** The program could not write what it did: nothing of the recording is of use then. */
function requireWritten(folder: string): void {
  const code = readFileSync(join(folder, FAULT), 'latin1').trim()
  if (code !== '') throw new Failure(`cannot write the recording in ${tmpdir()}: ${reasonOf({ code, message: code })}`)
}

/** The thread with the most events; names the others. */
function mostEvents(folder: string): string | undefined {
  const found = readdirSync(folder)
    .filter((name) => name.endsWith('.events'))
    .map((name) => ({
      name: name.slice(0, -'.events'.length),
      events: statSync(join(folder, name)).size / EVENT_BYTES,
    }))
    .sort((a, b) => b.events - a.events)
  const [first, ...others] = found
  const text = ({ name, events }: { name: string; events: number }): string => {
    const [process, thread] = name.split('-')
    return `process ${process}${thread === '0' ? '' : `, thread ${thread}`} (${countedText(events, 'event')})`
  }
  if (first !== undefined && others.length > 0)
    say(
      `Of ${found.length} processes and threads this is ${text(first)}; not in the trace: ${others.map(text).join('; ')}`
    )
  return first?.name
}

function tell({ trace, ended, clipped }: Recording, output: string): void {
  const { events, blocks, peakLiveBytes, endLiveCount } = trace.summary
  const freed = blocks - endLiveCount
  say(
    `${output}: ${countedText(events, 'event')}, ${countedText(blocks, 'block')}, ${countText(freed)} of them found to be garbage, ${bytesText(peakLiveBytes)} live at the peak.`
  )
  if (!ended) say('The program did not come to its exit: its last moments may be missing.')
  if (clipped > 0) say(`${clipped} blocks of 2 GiB and more count as 2 GiB: a trace holds no larger ones.`)
  say(NOT_SEEN)
}

function tellSites(path: string): void {
  if (!existsSync(path)) {
    say('No sites: the program did not come to its exit.')
    return
  }
  const sites = JSON.parse(readFileSync(path, 'utf8')) as [string, { blocks: number; bytes: number; freed: number }][]
  const rows = sites
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .slice(0, SITES_SHOWN)
    .map(([place, { blocks, bytes, freed }]) => [
      bytesText(bytes),
      countText(blocks),
      countText(blocks - freed),
      place.replaceAll(/file:\/\/[^)\s]*/g, (url) => pathOf(url)),
    ])
  const columns = [
    { title: 'bytes', align: 'right' },
    { title: 'blocks', align: 'right' },
    { title: 'left', align: 'right' },
    { title: 'made at', flexible: 'end' },
  ] as const
  say(table(columns, rows, process.stderr))
}

/** A stack names modules by URL, with line and column. */
function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    return url
  }
}

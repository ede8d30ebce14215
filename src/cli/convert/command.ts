/**
 * `sorites convert IN OUT`: any trace that can be read, as MTRC.
 * @module
 */
import { encodeTrace } from '../../trace/format.ts'
import type { Arguments, Command } from '../command.ts'
import { UsageError, writeOutput } from '../failure.ts'
import { loadTrace } from '../replay/load.ts'
import { bytesText, countedText } from '../terminal/format.ts'
import { say } from '../terminal/output.ts'
import { gzipped } from './pack.ts'

export const command: Command = {
  name: 'convert',
  summary: 'writes a malloc trace of another format as MTRC',
  usage: 'IN OUT',
  description: `Reads MTRC, Android's memory_replay text, what glibc's mtrace() wrote, and the malloc lab's .rep, each
compressed or not (gzip, zip, and zstd from Node 22.15 on), told by content. Writes MTRC, compressed when
OUT ends in .gz. IN may be - for standard input, OUT for standard output.`,
  options: {},
  examples: [
    'sorites convert angry_birds2.zip angry_birds2.mtrc.gz  # a trace of Android',
    'MALLOC_TRACE=ls.log LD_PRELOAD=libc_malloc_debug.so.0 ./program; sorites convert ls.log program.mtrc',
    'curl … | sorites convert - trace.mtrc.gz',
  ],
  run: convert,
}

async function convert({ positionals }: Arguments): Promise<number> {
  const [from, to, ...more] = positionals
  if (from === undefined || to === undefined || more.length > 0)
    throw new UsageError('convert expects two files, IN and OUT (`sorites convert --help` explains it)')
  const { trace, format, notes } = await loadTrace(from)
  for (const note of notes) say(`${from}: ${note}`)
  const bytes = encodeTrace(trace)
  if (to === '-') process.stdout.write(bytes)
  else writeOutput(to, to.endsWith('.gz') ? await gzipped(bytes, `compressing ${to}`) : bytes)
  const { events, blocks, peakLiveBytes } = trace.summary
  say(
    `${format}: ${countedText(events, 'event')}, ${countedText(blocks, 'block')}, ${bytesText(peakLiveBytes)} live at the peak`
  )
  return 0
}

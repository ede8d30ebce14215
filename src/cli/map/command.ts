/**
 * `sorites map`: where the memory of a process is.
 * @module
 */
import type { Arguments, Command } from '../command.ts'
import { UsageError } from '../failure.ts'
import { print, printJson } from '../terminal/output.ts'
import { Progress } from '../terminal/progress.ts'
import { figuresOfEntry } from './figures.ts'
import { type MemoryMap, memoryMap } from './memory-map.ts'
import { processNumber } from './process-memory.ts'
import { mapText } from './text.ts'

export const command: Command = {
  name: 'map',
  summary: 'where the memory of a process is, by owner',
  usage: '[options] PID|self',
  description: `Reads /proc/PID/smaps, finds the owner of every mapping (V8, malloc, stacks, sorites, files, libraries), and sums up.
Of malloc's heaps it tells what is free but kept, and of sorites arenas which allocators are in them, where the process's
memory may be read. "self" is this process: the tool.`,
  options: {
    parts: { type: 'boolean', help: 'a line for each part of an owner: files, arenas by name, heaps of malloc' },
    mappings: { type: 'boolean', help: 'a line for each mapping' },
    json: { type: 'boolean', help: 'everything, as JSON on stdout, in bytes' },
  },
  examples: ['sorites map 1234', 'sorites map 1234 --parts', 'sorites map $(pgrep -n node) --json'],
  run,
}

async function run(given: Arguments): Promise<number> {
  const [process, ...more] = given.positionals
  if (process === undefined || more.length > 0) throw new UsageError('map expects one process: its number, or "self"')
  const pid = processNumber(process)
  const progress = new Progress(1)
  const map = memoryMap(pid, { report: (share) => progress.update(share, `reading the mappings of process ${pid}`) })
  progress.stop()
  if (given.flag('json')) printJson(jsonOf(map))
  else print(mapText(map, { parts: given.flag('parts'), mappings: given.flag('mappings') }))
  return 0
}

/** Addresses as text: JSON's readers may have no exact numbers above 2^53. */
function jsonOf({ mappings, arenas, ...rest }: MemoryMap): object {
  return {
    ...rest,
    arenas: arenas.map(({ start, end, ...arena }) => ({ start: hex(start), end: hex(end), ...arena })),
    mappings: mappings.map(({ entry, owner, part }) => ({
      start: hex(entry.start),
      end: hex(entry.end),
      permissions: entry.permissions,
      name: entry.name,
      owner,
      part,
      ...figuresOfEntry(entry),
    })),
  }
}

function hex(address: number): string {
  return `0x${address.toString(16)}`
}

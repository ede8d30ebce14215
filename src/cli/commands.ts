/**
 * The commands by name, each with the line that `sorites --help` shows and the import that loads it.
 * @module
 */
import type { Command } from './command.ts'

export interface CommandEntry {
  readonly summary: string
  /** A command line for the tool's own `--help`, with an explanation after two spaces and `#`. */
  readonly example: string
  readonly load: () => Promise<Command>
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  convert: {
    summary: 'writes a malloc trace of another format as MTRC',
    example: 'sorites convert program.log program.mtrc.gz  # what mtrace() wrote, as a trace to replay',
    load: async () => (await import('./convert/command.ts')).command,
  },
  record: {
    summary: 'records the Buffers, ArrayBuffers and typed arrays of a Node program as a trace',
    example: 'sorites record -- node app.js  # what the program asks for, as a trace to replay',
    load: async () => (await import('./record/command.ts')).command,
  },
  replay: {
    summary: 'runs malloc traces through allocation policies, and compares time and memory',
    example: 'sorites replay --html heap.html program.mtrc.gz  # what each policy makes of a trace',
    load: async () => (await import('./replay/command.ts')).command,
  },
}

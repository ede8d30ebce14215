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

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {}

/**
 * What a command of the tool is, and what it gets to run with.
 *
 *     sorites NAME [options] [arguments] [-- program with its own arguments]
 *
 * A command is one exported constant `command` in a module of its own. The module is imported when the command runs or is explained:
 * the list of commands (commands.ts) holds one line of text for each, so `sorites --help` loads nothing else.
 * @module
 */

/** An option, as `node:util` parseArgs knows it, and what `--help` says of it. */
export interface CommandOption {
  readonly type: 'boolean' | 'string'
  readonly short?: string
  /** May be given several times. */
  readonly multiple?: boolean
  /** Of a string: what stands for its value in `--help`, such as `FILE`. */
  readonly value?: string
  readonly help: string
}

export interface Command {
  readonly name: string
  /** One line, in the list of commands. */
  readonly summary: string
  /** What follows `sorites NAME`, such as `[options] PID`. */
  readonly usage: string
  /** Paragraphs of `--help`, between usage and options. */
  readonly description?: string
  readonly options: Readonly<Record<string, CommandOption>>
  /** Whole command lines; text after two spaces and `#` explains. */
  readonly examples: readonly string[]
  /** The words that may be its arguments, for completion. Default: files. */
  readonly words?: readonly string[]
  /** Whether `-- program arguments` may follow. */
  readonly takesProgram?: boolean
  /** Resolves to the exit status: 0 when all is well, 1 when something failed. Wrong usage is a thrown `UsageError`. */
  run(given: Arguments): Promise<number>
}

/** A command in the list. */
export interface CommandEntry {
  readonly summary: string
  /** A command line for the tool's own `--help`, with an explanation after two spaces and `#`. */
  readonly example: string
  readonly load: () => Promise<Command>
}

/** What was given on the command line, after parsing. */
export interface Arguments {
  readonly positionals: readonly string[]
  /** The words after `--`. */
  readonly program: readonly string[]
  flag(name: string): boolean
  text(name: string): string | undefined
  /** Every value of an option that may be repeated. */
  texts(name: string): readonly string[]
  /** A number between two bounds, else a `UsageError`. */
  number(name: string, least: number, most: number): number | undefined
}

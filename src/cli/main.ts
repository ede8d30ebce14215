#!/usr/bin/env node
/**
 * The command-line tool: finds the command, parses its arguments, runs it, and turns how it ended into an exit status.
 *
 *     0   all is well          1   something failed: one line on stderr says what          2   wrong usage
 *
 * A reader that goes away (`sorites map 1 | head`) is not a failure.
 * @module
 */
import { readFileSync } from 'node:fs'
import { parseCommandLine } from './arguments.ts'
import { COMMANDS } from './commands.ts'
import { Failure, reasonOf, reportFailure, UsageError, undoAll, watchSignals } from './failure.ts'
import { commandHelp, toolHelp } from './help.ts'
import { nearest } from './nearest.ts'

/** Runs one command line. Resolves to the exit status; throws what the command throws. */
export async function runTool(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words
  if (name === undefined) throw new UsageError('which command? `sorites --help` lists them')
  if (name === '--help' || name === '-h' || name === 'help') return explain(rest[0])
  if (name === '--version' || name === '-v') return print(`${version()}\n`)
  const command = await findCommand(name).load()
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  if (own.includes('--help') || own.includes('-h')) return print(commandHelp(command))
  return command.run(parseCommandLine(command, rest))
}

async function explain(name: string | undefined): Promise<number> {
  if (name === undefined || name.startsWith('-')) return print(toolHelp())
  return print(commandHelp(await findCommand(name).load()))
}

function findCommand(name: string): (typeof COMMANDS)[string] {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name]!
  const isOption = name.startsWith('-')
  const near = nearest(name, isOption ? ['--help', '--version'] : [...Object.keys(COMMANDS), 'help'])
  const kind = isOption ? 'option' : 'command'
  throw new UsageError(
    `there is no ${kind} "${name}"${near === undefined ? '' : `; did you mean "${near}"?`} (\`sorites --help\` lists them)`
  )
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** The compiled file lies at different depths in the package and in a build for tests. */
function version(): string {
  for (let folder = new URL('..', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      const found = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'))
      if (found.name === 'sorites') return found.version
    } catch {
      // Not in this folder.
    }
    if (folder.pathname === '/') return 'unknown'
  }
}

async function main(): Promise<void> {
  watchSignals()
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || stream === process.stderr) {
        undoAll()
        process.exit(error.code === 'EPIPE' ? 0 : 1)
      }
      process.exit(reportFailure(new Failure(`cannot write the result: ${reasonOf(error)}`)))
    })
  try {
    process.exitCode = await runTool(process.argv.slice(2))
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}

await main()

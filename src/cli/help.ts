/**
 * The texts of `--help`: of the tool, and of a command.
 * @module
 */
import type { Command, CommandOption } from './command.ts'
import { COMMANDS } from './commands.ts'
import { paint } from './terminal/style.ts'

export function toolHelp(): string {
  const width = Math.max(0, ...Object.keys(COMMANDS).map((name) => name.length)) + 2
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`)
  return [
    'sorites: shows memory at work',
    '',
    heading('Usage'),
    '  sorites COMMAND [options]',
    '',
    heading('Commands'),
    ...commands,
    '',
    heading('Options'),
    '  --help      this text; after a command, what that command can do',
    '  --version   the version',
    '',
    heading('Examples'),
    ...Object.values(COMMANDS).map(({ example }) => `  ${example}`),
    '',
  ].join('\n')
}

export function commandHelp(command: Command): string {
  const description = command.description === undefined ? [] : [command.description.trim(), '']
  return [
    `sorites ${command.name}: ${command.summary}`,
    '',
    heading('Usage'),
    ...command.usage.split('\n').map((usage) => `  sorites ${command.name} ${usage}`.trimEnd()),
    '',
    ...description,
    heading('Options'),
    ...optionLines({ ...command.options, help: { type: 'boolean', help: 'this text' } }),
    '',
    heading('Examples'),
    ...command.examples.map((line) => `  ${line}`),
    '',
  ].join('\n')
}

function optionLines(options: Readonly<Record<string, CommandOption>>): string[] {
  const rows = Object.entries(options).map(([name, { short, type, value, help }]) => [
    `${short === undefined ? '' : `-${short}, `}--${name}${type === 'string' ? ` ${value ?? 'VALUE'}` : ''}`,
    help,
  ])
  const width = Math.max(...rows.map(([left]) => left!.length)) + 2
  return rows.map(([left, right]) => `  ${left!.padEnd(width)}${right}`)
}

function heading(text: string): string {
  return paint(process.stdout, 'bold', `${text}:`)
}

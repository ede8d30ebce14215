/**
 * `sorites completion SHELL`: a script by which a shell completes commands and options.
 *
 * The script holds the words, so completing starts no process. It is made from the commands themselves and cannot differ from them.
 * @module
 */
import type { Arguments, Command, CommandEntry } from '../command.ts'
import { UsageError } from '../failure.ts'
import { nearest } from '../nearest.ts'
import { print } from '../terminal/output.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

type Commands = Readonly<Record<string, CommandEntry>>

/** The command that completes these. */
export function completionOf(commands: Commands): Command {
  return {
    name: 'completion',
    summary: 'a script by which bash, zsh or fish completes commands and options',
    usage: SHELLS.join('|'),
    words: SHELLS,
    options: {},
    examples: [
      'source <(sorites completion bash)                                     # in ~/.bashrc',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
      'sorites completion zsh > "${fpath[1]}/_sorites"',
      'sorites completion fish > ~/.config/fish/completions/sorites.fish',
    ],
    run: (given) => run(given, commands),
  }
}

/** A command's name with what can follow it. */
interface Words {
  readonly name: string
  readonly summary: string
  /** What may be its arguments; empty stands for files. */
  readonly words: readonly string[]
  readonly options: readonly {
    readonly name: string
    readonly short?: string
    readonly value: boolean
    readonly help: string
  }[]
}

async function run(given: Arguments, commands: Commands): Promise<number> {
  const [shell, ...more] = given.positionals
  if (shell === undefined || more.length > 0) throw new UsageError(`completion expects one of ${SHELLS.join(', ')}`)
  const words = await allWords(commands)
  if (shell === 'bash') print(bash(words))
  else if (shell === 'zsh') print(zsh(words))
  else if (shell === 'fish') print(fish(words))
  else {
    const near = nearest(shell, SHELLS)
    throw new UsageError(
      `there is no completion for "${shell}"${near === undefined ? '' : `; did you mean "${near}"?`} (${SHELLS.join(', ')})`
    )
  }
  return 0
}

async function allWords(commands: Commands): Promise<Words[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, { summary, load }]) => {
      const { options, words = [] } = await load()
      const all = Object.entries(options).map(([option, { help, short, type }]) => ({
        name: option,
        help,
        value: type === 'string',
        ...(short === undefined ? {} : { short }),
      }))
      return { name, summary, words, options: all }
    })
  )
}

function optionsOf({ options }: Words): string {
  return [...options.map(({ name }) => `--${name}`), '--help'].join(' ')
}

/** Where no option is begun, and a command has no words of its own, bash completes files by itself. */
function bash(words: readonly Words[]): string {
  const cases = words.map((one) => `    ${one.name}) options="${optionsOf(one)}" words="${one.words.join(' ')}" ;;`)
  return `_sorites() {
  local word="\${COMP_WORDS[COMP_CWORD]}" options="" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...words.map(({ name }) => name), '--help', '--version'].join(' ')}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
  esac
}
complete -o default -F _sorites sorites`
}

function zsh(words: readonly Words[]): string {
  const commands = words.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`)
  const cases = words.map(
    (one) =>
      `    ${one.name}) _arguments ${[...one.options, { name: 'help', help: 'what it can do' }].map(({ name, help }) => quoted(`--${name}[${help.replaceAll(/[[\]:]/g, ' ')}]`)).join(' ')} ${quoted(one.words.length > 0 ? `1:word:(${one.words.join(' ')})` : '*:file:_files')} ;;`
  )
  return `#compdef sorites
_sorites() {
  local -a commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$name" in
${cases.join('\n')}
  esac
}
compdef _sorites sorites`
}

function fish(words: readonly Words[]): string {
  return words
    .flatMap(({ name, summary, words: own, options }) => [
      `complete -c sorites -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...(own.length === 0
        ? []
        : [`complete -c sorites -n '__fish_seen_subcommand_from ${name}' -f -a ${quoted(own.join(' '))}`]),
      ...options.map(
        ({ name: option, short, value, help }) =>
          `complete -c sorites -n '__fish_seen_subcommand_from ${name}'${short === undefined ? '' : ` -s ${short}`} -l ${option}${value ? ' -r' : ''} -d ${quoted(help)}`
      ),
    ])
    .join('\n')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * A program that the tool starts and looks at (`watch`, `record`): how it is started with a module loaded first, how signals reach it, and how it
 * ends.
 *
 *     first Ctrl-C, SIGTERM, SIGHUP     the program gets it, and the command reports when the program has ended
 *     the second one                    ends the program, what it has started, and the tool
 *
 * A terminal sends Ctrl-C to all processes in its foreground, the program among them: it is not sent again, because many programs take a
 * second one for impatience.
 * @module
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { atEnd, Failure, onInterrupt, reasonOf } from './failure.ts'

/** How a program ended that did not end well. */
export interface Ending {
  /** `exit status 3`, `SIGINT`. */
  readonly text: string
  /** By the signal that the user sent. */
  readonly asked: boolean
}

export class Program {
  readonly pid: number
  readonly child: ChildProcess
  /** Resolves when the program has ended; undefined when it ended well. */
  readonly ended: Promise<Ending | undefined>
  #asked: NodeJS.Signals | undefined

  private constructor(child: ChildProcess, interrupted: () => void) {
    this.child = child
    this.pid = child.pid as number
    const settled = atEnd(() => killWithDescendants(this.pid))
    const heard = onInterrupt((signal) => {
      this.#asked = signal
      if (signal !== 'SIGINT' || !inForeground()) child.kill(signal)
      interrupted()
    })
    // A signal that may not be sent to the program is an error event as well, and no end.
    child.on('error', () => undefined)
    this.ended = new Promise((resolve) =>
      child.once('exit', (status, signal) => {
        settled()
        heard()
        resolve(this.#ending(status, signal))
      })
    )
  }

  /** Throws a `Failure` when it cannot be started. `interrupted` is called at the first signal. */
  static async start(
    words: readonly string[],
    options: { readonly stdio: StdioOptions; readonly env: NodeJS.ProcessEnv },
    interrupted: () => void = () => undefined
  ): Promise<Program> {
    const [name, ...rest] = words as [string, ...string[]]
    try {
      const child = spawn(name, rest, options)
      const program = child.pid === undefined ? undefined : new Program(child, interrupted)
      await once(child, 'spawn')
      return program as Program
    } catch (error) {
      throw new Failure(`cannot start ${name}: ${reasonOf(error)}`)
    }
  }

  #ending(status: number | null, signal: NodeJS.Signals | null): Ending | undefined {
    if (status === 0) return undefined
    const asked = this.#asked !== undefined && (signal === this.#asked || status === exitStatusOf(this.#asked))
    return { text: signal ?? `exit status ${status}`, asked }
  }
}

function exitStatusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/** Whether Ctrl-C on a terminal goes to this process, and so to the programs that it starts. */
function inForeground(): boolean {
  const [, , group, , , foreground] = statOf('self')
  return group !== undefined && group === foreground
}

/** The fields of /proc/PID/stat that follow the name: state, parent, group, session, terminal, the terminal's foreground group, … */
function statOf(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

/** A process whose parent has ended is not found: it has another parent now. */
function killWithDescendants(pid: number): void {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const parent = Number(statOf(name)[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const all = [pid]
  for (const one of all) all.push(...(children.get(one) ?? []))
  for (const one of all)
    try {
      process.kill(one, 'SIGKILL')
    } catch {
      // It has ended, or belongs to another user.
    }
}

/**
 * Environment in which Node loads `module` before its own modules, and before those that the environment names. A program that runs under Node's
 * permission model is allowed to read the modules of this tool, and to write to `folder`, so that it runs as it would without.
 */
export function environmentWith(
  module: string,
  words: readonly string[],
  variables: Readonly<Record<string, string>>,
  folder?: string
): NodeJS.ProcessEnv {
  const before = process.env.NODE_OPTIONS ?? ''
  const restricted = [...words, ...before.split(/\s+/)].some((word) => /^--(experimental-)?permission$/.test(word))
  const options = [
    `--import=${module}`,
    ...(restricted ? [`--allow-fs-read=${fileURLToPath(new URL('../../', module))}*`] : []),
    ...(restricted && folder !== undefined ? [`--allow-fs-write=${folder}/*`] : []),
  ]
  return { ...process.env, NODE_OPTIONS: `${options.map(quoted).join(' ')} ${before}`.trim(), ...variables }
}

/** As NODE_OPTIONS wants a word that may have blanks in it. */
function quoted(word: string): string {
  return /[\s"\\]/.test(word) ? `"${word.replaceAll(/["\\]/g, '\\$&')}"` : word
}

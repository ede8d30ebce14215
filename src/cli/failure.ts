/**
 * How the tool fails: one line on stderr and an exit status, with nothing left behind.
 *
 *     Failure      status 1: the process has ended, a file is damaged, the disk is full
 *     UsageError   status 2: a wrong option or argument
 *     anything else that is thrown: its message, status 1; the stack only with SORITES_DEBUG=1
 *
 * Output files are written under a temporary name beside the final one and renamed when they are complete. What has to be undone when
 * the tool ends early (temporary files, child processes) is registered with `atEnd`; an error, Ctrl-C and SIGTERM all run it.
 * @module
 */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { printable } from './terminal/style.ts'

/** Ends the command with status 1 and this one line. */
export class Failure extends Error {
  readonly status: number = 1
  override readonly name: string = 'Failure'
}

/** Ends the command with status 2: it was called wrongly. */
export class UsageError extends Failure {
  override readonly status: number = 2
  override readonly name: string = 'UsageError'
}

const undoings = new Set<() => void>()

/** Registers what must be done if the tool ends before the returned function is called. */
export function atEnd(undo: () => void): () => void {
  undoings.add(undo)
  return () => undoings.delete(undo)
}

/** Runs everything that is registered, the newest first. Nothing of it may stop the rest. */
export function undoAll(): void {
  for (const undo of [...undoings].reverse()) {
    undoings.delete(undo)
    try {
      undo()
    } catch {
      // What cannot be undone now cannot be undone later either, and the others must have their turn.
    }
  }
}

let interrupted: ((signal: NodeJS.Signals) => void) | undefined

/** Lets a command end by itself at the first Ctrl-C (a sampler that still has to report); the second one ends the tool. */
export function onInterrupt(finish: (signal: NodeJS.Signals) => void): () => void {
  interrupted = finish
  return () => {
    interrupted = undefined
  }
}

/** Ctrl-C and its like undo what is registered and end the process with the usual status. */
export function watchSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      const finish = interrupted
      interrupted = undefined
      if (finish !== undefined) return finish(signal)
      undoAll()
      process.exit(128 + constants.signals[signal])
    })
}

/** Says on stderr, in one line, why the command failed. Returns the exit status. */
export function reportFailure(error: unknown): number {
  undoAll()
  const text = error instanceof Error ? error.message : String(error)
  process.stderr.write(`sorites: ${printable(text.replaceAll(/\s*\n\s*/g, ' '))}\n`)
  if (process.env.SORITES_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return error instanceof Failure ? error.status : 1
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open',
  ETXTBSY: 'it is a program that runs',
  ENOEXEC: 'it is no program for this machine',
  ENOTDIR: 'a part of the path is not a folder',
}

/** The reason of an error of the file system, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return REASONS[code ?? ''] ?? message
}

/** Writes a file as a whole: under its name stands the old content or all of the new one. */
export function writeOutput(path: string, content: string | Uint8Array): void {
  const output = new OutputFile(path)
  output.write(content)
  output.commit()
}

/**
 * A file that gets its name when it is complete. What is there and is no ordinary file (a pipe, `/dev/stdout`) is written to directly:
 * renaming over it would replace it.
 */
export class OutputFile {
  readonly path: string
  /** Undefined when it is written to directly. */
  readonly #temporary: string | undefined
  readonly #target: string
  readonly #settled: () => void
  #fd = -1

  /** Throws a `Failure` when it cannot be made. */
  constructor(path: string) {
    this.path = path
    this.#target = this.#attempt(() => targetOf(path))
    const direct = statSync(this.#target, { throwIfNoEntry: false })?.isFile() === false
    this.#temporary = direct ? undefined : join(dirname(this.#target), `.${basename(this.#target)}.${process.pid}.part`)
    this.#settled = atEnd(() => this.#abandon())
    this.#fd = this.#attempt(() => openSync(this.#temporary ?? this.#target, 'w'))
  }

  write(content: string | Uint8Array): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    this.#attempt(() => {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done)
    })
  }

  commit(): void {
    this.#attempt(() => {
      flush(this.#fd)
      closeSync(this.#fd)
      this.#fd = -1
      if (this.#temporary !== undefined) renameSync(this.#temporary, this.#target)
    })
    this.#settled()
  }

  #abandon(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
    if (this.#temporary !== undefined) rmSync(this.#temporary, { force: true })
  }

  #attempt<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      this.#settled?.()
      this.#abandon()
      throw new Failure(`cannot write ${this.path}: ${reasonOf(error)}`)
    }
  }
}

/** Where a symbolic link leads: the link stays, and what it leads to gets the content. */
function targetOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path
    throw error
  }
}

/** A full disk may be reported at this moment only. Pipes and devices cannot be flushed, which is no failure. */
function flush(fd: number): void {
  try {
    fsyncSync(fd)
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/**
 * Compiles small C programs. What is measured in C is left out, and that is said, where there is no compiler.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure, reasonOf } from '../failure.ts'

/** A folder for what is made on the way, removed when it is disposed of. */
export class Scratch implements Disposable {
  readonly path: string

  /** Throws a `Failure` when it cannot be made. */
  constructor() {
    try {
      this.path = mkdtempSync(join(tmpdir(), 'sorites-'))
    } catch (error) {
      throw new Failure(`cannot make a folder in ${tmpdir()}: ${reasonOf(error)}`)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Compiles the text of a C program into a program in the folder; undefined where `cc` is missing or fails. */
export function compileSource(name: string, source: string, folder: Scratch, define?: string): string | undefined {
  const program = join(folder.path, define === undefined ? name : `${name}-${define}`)
  writeFileSync(`${program}.c`, source)
  const flags = ['-O2', ...(define === undefined ? [] : [`-D${define}`])]
  const { status } = spawnSync('cc', [...flags, '-o', program, `${program}.c`, '-ldl'], { stdio: 'ignore' })
  return status === 0 ? program : undefined
}

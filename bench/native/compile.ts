/**
 * Compiles the C programs of this folder. The benches leave C out, and say so, where there is no compiler.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A folder for what a bench makes, removed when it is disposed of. */
export class Scratch implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'sorites-bench-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Compiles `NAME.c` into a program in the folder; undefined where `cc` is missing or fails. */
export function compile(name: string, folder: Scratch, define?: string): string | undefined {
  // The sources stand in the repository, not beside the compiled files.
  const source = fileURLToPath(new URL(`../../../bench/native/${name}.c`, import.meta.url))
  const program = join(folder.path, define === undefined ? name : `${name}-${define}`)
  const flags = ['-O2', ...(define === undefined ? [] : [`-D${define}`])]
  const { status } = spawnSync('cc', [...flags, '-o', program, source, '-ldl'], { stdio: 'ignore' })
  return status === 0 ? program : undefined
}

/**
 * Compiles the C programs of this folder. The benches leave C out, and say so, where there is no compiler.
 * @module
 */
import { readFileSync } from 'node:fs'
import { compileSource, type Scratch } from '../../src/cli/native/compile.ts'

/** Compiles `NAME.c` into a program in the folder; undefined where `cc` is missing or fails. */
export function compile(name: string, folder: Scratch): string | undefined {
  // The sources stand in the repository, not beside the compiled files.
  const source = readFileSync(new URL(`../../../bench/native/${name}.c`, import.meta.url), 'utf8')
  return compileSource(name, source, folder)
}

/**
 * How an example ends: what it found to be true or not, a line each, and the exit status.
 * @module
 */
import { paint } from '../demo/print.ts'

export interface Check {
  readonly name: string
  readonly ok: boolean
}

/** Prints the checks and sets the exit status: 0 when all hold, 1 when one does not. */
export function verdict(checks: readonly Check[]): void {
  for (const { name, ok } of checks) console.log(` ${ok ? paint('green', 'ok  ') : paint('red', 'FAIL')} ${name}`)
  process.exitCode = checks.every(({ ok }) => ok) ? 0 : 1
}

/** The value that a share of the sorted values lies below; the median by default. */
export function quantile(values: readonly number[], share = 0.5): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
}

/** Options as `parseArgs` gives them, or undefined after the help, or a line about what is wrong, was printed. */
export function parsed<T>(help: string, parse: () => T & { help?: boolean | undefined }): T | undefined {
  try {
    const values = parse()
    if (values.help !== true) return values
    console.log(help)
  } catch (error) {
    console.error(`${(error as Error).message.split('\n')[0]} (--help tells what there is)`)
    process.exitCode = 2
  }
  return undefined
}

/** A number from the command line. Throws unless it is a whole number from `least` on. */
export function whole(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`--${name} expected a whole number from ${least}, got "${text}"`)
  return value
}

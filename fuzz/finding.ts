/**
 * What a fuzz of damaged tables finds, and what it does not mind.
 *
 *     refused    ERR_CORRUPTED, when the allocator was attached to or checked
 *     harmless   used by a program: no block overlaps another or lies outside, every error has a code
 *     Finding    anything else
 * @module
 */

export type Verdict = 'refused' | 'harmless'

export class Finding extends Error {}

/** What can be damaged and used: one case a call. */
export interface Subject {
  /** Of which kind, for `--kind`. */
  readonly kind: string
  /** One case; throws what it finds. `say` is told what is about to be done, for the report. */
  run(random: import('./random.ts').Random, say: (what: string) => void): Verdict
  /** Lets go of all memory: after a finding a subject is made anew. */
  dispose(): void
}

/** The code of an error; a Finding when it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof Finding) throw error
  const { code } = error as { code?: unknown }
  // A stack overflow, or a length that V8 refused, has no code either.
  if (typeof code === 'string' && /^(ERR_|E[A-Z]+$)/.test(code)) return code
  throw new Finding(`an error without a code: ${error instanceof Error ? error.stack : error}`)
}

/** Runs a call that may fail with a coded error; gives the code, or undefined. */
export function attempt(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

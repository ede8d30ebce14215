/**
 * How a call ended: with a value or with an error, which must have a code.
 * @module
 */
import { SystemError } from '../../src/errors.ts'

export type Outcome<T> =
  | { readonly value: T; readonly code: undefined }
  | { readonly code: string; readonly error: Error }

/** The code of an error without one. */
export const NO_CODE = 'no code'

export function outcomeOf<T>(call: () => T): Outcome<T> {
  try {
    return { value: call(), code: undefined }
  } catch (thrown) {
    const error = thrown as Error & { code?: unknown }
    return { code: typeof error.code === 'string' ? error.code : NO_CODE, error }
  }
}

/** Whether it is what the kernel said. */
export function isKernelFailure(outcome: Outcome<unknown>): boolean {
  return outcome.code !== undefined && outcome.error instanceof SystemError
}

export function show(outcome: Outcome<unknown>): string {
  return outcome.code === undefined
    ? `gave ${String(outcome.value)}`
    : `threw ${outcome.code}: ${outcome.error.message}`
}

/**
 * Asserts on errors by their stable code.
 * @module
 */
import * as assert from 'uvu/assert'

/** Runs `run`, which must throw an error with this code (and this text in its message), and gives the error. */
export function throwsCode(run: () => unknown, code: string, text: string | RegExp = ''): Error & { code: string } {
  let error: unknown
  try {
    run()
  } catch (thrown) {
    error = thrown
  }
  assert.ok(error instanceof Error, `expected ${code}, nothing was thrown`)
  const found = error as Error & { code: string }
  assert.is(found.code, code, `${found.code}: ${found.message}`)
  if (typeof text === 'string') assert.ok(found.message.includes(text), `"${found.message}" lacks "${text}"`)
  else assert.match(found.message, text)
  return found
}

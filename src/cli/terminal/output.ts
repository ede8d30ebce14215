/**
 * What goes where: results to stdout, talk to stderr.
 * @module
 */

/** A result, in text. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** A result, for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** What a person may want to know beside the result. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

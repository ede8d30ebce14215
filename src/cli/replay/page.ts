/** Placeholder of the next step. @module */
import type { TraceOutcome } from './runner.ts'
export function replayPage(_results: readonly TraceOutcome[], _origin: Readonly<Record<string, unknown>>): string {
  return ''
}

/**
 * Whether this thread is to end, asked of the runtime.
 *
 * `worker.terminate()` first forbids the worker to run JavaScript from native code, then interrupts it; the worker goes on until its
 * next function call or loop. In between, koffi's calls that make objects fail, and koffi answers by ending the process. So before
 * such a call we ask. `napi_throw` without a value to throw says `napi_invalid_arg` while all is well, and something else when the
 * environment may not run JavaScript: it looks at that first. Node-API has no call that only asks. Costs 0.3 us.
 *
 * Where the call cannot be had, or answers differently from the beginning (other runtimes), nothing is asked.
 * @module
 */
import { UnsupportedOperationError } from '../../errors.ts'

/** What `napi_throw` says of a call without a value. */
const NAPI_INVALID_ARG = 1

/** How often, and how many milliseconds each time, to wait for the interrupt that is under way. */
const WAITS = 1000
const WAIT_MS = 1

type Koffi = typeof import('koffi')
type Library = ReturnType<Koffi['load']>

const never = new Int32Array(new SharedArrayBuffer(4))

/** A function that returns while this thread may go on, and otherwise waits for its end. */
export function threadEnd(koffi: Koffi, library: Library): () => void {
  const ask = question(koffi, library)
  if (ask === undefined || ask() !== NAPI_INVALID_ARG) return () => undefined
  return () => {
    if (ask() !== NAPI_INVALID_ARG) waitForEnd()
  }
}

function question(koffi: Koffi, library: Library): (() => number) | undefined {
  try {
    const { env } = (koffi as unknown as { node: { env: bigint } }).node
    const call = library.func('int napi_throw(void *, void *)')
    return () => call(env, null) as number
  } catch {
    return undefined
  }
}

/** The interrupt is taken at one of these calls. */
function waitForEnd(): never {
  for (let wait = 0; wait < WAITS; wait++) pause()
  throw new UnsupportedOperationError('this thread is being terminated, and can make no more ArrayBuffers')
}

function pause(): void {
  Atomics.wait(never, 0, 0, WAIT_MS)
}

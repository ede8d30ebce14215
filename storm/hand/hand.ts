/**
 * A hand: it does to the library what it is told, in this thread, in a worker or in another process, and answers in plain data. It knows
 * nothing of what must come of a call; that is the model's business (../world.ts).
 *
 *     { do: 'malloc', allocator: 3, byteLength: 100 }   ->   { value: 4096 }   or   { code: 'ERR_OUT_OF_MEMORY', message: '…' }
 *     { …, fail: [2, 0] }                               ->   …, failed: 'purge EINVAL': the second call to the kernel was made to fail
 *
 * Arenas, files, allocators, pins, views and promises have numbers, which the caller chooses.
 * @module
 */
import { allocatorCalls } from './allocator-calls.ts'
import { arenaCalls } from './arena-calls.ts'
import { fileCalls } from './file-calls.ts'
import { type Answer, type Calls, type Order, refusal, Tools } from './tools.ts'
import { viewCalls } from './view-calls.ts'
import { waitCalls } from './wait-calls.ts'

const CALLS: Calls = { ...arenaCalls, ...allocatorCalls, ...fileCalls, ...viewCalls, ...waitCalls }

export class Hand {
  readonly tools: Tools = new Tools()

  /** Does what it is told. A promise only where the call has one. */
  run(order: Order): Answer | Promise<Answer> {
    const call = CALLS[order.do]
    if (call === undefined) throw new Error(`no call is named ${order.do}`)
    try {
      const value = call(this.tools, order)
      if (value instanceof Promise)
        return value.then(
          (late) => this.#answer({ value: late }),
          (error) => this.#answer(refusal(error))
        )
      return this.#answer({ value })
    } catch (error) {
      return this.#answer(refusal(error))
    }
  }

  #answer(answer: Answer): Answer {
    const failed = this.tools.takeFailed()
    return failed === undefined ? answer : { ...answer, failed }
  }
}

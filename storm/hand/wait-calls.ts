/**
 * Waiting on words and waking. A wait that blocks is given a millisecond at most; one that does not is kept by number until it is asked for.
 * @module
 */
import { type Calls, refusal } from './tools.ts'

export const waitCalls: Calls = {
  setWord: (tools, order) =>
    void Atomics.store(tools.arena(order).view(Int32Array, order.offset as number, 1), 0, order.word as number),
  word: (tools, order) => Atomics.load(tools.arena(order).view(Int32Array, order.offset as number, 1), 0),
  wait: (tools, order) =>
    tools.call(order, () => tools.arena(order).wait(order.offset as number, order.word as number, { timeoutMs: 1 })),
  waitAsync(tools, order) {
    const abort = new AbortController()
    const { timeoutMs } = order
    const options = { signal: abort.signal, ...(timeoutMs !== undefined && { timeoutMs: timeoutMs as number }) }
    const end = tools
      .call(order, () => tools.arena(order).waitAsync(order.offset as number, order.word as number, options))
      .then((value) => ({ value }), refusal)
    tools.waits.set(order.name as number, { end, abort })
  },
  abort: (tools, order) => tools.waits.get(order.name as number)?.abort.abort(),
  /** How a wait has ended. It must end: the storm's time-out says where it does not. */
  async settled(tools, order) {
    const wait = tools.waits.get(order.name as number)
    tools.waits.delete(order.name as number)
    return wait?.end
  },
  wake: (tools, order) => tools.call(order, () => tools.arena(order).wake(order.offset as number, order.count)),
}

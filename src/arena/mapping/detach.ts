/**
 * Detaching an ArrayBuffer over mapped memory: its views become empty, and no copy is made.
 *
 * Node 22 has `transfer(0)`. Node 20 has nothing but a side effect of byte streams, which take the buffer of what is put in
 * (about 30 us). There a zlib call that is running on the buffer aborts the process when it finds it detached, so on Node 20
 * `close` does it only when asked.
 *
 * The opposite, forbidding that others detach a buffer (`markAsUntransferable`), is not to be had: from Node 24 on the process
 * would abort when it exits, since Node itself detaches the buffers over memory of others then.
 * @module
 */
import { ReadableStream } from 'node:stream/web'

interface Transferable {
  transfer?(byteLength: number): ArrayBuffer
}

/** Whether this runtime can detach without risk, which is also whether `close` does it unasked. */
export const canTransfer: boolean = typeof (ArrayBuffer.prototype as Transferable).transfer === 'function'

/** Detaches a buffer. False when the runtime refuses (the buffer was marked as untransferable), or it is detached already. */
export function detach(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength === 0) return false
  try {
    if (canTransfer) (buffer as Transferable).transfer?.(0)
    else detachByStream(buffer)
  } catch {
    return false
  }
  return buffer.byteLength === 0
}

/** Lets a byte stream take the buffer. The stream is dropped with it; neither touches the memory. */
export function detachByStream(buffer: ArrayBuffer): void {
  new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(new Uint8Array(buffer))
    },
  })
}

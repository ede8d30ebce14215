/**
 * The mistake that pins are for: a block is freed while a socket sends it, and its memory goes to another block.
 *
 *     without a pin   free succeeds, the next block has the same bytes, and the client gets some of those
 *     with a pin      free throws ERR_BLOCK_PINNED, the client gets what was sent, and then free succeeds
 * @module
 */
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Arena, GiB, Heap, MiB } from '../../src/index.ts'

/** More than the kernel takes in advance. */
const BODY_BYTES = 32 * MiB

export interface EarlyFree {
  /** The code of the error that `free` threw while the block was sent. */
  readonly code: string | undefined
  /** Bytes that the client got and that were not those of the response. */
  readonly wrongBytes: number
  readonly byteLength: number
}

export async function freeEarly(pinned: boolean): Promise<EarlyFree> {
  using arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  const body = heap.allocUnsafe(Uint8Array, BODY_BYTES).fill('r'.charCodeAt(0))
  let code: string | undefined
  let sending: Promise<unknown> = Promise.resolve()
  const server = createServer((_, response) => {
    const send = (bytes: Uint8Array) => {
      const closed = once(response, 'close')
      response.end(bytes)
      return closed
    }
    sending = pinned ? heap.use(body, send) : send(body)
    try {
      heap.free(body)
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code
    }
    // Another request's block.
    heap.allocUnsafe(Uint8Array, BODY_BYTES).fill('x'.charCodeAt(0))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const [response] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage]
  let byteLength = 0
  let wrongBytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    byteLength += chunk.length
    for (const byte of chunk) if (byte !== 'r'.charCodeAt(0)) wrongBytes++
  }
  await sending
  // Now the block may go.
  if (pinned) heap.free(body)
  server.close()
  return { code, wrongBytes, byteLength }
}

/** Pins where more than one allocator object, a file or a server is concerned. What holds for every kind is in conformance/pins.ts. */
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Bump, GiB, Heap, MiB, mapFile } from '../../../src/index.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { freshPath } from '../../helpers/scratch.ts'

const test = suite('pins')
const PINNED = 'ERR_BLOCK_PINNED'

/** Longer than what sockets hold in between, so a response of it cannot end before it is read. */
const BODY_BYTES = 48 * MiB

/** A server whose every response is this block, pinned while it is sent; how the responses ended, and how to ask for one. */
async function serve(heap: Heap, body: Uint8Array) {
  const sent: Promise<void>[] = []
  const server: Server = createServer((_request, response) => {
    sent.push(heap.use(body, (bytes) => new Promise((resolve) => void response.once('close', resolve).end(bytes))))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const ask = async (): Promise<IncomingMessage> => {
    const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
    return response as IncomingMessage
  }
  return { sent, server, ask }
}

test('a response that is being sent from a block cannot be freed, and arrives whole', async () => {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  const body = heap.allocUnsafe(Uint8Array, BODY_BYTES).fill(65)
  const { sent, server, ask } = await serve(heap, body)
  const response = await ask()
  // The response has begun and nothing of it is read: what the program does now must not reach the client.
  for (const call of [
    () => heap.free(body),
    () => heap.free(arena.offsetOf(body)),
    () => heap.realloc(arena.offsetOf(body), MiB),
    () => heap.reset(),
    () => heap.close(),
    () => arena.close(),
  ])
    throwsCode(call, PINNED)
  heap.allocUnsafe(Uint8Array, BODY_BYTES).fill(66)
  let received = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    assert.ok(chunk.every((byte) => byte === 65))
    received += chunk.length
  }
  assert.is(received, BODY_BYTES)
  server.close()
  const idle = arena.closeWhenIdle()
  await Promise.all(sent)
  await idle
  assert.ok(arena.closed)
})

test('a client that goes away ends its pin, and not that of another', async () => {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena)
  const body = heap.allocUnsafe(Uint8Array, BODY_BYTES).fill(65)
  const { sent, server, ask } = await serve(heap, body)
  const [first, second] = [await ask(), await ask()]
  first.destroy()
  await sent[0]
  throwsCode(() => heap.free(body), PINNED, 'pinned once')
  second.destroy()
  await sent[1]
  heap.free(body)
  server.close()
  arena.close()
})

test('bump: a pinned block refuses release and realloc of what it is in, and nothing below', () => {
  const arena = Arena.reserve(MiB)
  const bump = new Bump(arena)
  bump.malloc(100)
  const offset = bump.memalign(64, 100)
  const pin = bump.pin(offset)
  const above = bump.mark()
  bump.malloc(100)
  const last = bump.malloc(100)
  assert.is(bump.realloc(last, 200), last)
  bump.release(above)
  throwsCode(() => bump.release(offset), 'ERR_OUT_OF_RANGE')
  throwsCode(() => bump.realloc(offset, 8), PINNED)
  throwsCode(() => bump.realloc(offset, 300), PINNED)
  throwsCode(() => bump.pin(offset - 8), 'ERR_INVALID_FREE')
  throwsCode(() => bump.release(8), PINNED)
  pin[Symbol.dispose]()
  bump.release(8)
  bump.check()
  arena.close()
})

test('a heap destroys nothing that is pinned, and a writer keeps its role', () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const heap = new Heap(arena)
  const offset = heap.malloc(5000)
  const pin = heap.pin(offset)
  throwsCode(() => heap.destroy(), PINNED)
  throwsCode(() => heap.close(), PINNED)
  assert.is(heap.role, 'writer')
  pin[Symbol.dispose]()
  heap.close()
  const again = Heap.attach(arena)
  again.free(offset)
  again.destroy()
  arena.close()
})

test('a pin of a reader holds the block for the writer on the same arena', () => {
  const arena = Arena.reserve(MiB)
  const writer = new Heap(arena)
  const offset = writer.malloc(100)
  const reader = Heap.attach(arena, { role: 'reader' })
  const pin = reader.pin(offset)
  throwsCode(() => writer.free(offset), PINNED)
  throwsCode(() => writer.close(), PINNED)
  throwsCode(() => reader.close(), PINNED)
  throwsCode(() => reader.free(offset), 'ERR_ARENA_BUSY')
  pin[Symbol.dispose]()
  writer.free(offset)
  throwsCode(() => reader.pin(offset), 'ERR_DOUBLE_FREE')
  writer.close()
  throwsCode(() => reader.pin(offset), 'ERR_ARENA_CLOSED')
  arena.close()
})

test("a reader whose writer is another arena object's holds its own arena", () => {
  const arena = Arena.reserve(MiB)
  const writer = new Heap(arena)
  const offset = writer.malloc(100)
  const other = Arena.attach(arena.handle())
  const reader = Heap.attach(other)
  assert.is(reader.role, 'reader')
  const pin = reader.pin(offset)
  throwsCode(() => other.close(), PINNED)
  pin[Symbol.dispose]()
  other.close()
  arena.close()
})

test('blocks in a mapped file: by the heap, the arena and the file', async () => {
  const file = mapFile(freshPath(), { mode: 'write', create: true, byteLength: 2 * MiB })
  const heap = new Heap(file.arena)
  const offset = heap.malloc(5000)
  const pin = heap.pin(offset)
  throwsCode(() => file.close(), PINNED)
  throwsCode(() => file.arena.close(), PINNED)
  pin[Symbol.dispose]()
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const using = file.use(file.view(Uint8Array, offset + 10, 10), () => opened)
  throwsCode(() => heap.free(offset), PINNED)
  const idle = file.closeWhenIdle()
  throwsCode(() => file.pin(), 'ERR_ARENA_CLOSED', 'takes no new pins')
  open()
  await using
  await Promise.all([idle, file[Symbol.asyncDispose]()])
  assert.ok(file.closed)
})

test('a pin that outlives its allocator does no harm', () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const other = Arena.attach({ fd: arena.fd as number })
  const heap = new Heap(arena)
  const reader = Heap.attach(other)
  const pin = reader.pin(heap.malloc(8))
  heap.destroy()
  arena.close()
  throwsCode(() => other.close(), PINNED)
  pin[Symbol.dispose]()
  pin[Symbol.dispose]()
  other.close()
})

test('arena.use pins for every peer of a concurrent heap, whichever of them calls it', async () => {
  const arena = Arena.reserve(GiB)
  const heap = new Heap(arena, { concurrent: true })
  const there = Arena.attach(arena.handle())
  const peer = Heap.attach(there)
  const block = peer.alloc(Uint8Array, 1000)
  const offset = there.offsetOf(block)
  const fromHere = arena.view(Uint8Array, offset, 1000)
  for (const [asked, view] of [
    [there, block],
    [there, there.bytes(offset + 8, 100)],
    [arena, fromHere],
  ] as const) {
    let end: () => void = () => undefined
    const used = asked.use(view, () => new Promise<void>((resolve) => void (end = resolve)))
    for (const one of [heap, peer])
      for (const call of [
        () => one.free(offset),
        () => one.freeMany(Float64Array.of(offset)),
        () => one.realloc(offset, 10),
        () => one.realloc(offset, 100_000),
      ])
        throwsCode(call, PINNED)
    end()
    await used
  }
  // Where no block is, the arena alone is held.
  await there.use(there.view(Uint8Array, offset + 512 * MiB, 8), () =>
    throwsCode(() => there.close(), 'ERR_ARENA_BUSY')
  )
  heap.free(offset)
  there.close()
  heap.check()
  arena.close()
})

test('a block of a file is pinned by a view of the file, and by one of its arena', async () => {
  for (const windowBytes of [undefined, MiB]) {
    const path = freshPath('pinned')
    const file = mapFile(path, {
      mode: 'write',
      create: true,
      byteLength: 16 * MiB,
      ...(windowBytes !== undefined && { windowBytes }),
    })
    throwsCode(() => file.offsetOf(new Uint8Array(1)), 'ERR_OUT_OF_RANGE')
    const heap = new Heap(file.arena)
    const block = heap.alloc(Buffer, 3 * MiB)
    const offset = file.arena.offsetOf(block)
    assert.is(file.offsetOf(block), offset)
    assert.is(file.offsetOf(block.subarray(5)), offset + 5)
    for (const view of [block, new DataView(block.buffer, block.byteOffset, 8), file.view(Uint8Array, offset, 8)]) {
      assert.is(
        await file.use(view, () => {
          throwsCode(() => heap.free(offset), PINNED)
          return 1
        }),
        1
      )
      const pin = heap.pin(block)
      throwsCode(() => file.close(), PINNED)
      pin[Symbol.dispose]()
    }
    throwsCode(() => file.offsetOf(new Uint8Array(1)), 'ERR_OUT_OF_RANGE')
    file.close()
    throwsCode(() => file.offsetOf(block), 'ERR_ARENA_CLOSED')
  }
})

test.run()

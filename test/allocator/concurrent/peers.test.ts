/**
 * Several peers on one heap: two heap objects of one thread are two peers, so most of it needs no second thread. What needs one, or a process
 * that dies or is stopped, runs in a child.
 *
 * Longer than other files: each call of the contract from a second peer.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { STATE_WORD, State } from '../../../src/allocator/base/header.ts'
import { insideOf } from '../../../src/arena/arena.ts'
import { int32sIn } from '../../../src/arena/buffer-range.ts'
import type { Claim, ClaimHolder } from '../../../src/arena/claim.ts'
import { Arena, Heap, KiB, MiB } from '../../../src/index.ts'
import { runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { balance } from '../subject.ts'

/** Looks at claims, and has none. */
const onlooker: ClaimHolder = {
  kind: 'Heap',
  blockAround: () => undefined,
  innerClaims: () => undefined,
  revoked: () => undefined,
}

interface Two {
  readonly arena: Arena
  readonly one: Heap
  readonly other: Heap
}

/** Two peers on a new arena, which others can have. */
function withTwo(run: (two: Two) => void, options: { limit?: number; byteLength?: number } = {}): void {
  const { byteLength = 16 * MiB, ...rest } = options
  const arena = Arena.reserve(byteLength)
  arena.handle()
  try {
    const one = new Heap(arena, { concurrent: true, decayMs: -1, ...rest })
    const other = Heap.attach(arena, { decayMs: -1 })
    run({ arena, one, other })
  } finally {
    arena.close()
  }
}

const sizes = [0, 8, 64, 500, 1024, 1032, 5000, 40_000, 200_000]

const coming = suite('concurrent heap: coming and going')

coming('every one is a peer', () => {
  withTwo(({ one, other }) => {
    assert.is(one.role, 'peer')
    assert.is(other.role, 'peer')
    assert.ok(one instanceof Heap && other instanceof Heap)
    assert.not(other.recovered)
  })
})

coming('a heap that is being made is none yet, and one whose maker died makes room', () => {
  const arena = Arena.reserve(MiB, { shared: true })
  const maker = Arena.attach(arena.handle())
  const made = new Heap(maker, { concurrent: true, decayMs: -1 })
  const seen = insideOf(arena).adopt({ holder: { ...onlooker }, readOnly: true })
  const words = int32sIn((seen as Claim).metadata, 0, 8)
  seen?.leave()
  words[STATE_WORD] = State.closed
  for (const role of [undefined, 'peer', 'reader', 'writer'] as const)
    throwsCode(() => Heap.attach(arena, { role }), 'ERR_NOT_FOUND')
  throwsCode(() => Heap.open(arena, { concurrent: true }), 'ERR_NOT_FOUND')
  throwsCode(() => Heap.open(arena, { concurrent: true, create: true }), 'ERR_ARENA_BUSY')
  words[STATE_WORD] = State.open
  const peer = Heap.attach(arena)
  assert.is(peer.role, 'peer')
  peer.close()
  made.close()
  words[STATE_WORD] = State.closed
  for (const options of [{ concurrent: true }, {}]) {
    const next = Heap.open(arena, { ...options, create: true, decayMs: -1 })
    assert.is(next.role, options.concurrent ? 'peer' : 'writer')
    next.free(next.malloc(64))
    next.check()
    next.destroy()
  }
  maker.close()
  arena.close()
})

coming('a plain heap has no peers, and a concurrent one no writer and no reader', () => {
  withTwo(({ arena }) => {
    throwsCode(() => Heap.attach(arena, { role: 'writer' }), 'ERR_UNSUPPORTED_OPERATION', 'as a peer')
    throwsCode(() => Heap.attach(arena, { role: 'reader' }), 'ERR_UNSUPPORTED_OPERATION', 'as a peer')
    Heap.attach(arena, { role: 'peer' }).close()
    throwsCode(() => Heap.attach(arena, { role: 'guest' as 'peer' }), 'ERR_INVALID_ARG_TYPE', '"options.role"')
    throwsCode(() => new Heap(arena, { concurrent: 1 as never }), 'ERR_INVALID_ARG_TYPE', '"options.concurrent"')
  })
  const arena = Arena.reserve(MiB)
  const plain = new Heap(arena)
  throwsCode(() => Heap.attach(arena, { role: 'peer' }), 'ERR_UNSUPPORTED_OPERATION', 'no concurrent one')
  throwsCode(() => Heap.open(arena, { concurrent: true }), 'ERR_UNSUPPORTED_OPERATION', 'no concurrent one')
  plain.rest()
  arena.close()
})

coming('open makes it once, and attaches from then on', () => {
  const arena = Arena.reserve(4 * MiB)
  throwsCode(() => Heap.open(arena, { concurrent: true }), 'ERR_NOT_FOUND')
  const one = Heap.open(arena, { create: true, concurrent: true })
  const other = Heap.open(arena, { create: true, concurrent: true })
  const third = Heap.open(arena)
  const block = one.malloc(100)
  other.free(block)
  assert.is(third.stats().usedCount, 0)
  arena.close()
})

coming('reset and destroy are for the only peer, close for each', () => {
  withTwo(({ arena, one, other }) => {
    const block = other.malloc(100)
    throwsCode(() => one.reset(), 'ERR_ARENA_BUSY', 'reset')
    throwsCode(() => one.destroy(), 'ERR_ARENA_BUSY', 'destroyed')
    other.close()
    assert.is(one.usableSize(block) >= 100, true)
    one.reset()
    assert.is(one.stats().usedCount, 0)
    one.check()
    one.destroy()
    throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND')
    new Heap(arena).close()
  })
})

coming('the peer that made it may go first in an arena that no other process can open', () => {
  const arena = Arena.reserve(16 * MiB)
  const one = new Heap(arena, { concurrent: true, decayMs: -1 })
  const other = Heap.attach(arena, { decayMs: -1 })
  const blocks = [one.malloc(100), other.malloc(5000), one.malloc(3 * MiB)]
  one.close()
  arena.bytes(blocks[0] as number, 100).fill(7)
  throwsCode(() => new Heap(arena), 'ERR_ARENA_BUSY')
  assert.equal(
    [...other.blocks()].map(({ offset }) => offset).sort((a, b) => a - b),
    blocks.sort((a, b) => a - b)
  )
  for (const block of blocks) other.free(block)
  other.check()
  other.destroy()
  new Heap(arena, { concurrent: true }).close()
  // The only peer's end is the heap's.
  throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND')
  arena.close()
})

coming('the peer that made it may go first, and the last destroy it', () => {
  withTwo(({ arena, one, other }) => {
    const block = one.malloc(1000)
    one.close()
    other.free(block)
    other.check()
    other.destroy()
    throwsCode(() => Heap.attach(arena), 'ERR_NOT_FOUND')
  })
})

coming('what is left is found again', () => {
  const arena = Arena.reserve(16 * MiB)
  arena.handle()
  const one = new Heap(arena, { concurrent: true })
  const blocks = sizes.map((size) => one.malloc(size))
  one.setRoot('first', blocks[2] as number)
  const before = [...one.blocks()].map(({ offset }) => offset).sort((a, b) => a - b)
  one.close()
  const again = Heap.attach(arena)
  assert.not(again.recovered)
  assert.is(again.root('first'), blocks[2])
  assert.equal(
    [...again.blocks()].map(({ offset }) => offset).sort((a, b) => a - b),
    before
  )
  for (const block of blocks) again.free(block)
  again.check()
  assert.is(again.stats().usedCount, 0)
  arena.close()
})

coming('no more peers than there is room for', () => {
  const arena = Arena.reserve(4 * MiB)
  arena.handle()
  const peers = [new Heap(arena, { concurrent: true })]
  throwsCode(
    () => {
      for (;;) peers.push(Heap.attach(arena))
    },
    'ERR_ARENA_BUSY',
    '64 peers'
  )
  assert.is(peers.length, 64)
  const blocks = peers.map((peer) => peer.malloc(64))
  assert.is(new Set(blocks).size, 64)
  for (const [index, block] of blocks.entries()) (peers[(index + 1) % 64] as Heap).free(block)
  for (const peer of peers.slice(1)) peer.close()
  peers[0]?.check()
  Heap.attach(arena).close()
  arena.close()
})

coming.run()

const frees = suite('concurrent heap: blocks of others')

frees('free, realloc, usableSize, pin', () => {
  withTwo(({ arena, one, other }) => {
    for (const size of sizes) {
      const block = one.malloc(size)
      assert.ok(other.usableSize(block) >= size)
      const bytes = arena.view(Uint8Array, block, Math.max(size, 1))
      bytes.fill(7)
      const moved = other.realloc(block, size + 3000)
      assert.ok(arena.view(Uint8Array, moved, size).every((byte) => byte === 7))
      const pin = one.pin(moved)
      throwsCode(() => other.free(moved), 'ERR_BLOCK_PINNED')
      throwsCode(() => other.realloc(moved, 9), 'ERR_BLOCK_PINNED')
      throwsCode(() => one.free(moved), 'ERR_BLOCK_PINNED')
      pin[Symbol.dispose]()
      one.free(moved)
    }
    one.rest()
    other.rest()
    one.check()
    assert.is(one.stats().usedCount, 0)
    balance(one)
  })
})

frees('a view of another peer comes free by its place', () => {
  withTwo(({ one, other }) => {
    const view = one.alloc(Float64Array, 20)
    other.free(view.byteOffset)
    throwsCode(() => one.free(view), 'ERR_DOUBLE_FREE')
  })
})

frees('what is no live block is refused with the same errors, and nothing changes', () => {
  withTwo(({ one, other }) => {
    for (const size of sizes) {
      const block = one.malloc(size)
      const guard = one.malloc(size)
      for (const peer of [one, other]) {
        throwsCode(() => peer.free(block + 4), 'ERR_INVALID_FREE')
        if (size >= 64) throwsCode(() => peer.free(block + 8), 'ERR_INVALID_FREE')
        throwsCode(() => peer.free(0), 'ERR_INVALID_FREE')
        throwsCode(() => peer.free(17 * MiB), 'ERR_INVALID_FREE')
        throwsCode(() => peer.usableSize(block + 4), 'ERR_INVALID_FREE')
      }
      const used = one.stats().usedCount
      other.free(block)
      // By the one and by the other, before it was collected and after.
      throwsCode(() => other.free(block), 'ERR_DOUBLE_FREE')
      throwsCode(() => one.free(block), 'ERR_DOUBLE_FREE')
      throwsCode(() => one.realloc(block, 1), 'ERR_DOUBLE_FREE')
      assert.is(one.stats().usedCount, used - 1)
      one.free(guard)
      throwsCode(() => other.free(guard), 'ERR_DOUBLE_FREE')
    }
  })
})

frees('what others have freed is used again', () => {
  withTwo(
    ({ one, other }) => {
      for (let round = 0; round < 40; round++) {
        const blocks = Array.from({ length: 2000 }, (_, i) => one.malloc((i * 37) % 3000))
        for (const block of blocks) other.free(block)
      }
      assert.is(one.stats().usedCount, 0)
      assert.ok(one.stats().committedBytes < 8 * MiB, `${one.stats().committedBytes} bytes committed`)
    },
    { byteLength: 64 * MiB }
  )
})

frees('many at once, of both', () => {
  withTwo(({ one, other }) => {
    const offsets = new Float64Array(300)
    assert.is(one.mallocMany(48, offsets), 300)
    other.freeMany(offsets, 150)
    throwsCode(() => one.freeMany(offsets), 'ERR_DOUBLE_FREE')
    one.freeMany(offsets.subarray(150))
    assert.is(one.stats().usedCount, 0)
  })
})

frees('an allocator in a block holds it against the others', () => {
  withTwo(({ arena, one, other }) => {
    const block = one.malloc(8 * KiB)
    const inner = new Heap(arena, { offset: block, byteLength: 8 * KiB })
    throwsCode(() => other.free(block), 'ERR_ARENA_BUSY', 'another allocator')
    throwsCode(() => one.free(block), 'ERR_ARENA_BUSY')
    inner.close()
    other.free(block)
  })
})

frees('a block longer than a shard', () => {
  withTwo(({ one, other }) => {
    const block = one.malloc(5 * MiB)
    assert.is(other.usableSize(block), 5 * MiB)
    throwsCode(() => other.free(block + 8), 'ERR_INVALID_FREE', 'inside')
    other.free(block)
    throwsCode(() => one.free(block), 'ERR_DOUBLE_FREE')
    const again = other.calloc(5 * MiB)
    one.free(again)
    one.rest()
    other.rest()
    one.check()
  })
})

frees.run()

const whole = suite('concurrent heap: the whole')

whole('the limit holds for the sum', () => {
  withTwo(
    ({ one, other }) => {
      const peers = [one, other]
      const blocks: number[] = []
      for (let i = 0; ; i++) {
        const block = (peers[i & 1] as Heap).tryMalloc(1000 + ((i * 61) % 3000))
        if (block === 0) break
        blocks.push(block)
        assert.ok(one.stats().committedBytes <= 600 * KiB)
      }
      assert.ok(one.stats().usedBytes > 300 * KiB)
      for (const block of blocks) one.free(block)
      one.purge()
      other.purge()
      assert.ok(other.malloc(100 * KiB) > 0)
    },
    { limit: 600 * KiB }
  )
})

whole('check is in full when the others rest, and says so otherwise', () => {
  withTwo(({ one, other }) => {
    const block = other.malloc(100)
    throwsCode(() => one.check(), 'ERR_ARENA_BUSY', '1 of its shards')
    other.rest()
    one.check()
    one.free(block)
    assert.ok(other.malloc(100) > 0)
  })
})

whole('a peer that rests leaves all that it holds, and takes a shard again', () => {
  withTwo(({ one, other }) => {
    const blocks = Array.from({ length: 500 }, (_, i) => other.malloc(i * 10))
    for (const block of blocks.slice(0, 400)) one.free(block)
    other.rest()
    assert.is(one.stats().usedCount, 100)
    for (const block of blocks.slice(400)) other.free(block)
    assert.ok(other.malloc(10) > 0)
    other.rest()
    one.rest()
    one.check()
  })
})

whole('a full claim: the one takes what the other has left', () => {
  withTwo(
    ({ one, other }) => {
      const blocks: number[] = []
      for (let block = one.tryMalloc(2000); block !== 0; block = one.tryMalloc(2000)) blocks.push(block)
      assert.is(other.tryMalloc(2000), 0)
      for (const block of blocks.splice(0, 50)) one.free(block)
      // As a guest in the shard of the one.
      one.purge()
      const guest = other.malloc(1500)
      one.free(guest)
      assert.ok(other.malloc(1500) > 0)
    },
    { byteLength: MiB }
  )
})

whole.run()

const deaths = suite('concurrent heap: deaths')

deaths('a thread that ends without a word, or is terminated, loses nothing but what it held', async () => {
  const child = await runChild(`
    const arena = Arena.reserve(64 * MiB)
    const heap = new Heap(arena, { concurrent: true })
    const mine = Array.from({ length: 1000 }, (_, i) => heap.malloc(i * 7))
    const thread = new Thread(\`
      const arena = Arena.attach(data)
      const heap = Heap.attach(arena)
      const blocks = Array.from({ length: 1000 }, (_, i) => heap.malloc(i * 7))
      post(blocks)
      const mine = await next()
      for (const block of mine) heap.free(block)
      post('done')
      for (;;) heap.free(heap.malloc(100))
    \`, arena.handle())
    const theirs = await thread.next()
    thread.post(mine)
    await thread.next()
    await thread.kill()
    for (const block of theirs) heap.free(block)
    heap.check()
    const { usedCount } = heap.stats()
    const next = new Thread(\`
      const heap = Heap.attach(Arena.attach(data))
      post(heap.malloc(100))
      await next()
    \`, arena.handle())
    const block = await next.next()
    heap.free(block)
    next.post('end')
    await next.ended()
    report({ usedCount })
  `)
  const { usedCount } = child.clean().report as { usedCount: number }
  assert.ok(usedCount <= 1, `${usedCount} blocks are live`)
})

deaths('a holder of a lock that is stopped is named in an error; one that is killed is followed', async () => {
  const child = await runChild(`
    const { mkdtempSync, rmSync } = await import('node:fs')
    const folder = mkdtempSync('/tmp/sorites-test-')
    const arena = Arena.open(folder + '/arena', { create: true, byteLength: 64 * MiB })
    const heap = Heap.open(arena, { create: true, concurrent: true })
    const peer = new Peer(\`
      const arena = Arena.open(data)
      const heap = Heap.attach(arena)
      const block = heap.malloc(3000)
      // Stops inside the lock of its shard.
      const add = Math.clz32
      Math.clz32 = (n) => { if (globalThis.armed && new Error().stack.includes('takeFree')) process.kill(process.pid, 'SIGSTOP'); return add(n) }
      post(block)
      await next()
      globalThis.armed = true
      for (let i = 0; i < 100000; i++) heap.malloc(1100 + (i * 40) % 20000)
      post('not stopped')
    \`, { data: folder + '/arena' })
    const block = await peer.next()
    peer.post('go')
    const { readFileSync } = await import('node:fs')
    const stopped = () => /\\) T/.test(readFileSync('/proc/' + peer.process.pid + '/stat', 'latin1'))
    while (!stopped()) await turns(1)
    let code = ''
    try { heap.purge() } catch (error) { code = error.code + ' ' + /process \\d+/.test(error.message) }
    heap.free(block)
    peer.process.kill('SIGKILL')
    await new Promise((resolve) => peer.process.on('exit', resolve))
    heap.purge()
    heap.check()
    let double = ''
    try { heap.free(block) } catch (error) { double = error.code }
    report({ code, double })
    rmSync(folder, { recursive: true })
  `)
  assert.equal(child.clean().report, { code: 'ERR_ARENA_BUSY true', double: 'ERR_DOUBLE_FREE' })
})

deaths.run()

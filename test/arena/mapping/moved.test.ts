/**
 * Buffers that crossed a window's end, were forgotten for their number, and whose memory was moved elsewhere: after `close` it
 * reads zero for ever, whatever is mapped next. Every test is a child.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes, runChild } from '../../helpers/child.ts'

/** Moves a buffer's memory to another that the library does not know: by `transfer`, or through a byte stream. */
const MOVE = `
const move = async (buffer) => {
  if (buffer.transfer) return new Uint8Array(buffer.transfer())
  const stream = new ReadableStream({ type: 'bytes', start(c) { c.enqueue(new Uint8Array(buffer)) } })
  return (await stream.getReader().read()).value
}
const someGarbage = async () => { let rounds = 0; await collect(() => ++rounds > 6) }
const make = (arena, length) => arena.view(Uint8Array, GiB - 8, length)
const others = (arena, count) => { for (let i = 0; i < count; i++) make(arena, 64 + i) }
`

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: what was moved from a forgotten buffer reads zero after close, and is never another arena's`, async () => {
    const child = await runChild(
      `${MOVE}
      const os = new FakeOs()
      const moved = []
      const open = async (count, before, after, drop) => {
        const arena = Arena.reserve(2 * GiB, { os })
        let buffer = make(arena, 16).fill(7).buffer
        others(arena, before)
        moved.push(await move(buffer))
        buffer = undefined
        others(arena, after)
        await someGarbage()
        if (!drop) arena.close()
      }
      for (const [before, after] of [[100, 0], [0, 100], [5000, 0], [0, 5000]])
        for (const drop of [false, true]) await open(0, before, after, drop)
      await someGarbage()
      // Whatever was unmapped is had again by others.
      const next = Array.from({ length: 40 }, () => { const arena = Arena.reserve(2 * GiB); arena.view(Uint8Array, GiB - 64, 256).fill(9); return arena })
      report({ live: os.live.size, foreign: moved.flatMap((bytes) => [...bytes]).filter((byte) => byte !== 0 && byte !== 7).length, next: next.length })`,
      { node }
    )
    assert.equal(child.clean().report, { live: 8, foreign: 0, next: 40 })
  })

  test(`${label}: buffers that were not moved do not keep the addresses, up to some thousands`, async () => {
    const child = await runChild(
      `${MOVE}
      const os = new FakeOs()
      const open = (count) => {
        const arena = Arena.reserve(2 * GiB, { os })
        others(arena, count)
        arena.close()
      }
      for (const count of [10, 100, 4000]) open(count)
      const freed = await collect(() => os.live.size === 0)
      report({ freed, live: os.live.size })`,
      { node }
    )
    assert.equal(child.clean().report, { freed: true, live: 0 })
  })

  test(`${label}: no buffer across the end of a short window is ever forgotten`, async () => {
    const child = await runChild(
      `${MOVE}
      const os = new FakeOs()
      const open = async (windowBytes, count, length) => {
        const arena = Arena.reserve(2 * GiB, { os, windowBytes })
        for (let i = 0; i < count; i++) {
          arena.view(Uint8Array, windowBytes - 8, length + i)
          if (i % 2000 === 0) await someGarbage()
        }
        arena.close()
      }
      await open(MiB, 7000, 64)
      await open(16 * MiB, 100, 100 * MiB)
      const freed = await collect(() => os.live.size === 0)
      report({ freed, live: os.live.size })`,
      { node }
    )
    assert.equal(child.clean().report, { freed: true, live: 0 })
  })

  test(`${label}: what was moved from any buffer over a place keeps the addresses`, async () => {
    const child = await runChild(
      `${MOVE}
      const os = new FakeOs()
      const moved = []
      for (const buffer of [
        (arena) => arena.view(Uint8Array, 5, 8).buffer,
        (arena) => arena.window(5).buffer,
        (arena) => arena.view(Uint8Array, MiB - 4, 8).buffer,
        (arena) => arena.view(Uint8Array, MiB - 4, 3 * MiB).buffer,
      ]) {
        const arena = Arena.reserve(2 * GiB, { os, windowBytes: MiB })
        arena.view(Uint8Array, 0, 5 * MiB).fill(7)
        arena.window(0)
        moved.push(await move(buffer(arena)))
        arena.close()
      }
      await someGarbage()
      const next = Array.from({ length: 20 }, () => { const arena = Arena.reserve(2 * GiB); arena.view(Uint8Array, 0, 5 * MiB).fill(9); return arena })
      report({ live: os.live.size, foreign: moved.filter((bytes) => bytes.some((byte) => byte !== 0)).length, next: next.length })`,
      { node }
    )
    assert.equal(child.clean().report, { live: 4, foreign: 0, next: 20 })
  })

  test(`${label}: a heap of 1 MiB counts little as external memory, whatever is done with it`, async () => {
    const child = await runChild(
      `
      const external = () => { gc(); return process.memoryUsage().external }
      const before = external()
      const heap = new Heap(Arena.reserve(64 * GiB), { byteLength: MiB })
      for (let round = 0; round < 3; round++) {
        const views = Array.from({ length: 2000 }, (_, i) => heap.alloc(Uint8Array, 1 + (i % 300)).fill(1))
        let block = heap.malloc(100)
        for (const bytes of [200, 3000, 50000]) block = heap.realloc(block, bytes)
        heap.free(block)
        for (const view of views) heap.free(view)
      }
      const counted = external() - before
      const view = heap.alloc(Uint8Array, 80).fill(5)
      const clone = structuredClone(view)
      report({ counted, clone: [clone[79], clone.length, clone.buffer.byteLength] })`,
      { node }
    )
    const { counted, clone } = child.clean().report
    assert.ok(counted < 24 * 2 ** 20, `${counted}`)
    assert.equal(clone, [5, 80, 16 * 2 ** 20])
  })

  test(`${label}: a forgotten buffer that is alive at the end is looked at, and detached where the runtime can`, async () => {
    const child = await runChild(
      `${MOVE}
      const os = new FakeOs()
      const arena = Arena.reserve(2 * GiB, { os })
      let kept = Array.from({ length: 6000 }, (_, i) => make(arena, 16 + i).fill(7))
      arena.close()
      const lengths = [kept[0].length, kept.at(-1).length]
      const values = kept.some((view) => view.length > 0 && view.some((byte) => byte !== 0))
      kept = undefined
      const freed = await collect(() => os.live.size === 0)
      report({ lengths, values, freed })`,
      { node }
    )
    const { lengths, values, freed } = child.clean().report
    assert.equal([values, freed], [false, true])
    assert.equal(lengths, node.major >= 22 ? [0, 0] : [16, 6015])
  })
}

test.run()

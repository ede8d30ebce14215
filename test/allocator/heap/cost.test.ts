/**
 * What allocators cost before and while they are used: memory outside the arena's data, counted in processes of their own, and steps.
 * No clock is read: what grows with the number of live blocks shows in the tables that an operation walks.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KiB, MiB } from '../../../src/units.ts'
import { runChild } from '../../helpers/child.ts'

const test = suite('cost')

test('a heap on 64 GiB costs half a MiB of memory and a MiB of JavaScript heap at most', async () => {
  const child = await runChild(`
    const warm = Arena.reserve(MiB)
    new Heap(warm).malloc(8)
    warm.close()
    await collect(() => true)
    gc()
    // The rest of the process may grow meanwhile: the least of three counts.
    const kept = []
    const rounds = [1, 2, 3].map(() => {
      const before = rssBytes()
      const heapBefore = process.memoryUsage().heapUsed
      const arena = Arena.reserve(64 * GiB)
      kept.push(new Heap(arena))
      gc()
      return { rss: rssBytes() - before, heap: process.memoryUsage().heapUsed - heapBefore, data: arena.resident() }
    })
    const least = (name) => Math.min(...rounds.map((round) => round[name]))
    report({ rss: least('rss'), heap: least('heap'), data: Math.max(...rounds.map(({ data }) => data)) })
    const [heap] = kept
    heap.malloc(8)
    report({ metadata: heap.stats().metadataBytes })
  `)
  const { rss, heap, data, metadata } = child.clean().report
  assert.is(data, 0)
  assert.ok(rss <= 512 * KiB, `${rss} bytes of RSS`)
  assert.ok(heap <= MiB, `${heap} bytes of JavaScript heap`)
  assert.ok(metadata <= 32 * KiB, `${metadata} bytes of metadata`)
})

test('ten million live blocks add next to nothing to the JavaScript heap, and every one is checked', async () => {
  const child = await runChild(`
    const heap = new Heap(Arena.reserve(4 * GiB))
    const blocks = new Float64Array(10_000_000)
    for (let i = 0; i < 1000; i++) heap.free(heap.malloc(64))
    gc()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < blocks.length; i++) blocks[i] = heap.malloc(64)
    gc()
    const grown = process.memoryUsage().heapUsed - before
    const { usedCount, usedBytes, metadataBytes } = heap.stats()
    for (let i = 0; i < blocks.length; i += 1001) heap.free(blocks[i])
    let refused = 0
    for (let i = 0; i < blocks.length; i += 1001) try { heap.free(blocks[i]) } catch (error) { if (error.code === 'ERR_DOUBLE_FREE') refused++ }
    report({ grown, usedCount, usedBytes, metadataBytes, refused })
    process.exit(0)
  `)
  const { grown, usedCount, usedBytes, metadataBytes, refused } = child.clean().report
  assert.is(usedCount, 10_000_000)
  assert.is(usedBytes, 640_000_000)
  assert.is(refused, Math.ceil(10_000_000 / 1001))
  assert.ok(grown <= 2 * MiB, `${grown} bytes of JavaScript heap`)
  assert.ok(metadataBytes <= usedBytes / 100, `${metadataBytes} bytes of metadata`)
})

test.run()

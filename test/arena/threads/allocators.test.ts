/** The allocators on arenas that others have: they neither know nor care, and what they write the others read. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Buddy, Bump, type FreeingAllocator, GiB, Heap, KiB, MiB, Slab } from '../../../src/index.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { roomyFolder } from '../../helpers/scratch.ts'

const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

/** An arena of each kind, and a second object for it. */
const kinds: Record<string, () => { mine: Arena; theirs: Arena }> = {
  'by handle': () => {
    const mine = Arena.reserve(2 * GiB)
    return { mine, theirs: Arena.attach(mine.handle()) }
  },
  'by path': () => {
    const mine = Arena.reserve(2 * GiB, { shared: true })
    return { mine, theirs: Arena.attach({ path: mine.path as string }) }
  },
  'by name': () => {
    const path = join(folder, 'grains')
    rmSync(path, { force: true })
    return { mine: Arena.open(path, { create: true, byteLength: 16 * MiB }), theirs: Arena.open(path) }
  },
}

const allocators: Record<string, (arena: Arena) => FreeingAllocator> = {
  Heap: (arena) => new Heap(arena),
  Buddy: (arena) => new Buddy(arena),
  Slab: (arena) => new Slab(arena, { slotSize: 48 * KiB }),
}

for (const [kind, make] of Object.entries(kinds)) {
  for (const [name, allocator] of Object.entries(allocators))
    test(`${name}, ${kind}: blocks are made, freed, purged and made again, and others read them`, () => {
      const { mine, theirs } = make()
      const heap = allocator(mine)
      for (let round = 0; round < 3; round++) {
        const views = Array.from({ length: 40 }, (_, i) => heap.alloc(Uint8Array, 40 * KiB - i))
        for (const [i, view] of views.entries()) {
          assert.ok(
            view.every((byte) => byte === 0),
            `round ${round}`
          )
          view.fill(i + 1)
          const seen = theirs.view(Uint8Array, mine.offsetOf(view), view.length)
          assert.ok(seen.every((byte) => byte === i + 1))
        }
        heap.check()
        throwsCode(() => new Heap(theirs), 'ERR_ARENA_BUSY', name)
        for (const view of views) heap.free(view)
        assert.ok(heap.purge() > 0)
        assert.equal([heap.stats().usedBytes, heap.stats().freeDirtyBytes], [0, 0])
      }
      if (heap instanceof Heap) heap.destroy()
      else heap.close()
      new Heap(theirs).close()
      for (const arena of [mine, theirs]) arena.close()
    })

  test(`Bump, ${kind}: a part for each side`, () => {
    const { mine, theirs } = make()
    const half = mine.byteLength / 2
    const one = new Bump(mine, { byteLength: half })
    const two = new Bump(theirs, { offset: half })
    const views = [one, two].map((bump) => bump.alloc(Float64Array, 1000).fill(0.5))
    assert.equal(
      [theirs.offsetOf(views[1] as Float64Array) >= half, mine.view(Float64Array, half + 8, 1)[0]],
      [true, 0.5]
    )
    theirs.close()
    new Bump(mine, { offset: half }).close()
    mine.close()
  })

  test(`Heap, ${kind}: long blocks read zero when they are had again`, () => {
    const { mine, theirs } = make()
    const heap = new Heap(mine)
    for (let round = 0; round < 3; round++) {
      const view = heap.alloc(Uint8Array, 5 * MiB)
      assert.is(Buffer.from(view.buffer, view.byteOffset, view.length).indexOf(1), -1)
      view.fill(1)
      heap.free(view)
    }
    for (const arena of [mine, theirs]) arena.close()
  })
}

for (const node of nodes)
  test(`Node ${node.major}: a heap on 64 GiB that processes share takes as little as any`, async () => {
    const child = await runChild(
      `
      Arena.reserve(MiB, { shared: true }).close()
      const before = rssBytes()
      const arena = Arena.reserve(64 * GiB, { shared: true }), heap = new Heap(arena)
      const grown = rssBytes() - before
      const root = heap.alloc(Float64Array, 100).fill(2.5)
      heap.setRoot('data', arena.offsetOf(root))
      const peer = new Peer(\`
        const arena = Arena.attach({ fd: 3 })
        post([insideOf(arena).claims().length, arena.view(Float64Array, data, 100)[99]])\`, { fds: [arena.fd], data: heap.root('data') })
      report({ grown, there: await peer.next() })`,
      { node }
    )
    const { report } = child.clean()
    assert.ok(report.grown < MiB, `${report.grown}`)
    assert.equal(report.there, [1, 2.5])
  })

test.run()

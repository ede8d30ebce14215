/**
 * Allocators that end: after the end nothing is written, and what is refused has changed nothing.
 *
 * Longer than other files: every order in which an allocator and what lies around it can end.
 */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Buddy } from '../../../src/allocator/buddy/buddy.ts'
import { Bump } from '../../../src/allocator/bump/bump.ts'
import { Heap } from '../../../src/allocator/heap/heap.ts'
import { Slab } from '../../../src/allocator/slab/slab.ts'
import { Arena, insideOf } from '../../../src/arena/arena.ts'
import { HEADER_LOCK } from '../../../src/arena/format/layout.ts'
import { currentThread, packThreadId } from '../../../src/arena/format/thread-id.ts'
import { detachByStream } from '../../../src/arena/mapping/detach.ts'
import { type Address, GiB, KiB, MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs, type OsCall } from '../../helpers/fake-os.ts'
import type { FakeThreads } from '../../helpers/fake-threads.ts'

/** Timers that cannot be cancelled. */
class Timers {
  readonly runs: (() => void)[] = []
  readonly schedule = (run: () => void): (() => void) => {
    this.runs.push(run)
    return () => undefined
  }
  ring(): void {
    for (const run of this.runs) run()
  }
}

/** The metadata of the first claim of an arena, seen past the allocator. */
function metadataOf(os: FakeOs, arena: Arena, byteLength: number): Uint8Array {
  const [base] = [...os.live.keys()] as [Address]
  return new Uint8Array(os.view((base + arena.byteLength) as Address, byteLength))
}

for (const kind of ['close', 'destroy'] as const)
  test(`${kind}: not a byte is stored once the claim is given back`, () => {
    const os = new FakeOs()
    using arena = Arena.reserve(MiB, { os })
    const timers = new Timers()
    const heap = new Heap(arena, { schedule: timers.schedule })
    heap.free(heap.malloc(100_000))
    heap[kind]()
    const other = new Slab(arena, { slotSize: 64 })
    const slots = Array.from({ length: 100 }, () => other.malloc(64))
    const before = Buffer.from(metadataOf(os, arena, 64 * KiB))
    timers.ring()
    heap.close()
    assert.ok(before.equals(metadataOf(os, arena, 64 * KiB)))
    other.check()
    for (const slot of slots) other.free(slot)
  })

test('a timer that comes after the end, twice, or after it was cancelled asks nothing of the kernel', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const timers = new Timers()
  const heap = new Heap(arena, { schedule: timers.schedule })
  heap.free(heap.malloc(100_000))
  timers.runs[0]?.()
  const [first] = timers.runs
  const count = timers.runs.length
  first?.()
  assert.is(timers.runs.length, count)
  heap.close()
  const calls = [...os.calls]
  timers.ring()
  assert.equal([...os.calls], calls)
})

/** A shared arena whose directory has a holder that does not move. */
function stopped(): { os: FakeOs; arena: Arena; stop(): void; go(): void } {
  const os = new FakeOs()
  const arena = Arena.reserve(4 * MiB, { os, shared: true })
  // Seen through a mapping that stays.
  const keeper = new FakeOs({ asThread: true })
  Arena.attach({ path: arena.path as string }, { os: keeper })
  const [base] = [...keeper.live.keys()] as [Address]
  const word = new BigUint64Array(keeper.view((base + arena.byteLength + HEADER_LOCK) as Address, 8))
  const other = packThreadId(currentThread(os)) ^ (1n << 50n)
  const here = os.threads.place()
  return {
    os,
    arena,
    stop: () => {
      word[0] = other
      os.threads.where = { ...here, namespace: here.namespace + 1 }
    },
    go: () => {
      word[0] = 0n
      os.threads.where = undefined
    },
  }
}

test('a close that is refused because the directory is locked has changed nothing', () => {
  const { os, arena, stop, go } = stopped()
  const heap = new Heap(arena, { byteLength: MiB })
  const block = heap.malloc(100)
  heap.setRoot('block', block)
  const inner = new Bump(arena, { offset: heap.malloc(8192), byteLength: 4096 })
  inner.malloc(100)
  const bump = new Bump(arena, { offset: MiB, byteLength: MiB })
  bump.malloc(100)
  stop()
  for (const refused of [
    () => heap.close(),
    () => heap.destroy(),
    () => heap.reset(),
    () => bump.close(),
    () => inner.close(),
  ])
    throwsCode(refused, 'ERR_ARENA_BUSY', 'has not let go')
  go()
  assert.is(heap.role, 'writer')
  for (const allocator of [heap, bump, inner]) allocator.check()
  assert.equal([heap.stats().usedCount, bump.stats().usedCount, inner.stats().usedCount], [2, 1, 1])
  heap.malloc(100)
  // Its state is still `taken`: the next writer after our death rebuilds it.
  const there = Arena.attach({ path: arena.path as string }, { os: new FakeOs({ asThread: true }) })
  os.threads.dead.add(process.pid)
  ;(insideOf(there).threads as FakeThreads).dead.add(process.pid)
  const heir = Heap.attach(there)
  assert.equal([heir.role, heir.recovered, heir.root('block')], ['writer', true, block])
  os.threads.dead.clear()
  there.close()
  arena.close()
})

test('an arena that closes while the directory is locked leaves its heap clean', () => {
  const { os, arena, stop, go } = stopped()
  const there = Arena.attach({ path: arena.path as string }, { os: new FakeOs({ asThread: true }) })
  new Heap(arena).malloc(100)
  stop()
  arena.close()
  go()
  ;(insideOf(there).threads as FakeThreads).dead.add(process.pid)
  const heir = Heap.attach(there)
  assert.equal([heir.role, heir.recovered], ['writer', false])
  heir.check()
  there.close()
  assert.is(os.live.size, 0)
})

test('an arena whose closing the kernel refuses goes on, and its heaps can be found again', () => {
  for (const locked of [false, true]) {
    const { os, arena, stop, go } = stopped()
    const heap = new Heap(arena)
    const block = heap.malloc(100)
    arena.view(Uint8Array, 0, 8)
    if (locked) stop()
    os.fail('replace')
    throwsCode(() => arena.close(), 'ENOMEM')
    go()
    if (locked) {
      assert.is(heap.role, 'writer')
      heap.check()
      heap.free(block)
      heap.close()
    }
    const again = Heap.attach(arena)
    assert.equal([again.role, again.recovered, again.stats().usedCount], ['writer', false, locked ? 0 : 1])
    again.check()
    arena.close()
  }
})

const kinds: Record<string, (arena: Arena, offset: number, byteLength: number) => Heap | Slab | Buddy | Bump> = {
  Heap: (arena, offset, byteLength) => new Heap(arena, { offset, byteLength }),
  Slab: (arena, offset, byteLength) => new Slab(arena, { offset, byteLength, slotSize: 64 }),
  Buddy: (arena, offset, byteLength) => new Buddy(arena, { offset, byteLength }),
  Bump: (arena, offset, byteLength) => new Bump(arena, { offset, byteLength }),
}
const places: Record<string, (os: FakeOs) => Arena> = {
  private: (os) => Arena.reserve(4 * MiB, { os }),
  shared: (os) => Arena.reserve(4 * MiB, { os, shared: true }),
}

for (const [place, reserve] of Object.entries(places))
  for (const [kind, make] of Object.entries(kinds))
    test(`${kind}, ${place}: whichever call of the kernel fails while it ends, it is open or it is closed`, () => {
      const counting = new FakeOs()
      const calls = (os: FakeOs): number => [...os.calls.values()].reduce((sum, count) => sum + count, 0)
      const build = (os: FakeOs): [Arena, Heap | Slab | Buddy | Bump] => {
        const arena = reserve(os)
        const allocator = make(arena, 4096, MiB)
        allocator.malloc(64)
        return [arena, allocator]
      }
      const [, counted] = build(counting)
      const from = calls(counting)
      counted.close()
      const total = calls(counting) - from
      for (let nth = 1; nth <= total; nth++) {
        const os = new FakeOs()
        const [arena, allocator] = build(os)
        os.fail('any', nth)
        let refused = false
        try {
          allocator.close()
        } catch (error) {
          assert.is((error as { code: string }).code, 'ENOMEM')
          refused = true
        }
        os.heal()
        if (refused) {
          allocator.check()
          assert.is(allocator.stats().usedCount, 1)
          allocator.close()
        }
        throwsCode(() => allocator.malloc(64), 'ERR_ARENA_CLOSED')
        if (kind !== 'Heap' || place === 'private') make(arena, 0, 2 * MiB).check()
        arena.close()
      }
    })

test('after a descriptor could not be closed, the arena is closed all the same', () => {
  const os = new FakeOs()
  const arena = Arena.reserve(MiB, { os, shared: true })
  os.fail('close' as OsCall)
  arena.close()
  assert.ok(arena.closed)
  throwsCode(() => arena.view(Uint8Array, 0, 1), 'ERR_ARENA_CLOSED')
})

// ---- the caller's code ----

/** What a schedule may do, of a heap. */
const mischief: Record<string, (heap: Heap, run: () => void) => unknown> = {
  'runs at once': (_, run) => run(),
  'runs at once, three times': (_, run) => [run(), run(), run()],
  purges: (heap) => heap.purge(),
  resets: (heap) => heap.reset(),
  closes: (heap) => heap.close(),
  'closes the arena': (heap) => (heap as unknown as { arena: Arena }).arena.close(),
  'closes and runs': (heap, run) => [heap.close(), run()],
  allocates: (heap, run) => [heap.malloc(24), heap.malloc(100_000), run()],
  throws: () => {
    throw new Error('of the schedule')
  },
  'throws what has no text': () => {
    throw Object.create(null)
  },
  'answers no function': () => 5,
}

/** Steps that may set a timer: what each answers, or whether the block is free afterwards. */
const steps: Record<string, (heap: Heap, blocks: number[]) => unknown> = {
  'malloc of a slot': (heap) => heap.malloc(48),
  'calloc of a slot': (heap) => heap.calloc(48),
  'memalign of a slot': (heap) => heap.memalign(64, 64),
  'alloc of a view': (heap) => heap.alloc(Uint8Array, 40) instanceof Uint8Array,
  'free of a slot': (heap, blocks) => heap.free(blocks[0] as number),
  'free of a short span': (heap, blocks) => heap.free(blocks[1] as number),
  'free of a long span': (heap, blocks) => heap.free(blocks[2] as number),
  'realloc that moves': (heap, blocks) => heap.realloc(blocks[0] as number, 5000),
  'realloc to a larger slot': (heap, blocks) => heap.realloc(blocks[0] as number, 200),
  'realloc that shrinks': (heap, blocks) => heap.realloc(blocks[2] as number, 2000),
  purge: (heap) => heap.purge(),
  reset: (heap) => heap.reset(),
}

for (const [what, act] of Object.entries(mischief))
  for (const [name, run] of Object.entries(steps))
    test(`a schedule that ${what} changes nothing of a ${name}`, () => {
      let called = 0
      for (const decayMs of [0, 1000]) {
        const outcome = (wild: boolean): unknown => {
          const arena = Arena.reserve(8 * MiB)
          let heap: Heap | undefined
          let busy = false
          const due: (() => void)[] = []
          const schedule = (tick: () => void): (() => void) => {
            if (heap === undefined) due.push(tick)
            if (!wild || busy || heap === undefined) return () => undefined
            busy = true
            called++
            try {
              return act(heap, tick) as () => void
            } finally {
              busy = false
            }
          }
          const made = new Heap(arena, { decayMs, schedule })
          const blocks = [48, 5000, 600_000].map((byteLength) => made.malloc(byteLength))
          // Until it watches again.
          for (let tick = due.shift(); tick !== undefined; tick = due.shift()) tick()
          heap = made
          const answer = run(made, blocks)
          if (!arena.closed && !what.includes('close')) made.check()
          arena.close()
          // Bytes given back are what a purge finds: one that has run before leaves it less.
          return name === 'purge' ? typeof answer : answer
        }
        assert.equal(outcome(true), outcome(false))
      }
      if (name !== 'purge') assert.ok(called > 0)
    })

test('a cancel that resets, frees, closes or throws is called when everything is closed', () => {
  for (const end of ['close', 'reset', 'free', 'arena'] as const) {
    const arena = Arena.reserve(8 * MiB)
    const outer = new Heap(arena)
    const block = outer.malloc(MiB)
    const seen: string[] = []
    const attempt = (name: string, run: () => unknown): void => {
      try {
        run()
        seen.push(`${name} fine`)
      } catch (error) {
        seen.push(`${name} ${(error as { code: string }).code}`)
      }
    }
    const inner = new Heap(arena, {
      offset: block,
      byteLength: MiB,
      schedule: () => () => {
        attempt('inner', () => inner.malloc(8))
        attempt('outer', () => outer.malloc(8))
        throw new Error('of the cancel')
      },
    })
    inner.free(inner.malloc(100_000))
    if (end === 'close') outer.close()
    else if (end === 'reset') outer.reset()
    else if (end === 'arena') arena.close()
    else {
      inner.close()
      outer.free(block)
    }
    const open = end === 'reset' || end === 'free'
    assert.equal(seen, ['inner ERR_ARENA_CLOSED', `outer ${open ? 'fine' : 'ERR_ARENA_CLOSED'}`], end)
    if (open) outer.check()
    arena.close()
  }
})

test('a schedule that is no function is refused before anything is claimed', () => {
  using arena = Arena.reserve(MiB)
  for (const schedule of [5, null, {}])
    throwsCode(() => new Heap(arena, { schedule: schedule as never }), 'ERR_INVALID_ARG_TYPE', '"options.schedule"')
  new Heap(arena)
})

// ---- views without elements ----

for (const [kind, make] of Object.entries(kinds))
  if (kind !== 'Bump')
    test(`${kind}: alloc(T, 0) can be freed, also after a byte stream took the window`, () => {
      using arena = Arena.reserve(4 * MiB)
      const allocator = make(arena, 0, MiB) as Heap
      for (const type of [Uint8Array, Float64Array as never] as (typeof Uint8Array)[]) {
        const first = allocator.alloc(type, 0)
        allocator.free(first)
        const full = allocator.alloc(type, 1)
        allocator.free(full)
        detachByStream(arena.window(0).buffer)
        const views = [0, 0, 1, 0].map((length) => allocator.alloc(type, length))
        assert.is(new Set(views.map((view) => view.byteOffset)).size, 4)
        for (const view of views) allocator.free(view)
        allocator.check()
      }
    })

test('a buffer of its own above a window, without elements before', () => {
  using arena = Arena.reserve(4 * GiB)
  const heap = new Heap(arena)
  const none = heap.alloc(Uint8Array, 0)
  const huge = heap.allocUnsafe(Float64Array, GiB / 4)
  heap.free(none)
  heap.free(huge)
  heap.check()
})

test.run()

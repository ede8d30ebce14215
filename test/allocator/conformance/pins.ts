/**
 * The part of the conformance suite about pins: a pinned block stays where it is and as long as it is, whatever is asked of its allocator,
 * of those around it, or of the arena; other blocks are not concerned; and closing can wait for pins.
 *
 * Longer than other files: every call that a pin refuses, for each way to pin.
 * @module
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Bump } from '../../../src/allocator/bump/bump.ts'
import type { FreeingAllocator } from '../../../src/allocator/contract.ts'
import { Arena } from '../../../src/arena/arena.ts'
import { MiB } from '../../../src/units.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { bytesAt, changesNothing, type Subject } from '../subject.ts'

const PINNED = 'ERR_BLOCK_PINNED'

export function pinTests(subject: Subject): void {
  blockTests(subject)
  useTests(subject)
  innerTests(subject)
  closingTests(subject)
}

/** What must be refused while this block is pinned. */
function refusals(subject: Subject, allocator: FreeingAllocator, arena: Arena, offset: number): (() => unknown)[] {
  const calls: (() => unknown)[] = [() => allocator.reset(), () => allocator.close(), () => allocator[Symbol.dispose]()]
  if (!subject.abilities.frees) return calls
  const many = Float64Array.of(allocator.malloc(8), offset)
  calls.push(
    () => allocator.free(offset),
    () => allocator.free(arena.view(Uint8Array, offset, 8)),
    () => allocator.freeMany(many),
    () => allocator.realloc(offset, 0),
    () => allocator.realloc(offset, allocator.usableSize(offset)),
    () => allocator.realloc(offset, subject.fit(100_000))
  )
  return calls
}

/** Settles with the code that a promise is rejected with, or 'none'. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: { code: string }) => error.code
  )
}

/** A promise and what resolves it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Lets everything run that is ready to. */
async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function blockTests(subject: Subject): void {
  const test = suite(`${subject.name}: pins`)
  const some = subject.fit(40)
  const lengths = [...new Set([0, 8, 40, 1000, 5000, 100_000, 2 * MiB].map((length) => subject.fit(length)))]

  for (const length of lengths)
    test(`a pinned block of ${length} bytes stays, and nothing changes`, () => {
      subject.run((allocator, arena) => {
        allocator.malloc(some)
        const offset = allocator.malloc(length)
        const pin = allocator.pin(offset)
        const calls = refusals(subject, allocator, arena, offset)
        changesNothing(allocator, () => {
          for (const call of calls) throwsCode(call, PINNED, `at ${offset} is pinned once`)
          throwsCode(() => arena.close(), PINNED, 'pinned once')
        })
        pin[Symbol.dispose]()
        if (subject.abilities.frees) allocator.free(offset)
        allocator.check()
        allocator.reset()
        allocator.close()
      }, 8 * MiB)
    })

  test('pins count, each once, by offset or by view', () => {
    subject.run((allocator, arena) => {
      const view = allocator.alloc(Uint8Array, some)
      const offset = arena.offsetOf(view)
      const pins = [allocator.pin(offset), allocator.pin(view), allocator.pin(view.subarray(some >> 1))]
      throwsCode(() => allocator.reset(), PINNED, 'pinned 3 times')
      for (const pin of pins) {
        throwsCode(() => allocator.reset(), PINNED)
        pin[Symbol.dispose]()
        pin[Symbol.dispose]()
      }
      allocator.reset()
      allocator.malloc(some)
      allocator.check()
    })
  })

  test('other blocks are made, freed and resized as ever, and free pages purged', () => {
    subject.run((allocator, arena) => {
      const offset = allocator.malloc(some)
      bytesAt(arena, offset, some).fill(7)
      using _pin = allocator.pin(offset)
      for (let round = 0; round < 50; round++) {
        const blocks = Array.from({ length: 20 }, (_, i) => allocator.malloc(subject.fit(i * 300)))
        assert.is(new Set([...blocks, offset]).size, 21)
        if (!subject.abilities.frees) continue
        const moved = allocator.realloc(blocks.pop() as number, subject.fit(9000))
        allocator.free(moved)
        throwsCode(() => allocator.free(moved), 'ERR_DOUBLE_FREE')
        for (const block of blocks.splice(0, 10)) allocator.free(block)
        allocator.free(allocator.alloc(Uint8Array, some))
        allocator.freeMany(Float64Array.from(blocks))
        throwsCode(() => allocator.free(offset + 4), 'ERR_INVALID_FREE')
      }
      ;(allocator as { purge(): number }).purge()
      assert.ok(bytesAt(arena, offset, some).every((byte) => byte === 7))
      allocator.check()
    }, 8 * MiB)
  })

  test('what is no live block of it cannot be pinned', () => {
    subject.run((allocator, arena) => {
      const offset = allocator.malloc(some)
      const freed = allocator.malloc(some)
      if (subject.abilities.frees) allocator.free(freed)
      changesNothing(allocator, () => {
        for (const bad of [0, -8, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40, offset + 1, arena.byteLength - 8])
          throwsCode(() => allocator.pin(bad), 'ERR_INVALID_FREE')
        for (const bad of ['8', 8n, null, undefined, {}, [8], Symbol('8')])
          throwsCode(() => allocator.pin(bad as number), 'ERR_INVALID_ARG_TYPE', '"block"')
        throwsCode(() => allocator.pin(new Uint8Array(8)), 'ERR_INVALID_FREE')
        throwsCode(() => allocator.pin(arena.view(Uint8Array, arena.byteLength - 8, 8)), 'ERR_INVALID_FREE')
        if (subject.abilities.frees) throwsCode(() => allocator.pin(freed), 'ERR_DOUBLE_FREE')
      })
      // None of them has left a pin.
      arena.close()
      throwsCode(() => allocator.pin(offset), 'ERR_ARENA_CLOSED')
    })
  })

  if (subject.abilities.frees)
    test('freeMany names the pinned block, and frees none', () => {
      subject.run((allocator) => {
        const offsets = Float64Array.from({ length: 10 }, () => allocator.malloc(some))
        using _pin = allocator.pin(offsets[6] as number)
        changesNothing(allocator, () => {
          const error = throwsCode(() => allocator.freeMany(offsets), PINNED, 'offsets[6]')
          assert.is((error as { index?: number }).index, 6)
        })
        allocator.freeMany(offsets, 6)
        allocator.check()
      })
    })

  test.run()
}

function useTests(subject: Subject): void {
  const test = suite(`${subject.name}: use`)
  const some = subject.fit(40)

  for (const by of ['allocator', 'arena'] as const)
    test(`${by}.use pins the block until the promise is settled`, async () => {
      const arena = Arena.reserve(4 * MiB)
      const allocator = subject.on(arena)
      const block = allocator.alloc(Uint8Array, some)
      const offset = arena.offsetOf(block)
      const { opened, open } = gate()
      const view = block.subarray(some >> 1)
      const given = { allocator, arena }[by].use(view, async (seen) => {
        assert.is(seen, view)
        await opened
        return 5
      })
      const calls = refusals(subject, allocator, arena, offset)
      for (const call of calls) throwsCode(call, PINNED)
      throwsCode(() => arena.close(), by === 'arena' ? 'ERR_ARENA_BUSY' : PINNED)
      open()
      assert.is(await given, 5)
      const failing = { allocator, arena }[by].use(view, () => {
        throw Object.assign(new Error('no'), { code: 'MINE' })
      })
      assert.is(await codeOf(failing), 'MINE')
      if (subject.abilities.frees) allocator.free(offset)
      allocator.reset()
      arena.close()
    })

  test('arena.use of a view in no block holds the arena alone', async () => {
    const arena = Arena.reserve(4 * MiB)
    const allocator = subject.on(arena, { byteLength: 2 * MiB })
    for (const offset of [3 * MiB, 2 * MiB - 8]) {
      const { opened, open } = gate()
      const given = arena.use(arena.view(Uint8Array, offset, 8), () => opened)
      allocator.malloc(some)
      allocator.reset()
      throwsCode(() => arena.close(), 'ERR_ARENA_BUSY')
      open()
      await given
    }
    arena.close()
  })

  test('use refuses what is no view of a live block, and what cannot be run', async () => {
    const arena = Arena.reserve(MiB)
    const allocator = subject.on(arena)
    const view = allocator.alloc(Uint8Array, some)
    assert.is(await codeOf(allocator.use(new Uint8Array(1), () => 1)), 'ERR_INVALID_FREE')
    assert.is(await codeOf(allocator.use(8 as never, () => 1)), 'ERR_INVALID_ARG_TYPE')
    assert.is(await codeOf(allocator.use(view, 5 as never)), 'ERR_INVALID_ARG_TYPE')
    allocator.reset()
    arena.close()
    assert.is(await codeOf(allocator.use(view, () => 1)), 'ERR_ARENA_CLOSED')
  })

  test.run()
}

function innerTests(subject: Subject): void {
  const test = suite(`${subject.name}: pins in allocators in blocks`)
  const room = subject.fit(4000)

  test('a pin in an inner allocator holds every block around it', () => {
    subject.run((outer, arena) => {
      const block = outer.malloc(room)
      const middle = new Bump(arena, { offset: block, byteLength: room - (room % 8) })
      middle.malloc(8)
      const inside = middle.malloc(32)
      const inner = new Bump(arena, { offset: inside, byteLength: 32 })
      const first = inner.mark()
      const pin = inner.pin(inner.malloc(8))
      const calls = refusals(subject, outer, arena, block)
      calls.push(
        () => inner.reset(),
        () => inner.release(first),
        () => inner.close(),
        () => middle.reset(),
        () => middle.realloc(inside, 40),
        () => middle.release(inside),
        () => middle.close()
      )
      changesNothing(outer, () => {
        for (const call of calls) throwsCode(call, PINNED)
        throwsCode(() => arena.close(), PINNED)
      })
      pin[Symbol.dispose]()
      if (subject.abilities.frees) throwsCode(() => outer.free(block), 'ERR_ARENA_BUSY')
      inner.reset()
      outer.reset()
      throwsCode(() => inner.malloc(8), 'ERR_ARENA_CLOSED')
      outer.check()
    })
  })

  test('a view in an inner allocator names the block there, whichever allocator around it is asked', async () => {
    const arena = Arena.reserve(4 * MiB)
    const outer = subject.on(arena)
    const block = outer.malloc(room)
    const middle = new Bump(arena, { offset: block, byteLength: room - (room % 8) })
    const first = middle.alloc(Uint8Array, 8)
    const inside = middle.malloc(32)
    const inner = new Bump(arena, { offset: inside, byteLength: 32 })
    const mine = inner.alloc(Uint8Array, 8)
    const { opened, open } = gate()
    const held = [
      () => inner.reset(),
      () => inner.close(),
      () => middle.release(inside),
      () => middle.reset(),
      ...refusals(subject, outer, arena, block),
    ]
    for (const allocator of [outer, middle, inner]) {
      const pin = allocator.pin(mine)
      changesNothing(outer, () => {
        for (const call of held) throwsCode(call, PINNED, 'pinned once')
        throwsCode(() => arena.close(), PINNED, 'pinned once')
      })
      pin[Symbol.dispose]()
    }
    const used = outer.use(mine, () => opened)
    for (const call of held) throwsCode(call, PINNED, 'pinned once')
    open()
    await used
    // Where the inner one has no live block, the block around it is the innermost; and so it is for an offset.
    for (const named of [arena.view(Uint8Array, inside + 24, 8), first, arena.view(Uint8Array, inside, 0)]) {
      const pin = outer.pin(named)
      if (named !== first && named.length > 0) inner.reset()
      throwsCode(() => middle.reset(), PINNED)
      throwsCode(() => outer.reset(), PINNED)
      pin[Symbol.dispose]()
    }
    const pin = outer.pin(block)
    inner.close()
    middle.release(inside)
    throwsCode(() => outer.reset(), PINNED)
    pin[Symbol.dispose]()
    const closing = outer.closeWhenIdle()
    throwsCode(() => outer.pin(first), 'ERR_ARENA_CLOSED')
    await closing
    arena.close()
  })

  test('arena.use pins in the innermost allocator that has a block there', async () => {
    const arena = Arena.reserve(4 * MiB)
    const outer = subject.on(arena)
    const block = outer.malloc(room)
    const inner = new Bump(arena, { offset: block, byteLength: room - (room % 8) })
    const mine = inner.alloc(Uint8Array, 8)
    const { opened, open } = gate()
    const uses = [arena.use(mine, () => opened)]
    throwsCode(() => inner.reset(), PINNED)
    throwsCode(() => outer.reset(), PINNED)
    // No block of the inner one is here; the outer one's is.
    uses.push(arena.use(arena.view(Uint8Array, block + inner.stats().reservedBytes - 8, 8), () => opened))
    throwsCode(() => outer.reset(), PINNED, 'pinned 2 times')
    throwsCode(() => inner.reset(), PINNED, 'pinned once')
    open()
    await Promise.all(uses)
    outer.reset()
    arena.close()
  })

  test.run()
}

function closingTests(subject: Subject): void {
  const test = suite(`${subject.name}: closing when idle`)
  const some = subject.fit(40)

  test('closeWhenIdle grants no new pins, waits for the others, and closes', async () => {
    const arena = Arena.reserve(MiB)
    const allocator = subject.on(arena)
    const offset = allocator.malloc(some)
    const view = arena.view(Uint8Array, offset, some)
    const pins = [allocator.pin(offset), allocator.pin(offset)]
    const outcomes = [allocator.closeWhenIdle(), allocator.closeWhenIdle(), allocator[Symbol.asyncDispose]()]
    const settled: number[] = []
    for (const [index, outcome] of outcomes.entries()) outcome.then(() => settled.push(index))
    throwsCode(() => allocator.pin(offset), 'ERR_ARENA_CLOSED', 'takes no new pins')
    assert.is(await codeOf(allocator.use(view, () => 1)), 'ERR_ARENA_CLOSED')
    assert.is(await codeOf(arena.use(view, () => 1)), 'ERR_ARENA_CLOSED')
    throwsCode(() => allocator.close(), PINNED)
    pins[0]?.[Symbol.dispose]()
    await turn()
    assert.equal(settled, [])
    allocator.malloc(some)
    pins[1]?.[Symbol.dispose]()
    await Promise.all(outcomes)
    assert.equal(settled, [0, 1, 2])
    throwsCode(() => allocator.malloc(some), 'ERR_ARENA_CLOSED')
    await allocator.closeWhenIdle()
    subject.on(arena).malloc(some)
    arena.close()
    await allocator.closeWhenIdle()
  })

  test('arena.closeWhenIdle waits for pins of the arena and of blocks', async () => {
    const arena = Arena.reserve(MiB)
    const allocator = subject.on(arena)
    const offset = allocator.malloc(some)
    const pins = [arena.pin(), allocator.pin(offset)]
    const outcome = arena.closeWhenIdle()
    throwsCode(() => arena.pin(), 'ERR_ARENA_CLOSED', 'takes no new pins')
    throwsCode(() => allocator.pin(offset), 'ERR_ARENA_CLOSED', 'takes no new pins')
    for (const pin of pins) {
      await turn()
      assert.not(arena.closed)
      pin[Symbol.dispose]()
    }
    await outcome
    assert.ok(arena.closed)
    throwsCode(() => allocator.malloc(some), 'ERR_ARENA_CLOSED')
    await arena.closeWhenIdle()
    await arena[Symbol.asyncDispose]()
  })

  test('what is not pinned closes once the code that asked is over', async () => {
    const arena = Arena.reserve(MiB)
    {
      await using allocator = subject.on(arena)
      allocator.malloc(some)
    }
    const allocator = subject.on(arena)
    const outcomes = [allocator.closeWhenIdle(), arena.closeWhenIdle()]
    assert.not(arena.closed)
    await Promise.all(outcomes)
    assert.ok(arena.closed)
  })

  test('an allocator whose arena is closed meanwhile is closed', async () => {
    const arena = Arena.reserve(MiB)
    const allocator = subject.on(arena)
    const pin = allocator.pin(allocator.malloc(some))
    const outcomes = [allocator.closeWhenIdle(), arena.closeWhenIdle()]
    pin[Symbol.dispose]()
    arena.close()
    await Promise.all(outcomes)
    pin[Symbol.dispose]()
  })

  test('what the kernel refuses rejects it, and all is as it was', async () => {
    const os = new FakeOs()
    const arena = Arena.reserve(MiB, { os })
    const allocator = subject.on(arena)
    const offset = allocator.malloc(some)
    bytesAt(arena, offset, some).fill(3)
    const pin = arena.pin()
    const outcomes = [arena.closeWhenIdle(), arena.closeWhenIdle()]
    os.fail('replace', 1)
    pin[Symbol.dispose]()
    assert.equal(await Promise.all(outcomes.map(codeOf)), ['ENOMEM', 'ENOMEM'])
    assert.not(arena.closed)
    allocator.pin(offset)[Symbol.dispose]()
    assert.is(bytesAt(arena, offset, some)[0], 3)
    os.fail('purge', 1)
    assert.is(await codeOf(allocator.closeWhenIdle()), 'ENOMEM')
    allocator.pin(offset)[Symbol.dispose]()
    await arena.closeWhenIdle()
    assert.ok(arena.closed)
  })

  test.run()
}

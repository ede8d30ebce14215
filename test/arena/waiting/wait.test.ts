/** Sleeping on a word until another changes it and wakes the sleepers: threads, processes, promises. */
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { type NodeBinary, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a child reports
async function run(node: NodeBinary, program: string): Promise<any> {
  return (await runChild(program, { node })).clean().report
}

const code = (error: unknown): string => String((error as { code?: string }).code)

test('a word that is not as expected is not waited for', async () => {
  using arena = Arena.reserve(2 * GiB)
  const word = arena.view(Int32Array, GiB + 4, 1)
  word[0] = -1
  assert.is(arena.wait(GiB + 4, 0), 'not-equal')
  assert.is(await arena.waitAsync(GiB + 4, 0), 'not-equal')
  assert.is(arena.wait(GiB + 4, -1, { timeoutMs: 0 }), 'timed-out')
  assert.is(arena.wait(GiB + 4, 0xffffffff, { timeoutMs: 1 }), 'timed-out')
  assert.is(arena.wake(GiB + 4), 0)
})

test('a wait takes as long as it was told, in sleeps of 50 ms', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const asked: number[] = []
  const sleep = os.threads.futexWait.bind(os.threads)
  os.threads.futexWait = (address, expected, milliseconds) => {
    asked.push(milliseconds)
    return sleep(address, expected, milliseconds)
  }
  // The clock is the subject: a timeout is a time, and a lower bound holds on the slowest machine.
  const start = performance.now()
  assert.is(arena.wait(0, 0, { timeoutMs: 120 }), 'timed-out')
  assert.ok(performance.now() - start >= 119)
  // On a machine that has no time for us one sleep may take as long as three.
  assert.ok(asked.length >= 1 && asked.every((milliseconds) => milliseconds <= 50), String(asked))
})

test('a word that has changed between two sleeps ends the wait', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const word = arena.view(Int32Array, 0, 1)
  const sleep = os.threads.futexWait.bind(os.threads)
  os.threads.futexWait = (address, expected) => {
    const end = sleep(address, expected, 0)
    if (os.count('futexWait') === 3) word[0] = 1
    return end
  }
  assert.is(arena.wait(0, 0), 'ok')
  assert.is(os.count('futexWait'), 3)
})

test('arguments are checked', async () => {
  using arena = Arena.reserve(64 * KiB)
  const end = arena.byteLength
  for (const [call, asynchronous] of [
    [(offset: never, expected: never, options: never) => arena.wait(offset, expected, options), false],
    [(offset: never, expected: never, options: never) => arena.waitAsync(offset, expected, options), true],
  ] as const) {
    const outcome = async (...args: unknown[]): Promise<string> => {
      try {
        await (call as (...all: unknown[]) => unknown)(...args)
        return 'fine'
      } catch (error) {
        return `${code(error)} ${(error as Error).message.split(' ')[0]}`
      }
    }
    for (const bad of [-4, 2, end, NaN, 0.5])
      assert.is(await outcome(bad, 0), bad === end ? 'ERR_OUT_OF_RANGE "length"' : 'ERR_OUT_OF_RANGE "offset"')
    assert.is(await outcome('0', 0), 'ERR_INVALID_ARG_TYPE "offset"')
    for (const bad of [2 ** 32, -(2 ** 31) - 1, NaN, 0.5])
      assert.is(await outcome(0, bad), 'ERR_OUT_OF_RANGE "expected"')
    for (const bad of ['0', undefined, 0n]) assert.is(await outcome(0, bad), 'ERR_INVALID_ARG_TYPE "expected"')
    for (const bad of [-1, NaN])
      assert.is(await outcome(0, 0, { timeoutMs: bad }), 'ERR_OUT_OF_RANGE "options.timeoutMs"')
    assert.is(await outcome(0, 0, { timeoutMs: '1' }), 'ERR_INVALID_ARG_TYPE "options.timeoutMs"')
    assert.is(await outcome(0, 0, 5), 'ERR_INVALID_ARG_TYPE "options"')
    if (asynchronous) assert.is(await outcome(0, 0, { signal: 5 }), 'ERR_INVALID_ARG_TYPE "options.signal"')
  }
  for (const bad of [-1, NaN, 0.5, 2 ** 31]) throwsCode(() => arena.wake(0, bad), 'ERR_OUT_OF_RANGE', '"count"')
  throwsCode(() => arena.wake(2), 'ERR_OUT_OF_RANGE', '"offset"')
  arena.wake(0, Infinity)
})

test('a promise is fulfilled when the word is woken or changed, or the time is up', async () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const words = arena.view(Int32Array, 0, 4)
  const waits = [0, 4, 8, 8].map((at) => arena.waitAsync(at, 0, at === 4 ? { timeoutMs: 20 } : {}))
  const endless = waits.filter((_, index) => index !== 1)
  const early = await Promise.race([...endless, new Promise((resolve) => setImmediate(() => resolve('none')))])
  assert.is(early, 'none')
  words[0] = 1
  assert.is(await waits[0], 'ok')
  assert.is(await waits[1], 'timed-out')
  while (arena.wake(8, 1) < 1) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await Promise.all(waits.slice(2)), ['ok', 'ok'])
  // A sleep needs no memory of its own.
  assert.is(os.live.size, 1)
})

test('the promises for one word are one sleeper: a wake is counted once and none is lost', async () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const slept: number[] = []
  const sleep = os.threads.futexWaitAny.bind(os.threads)
  os.threads.futexWaitAny = (addresses, expected, milliseconds) => {
    slept.push(addresses.length)
    return sleep(addresses, expected, milliseconds)
  }
  for (let round = 0; round < 50; round++) {
    slept.length = 0
    const waits = Array.from({ length: 200 }, () => arena.waitAsync(8, 0))
    let woken = 0
    // Without a pause between two wakes: the sleeper may not have left the kernel yet when the second comes.
    while (woken === 0) {
      for (let wake = 0; wake < 3; wake++) woken += arena.wake(8, 1)
      if (woken === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.is(woken, 1)
    assert.is(new Set(await Promise.all(waits)).size, 1)
    // The bell and the word.
    assert.is(Math.max(...slept), 2)
  }
})

test('a word that two promises expect to be different settles the one that is wrong', async () => {
  using arena = Arena.reserve(MiB)
  const words = arena.view(Int32Array, 0, 1)
  const waits = [arena.waitAsync(0, 0)]
  words[0] = 1
  waits.push(arena.waitAsync(0, 1, { timeoutMs: 40 }))
  assert.equal(await Promise.all(waits), ['ok', 'timed-out'])
})

test('a signal ends a promise, at once or later', async () => {
  using arena = Arena.reserve(MiB)
  const aborted = AbortSignal.abort(new Error('before'))
  assert.is(await arena.waitAsync(0, 0, { signal: aborted }).catch((error) => error.message), 'before')
  const controller = new AbortController()
  const wait = arena.waitAsync(0, 0, { signal: controller.signal }).catch((error) => error.name)
  controller.abort()
  assert.is(await wait, 'AbortError')
})

test('closing the arena rejects what is pending', async () => {
  const arena = Arena.reserve(MiB, { name: 'grains' })
  const waits = [0, 4].map((at) => arena.waitAsync(at, 0).catch((error) => error))
  arena.close()
  for (const error of await Promise.all(waits))
    assert.equal(
      [error.code, error.message],
      ['ERR_ARENA_CLOSED', 'arena "grains" was closed while a wait was pending']
    )
  throwsCode(() => arena.wait(0, 0), 'ERR_ARENA_CLOSED')
  throwsCode(() => arena.wake(0), 'ERR_ARENA_CLOSED')
  assert.is(await arena.waitAsync(0, 0).catch(code), 'ERR_ARENA_CLOSED')
})

test('a kernel that cannot sleep on several words: they are looked at from time to time', async () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  const words = arena.view(Int32Array, 0, 2)
  os.fail('futexWaitAny', 1, constants.errno.ENOSYS)
  const waits = [arena.waitAsync(0, 0), arena.waitAsync(4, 0, { timeoutMs: 30 })]
  setTimeout(() => {
    words[0] = 1
  }, 5)
  assert.equal(await Promise.all(waits), ['ok', 'timed-out'])
  assert.is(await arena.waitAsync(4, 0, { timeoutMs: 5 }), 'timed-out')
  assert.is(os.count('futexWaitAny'), 1)
})

test('what else the kernel refuses rejects every promise, and the next one is tried anew', async () => {
  const os = new FakeOs()
  using arena = Arena.reserve(MiB, { os })
  arena.view(Int32Array, 0, 1)
  os.fail('futexWaitAny')
  const waits = [0, 4].map((at) => arena.waitAsync(at, 0, { timeoutMs: 5 }).catch(code))
  assert.equal(await Promise.all(waits), ['ENOMEM', 'ENOMEM'])
  assert.is(os.heal(), 0)
  const [views, mappings] = [os.count('view'), os.count('reserve')]
  for (let round = 0; round < 2; round++) assert.is(await arena.waitAsync(0, 0, { timeoutMs: 1 }), 'timed-out')
  // Nothing is made for a wait.
  assert.equal([os.count('view'), os.count('reserve')], [views, mappings])
})

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: two threads hand a word to and fro, on a private arena and on a shared one`, async () => {
    const report = await run(
      node,
      `
      const results = []
      for (const options of [{}, { shared: true }]) {
        const arena = Arena.reserve(MiB, options), words = arena.view(Int32Array, 4096, 2)
        const thread = new Thread(\`
          const arena = Arena.attach(data), words = arena.view(Int32Array, 4096, 2)
          for (let turn = 0; turn < 1000; turn++) {
            while (Atomics.load(words, 0) !== turn + 1) arena.wait(4096, turn)
            Atomics.store(words, 1, turn + 1)
            arena.wake(4100)
          }
          post('done')\`, arena.handle())
        for (let turn = 0; turn < 1000; turn++) {
          Atomics.store(words, 0, turn + 1)
          arena.wake(4096)
          while (Atomics.load(words, 1) !== turn + 1) arena.wait(4100, turn)
        }
        results.push([await thread.next(), words[0], words[1]])
        arena.close()
      }
      report({ results })`
    )
    assert.equal(report.results, [
      ['done', 1000, 1000],
      ['done', 1000, 1000],
    ])
  })

  test(`${label}: two processes wake each other, and a promise too`, async () => {
    const report = await run(
      node,
      `
      const arena = Arena.reserve(MiB, { shared: true }), words = arena.view(Int32Array, 0, 2)
      const peer = new Peer(\`
        const arena = Arena.attach({ fd: 3 }), words = arena.view(Int32Array, 0, 2)
        for (let turn = 0; turn < 200; turn++) {
          while (Atomics.load(words, 0) !== turn + 1) arena.wait(0, turn)
          Atomics.store(words, 1, turn + 1)
          arena.wake(4)
        }\`, { fds: [arena.fd] })
      for (let turn = 0; turn < 200; turn++) {
        Atomics.store(words, 0, turn + 1)
        arena.wake(0)
        if (turn % 2) while (Atomics.load(words, 1) !== turn + 1) await arena.waitAsync(4, turn)
        else while (Atomics.load(words, 1) !== turn + 1) arena.wait(4, turn)
      }
      report({ ended: await peer.ended(), words: [...words] })`
    )
    assert.equal(report, { ended: '0', words: [200, 200] })
  })

  test(`${label}: a worker that waits for ever can be terminated, however often it has slept`, async () => {
    const report = await run(
      node,
      `
      let ended = 0
      const arena = Arena.reserve(MiB)
      const bodies = [
        'for (;;) arena.wait(0, 0)',
        // Hot code, that the compiler has inlined as far as it likes.
        'for (let i = 0; i < 20_000; i++) arena.wait(0, 0, { timeoutMs: 0.001 }); post(2); for (;;) arena.wait(0, 0)',
        'for (let i = 0; i < 20_000; i++) arena.wait(0, 0, { timeoutMs: 0.001 }); post(2); for (;;) arena.wait(0, 0, { timeoutMs: 1 })',
      ]
      for (const body of bodies) {
        const thread = new Thread('const arena = Arena.attach(data); post(1); ' + body, arena.handle())
        await thread.next()
        if (body.includes('post(2)')) await thread.next()
        // A thread that is woken goes to sleep again.
        for (let woken = 0; woken < 3; woken += arena.wake(0)) await turns(1)
        await thread.kill()
        ended++
      }
      report({ ended })`
    )
    assert.is(report.ended, 3)
  })

  test(`${label}: the process can exit while workers wait, and promises are pending`, async () => {
    const child = await runChild(
      `
      const arena = Arena.reserve(MiB)
      const threads = [1, 2].map(() => new Thread('const arena = Arena.attach(data); post(1); for (;;) arena.wait(0, 0)', arena.handle()))
      for (const thread of threads) await thread.next()
      arena.waitAsync(4, 0)
      for (let woken = 0; woken < 4; woken += arena.wake(0)) await turns(1)
      process.exit(5)`,
      { node }
    )
    assert.equal([child.status, child.signal, child.stderr], [5, null, ''])
  })

  test(`${label}: with a hundred promises pending, in this thread and in six others, files are still read`, async () => {
    const report = await run(
      node,
      `
      import { readFile } from 'node:fs/promises'
      import { pbkdf2 } from 'node:crypto'
      const os = new FakeOs(), arena = Arena.reserve(MiB, { os }), words = arena.view(Int32Array, 0, 1024)
      const text = 'const arena = Arena.attach(data); const waits = Array.from({ length: 20 }, (_, i) => arena.waitAsync(4 * i, 0)); post(1); await Promise.all(waits); post(2); await next()'
      const threads = Array.from({ length: 6 }, () => new Thread(text, arena.handle()))
      for (const thread of threads) await thread.next()
      const waits = Array.from({ length: 200 }, (_, i) => arena.waitAsync(4 * i, 0))
      while (os.count('futexWaitAny') === 0) await turns(1)
      const before = os.count('futexWaitAny')
      for (let round = 0; round < 10; round++) await readFile('/proc/self/status')
      const sleeps = os.count('futexWaitAny') - before
      words.fill(1)
      for (let i = 0; i < 200; i++) arena.wake(4 * i)
      const settled = await Promise.all(waits)
      for (const thread of threads) { await thread.next(); await thread.kill() }
      report({ sleeps, settled: new Set(settled).size })`
    )
    // A read is some ten jobs of the pool; each stands behind one sleep of every thread at most, whatever that takes.
    assert.ok(report.sleeps <= 200, JSON.stringify(report))
    assert.is(report.settled, 1)
  })

  test(`${label}: a pending promise keeps the process alive, an arena that waits is not garbage`, async () => {
    const report = await run(
      node,
      `
      const wait = () => { const arena = Arena.reserve(MiB), word = arena.view(Int32Array, 0, 1); setTimeout(() => { word[0] = 1 }, 100).unref(); return arena.waitAsync(0, 0) }
      const waiting = wait()
      gc()
      report({ result: await waiting })`
    )
    assert.is(report.result, 'ok')
  })
}

test.run()

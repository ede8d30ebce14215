/** Waits under clocks that are not the kernel's, and waits of arenas that are closed meanwhile. Every test is a child. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compiled, nodes, runChild } from '../../helpers/child.ts'

/** Time that stands still, and timers that never run and are numbers, as fake timers and jsdom have them. */
const FAKE = `
  let timers = 0
  globalThis.setTimeout = () => ++timers
  globalThis.setInterval = globalThis.setImmediate = globalThis.setTimeout
  globalThis.clearTimeout = () => undefined
  globalThis.queueMicrotask = () => undefined
  performance.now = () => 5
  globalThis.performance = { now: () => 5 }
  process.hrtime = Object.assign(() => [0, 0], { bigint: () => 0n })
  Date.now = () => 0
  globalThis.crypto && Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true })
`
const USE = `
  const os = new FakeOs()
  const arena = Arena.reserve(2 ** 20, { os })
  const results = [arena.wait(0, 0, { timeoutMs: 60 }), await arena.waitAsync(0, 0, { timeoutMs: 30 })]
  os.fail('futexWaitAny', 1, 38)
  results.push(await arena.waitAsync(0, 0, { timeoutMs: 30 }))
  const heap = new Heap(arena)
  const block = heap.malloc(100000)
  heap.free(block)
  heap.check()
  const handle = arena.handle()
  Arena.attach(handle, { os }).close()
  heap.close()
  arena.close()
  process.stdout.write('\\u0001report ' + JSON.stringify({ results, timers }) + '\\n')
`

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: the runtime's clocks stand still, since the library was loaded`, async () => {
    const child = await runChild(`${FAKE}${USE}`, { node })
    assert.equal(child.clean().report, { results: ['timed-out', 'timed-out', 'timed-out'], timers: 0 })
  })

  test(`${label}: the runtime's clocks stand still before the library is loaded`, async () => {
    const paths = ['src/arena/arena', 'src/allocator/heap/heap', 'test/helpers/fake-os'].map((name) => compiled(name))
    const load = `
      const { runInNewContext } = await import('node:vm')
      const { Worker, isMainThread } = await import('node:worker_threads')
      // A thread has modules of its own.
      const text = ${JSON.stringify(`(async () => { ${FAKE}
        const { Arena } = await import(${JSON.stringify(paths[0])})
        const { Heap } = await import(${JSON.stringify(paths[1])})
        const { FakeOs } = await import(${JSON.stringify(paths[2])})
        ${USE.replace("process.stdout.write('\\u0001report ' + JSON.stringify({ results, timers }) + '\\n')", 'require("node:worker_threads").parentPort.postMessage({ results, timers })')}
      })()`)}
      const worker = new Worker(text, { eval: true, execArgv: [] })
      report(await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject) }))`
    const child = await runChild(load, { node })
    assert.equal(child.clean().report, { results: ['timed-out', 'timed-out', 'timed-out'], timers: 0 })
  })

  test(`${label}: an arena that is closed while a wait of another is in a busy pool ends no other wait`, async () => {
    const child = await runChild(
      `
      import { pbkdf2 } from 'node:crypto'
      const outcomes = []
      const code = (error) => error.code
      for (let round = 0; round < 10; round++) {
        const kept = Arena.reserve(MiB), closed = Arena.reserve(MiB), third = Arena.reserve(MiB)
        const words = kept.view(Int32Array, 0, 1)
        // Every thread of the pool is busy: the sleep waits for one.
        const busy = Array.from({ length: 4 }, () => new Promise((resolve) => pbkdf2('a', 'b', 20000, 64, 'sha512', resolve)))
        const waits = [kept.waitAsync(0, 0), closed.waitAsync(0, 0).catch(code), third.waitAsync(4, 0).catch(code)]
        await new Promise((resolve) => setImmediate(resolve))
        closed.close({ detach: true })
        gc()
        await Promise.all(busy)
        third.close()
        await turns(5)
        words[0] = 1
        kept.wake(0)
        outcomes.push((await Promise.all(waits)).join(' '))
        kept.close()
      }
      report({ outcomes: [...new Set(outcomes)] })`,
      { node }
    )
    assert.equal(child.clean().report.outcomes, ['ok ERR_ARENA_CLOSED ERR_ARENA_CLOSED'])
  })

  test(`${label}: addresses that a sleep is using are given back when it is over`, async () => {
    const child = await runChild(
      `
      const os = new FakeOs()
      const arena = Arena.reserve(MiB, { os })
      let during
      const sleep = os.threads.futexWaitAny.bind(os.threads)
      os.threads.futexWaitAny = async (...all) => {
        const end = sleep(...all)
        if (during === undefined && !arena.closed) {
          arena.close({ detach: true })
          during = os.live.size
        }
        return end
      }
      const outcome = await arena.waitAsync(0, 0).catch((error) => error.code)
      const freed = await collect(() => os.live.size === 0)
      report({ outcome, during, freed })`,
      { node }
    )
    assert.equal(child.clean().report, { outcome: 'ERR_ARENA_CLOSED', during: 1, freed: true })
  })
}

test('a signal of the caller’s that calls back at once, or refuses to be listened to', async () => {
  const child = await runChild(`
    const arena = Arena.reserve(MiB)
    const outcomes = []
    for (const add of [(type, listener) => listener(), () => { throw new Error('no') }]) {
      const { signal } = new AbortController()
      Object.defineProperty(signal, 'addEventListener', { value: add })
      Object.defineProperty(signal, 'removeEventListener', { value: () => { throw new Error('never') } })
      Object.defineProperty(signal, 'reason', { value: new Error('aborted') })
      outcomes.push(await arena.waitAsync(0, 0, { signal }).catch((error) => error.message))
    }
    outcomes.push(await arena.waitAsync(0, 0, { timeoutMs: 5 }))
    arena.close()
    report({ outcomes })`)
  assert.equal(child.clean().report.outcomes, ['aborted', 'no', 'timed-out'])
})

test('a signal whose reason cannot be read ends the wait with what its getter throws', async () => {
  const child = await runChild(`
    const arena = Arena.reserve(MiB)
    const outcomes = []
    for (const read of [() => { throw new Error('no reason') }, () => { arena.close() }]) {
      const listeners = []
      const signal = { aborted: false, addEventListener: (type, listener) => listeners.push(listener), removeEventListener() {} }
      Object.defineProperty(signal, 'reason', { get: read })
      const wait = arena.waitAsync(0, 0, { signal }).catch((error) => error.code ?? error.message)
      for (const listener of listeners) listener()
      outcomes.push(await wait)
    }
    report({ outcomes })`)
  assert.equal(child.clean().report.outcomes, ['no reason', 'ERR_ARENA_CLOSED'])
})

test.run()

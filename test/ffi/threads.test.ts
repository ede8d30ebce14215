import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { libc } from '../../src/ffi/libc/libc.ts'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import { readThreadStat } from '../../src/ffi/procfs.ts'
import type { Address } from '../../src/units.ts'
import { compiled, nodes, runChild } from '../helpers/child.ts'
import { throwsCode } from '../helpers/errors.ts'

const os = new LinuxOs()
const page = os.pageSize

function withWord<R>(run: (address: Address, words: Int32Array) => R): R {
  const address = os.reserve(page, page)
  return run(address, new Int32Array(os.view(address, page)))
}

test("a main thread's number is its process's", () => {
  assert.is(os.threads.id(), process.pid)
  assert.ok(os.threads.isAlive(process.pid, process.pid))
  assert.ok(os.threads.startTime(process.pid, process.pid) > 0)
})

test('no thread is alive that does not exist', () => {
  assert.not(os.threads.isAlive(2 ** 22 - 1, 2 ** 22 - 1))
  assert.not(os.threads.isAlive(process.pid, 1))
  assert.is(os.threads.startTime(process.pid, 1), 0)
  for (const bad of [0, -1, NaN, 0.5, 2 ** 22 + 1, '1', null])
    for (const call of [() => os.threads.isAlive(bad as number, 1), () => os.threads.startTime(1, bad as number)])
      assert.throws(call, (error: Error & { code: string }) => /ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)/.test(error.code))
})

test('a process that was killed and not yet waited for is not alive', async () => {
  // What the shell becomes never waits for the child that the shell had, so that stays a zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [text] = await once(parent.stdout, 'data')
    const pid = Number(String(text))
    assert.ok(os.threads.isAlive(pid, pid))
    while (readFileSync(`/proc/${parent.pid}/comm`, 'latin1') !== 'sleep\n')
      await new Promise((resolve) => setImmediate(resolve))
    process.kill(pid, 'SIGKILL')
    while (readThreadStat(pid, pid)?.ended === false) await new Promise((resolve) => setImmediate(resolve))
    assert.is(readThreadStat(pid, pid)?.ended, true)
    assert.not(os.threads.isAlive(pid, pid))
  } finally {
    parent.kill('SIGKILL')
  }
  await once(parent, 'exit')
})

test('processes of others are alive, though we may not signal them', () => {
  const strict = new LinuxOs({ ...libc(), syscall: () => -1, errno: () => 1 })
  assert.ok(strict.threads.isAlive(process.pid, process.pid))
})

test('a place has a boot and a namespace, read once', () => {
  assert.is(os.threads.place(), os.threads.place())
})

test('a sleep ends when the time is up, or does not begin when the word has changed', () =>
  withWord((address, words) => {
    assert.is(os.threads.futexWait(address, 0, 1), 'timed-out')
    assert.is(os.threads.futexWait(address, 1, 1000), 'changed')
    words[1] = -1
    assert.is(os.threads.futexWait((address + 4) as Address, -1, 0), 'timed-out')
    assert.is(os.threads.futexWait((address + 4) as Address, 0xffffffff, 0.5), 'timed-out')
    assert.is(os.threads.futexWake(address, 1), 0)
  }))

test('a sleep on several words ends with the one that was woken', () =>
  withWord(async (address, words) => {
    const addresses = [0, 4, 8].map((at) => (address + at) as Address)
    assert.is(await os.threads.futexWaitAny(addresses, [0, 0, 0], 1), -1)
    assert.is(await os.threads.futexWaitAny(addresses, [0, 1, 0], 600_000), -1)
    const sleeping = os.threads.futexWaitAny(addresses, [0, 0, 0], 600_000)
    while (os.threads.futexWake(addresses[1] as Address, 1) === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal([await sleeping, words[1]], [1, 0])
  }))

test('a kernel that cannot sleep on several words says so', () =>
  withWord(async (address) => {
    const older = new LinuxOs({ ...libc(), futex_waitv: () => Promise.resolve(-38) })
    const word = older.reserve(page, page)
    const error = await older.threads.futexWaitAny([word], [0], 1).catch((thrown) => thrown)
    assert.equal([error.code, error.syscall], ['ENOSYS', 'futex_waitv'])
    assert.ok(address > 0)
  }))

test('arguments that the kernel would misread are refused', () =>
  withWord(async (address) => {
    for (const bad of [0, NaN, -4, address + 2, address + page, 1.5, '4096', null, 2 ** 60]) {
      assert.throws(() => os.threads.futexWait(bad as Address, 0, 1), isRefusal)
      assert.throws(() => os.threads.futexWake(bad as Address, 1), isRefusal)
      const error = await os.threads.futexWaitAny([bad as Address], [0], 1).catch((thrown) => thrown)
      assert.ok(isRefusal(error), String(bad))
    }
    for (const bad of [-1, NaN, Infinity, '1', null]) {
      assert.throws(() => os.threads.futexWait(address, 0, bad as number), isRefusal)
      const error = await os.threads.futexWaitAny([address], [0], bad as number).catch((thrown) => thrown)
      assert.ok(isRefusal(error), String(bad))
    }
    for (const bad of [-1, NaN, 0.5, 2 ** 31, '1'])
      assert.throws(() => os.threads.futexWake(address, bad as number), isRefusal)
    const none = await os.threads.futexWaitAny([], [], 1).catch((thrown) => thrown)
    assert.ok(isRefusal(none))
    const many = Array.from({ length: 129 }, () => address)
    const tooMany = await os.threads.futexWaitAny(many, many, 1).catch((thrown) => thrown)
    assert.ok(isRefusal(tooMany))
  }))

function isRefusal(error: Error & { code?: string }): boolean {
  return /ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)/.test(String(error.code))
}

test('other errnos pass through', () => {
  const odd = new LinuxOs({ ...libc(), futex: () => -1, errno: () => 14 })
  const address = odd.reserve(page, page)
  throwsCode(() => odd.threads.futexWait(address, 0, 1), 'EFAULT', 'futex')
  throwsCode(() => odd.threads.futexWake(address, 1), 'EFAULT', 'futex')
})

for (const node of nodes)
  test(`Node ${node.major}: workers have numbers of their own, and are dead once they have ended`, async () => {
    const child = await runChild(
      `
      import { Worker } from 'node:worker_threads'
      import { LinuxOs } from ${JSON.stringify(compiled('src/ffi/linux/linux'))}
      const os = new LinuxOs()
      const text = 'import(${JSON.stringify(compiled('src/ffi/linux/linux'))}).then(({ LinuxOs }) => ' +
        'require("node:worker_threads").parentPort.postMessage(new LinuxOs().threads.id())); setInterval(() => 0, 1000)'
      const seen = new Set([process.pid]), states = []
      for (let round = 0; round < 10; round++) {
        const worker = new Worker(text, { eval: true, execArgv: [] })
        const id = await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject) })
        const alive = os.threads.isAlive(process.pid, id) && os.threads.startTime(process.pid, id) > 0
        await worker.terminate()
        // The kernel may still be taking it down: then it exists, and is not alive.
        states.push([alive, os.threads.isAlive(process.pid, id), seen.has(id)])
        seen.add(id)
      }
      report({ states })`,
      { node }
    )
    assert.equal(
      child.clean().report.states,
      Array.from({ length: 10 }, () => [true, false, false])
    )
  })

for (const node of nodes)
  test(`Node ${node.major}: what a sleep in the pool reads outlives the garbage collector`, async () => {
    const child = await runChild(
      `
      import { LinuxOs } from ${JSON.stringify(compiled('src/ffi/linux/linux'))}
      const real = new LinuxOs()
      const word = real.reserve(real.pageSize, real.pageSize)
      let rounds = 0, errors = 0, garbage = []
      const sleepOften = async () => {
        for (let round = 0; round < 40; round++, rounds++)
          await real.threads.futexWaitAny([word, word + 4], [0, 0], 2).catch(() => errors++)
      }
      const sleeps = Promise.all(Array.from({ length: 50 }, sleepOften))
      // New arrays of the same lengths take the place of what was collected, and hold what no kernel takes for a time.
      const churn = () => {
        garbage = []
        gc({ type: 'minor' })
        for (let i = 0; i < 20_000; i++) garbage.push(new BigInt64Array(2).fill(-1n), new BigUint64Array(6).fill(2n ** 63n))
        gc()
        if (rounds < 2000) setTimeout(churn, 1)
      }
      churn()
      await sleeps
      report({ rounds, errors })`,
      { node }
    )
    assert.equal(child.clean().report, { rounds: 2000, errors: 0 })
  })

test.run()

/** The lock on a directory: what it keeps out, and for how long. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Lock } from '../../../src/arena/claims/lock.ts'
import type { Liveness } from '../../../src/arena/format/thread-id.ts'
import type { Address } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

const SELF = (5n << 44n) | (100n << 22n) | 101n
/** Claims that each thread and process is granted; `SOAK=1` for more. */
const CLAIMS = process.env.SOAK === undefined ? 100 : 20_000
const OTHER = (9n << 44n) | (200n << 22n) | 201n

interface Fixture {
  readonly os: FakeOs
  readonly word: BigUint64Array
  readonly lock: Lock
  readonly asked: bigint[]
  /** What the word was each time that the lock was had from the dead. */
  readonly inheritances: bigint[]
}

function fixture(fate: Liveness = 'alive'): Fixture {
  const os = new FakeOs()
  const address = os.reserve(os.pageSize, os.pageSize)
  const word = new BigUint64Array(os.view(address, 8))
  const asked: bigint[] = []
  const inheritances: bigint[] = []
  const inherited = () => void inheritances.push(word[0] as bigint)
  const livenessOf = (self: bigint): Liveness => {
    asked.push(self)
    return fate
  }
  return {
    os,
    word,
    asked,
    inheritances,
    lock: new Lock({ threads: os.threads, address, word, self: SELF, livenessOf, inherited, title: 'arena "grains"' }),
  }
}

test('the word is ours inside and free afterwards, whatever happened', () => {
  const { word, lock, asked } = fixture()
  assert.is(
    lock.run(() => word[0]),
    SELF
  )
  assert.throws(() =>
    lock.run(() => {
      throw new Error('no')
    })
  )
  assert.equal([word[0], asked.length], [0n, 0])
})

test('the lock of the dead is taken over, and that is told before anything is done', () => {
  const { word, lock, asked, os, inheritances } = fixture('dead')
  word[0] = OTHER
  assert.is(
    lock.run(() => {
      assert.equal(inheritances, [SELF])
      return word[0]
    }),
    SELF
  )
  assert.equal([word[0], asked, os.count('futexWait')], [0n, [OTHER], 0])
  lock.run(() => undefined)
  assert.is(inheritances.length, 1)
})

test('that of the living is waited for, in sleeps, and then it is an error that names them', () => {
  for (const fate of ['alive', 'unknown'] as const) {
    const { word, lock, os } = fixture(fate)
    word[0] = OTHER
    const error = throwsCode(() => lock.run(() => assert.unreachable()), 'ERR_ARENA_BUSY', 'arena "grains"')
    assert.match(error.message, /thread 201 of process 200, which has not let go for 1000 ms/)
    assert.equal([word[0], os.count('futexWait')], [OTHER, 200])
  }
})

test('it is had as soon as the other lets go', () => {
  const { word, lock, os, inheritances } = fixture()
  word[0] = OTHER
  const sleep = os.threads.futexWait.bind(os.threads)
  os.threads.futexWait = (address, expected) => {
    assert.is(expected, Number(BigInt.asIntN(32, OTHER)))
    if (os.count('futexWait') === 2) word[0] = 0n
    return sleep(address, expected, 0)
  }
  assert.is(
    lock.run(() => 7),
    7
  )
  assert.is(os.count('futexWait'), 3)
  assert.equal(inheritances, [])
})

test('another that took us for dead keeps it', () => {
  const { word, lock } = fixture()
  lock.run(() => {
    word[0] = OTHER
  })
  assert.is(word[0], OTHER)
})

test('its own token in the word, which this thread did not put there, is stale: it is taken at once', () => {
  const { word, lock, os, asked, inheritances } = fixture()
  word[0] = SELF
  assert.is(
    lock.run(() => word[0]),
    SELF
  )
  assert.equal([word[0], os.count('futexWait'), asked, inheritances], [0n, 0, [], [SELF]])
})

test('its own token of numbers alone is not, where another container may have a thread with the same', () => {
  const bare = (100n << 22n) | 101n
  for (const [fate, code] of [
    ['unknown', 'ERR_ARENA_BUSY'],
    ['alive', undefined],
  ] as const) {
    const os = new FakeOs()
    const address = os.reserve(os.pageSize, os.pageSize)
    const word = new BigUint64Array(os.view(address, 8))
    const lock = new Lock({
      threads: os.threads,
      address,
      word,
      self: bare,
      livenessOf: () => fate,
      inherited: () => undefined,
      title: 'arena "grains"',
    })
    os.threads.futexWait = () => 'timed-out'
    word[0] = bare
    if (code === undefined) lock.run(() => undefined)
    else throwsCode(() => lock.run(() => assert.unreachable()), code, 'has not let go')
  }
})

test('nested use is an error at once, in one arena object or another over the same memory, and the outer one keeps the lock', () => {
  const { os, word, lock } = fixture()
  const [address] = [...os.live.keys()] as [Address]
  const other = new Lock({
    threads: os.threads,
    address,
    word,
    self: SELF,
    livenessOf: () => 'alive',
    inherited: () => undefined,
    title: 'arena "grains"',
  })
  lock.run(() => {
    for (const one of [lock, other])
      throwsCode(
        () => one.run(() => assert.unreachable()),
        'ERR_ARENA_BUSY',
        'its directory is held by this very thread'
      )
    assert.is(word[0], SELF)
  })
  assert.equal([word[0], os.count('futexWait')], [0n, 0])
})

test('a word that holds another token at each look is waited for, and not for ever', () => {
  for (const fate of ['alive', 'dead'] as const) {
    const { word, lock, os } = fixture(fate)
    let sleeps = 0
    os.threads.futexWait = () => {
      sleeps++
      word[0] = OTHER + BigInt(sleeps)
      return 'changed'
    }
    word[0] = OTHER
    if (fate === 'dead')
      assert.is(
        lock.run(() => word[0]),
        SELF
      )
    else throwsCode(() => lock.run(() => assert.unreachable()), 'ERR_ARENA_BUSY')
    assert.is(sleeps, fate === 'dead' ? 0 : 200)
  }
})

test('a wake that the kernel refuses does not undo what was done', () => {
  const { word, lock, os } = fixture()
  os.fail('futexWake')
  assert.is(
    lock.run(() => 7),
    7
  )
  assert.is(word[0], 0n)
})

for (const node of nodes)
  test(`Node ${node.major}: claims of two processes and two threads never overlap, though one is killed again and again`, async () => {
    const child = await runChild(
      `
      const arena = Arena.reserve(MiB, { shared: true })
      const body = \`
        const arena = Arena.attach(typeof data === 'object' && data?.token ? data : { fd: 3 })
        const holder = { kind: 'Slab', blockAround: () => undefined, innerClaims() {}, revoked() {} }
        const marks = arena.view(Int32Array, 0, 64)
        // How many claims each has been granted: all go on until the last has enough, so that each has rivals all the time.
        const counts = arena.view(Int32Array, 512, 3), self = await next()
        let wrong = 0
        const enough = () => [0, 1, 2].every((one) => Atomics.load(counts, one) >= ${CLAIMS})
        for (let i = 0; !enough(); i++) {
          const at = i * 7 % 32
          let claim
          try { claim = insideOf(arena).claim({ holder, offset: 4096 * (at + 1), byteLength: 8192, metadataBytes: () => 200 }) } catch (error) {
            if (error.code !== 'ERR_ARENA_BUSY') throw error
            continue
          }
          Atomics.add(counts, self, 1)
          // Two neighbours' marks are ours for as long as the claim is.
          for (const mark of [at, at + 1]) if (Atomics.add(marks, mark, 1) !== 0) wrong++
          if (new Uint8Array(claim.metadata.buffer).some((byte) => byte !== 0)) wrong++
          new Uint8Array(claim.metadata.buffer).fill(1)
          for (const mark of [at, at + 1]) Atomics.sub(marks, mark, 1)
          claim.release()
        }
        post({ wrong, granted: counts[self] })\`
      const others = [new Peer(body, { fds: [arena.fd] }), new Thread(body + '; await next()', arena.handle()), new Thread(body + '; await next()', arena.handle())]
      others.forEach((other, self) => other.post(self))
      const results = await Promise.all(others.map((other) => other.next()))
      // Killed in the middle of it: the lock and its claims are free for the next, whose marks are its own.
      let after = []
      for (let round = 0; round < 6; round++) {
        const peer = new Peer(body, { fds: [arena.fd] })
        const counts = arena.view(Int32Array, 512, 3).fill(0)
        peer.post(0)
        while (Atomics.load(counts, 0) < 5 + 10 * round) await turns(1)
        await peer.kill()
        const holder = { kind: 'Heap', blockAround: () => undefined, innerClaims() {}, revoked() {} }
        const claim = insideOf(arena).claim({ holder, metadataBytes: () => 4096 })
        after.push(claim.byteLength === MiB && new Uint8Array(claim.metadata.buffer).every((byte) => byte === 0))
        claim.release()
        arena.view(Int32Array, 0, 64).fill(0)
      }
      for (const other of others.slice(1)) await other.kill()
      report({ wrong: results.map(({ wrong }) => wrong), granted: results.map(({ granted }) => granted), after })`,
      { node }
    )
    const { report } = child.clean()
    assert.equal(report.wrong, [0, 0, 0])
    for (const granted of report.granted) assert.ok(granted >= CLAIMS, JSON.stringify(report))
    assert.equal(report.after, [true, true, true, true, true, true])
  })

test.run()

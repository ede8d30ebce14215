/** The lock on a directory: whom it keeps out, and for how long. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Fate } from '../../../src/arena/owner.ts'
import { Lock } from '../../../src/arena/sharing/lock.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

const SELF = (5n << 44n) | (100n << 22n) | 101n
const OTHER = (9n << 44n) | (200n << 22n) | 201n

function fixture(fate: Fate = 'alive'): { os: FakeOs; word: BigUint64Array; lock: Lock; asked: bigint[] } {
  const os = new FakeOs()
  const address = os.reserve(os.pageSize, os.pageSize)
  const word = new BigUint64Array(os.view(address, 8))
  const asked: bigint[] = []
  const fateOf = (token: bigint): Fate => {
    asked.push(token)
    return fate
  }
  return { os, word, asked, lock: new Lock({ os, address, word, token: SELF, fateOf, title: 'arena "grains"' }) }
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

test('the lock of the dead is taken over', () => {
  const { word, lock, asked, os } = fixture('dead')
  word[0] = OTHER
  assert.is(
    lock.run(() => word[0]),
    SELF
  )
  assert.equal([word[0], asked, os.count('futexWait')], [0n, [OTHER], 0])
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
  const { word, lock, os } = fixture()
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
})

test('another who took us for dead keeps it', () => {
  const { word, lock } = fixture()
  lock.run(() => {
    word[0] = OTHER
  })
  assert.is(word[0], OTHER)
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
        post('on')
        let wrong = 0, granted = 0
        const end = performance.now() + 1500
        for (let i = 0; performance.now() < end; i++) {
          const at = i * 7 % 32
          let claim
          try { claim = arena.claim({ holder, offset: 4096 * (at + 1), byteLength: 8192, metadataBytes: () => 200 }) } catch (error) {
            if (error.code !== 'ERR_ARENA_BUSY') throw error
            continue
          }
          granted++
          // Two neighbours' marks are ours for as long as the claim is.
          for (const mark of [at, at + 1]) if (Atomics.add(marks, mark, 1) !== 0) wrong++
          if (new Uint8Array(claim.metadata).some((byte) => byte !== 0)) wrong++
          new Uint8Array(claim.metadata).fill(1)
          for (const mark of [at, at + 1]) Atomics.sub(marks, mark, 1)
          claim.release()
        }
        post({ wrong, granted })\`
      const others = [new Peer(body, { fds: [arena.fd] }), new Thread(body + '; await next()', arena.handle()), new Thread(body + '; await next()', arena.handle())]
      for (const other of others) await other.next()
      const results = await Promise.all(others.map((other) => other.next()))
      // Killed in the middle of it: the lock and its claims are free for the next, whose marks are its own.
      let after = []
      for (let round = 0; round < 6; round++) {
        const peer = new Peer(body, { fds: [arena.fd] })
        await peer.next()
        await turns(5 + round)
        await peer.kill()
        const holder = { kind: 'Heap', blockAround: () => undefined, innerClaims() {}, revoked() {} }
        const claim = arena.claim({ holder, metadataBytes: () => 4096 })
        after.push(claim.byteLength === MiB && new Uint8Array(claim.metadata).every((byte) => byte === 0))
        claim.release()
        arena.view(Int32Array, 0, 64).fill(0)
      }
      for (const other of others.slice(1)) await other.kill()
      report({ wrong: results.map(({ wrong }) => wrong), granted: results.map(({ granted }) => granted), after })`,
      { node }
    )
    const { report } = child.clean()
    assert.equal(report.wrong, [0, 0, 0])
    for (const granted of report.granted) assert.ok(granted > 20, JSON.stringify(report))
    assert.equal(report.after, [true, true, true, true, true, true])
  })

test.run()

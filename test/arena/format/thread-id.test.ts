import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rangeOf } from '../../../src/arena/buffer-range.ts'
import {
  currentThread,
  describeThread,
  livenessOf,
  packedLiveness,
  packThreadId,
  readThreadId,
  sameThread,
  THREAD_ID_BYTES,
  type ThreadId,
  unpackNumbers,
  writeThreadId,
} from '../../../src/arena/format/thread-id.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

const os = new FakeOs()
const self = currentThread(os)

test('this thread is alive, and its identity is found out once', () => {
  assert.equal([self.processId, self.threadId], [process.pid, process.pid])
  assert.ok(self.startTime > 0 && self.boot > 0)
  assert.is(currentThread(os), self)
  assert.is(livenessOf(os, self), 'alive')
  assert.is(packedLiveness(os, packThreadId(self)), 'alive')
})

test('a record is read as it was written, and an empty one as none', () => {
  const buffer = new ArrayBuffer(96)
  const bytes = new Uint8Array(buffer).fill(255)
  const owner: ThreadId = {
    processId: 2 ** 22 - 1,
    threadId: 77,
    startTime: 2 ** 50 + 1,
    boot: 0xfedcba98,
    namespace: 0xf0000001,
  }
  writeThreadId(rangeOf(buffer), 32, owner)
  assert.equal(readThreadId(rangeOf(buffer), 32), owner)
  assert.equal([bytes[31], bytes[32 + THREAD_ID_BYTES]], [255, 255])
  writeThreadId(rangeOf(buffer), 32, undefined)
  assert.is(readThreadId(rangeOf(buffer), 32), undefined)
  assert.ok(bytes.subarray(32, 32 + THREAD_ID_BYTES).every((byte) => byte === 0))
})

test('an owner is dead when its thread is, or its number belongs to another now', () => {
  assert.is(livenessOf(os, { ...self, threadId: 1 }), 'dead')
  assert.is(livenessOf(os, { ...self, startTime: self.startTime + 1 }), 'dead')
  assert.is(livenessOf(os, { ...self, startTime: 0 }), 'alive')
  os.threads.dead.add(process.pid)
  assert.equal([livenessOf(os, self), packedLiveness(os, packThreadId(self))], ['dead', 'dead'])
  os.threads.dead.clear()
})

test('an owner of another start of the machine is dead, one in another namespace unknown', () => {
  assert.is(livenessOf(os, { ...self, boot: self.boot ^ 1 }), 'dead')
  assert.is(livenessOf(os, { ...self, namespace: self.namespace ^ 1 }), 'unknown')
  assert.is(livenessOf(os, { ...self, boot: self.boot ^ 1, namespace: self.namespace ^ 1 }), 'dead')
})

test('nothing is concluded from what cannot be read', () => {
  const blind = new FakeOs()
  blind.threads.where = { boot: 0, namespace: self.namespace }
  assert.is(livenessOf(blind, self), 'unknown')
  assert.is(livenessOf(os, { ...self, boot: 0 }), 'unknown')
  assert.is(livenessOf(blind, { ...self, boot: 0 }), 'alive')
  assert.equal([packThreadId({ ...self, boot: 0 }) >> 44n, packedLiveness(blind, packThreadId(self))], [0n, 'alive'])
  assert.is(packedLiveness(os, packThreadId({ ...self, boot: 0 })), 'alive')
})

test('numbers that no thread can have are dead', () => {
  for (const bad of [-1, 0, 2 ** 22, 2 ** 31, 2 ** 32 - 1, NaN])
    for (const field of ['processId', 'threadId'] as const) assert.is(livenessOf(os, { ...self, [field]: bad }), 'dead')
  for (const token of [0n, 1n, 2n ** 64n - 1n, 1n << 22n, 1n << 44n])
    assert.is(packedLiveness(os, token), 'dead', `${token}`)
})

test('a token holds both numbers, and differs with the start and the boot', () => {
  const token = packThreadId(self)
  assert.ok(token > 0n && token < 2n ** 64n)
  assert.equal(unpackNumbers(token), { processId: process.pid, threadId: process.pid })
  const largest = { ...self, processId: 2 ** 22 - 1, threadId: 2 ** 22 - 1 }
  assert.equal(unpackNumbers(packThreadId(largest)), { processId: 2 ** 22 - 1, threadId: 2 ** 22 - 1 })
  for (const other of [
    { ...self, startTime: self.startTime + 1 },
    { ...self, startTime: self.startTime - 1 },
    { ...self, boot: self.boot ^ 1 },
  ]) {
    assert.is.not(packThreadId(other), token)
    assert.is(packedLiveness(os, packThreadId(other)), 'dead')
  }
  // Without a start there is no check.
  assert.is(packThreadId({ ...self, startTime: 0 }) >> 44n, 0n)
  assert.is(packedLiveness(os, packThreadId({ ...self, startTime: 0 })), 'alive')
})

test('checks are spread: of a thousand starts hardly two have the same', () => {
  const checks = new Set(Array.from({ length: 1000 }, (_, i) => packThreadId({ ...self, startTime: 1000 + i }) >> 44n))
  assert.ok(checks.size > 990, `${checks.size}`)
})

test('messages name the process and the thread', () => {
  assert.is(describeThread({ processId: 12, threadId: 12 }), 'the main thread of process 12')
  assert.is(describeThread({ processId: 12, threadId: 14 }), 'thread 14 of process 12')
})

test('two records are of the same thread when every field is the same', () => {
  assert.ok(sameThread(self, { ...self }))
  for (const field of ['processId', 'threadId', 'startTime', 'boot', 'namespace'] as const)
    assert.not(sameThread(self, { ...self, [field]: self[field] + 1 }))
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  currentOwner,
  describeOwner,
  fateOf,
  OWNER_BYTES,
  type Owner,
  readOwner,
  sameOwner,
  tokenFate,
  tokenNumbers,
  tokenOf,
  writeOwner,
} from '../../src/arena/owner.ts'
import { FakeOs } from '../helpers/fake-os.ts'

const os = new FakeOs()
const self = currentOwner(os)

test('this thread is alive, and who it is is found out once', () => {
  assert.equal([self.processId, self.threadId], [process.pid, process.pid])
  assert.ok(self.startTime > 0 && self.boot > 0)
  assert.is(currentOwner(os), self)
  assert.is(fateOf(os, self), 'alive')
  assert.is(tokenFate(os, tokenOf(self)), 'alive')
})

test('a record is read as it was written, and nobody as nobody', () => {
  const buffer = new ArrayBuffer(96)
  const bytes = new Uint8Array(buffer).fill(255)
  const owner: Owner = {
    processId: 2 ** 22 - 1,
    threadId: 77,
    startTime: 2 ** 50 + 1,
    boot: 0xfedcba98,
    namespace: 0xf0000001,
  }
  writeOwner(buffer, 32, owner)
  assert.equal(readOwner(buffer, 32), owner)
  assert.equal([bytes[31], bytes[32 + OWNER_BYTES]], [255, 255])
  writeOwner(buffer, 32, undefined)
  assert.is(readOwner(buffer, 32), undefined)
  assert.ok(bytes.subarray(32, 32 + OWNER_BYTES).every((byte) => byte === 0))
})

test('an owner is dead when its thread is, or its number belongs to another now', () => {
  assert.is(fateOf(os, { ...self, threadId: 1 }), 'dead')
  assert.is(fateOf(os, { ...self, startTime: self.startTime + 1 }), 'dead')
  assert.is(fateOf(os, { ...self, startTime: 0 }), 'alive')
  os.threads.dead.add(process.pid)
  assert.equal([fateOf(os, self), tokenFate(os, tokenOf(self))], ['dead', 'dead'])
  os.threads.dead.clear()
})

test('an owner of another start of the machine is dead, one in another namespace unknown', () => {
  assert.is(fateOf(os, { ...self, boot: self.boot ^ 1 }), 'dead')
  assert.is(fateOf(os, { ...self, namespace: self.namespace ^ 1 }), 'unknown')
  assert.is(fateOf(os, { ...self, boot: self.boot ^ 1, namespace: self.namespace ^ 1 }), 'dead')
})

test('nothing is concluded from what cannot be read', () => {
  const blind = new FakeOs()
  blind.threads.where = { boot: 0, namespace: self.namespace }
  assert.is(fateOf(blind, self), 'unknown')
  assert.is(fateOf(os, { ...self, boot: 0 }), 'unknown')
  assert.is(fateOf(blind, { ...self, boot: 0 }), 'alive')
  assert.equal([tokenOf({ ...self, boot: 0 }) >> 44n, tokenFate(blind, tokenOf(self))], [0n, 'alive'])
  assert.is(tokenFate(os, tokenOf({ ...self, boot: 0 })), 'alive')
})

test('numbers that no thread can have are dead', () => {
  for (const bad of [-1, 0, 2 ** 22, 2 ** 31, 2 ** 32 - 1, NaN])
    for (const field of ['processId', 'threadId'] as const) assert.is(fateOf(os, { ...self, [field]: bad }), 'dead')
  for (const token of [0n, 1n, 2n ** 64n - 1n, 1n << 22n, 1n << 44n])
    assert.is(tokenFate(os, token), 'dead', `${token}`)
})

test('a token holds both numbers, and differs with the start and the boot', () => {
  const token = tokenOf(self)
  assert.ok(token > 0n && token < 2n ** 64n)
  assert.equal(tokenNumbers(token), { processId: process.pid, threadId: process.pid })
  const largest = { ...self, processId: 2 ** 22 - 1, threadId: 2 ** 22 - 1 }
  assert.equal(tokenNumbers(tokenOf(largest)), { processId: 2 ** 22 - 1, threadId: 2 ** 22 - 1 })
  for (const other of [
    { ...self, startTime: self.startTime + 1 },
    { ...self, startTime: self.startTime - 1 },
    { ...self, boot: self.boot ^ 1 },
  ]) {
    assert.is.not(tokenOf(other), token)
    assert.is(tokenFate(os, tokenOf(other)), 'dead')
  }
  // Without a start there is no check.
  assert.is(tokenOf({ ...self, startTime: 0 }) >> 44n, 0n)
  assert.is(tokenFate(os, tokenOf({ ...self, startTime: 0 })), 'alive')
})

test('checks are spread: of a thousand starts hardly two have the same', () => {
  const checks = new Set(Array.from({ length: 1000 }, (_, i) => tokenOf({ ...self, startTime: 1000 + i }) >> 44n))
  assert.ok(checks.size > 990, `${checks.size}`)
})

test('messages name the process and the thread', () => {
  assert.is(describeOwner({ processId: 12, threadId: 12 }), 'the main thread of process 12')
  assert.is(describeOwner({ processId: 12, threadId: 14 }), 'thread 14 of process 12')
})

test('two records are of the same thread when every field is the same', () => {
  assert.ok(sameOwner(self, { ...self }))
  for (const field of ['processId', 'threadId', 'startTime', 'boot', 'namespace'] as const)
    assert.not(sameOwner(self, { ...self, [field]: self[field] + 1 }))
})

test.run()

/**
 * What comes from another realm, a vm context or a test runner's: typed arrays and their types, URLs, abort signals. They are no
 * instances of anything here, and are as good as ours.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena, Bump, Heap, mapFile, Slab } from '../../src/index.ts'
import { throwsCode } from '../helpers/errors.ts'

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 'realms-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

const realm = vm.createContext({})
const there = <T>(code: string): T => vm.runInContext(code, realm) as T

test('types of another realm make views of that realm', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena, { byteLength: MiB / 2 })
  const slab = new Slab(arena, { slotSize: 64, offset: MiB / 2, byteLength: MiB / 4 })
  const bump = new Bump(arena, { offset: 768 * 1024 })
  const names = [
    'Int8',
    'Uint8',
    'Uint8Clamped',
    'Int16',
    'Uint16',
    'Int32',
    'Uint32',
    'Float32',
    'Float64',
    'BigInt64',
    'BigUint64',
  ]
  for (const name of names) {
    const type = there<Float64ArrayConstructor>(`${name}Array`)
    assert.is.not(type, (globalThis as unknown as Record<string, unknown>)[`${name}Array`])
    for (const allocator of [heap, slab, bump]) {
      const view = allocator.alloc(type, 3)
      assert.is(Object.getPrototypeOf(view), type.prototype)
      assert.is(view.byteLength, 3 * type.BYTES_PER_ELEMENT)
      const offset = arena.offsetOf(view)
      assert.equal(
        [...new Uint8Array(arena.window(0).buffer, offset, view.byteLength)].every((byte) => byte === 0),
        true
      )
      if (allocator === bump) continue
      ;(allocator as Heap).free(view)
      throwsCode(() => (allocator as Heap).free(offset), 'ERR_DOUBLE_FREE')
    }
    assert.ok(arena.view(type, 0, 1) instanceof type)
  }
  heap.check()
  arena.close()
})

test('DataView of another realm, and Buffer, which all realms share', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena, { byteLength: MiB / 2 })
  const type = there<DataViewConstructor>('DataView')
  assert.is.not(type, DataView)
  for (const view of [heap.alloc(type, 24), heap.allocUnsafe(type, 24), arena.view(type, MiB / 2, 24)]) {
    assert.is(Object.getPrototypeOf(view), type.prototype)
    assert.is(view.byteLength, 24)
    assert.ok(arena.offsetOf(view) > 0)
  }
  const ours = heap.alloc(DataView, 24)
  heap.free(ours)
  assert.is(Object.getPrototypeOf(heap.alloc(type, 24)), type.prototype)
  const context = vm.createContext({ Buffer })
  const bytes = heap.alloc(vm.runInContext('Buffer', context) as BufferConstructor, 24)
  assert.ok(Buffer.isBuffer(bytes))
  assert.is(Object.getPrototypeOf(bytes), Buffer.prototype)
  heap.check()
  arena.close()
})

test('what only pretends to be a type is refused, and its code is not run', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena, { byteLength: MiB / 2 })
  let ran = 0
  const counted = (): object => {
    ran++
    return {}
  }
  const pretenders: unknown[] = [
    class Mine {
      static BYTES_PER_ELEMENT = 1
      constructor() {
        ran++
      }
    },
    class extends Uint8Array {},
    Uint8Array.bind(null),
    Object.setPrototypeOf(class {}, DataView),
    Object.setPrototypeOf(class {}, Buffer),
    DataView.bind(null),
    Buffer.bind(null),
    new Proxy(Buffer, {}),
    there('(function Buffer() {})'),
    there('(class DataView { constructor() {} })'),
    new Proxy(Uint8Array, { construct: () => counted() }),
    { BYTES_PER_ELEMENT: 1, name: 'Uint8Array' },
    Object.assign(() => undefined, { BYTES_PER_ELEMENT: 1 }),
    there('(class Uint8Array { static BYTES_PER_ELEMENT = 1 })'),
    there('Map'),
    there('Object.getPrototypeOf(Uint8Array)'),
    there('ArrayBuffer'),
    Object.defineProperty(function fake() {}, 'toString', { value: () => 'function Uint8Array() { [native code] }' }),
  ]
  const used = heap.stats().usedCount
  for (const type of pretenders)
    for (const run of [
      () => heap.alloc(type as never, 1),
      () => heap.allocUnsafe(type as never, 1),
      () => arena.view(type as never, 0, 1),
    ])
      throwsCode(run, 'ERR_INVALID_ARG_TYPE', '"type"')
  assert.equal([ran, heap.stats().usedCount], [0, used])
  arena.close()
})

test('views and targets of another realm', () => {
  const path = join(scratch, 'data')
  writeFileSync(path, 'hello')
  const file = mapFile(path, { mode: 'read' })
  const target = there<Uint8Array>('new Uint8Array(8)')
  file.read(0, 5, target)
  assert.is(Buffer.from(target.subarray(0, 5)).toString(), 'hello')
  throwsCode(() => file.read(0, 5, there('new Uint8Array(4)')), 'ERR_OUT_OF_RANGE')
  throwsCode(() => file.read(0, 5, there('new Float64Array(8)')), 'ERR_INVALID_ARG_TYPE')
  file.close()
  const arena = Arena.reserve(MiB)
  throwsCode(() => arena.offsetOf(there('new Uint8Array(8)')), 'ERR_OUT_OF_RANGE')
  arena.close()
})

/** A URL as another realm has it: the same properties, and no instance of ours. */
function foreignUrl(path: string): URL {
  const { href, protocol } = pathToFileURL(path)
  return there<(href: string, protocol: string) => URL>(
    '(href, protocol) => new (class URL { get href() { return href } get protocol() { return protocol } })()'
  )(href, protocol)
}

test('URLs of another realm', () => {
  const path = join(scratch, 'a file with blanks')
  writeFileSync(path, 'hello')
  const url = foreignUrl(path)
  assert.is(url instanceof URL, false)
  const file = mapFile(url, { mode: 'read' })
  assert.is(file.path, path)
  file.close()
  const named = foreignUrl(join(scratch, 'named'))
  const arena = Arena.open(named, { create: true, byteLength: MiB })
  Arena.attach({ path: named }).close()
  arena.close()
})

test('abort signals of another realm', async () => {
  const arena = Arena.reserve(MiB)
  const controller = new AbortController()
  const { signal } = controller
  const foreign = {
    get aborted() {
      return signal.aborted
    },
    get reason() {
      return signal.reason
    },
    addEventListener: (name: string, run: () => void) => signal.addEventListener(name, run),
    removeEventListener: (name: string, run: () => void) => signal.removeEventListener(name, run),
  }
  const waiting = arena.waitAsync(0, 0, { signal: foreign as unknown as AbortSignal })
  controller.abort(new Error('enough'))
  assert.is(await waiting.catch((error) => error.message), 'enough')
  for (const bad of [1, 'x', {}, { aborted: false }, null, () => 1])
    assert.is(
      await arena.waitAsync(0, 0, { signal: bad as unknown as AbortSignal }).catch((error) => error.code),
      'ERR_INVALID_ARG_TYPE'
    )
  // A signal that throws leaves nothing waiting: the arena closes, and nothing is rejected afterwards.
  const throwing = {
    aborted: false,
    addEventListener() {
      throw new Error('mine')
    },
  }
  assert.is(
    await arena.waitAsync(0, 0, { signal: throwing as unknown as AbortSignal }).catch((error) => error.message),
    'mine'
  )
  arena.close()
})

test.run()

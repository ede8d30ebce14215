/**
 * What can be reached from the public objects: through own and inherited properties, symbols and getters, however the object was made.
 * Nothing of it is an ArrayBuffer over metadata, an object of an internal class, or an address.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { partsOf } from '../../src/allocator/facade.ts'
import { insideOf } from '../../src/arena/arena.ts'
import { readMaps } from '../../src/ffi/procfs.ts'
import { Arena, Buddy, Bump, Heap, MappedFile, mapFile, Slab } from '../../src/index.ts'

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 'reachable-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

const PUBLIC = new Set<unknown>([Arena, Heap, Slab, Buddy, Bump, MappedFile])
/** The runtime's own prototypes lead nowhere that is ours. */
const RUNTIME = new Set<unknown>([Object.prototype, Function.prototype, Array.prototype, Promise.prototype])

interface Found {
  readonly path: string
  readonly value: unknown
}

/** Everything that a walk comes to. Functions are looked into, and not called; getters are asked. */
function walk(root: unknown): Found[] {
  const found: Found[] = []
  const seen = new Set<unknown>()
  const visit = (value: unknown, path: string, self: unknown): void => {
    found.push({ path, value })
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
    if (seen.has(value) || RUNTIME.has(value)) return
    seen.add(value)
    if (ArrayBuffer.isView(value)) {
      visit(value.buffer, `${path}.buffer`, undefined)
      return
    }
    const object = value as object
    for (const key of Reflect.ownKeys(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key) as PropertyDescriptor
      const name = `${path}.${String(key)}`
      if ('value' in property) visit(property.value, name, undefined)
      for (const receiver of new Set([object, self ?? object]))
        if (property.get !== undefined) visit(asked(property.get, receiver), name, undefined)
    }
    visit(Object.getPrototypeOf(object), `${path}.[[Prototype]]`, self ?? object)
  }
  visit(root, 'root', undefined)
  return found
}

/** What a getter says; of an object that it is not for it may say nothing. */
function asked(getter: () => unknown, receiver: unknown): unknown {
  try {
    return getter.call(receiver)
  } catch {
    return undefined
  }
}

function isPublic(value: object): boolean {
  let prototype = Object.getPrototypeOf(value)
  // A prototype object is no instance.
  if (Object.hasOwn(value, 'constructor')) return true
  while (prototype !== null) {
    const { constructor: maker } = prototype
    if (RUNTIME.has(prototype) || PUBLIC.has(maker)) return true
    if (typeof maker !== 'function' || /\[native code\]/.test(Function.prototype.toString.call(maker))) return true
    prototype = Object.getPrototypeOf(prototype)
    if (prototype === Object.prototype) return false
  }
  return true
}

function leaks(found: readonly Found[], metadata: ReadonlySet<unknown>, data: ReadonlySet<unknown>): string[] {
  const ranges = readMaps()
  const wrong: string[] = []
  for (const { path, value } of found) {
    if (
      typeof value === 'number' &&
      value > 65536 * 65536 &&
      ranges.some(({ start, end }) => value >= start && value < end)
    )
      wrong.push(`${path}: an address`)
    if (typeof value !== 'object' || value === null) continue
    if (metadata.has(value)) wrong.push(`${path}: metadata`)
    if (value instanceof ArrayBuffer && !data.has(value)) wrong.push(`${path}: a buffer`)
    if (!isPublic(value)) wrong.push(`${path}: ${Object.getPrototypeOf(value)?.constructor?.name}`)
  }
  return wrong
}

test('nothing internal is reachable from the public objects', () => {
  const path = join(scratch, 'data')
  writeFileSync(path, Buffer.alloc(16 * MiB))
  const arena = Arena.reserve(16 * MiB)
  const shared = Arena.reserve(MiB, { shared: true })
  const file = mapFile(path, { mode: 'write' })
  const heap = new Heap(arena, { byteLength: MiB })
  const allocators = [
    heap,
    new Slab(arena, { slotSize: 64, offset: MiB, byteLength: MiB }),
    new Buddy(arena, { offset: 2 * MiB, byteLength: MiB }),
    new Bump(arena, { offset: 3 * MiB, byteLength: MiB }),
    new Heap(file.arena),
  ]
  const metadata = new Set<unknown>(allocators.map((allocator) => partsOf(allocator).life.claim.metadata.buffer))
  const data = new Set<unknown>([
    insideOf(arena).windowBuffer(0),
    insideOf(file.arena).windowBuffer(0),
    file.bytes.buffer,
  ])
  for (const allocator of allocators) allocator.alloc(Uint8Array, 64)
  const pin = arena.pin()
  const roots = [arena, shared, file, file.arena, ...allocators, heap.stats({ classes: true }), [...heap.blocks()], pin]
  for (const root of roots) assert.equal(leaks(walk(root), metadata, data), [])
  for (const allocator of allocators) allocator.close()
  for (const root of roots) assert.equal(leaks(walk(root), metadata, data), [])
  pin[Symbol.dispose]()
  file.close()
  arena.close()
  shared.close()
})

test('the walk finds what can be reached', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena)
  const { metadata } = partsOf(heap).life.claim
  const holes = {
    deep: [
      {
        get inner() {
          return new Uint8Array(metadata.buffer)
        },
      },
    ],
    own: partsOf(heap),
    at: readMaps().find(({ start }) => start > 2 ** 40)?.start,
  }
  const found = leaks(walk(holes), new Set([metadata.buffer]), new Set())
  assert.ok(found.some((line) => line.startsWith('root.deep.0.inner.buffer: metadata')))
  assert.ok(found.some((line) => line.startsWith('root.own.memory: BlockMemory')))
  assert.ok(found.some((line) => line.startsWith('root.at: an address')))
  arena.close()
})

test('classes inside are made with nothing but what the library has put together', () => {
  const arena = Arena.reserve(65536)
  for (const type of [Heap, Slab, Buddy, Bump]) {
    for (let base = Object.getPrototypeOf(type); base !== Function.prototype; base = Object.getPrototypeOf(base))
      try {
        new base(arena, { kind: 'Heap', options: {}, hooks: {}, layoutOf: () => ({ byteLength: 0 }) })
        assert.unreachable(`${base.name} could be made`)
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /ERR_/)
      }
  }
  arena.close()
})

test.run()

/**
 * What is shown of public objects and of errors: one useful line, harmless JSON, and never an address.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { partsOf } from '../../src/allocator/facade.ts'
import { insideOf } from '../../src/arena/arena.ts'
import { show } from '../../src/errors.ts'
import { ENOMEM } from '../../src/ffi/errno.ts'
import { Arena, Buddy, Bump, Heap, MappedFile, mapFile, Slab } from '../../src/index.ts'
import { throwsCode } from '../helpers/errors.ts'
import { FakeOs } from '../helpers/fake-os.ts'

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 'shown-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

function allocators(arena: Arena): (Heap | Slab | Buddy | Bump)[] {
  return [
    new Heap(arena, { byteLength: MiB }),
    new Slab(arena, { slotSize: 64, offset: MiB, byteLength: MiB }),
    new Buddy(arena, { offset: 2 * MiB, byteLength: MiB }),
    new Bump(arena, { offset: 3 * MiB, byteLength: MiB }),
  ]
}

test('console.log shows one line, open, closed and damaged', () => {
  const arena = Arena.reserve(16 * MiB)
  assert.is(inspect(arena), "Arena { state: 'open', byteLength: 16777216, shared: false }")
  for (const [index, allocator] of allocators(arena).entries()) {
    allocator.malloc(64)
    const { usedBytes, committedBytes } = allocator.stats()
    const kind = allocator.constructor.name
    const used = kind === 'Heap' ? 4096 : usedBytes
    const line = `${kind} { state: 'open', offset: ${index * MiB}, byteLength: 1048576, usedBytes: ${used}, committedBytes: ${committedBytes} }`
    assert.is(inspect(allocator), line)
    assert.is(inspect({ allocator }), `{\n  allocator: ${line}\n}`)
    new Uint8Array(partsOf(allocator).life.claim.metadata.buffer).fill(255)
    assert.match(inspect(allocator), new RegExp(`^${kind} \\{ .* \\}$`))
    assert.type(JSON.stringify(allocator), 'string')
  }
  arena.close()
  assert.is(inspect(arena), "Arena { state: 'closed', byteLength: 16777216, shared: false }")
  const path = join(scratch, 'data')
  writeFileSync(path, 'hello')
  const file = mapFile(path, { mode: 'read' })
  assert.is(inspect(file), `MappedFile { state: 'open', path: '${path}', mode: 'read', byteLength: 5 }`)
  file.close()
  assert.match(inspect(file), "state: 'closed'")
  for (const type of [Arena, Heap, Slab, Buddy, Bump, MappedFile]) {
    assert.type(inspect(type.prototype), 'string')
    assert.type(inspect(Object.create(type.prototype)), 'string')
  }
})

test('JSON.stringify gives kind and figures, String the kind', () => {
  const arena = Arena.reserve(16 * MiB)
  for (const allocator of allocators(arena)) {
    const kind = allocator.constructor.name
    const { type, state } = JSON.parse(JSON.stringify(allocator))
    assert.equal([type, state, String(allocator)], [kind, 'open', `[object ${kind}]`])
    allocator.close()
    assert.is(JSON.parse(JSON.stringify({ allocator })).allocator.state, 'closed')
  }
  assert.is(JSON.stringify(arena), '{"type":"Arena","state":"open","byteLength":16777216,"shared":false}')
  assert.equal(Object.keys(arena).sort(), ['byteLength', 'pageSize', 'staleOwner'])
  arena.close()
})

test('no error has an address, whichever call the kernel refuses', () => {
  const calls = ['reserve', 'view', 'purge', 'populate', 'residency', 'replace', 'release'] as const
  for (const call of calls) {
    const os = new FakeOs()
    const arena = Arena.reserve(MiB, { os })
    os.fail(call, 1, ENOMEM)
    const heap = (): Heap => new Heap(arena, { byteLength: 65536 })
    for (const run of [
      () => Arena.reserve(MiB, { os }),
      () => arena.view(Uint8Array, 0, 8),
      () => arena.purge(65536, 65536),
      () => arena.populate(65536, 65536),
      () => arena.resident(),
      () => heap().close(),
      () => arena.close(),
    ])
      try {
        run()
      } catch (error) {
        assert.is('address' in (error as object), false)
        assert.not.match(`${inspect(error, { showHidden: true })}`.split('\n')[0] as string, /0x[0-9a-f]+/)
        assert.is((error as { code: string }).code, 'ENOMEM', String(error))
      }
    arena.close()
  }
})

test('messages render any value', () => {
  const { proxy, revoke } = Proxy.revocable(() => 1, {})
  revoke()
  assert.equal(
    [
      Symbol('a'),
      Symbol(),
      5n,
      2n ** 90n,
      proxy,
      new Proxy({}, {}),
      new Uint8Array(1),
      [1],
      new Map(),
      {},
      Object.create(null),
      Object.create(new Proxy({}, {})),
      class Foo {},
      () => 1,
      Object.defineProperty(() => 1, 'name', { get: () => assert.unreachable('a getter was run') }),
      null,
      undefined,
      -0,
      'x'.repeat(50),
    ].map(show),
    [
      'Symbol(a)',
      'Symbol()',
      '5n',
      'a bigint',
      'a function',
      'an object',
      'a Uint8Array',
      'an Array',
      'a Map',
      'an object',
      'an object',
      'an object',
      'the function Foo',
      'a function',
      'a function',
      'null',
      'undefined',
      '0',
      `"${'x'.repeat(40)}…"`,
    ]
  )
})

test('messages name the types, the option and the range', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena, { byteLength: 65536, limit: 50_000 })
  const type = (given: unknown) => () => heap.alloc(given as typeof Uint8Array, 1)
  throwsCode(
    type(Array),
    'ERR_INVALID_ARG_TYPE',
    /Int8Array, .*, Float64Array, .*, DataView, Buffer \(.*got the function Array$/
  )
  throwsCode(type('Float64Array'), 'ERR_INVALID_ARG_TYPE', /got "Float64Array"$/)
  throwsCode(type(new Uint8Array(1)), 'ERR_INVALID_ARG_TYPE', /got a Uint8Array$/)
  throwsCode(() => heap.malloc(-1), 'ERR_OUT_OF_RANGE', 'a whole number from 0 to 2^53 - 1, got -1')
  throwsCode(() => heap.malloc(60_000), 'ERR_OUT_OF_MEMORY', 'claim of 65536 bytes, limit 50000 bytes')
  throwsCode(() => new Heap(arena, { offset: 65537 }), 'ERR_OUT_OF_RANGE', '"options.offset" expected a multiple of 8')
  throwsCode(() => new Heap(arena), 'ERR_ARENA_BUSY', 'options.offset and options.byteLength choose another range')
  throwsCode(() => new Buddy(arena, { minBlock: 8 }), 'ERR_OUT_OF_RANGE', 'a power of two from 16 to')
  throwsCode(() => arena.offsetOf(new Int16Array(1)), 'ERR_OUT_OF_RANGE', 'a view of the arena, with a buffer')
  throwsCode(() => arena.unlink(), 'ERR_UNSUPPORTED_OPERATION', 'has no name to unlink')
  arena.close()
})

test('messages count in plain English', () => {
  const arena = Arena.reserve(MiB)
  const heap = new Heap(arena, { byteLength: 65536 })
  throwsCode(() => heap.malloc(MiB), 'ERR_OUT_OF_MEMORY', 'no room for 1048576 bytes')
  const pins = [arena.pin()]
  throwsCode(() => arena.close(), 'ERR_ARENA_BUSY', 'is pinned once and')
  pins.push(arena.pin())
  throwsCode(() => arena.close(), 'ERR_ARENA_BUSY', 'is pinned 2 times and')
  for (const pin of pins) pin[Symbol.dispose]()
  throwsCode(() => arena.purge(0, 1), 'ERR_ARENA_BUSY', 'a purge of 1 byte at')
  const byHand = Arena as unknown as new (given: unknown) => Arena
  throwsCode(() => new byHand(1), 'ERR_UNSUPPORTED_OPERATION', 'is made with Arena.reserve, open or attach')
  const file = MappedFile as unknown as new (given: unknown) => MappedFile
  throwsCode(() => new file(1), 'ERR_UNSUPPORTED_OPERATION', 'is made with mapFile')
  assert.ok(insideOf(arena).claims().length === 1)
  const small = heap.malloc(100)
  throwsCode(() => heap.free(small + 1), 'ERR_INVALID_FREE', 'lies 1 byte behind the start of a slot of 104 bytes')
  throwsCode(() => heap.free(small + 8), 'ERR_INVALID_FREE', 'lies 8 bytes behind')
  const pin = heap.pin(small)
  throwsCode(() => arena.close(), 'ERR_BLOCK_PINNED', 'the arena cannot be closed: blocks in it are pinned once')
  pin[Symbol.dispose]()
  arena.close()
})

test.run()

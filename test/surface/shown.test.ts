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
import { ownOf } from '../../src/allocator/blocks.ts'
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
    new Uint8Array(ownOf(allocator).claim.metadata.buffer).fill(255)
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
      'a view',
      'null',
      'undefined',
      '0',
      `"${'x'.repeat(40)}…"`,
    ]
  )
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
  arena.close()
})

test.run()

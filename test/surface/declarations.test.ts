/**
 * What TypeScript users are given: the declarations that the public entry leads to name nothing internal, and a program of theirs
 * compiles against them, with every declaration checked.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { copyPackage } from '../helpers/built-package.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
// Beside the sources: the compiler looks for packages in the folders above.
const scratch = mkdtempSync(join(root, '.build', 'declarations-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

function compile(...given: string[]): void {
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), given, {
    encoding: 'utf8',
    cwd: scratch,
  })
  assert.is(status, 0, `${stdout}${stderr}`)
}

/** Every declaration file that the public entry leads to, without its comments. */
function declarations(file: string, found: Map<string, string> = new Map()): Map<string, string> {
  if (found.has(file)) return found
  const text = readFileSync(file, 'utf8')
  found.set(file, text.replace(/\/\*[\s\S]*?\*\//g, ''))
  for (const [, path] of text.matchAll(/(?:from|import\()\s*['"](\.[^'"]+)['"]/g))
    declarations(resolve(dirname(file), (path as string).replace(/\.[jt]s$/, '.d.ts')), found)
  return found
}

const INTERNAL =
  /\b(Claim\w*|Mapping|Os|Lifetime|OpenState|Windows|Address|HeapParts|\w*Hooks|Own|Making|Memory|ViewCache|ArenaInside|OpenedArena|ArenaOrigin|ArenaParts|ArenaPages|FilePages|MemoryViews|WordWaits|Locator|Lifecycle|Pinning|Figures|Requests|MappingOwner|ThreadOwner|ThreadTable|metadata|Layout|protected|(?<!#)private(?! constructor\(\);))\b/

test('the declarations name nothing internal', async () => {
  await copyPackage(join(scratch, 'dist'))
  const found = declarations(join(scratch, 'dist', 'types', 'index.d.ts'))
  assert.ok(found.size > 10)
  const wrong: string[] = []
  for (const [file, text] of found)
    for (const line of text.split('\n'))
      if (INTERNAL.test(line)) wrong.push(`${file.slice(scratch.length)}: ${line.trim()}`)
  assert.equal(wrong, [])
})

const CONSUMER = `
import {
  Arena, Buddy, Bump, Heap, Slab, mapFile, type Allocator, type ArenaOptions, type FreeingAllocator, type HeapOptions, type ReadOnlyView, type ViewRef,
} from 'sorites'

const options: ArenaOptions = { name: 'x', populate: true }
const arena: Arena = Arena.reserve(2 ** 20, options)
const heapOptions: HeapOptions = { offset: 0, byteLength: 65536, decayMs: -1, schedule: (run, ms) => () => void [run, ms] }
const heap = new Heap(arena, heapOptions)
const all: Allocator[] = [heap, new Bump(arena), new Buddy(arena, { minBlock: 64 }), new Slab(arena, { slotSize: 8 })]
const freeing: FreeingAllocator = heap
const view: Float64Array = heap.alloc(Float64Array, 8)
freeing.free(view)
const buffer: Buffer = heap.alloc(Buffer, 8)
const words: DataView = freeing.allocUnsafe(DataView, 8, { alignment: 64 })
const columns: Int32Array = heap.alloc(Int32Array, 8, { alignment: 64 })
const over: Buffer = arena.view(Buffer, 0, 8)
console.log(buffer.readUInt8(0) + words.getUint8(0) + columns[0]! + over.readUInt8(0), arena.view(DataView, 0, 8).getInt8(0))
const ref: ViewRef = arena.refOf(view)
const followed: Float64Array = arena.viewOf(ref as ViewRef<'Float64Array'>)
const typed: [ViewRef<'Float64Array'>, ViewRef<'Buffer'>, ViewRef<'DataView'>, ViewRef<'BigInt64Array'>] = [
  arena.refOf(view), arena.refOf(buffer), arena.refOf(words), arena.refOf(heap.alloc(BigInt64Array, 1)),
]
const back: [Float64Array, Buffer, DataView, Uint8Array] = [
  arena.viewOf(typed[0]), arena.viewOf(typed[1]), arena.viewOf(typed[2]), arena.viewOf(arena.refOf(arena.view(Uint8Array, 0, 1))),
]
const any: (ofAny: ArrayBufferView) => ViewRef = (ofAny) => arena.refOf(ofAny)
console.log(back.length, any(view).type)
// @ts-expect-error a reference to floats leads to no words
const wrongly: Int32Array = arena.viewOf(arena.refOf(view))
console.log(wrongly)
const opened: Heap = Heap.open(arena, { create: true, onFull: (byteLength: number) => byteLength > 8 })
console.log(arena.bytes(0, 8).readUInt8(0), followed.length, opened.role)
const reading = mapFile('x', { mode: 'read' })
console.log(reading.view(Buffer, 0, 8).readUInt32LE(0), reading.view(DataView, 0, 8).getUint8(0))
// @ts-expect-error it cannot be written through
reading.view(Buffer, 0, 8).writeUInt8(1)
// @ts-expect-error
reading.view(DataView, 0, 8).setUint8(0, 1)
// @ts-expect-error no such option
heap.alloc(Uint8Array, 8, { align: 64 })
const found: Heap = Heap.attach(arena, { role: 'reader' })
const recovered: boolean = found.recovered
const bytes: ReadOnlyView<Uint8Array> = mapFile('x', { mode: 'read' }).bytes
for (const { offset, byteLength } of heap.blocks()) console.log(offset + byteLength, all, recovered, bytes[0])
class Counting extends Heap {
  count = 0
  override malloc(byteLength: number): number {
    this.count++
    return super.malloc(byteLength)
  }
}
console.log(new Counting(arena).count)
// @ts-expect-error what is internal is not there
heap.claim
// @ts-expect-error
arena.os
// @ts-expect-error an arena is not made by hand
new Arena({})
// @ts-expect-error two parameters
new Heap(arena, {}, Symbol())
`

test('a program compiles against them', () => {
  const installed = join(scratch, 'user', 'node_modules', 'sorites')
  mkdirSync(installed, { recursive: true })
  cpSync(join(scratch, 'dist'), join(installed, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(installed, 'package.json'))
  mkdirSync(join(scratch, 'user', 'node_modules', '@types'))
  symlinkSync(join(root, 'node_modules', '@types', 'node'), join(scratch, 'user', 'node_modules', '@types', 'node'))
  writeFileSync(join(scratch, 'user', 'package.json'), '{ "type": "module" }')
  writeFileSync(join(scratch, 'user', 'program.ts'), CONSUMER)
  compile(
    ...[
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
      '--module',
      'nodenext',
      '--types',
      'node',
    ],
    ...['--skipLibCheck', 'false', join(scratch, 'user', 'program.ts')]
  )
})

test.run()

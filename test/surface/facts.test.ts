/**
 * A fact that is stated twice is the same in both places. V8 wants some numbers as members of a `const enum`, which cannot be derived
 * from an exported constant: they are held against it here.
 *
 *     a name in capitals that two files of `arena` and `allocator` declare    another value in each, or listed in `COPIES`, with the reason
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Size } from '../../src/allocator/heap/size-classes.ts'
import { Bin, Window } from '../../src/allocator/heap/words.ts'
import { MOST_ALIGNMENT } from '../../src/allocator/options.ts'
import { ARENA_ALIGNMENT, WINDOW_BYTES } from '../../src/arena/format/layout.ts'

const src = fileURLToPath(new URL('../../../src/', import.meta.url))

/** Constants of one name and one value that are two facts, or that V8 wants twice. */
const COPIES: ReadonlyMap<string, string> = new Map([
  ['HEADER_BYTES', "the header of an arena's metadata, and that of an allocator's"],
  ['SLEEP_MS', 'one sleep for a lock of an arena, and one for the maker of a heap'],
  ['SLEEPS', 'likewise'],
  ['STATE_OF', 'a table of the heap and one of the concurrent heap: V8 takes what a module declares for constant'],
  ['NO_BYTES', 'an array without elements'],
])

/** Constants at the top level of the files of a layer: name, value as it is written, file. */
function constantsOf(layer: string): [string, string, string][] {
  const found: [string, string, string][] = []
  for (const name of readdirSync(join(src, layer), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const text = readFileSync(join(src, layer, name), 'utf8')
    for (const [, constant, value] of text.matchAll(/^(?:export )?const ([A-Z][A-Z_0-9]+)\b[^=\n]*= (.+)$/gm))
      found.push([constant as string, value as string, `${layer}/${name}`])
  }
  return found
}

/** What is stated twice: the same name and value in two files. */
function statedTwice(constants: readonly (readonly [string, string, string])[]): [name: string, where: string][] {
  const first = new Map<string, string>()
  const twice: [string, string][] = []
  for (const [name, value, file] of constants) {
    const key = `${name} = ${value}`
    const before = first.get(key)
    if (before === undefined) first.set(key, file)
    else twice.push([name, `${key}: ${before}, ${file}`])
  }
  return twice
}

test('a window has one length', () => {
  assert.is(Window.BYTES as number, WINDOW_BYTES)
  assert.is(2 ** Window.BITS, WINDOW_BYTES)
  assert.is(Window.INSIDE as number, WINDOW_BYTES - 1)
  assert.is(Window.TILES * Size.TILE, WINDOW_BYTES)
  assert.is(2 ** Size.TILE_BITS, Size.TILE as number)
  assert.is(ARENA_ALIGNMENT % WINDOW_BYTES, 0)
  assert.is(MOST_ALIGNMENT, ARENA_ALIGNMENT)
  assert.is(Size.SMALL_MAX as number, Bin.SHORTEST_KEPT)
})

test('no constant is stated in two files', () => {
  const constants = [...constantsOf('arena'), ...constantsOf('allocator')]
  assert.ok(constants.length > 80, `${constants.length}`)
  const twice = statedTwice(constants)
  const unlisted = twice.filter(([name]) => !COPIES.has(name)).map(([, where]) => where)
  assert.equal(unlisted, [])
  const unneeded = [...COPIES.keys()].filter((name) => !twice.some(([found]) => found === name))
  assert.equal(unneeded, [])
})

test('a constant that is stated twice is found', () => {
  const one = ['A', '1', 'one.ts'] as const
  assert.equal(statedTwice([one, ['B', '1', 'one.ts'], ['A', '2', 'two.ts'], ['A', '1', 'three.ts']]), [
    ['A', 'A = 1: one.ts, three.ts'],
  ])
})

test.run()

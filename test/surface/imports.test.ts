/**
 * How the files of `src` import one another: no circle, not even of types, and inside `arena` and `allocator` the folders in their order.
 *
 *     a file may import  its own folder, and whatever stands to the left of it in the order
 *
 * The linter enforces the order between the layers (biome.json), and the orders inside them by the names of folders; it does not
 * see circles of types. This test reads the import lines themselves. Another layer joins by an entry in `ORDERS`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const src = fileURLToPath(new URL('../../../src/', import.meta.url))

/** Folders and files of a layer from the lowest to the highest; a name without `.ts` is a folder. Every file is in one of them. */
const ORDERS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  arena: [
    ['ranges.ts', 'buffer-range.ts', 'pin.ts', 'ending.ts', 'claim.ts', 'inside.ts'],
    ['format'],
    ['mapping'],
    ['views'],
    ['options.ts'],
    ['threads'],
    ['claims'],
    ['sources'],
    ['waiting'],
    ['arena-inside.ts', 'arena-pages.ts'],
    ['arena-parts.ts'],
    ['arena.ts'],
    ['file'],
  ],
  allocator: [
    ['contract.ts', 'options.ts'],
    ['base'],
    ['facade.ts', 'observed.ts'],
    ['bump'],
    ['slab'],
    ['buddy'],
    // A heap makes a concurrent one when it is asked for, which is made of its parts: no file of either is in a circle.
    ['heap', 'concurrent'],
  ],
  'allocator/base': [
    ['header.ts', 'hooks.ts', 'channels.ts', 'view-cache.ts'],
    ['bits', 'pins', 'figures.ts'],
    ['lifecycle.ts', 'views.ts'],
    ['requests.ts', 'block-memory.ts'],
    ['resizing.ts'],
    ['freeing.ts'],
  ],
  'allocator/heap': [
    ['words.ts', 'size-classes.ts', 'layout.ts'],
    ['spans', 'claim-memory.ts', 'roots.ts'],
    ['slabs.ts'],
    ['space.ts'],
    ['find-block.ts', 'many.ts', 'decay.ts', 'options.ts'],
    ['report'],
    ['attach'],
    ['heap.ts'],
  ],
  'allocator/concurrent': [
    ['words.ts'],
    ['steps.ts'],
    ['peers.ts', 'pins.ts'],
    ['shard'],
    ['space'],
    ['check.ts', 'stats.ts', 'open.ts'],
    ['heap.ts'],
  ],
}

/** Files of a folder at most. */
const DOZEN = 12

/** Import and export lines, those of types among them, and types that are imported in place. */
const IMPORT = /\b(?:import|export)\b[^'";]*?\bfrom\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort()

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '')
  return [...text.matchAll(IMPORT)]
    .map((match) => (match[1] ?? match[2] ?? match[3]) as string)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(src, join(src, dirname(file), name)))
}

const imports = new Map(files.map((file) => [file, importsOf(file)]))

/** The first circle of imports, as the files along it; undefined when there is none. */
function circle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const way: string[] = []
  const visit = (file: string): string[] | undefined => {
    if (done.has(file)) return undefined
    const at = way.indexOf(file)
    if (at >= 0) return [...way.slice(at), file]
    way.push(file)
    for (const next of graph.get(file) ?? []) {
      const found = visit(next)
      if (found !== undefined) return found
    }
    way.pop()
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const found = visit(file)
    if (found !== undefined) return found
  }
  return undefined
}

/** The place of a file in the order of its layer, -1 when it has none. */
function placeOf(layer: string, file: string): number {
  const name = file.slice(layer.length + 1).split('/')[0] as string
  return (ORDERS[layer] ?? []).findIndex((names) => names.includes(name))
}

test('every import leads to a file of src, and many were read', () => {
  for (const [file, targets] of imports)
    for (const target of targets) assert.ok(imports.has(target), `${file} imports ${target}`)
  assert.ok([...imports.values()].flat().length > 500)
})

test('no file imports itself by way of others, types included', () => {
  assert.equal(circle(imports), undefined)
})

test('a circle would be found', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['d', 'b']],
    ['d', []],
  ])
  assert.equal(circle(graph), ['b', 'c', 'b'])
  assert.is(circle(new Map([...graph, ['c', ['d']]])), undefined)
})

for (const layer of Object.keys(ORDERS))
  test(`${layer}: folders import in their order`, () => {
    const own = files.filter((file) => file.startsWith(`${layer}/`))
    assert.ok(own.length > 10)
    for (const file of own) {
      const place = placeOf(layer, file)
      assert.ok(place >= 0, `${file} is in no folder of the order`)
      for (const target of imports.get(file) ?? [])
        if (target.startsWith(`${layer}/`))
          assert.ok(placeOf(layer, target) <= place, `${file} imports ${target}, which stands above it`)
    }
  })

test('a folder has a dozen files at most', () => {
  const counts = new Map<string, number>()
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1)
  assert.ok(counts.size > 30)
  for (const [folder, count] of counts) assert.ok(count <= DOZEN, `src/${folder} has ${count} files`)
})

test.run()

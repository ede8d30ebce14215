/**
 * The figures of a heap's tables, in comments and in docs/heap.md, say what the enums say; and every file that a comment or a document names is
 * there.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Size } from '../../../src/allocator/heap/size-classes.ts'
import { At, ClassWord, SlabWord, SpanWord } from '../../../src/allocator/heap/words.ts'

const test = suite('figures')
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const text = (name: string): string => readFileSync(join(root, name), 'utf8')

/** The first line of a figure that begins with this word. */
function row(name: string, word: string): string {
  const line = text(name)
    .split('\n')
    .find((one) => new RegExp(`^[ *]*${word} `).test(one) && /[|\d]/.test(one))
  if (line === undefined) throw new Error(`${name} has no figure with a line "${word}"`)
  return line
}

/** The names between the bars of such a line; a length behind the last bar is left out. */
function cells(name: string, word: string): string[] {
  return row(name, word)
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

/** The words of a record in the order of their indices. */
function inOrder(words: Record<string, number>): string[] {
  return Object.entries(words)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name)
}

for (const name of ['src/allocator/heap/words.ts', 'docs/heap.md'])
  test(`the places of the tables in ${name}`, () => {
    const found = [...row(name, 'word').matchAll(/\d+/g)].map(Number)
    assert.equal(found, [0, At.ZERO, At.CLASSES, At.BIN_TOP_MAP, At.KEPT_MAP, At.TILES])
  })

for (const [name, word] of [
  ['src/allocator/heap/spans/records.ts', 'record'],
  ['docs/heap.md', 'span record'],
] as const)
  test(`the words of a span's record in ${name}`, () => {
    const expected = inOrder({
      start: SpanWord.START,
      size: SpanWord.SIZE,
      tag: SpanWord.TAG,
      previous: SpanWord.PREVIOUS,
      next: SpanWord.NEXT,
      'bin next': SpanWord.BIN_NEXT,
      'bin previous': SpanWord.BIN_PREVIOUS,
    })
    assert.equal(cells(name, word), [...expected, '–'])
    assert.is(expected.length + 1, SpanWord.WORDS as number)
  })

for (const [name, word] of [
  ['src/allocator/heap/slabs.ts', 'record'],
  ['docs/heap.md', 'slab record'],
] as const)
  test(`the words of a slab's record in ${name}`, () => {
    const expected = inOrder({
      base: SlabWord.BASE,
      inverse: SlabWord.INVERSE,
      slots: SlabWord.SLOTS,
      class: SlabWord.CLASS,
      counts: SlabWord.COUNTS,
      next: SlabWord.NEXT,
      span: SlabWord.SPAN,
      previous: SlabWord.PREVIOUS,
      '8 words of free bits': SlabWord.BITS,
    })
    assert.equal(cells(name, word), expected)
    assert.is((SlabWord.BITS as number) + Size.SLAB_WORDS, SlabWord.WORDS as number)
  })

test('the words of a class are as many as its state has room for', () => {
  const words = [
    ClassWord.WORD,
    ClassWord.ORIGIN,
    ClassWord.WINDOW,
    ClassWord.CURRENT,
    ClassWord.PARTIAL,
    ClassWord.SLABS,
    ClassWord.SIZE,
  ] as number[]
  assert.is(new Set(words).size, words.length)
  assert.ok(words.every((word) => word >= 0 && word < ClassWord.WORDS))
})

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
}

test('every file that a comment of the allocators or a document about them names is there', () => {
  const all = ['src', 'test', 'bench', 'fuzz', 'storm', 'props'].flatMap(filesIn)
  const texts = [...filesIn('src/allocator').filter((name) => name.endsWith('.ts'))]
  for (const name of readdirSync(join(root, 'docs'))) if (/^(heap|tables)/.test(name)) texts.push(join('docs', name))
  const missing = texts.flatMap((name) =>
    text(name)
      .split('\n')
      .filter((line) => !/^\s*(import|export|\} from)/.test(line))
      .flatMap((line) => [...line.matchAll(/(?<![\w/.-])[\w-][\w/.-]*\.ts\b/g)].map(([found]) => found))
      .filter((found) => !all.some((file) => file === found || file.endsWith(`/${found}`)))
      .map((found) => `${name} names ${found}`)
  )
  assert.equal(missing, [])
})

test.run()

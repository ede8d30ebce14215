/** The examples about files and about one gigabyte, as their user runs them, on small inputs. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WordCounter } from '../../examples/counting.ts'
import { writeText } from '../../examples/text.ts'
import { type NodeBinary, nodes } from '../helpers/child.ts'
import { freshFile, freshPath } from '../helpers/scratch.ts'

const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))

function example(node: NodeBinary, ...args: string[]): { status: number | null; out: string; err: string } {
  const child = spawnSync(node.path, ['--expose-gc', '--no-warnings', main, ...args], { encoding: 'utf8' })
  return { status: child.status, out: child.stdout, err: child.stderr }
}

/** Runs one that must succeed, with every check ok, in lines that fit a terminal. */
function passes(node: NodeBinary, checks: number, ...args: string[]): string {
  const { status, out, err } = example(node, ...args)
  assert.equal([status, err], [0, ''], out)
  assert.is(out.match(/^ ok {3}\S/gm)?.length, checks, out)
  return out
}

for (const node of nodes) {
  test(`Node ${node.major}: word-count on made-up words`, () => {
    const out = passes(node, 2, 'word-count', '--mebibytes', '2', '--rounds', '1')
    const counts = [...out.matchAll(/(\d{5,})\s+(?:\d+ ms|\n)/g)].map(([, count]) => count)
    assert.ok(counts.length >= 2 && new Set(counts).size === 1, out)
    assert.match(out, /minor faults/)
  })

  test(`Node ${node.major}: uppercase on made-up words`, () => {
    assert.match(passes(node, 4, 'uppercase', '--kibibytes', '300'), /mode 'write' +\d{6}/)
  })

  test(`Node ${node.major}: one-gigabyte`, () => {
    assert.match(passes(node, 4, 'one-gigabyte'), /4 KiB touched, in the middle +4 KiB/)
  })

  test(`Node ${node.major}: truncated`, () => {
    const out = passes(node, 2, 'truncated')
    assert.equal([out.match(/SIGBUS/g)?.length, out.match(/\d.* ERR_TRUNCATED/g)?.length], [3, 4], out)
  })

  test(`Node ${node.major}: random-reads reads the same both ways`, () => {
    const { status, out } = example(node, 'random-reads', '--mebibytes', '4', '--reads', '20000', '--rounds', '3')
    // How many times as fast is for a quiet machine to say.
    assert.ok(status === 0 || status === 1)
    assert.match(out, / ok {3}4.0 MiB: both read the same/)
    assert.match(out, /4\.0 MiB +\d+ ns +\d+ ns +\d+\.\d/)
  })
}

const here = nodes[0] as NodeBinary

test('word-count counts any bytes as wc does, and a file of nothing', () => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * at * 7 + (at >> 3)) & 255))
  for (const content of [bytes, '', ' ', 'a', ' a\u000bb\u00a0c \u0001 \n', '\u00e9 \u00e9x'])
    passes(here, 2, 'word-count', '--rounds', '1', '--file', freshFile(content))
})

test('uppercase leaves the file that it is given alone', () => {
  const path = freshFile('some words, ÄÖÜ äöü 123')
  assert.match(passes(here, 4, 'uppercase', '--file', path), /SOME WORDS/)
  assert.is(readFileSync(path, 'utf8'), 'some words, ÄÖÜ äöü 123')
})

test('made-up words are the same each time, of exactly the length', () => {
  const paths = [freshPath(), freshPath()]
  for (const path of paths) writeText(path, 1_500_000)
  const [first, second] = paths.map((path) => readFileSync(path))
  assert.is(first?.length, 1_500_000)
  assert.ok(first?.equals(second as Buffer))
  assert.match(first?.toString('latin1') ?? '', /^[A-Za-z \n]*$/)
})

test('a word that two pieces share is counted once', () => {
  const counter = new WordCounter('any')
  for (const piece of ['one tw', 'o three', ' ', '', 'four\n', '\nfive']) counter.add(Buffer.from(piece))
  assert.is(counter.words, 5)
})

test('help, wrong arguments, wrong names', () => {
  const list = example(here).out
  for (const name of ['word-count', 'uppercase', 'one-gigabyte', 'truncated', 'random-reads']) {
    const { status, out } = example(here, name, '--help')
    assert.is(status, 0)
    assert.match(out, new RegExp(`^Usage: npm run example -- ${name} \\[options\\]`))
    assert.ok(out.split('\n').every((line) => line.length <= 90))
    const wrong = example(here, name, '--nonsense')
    assert.is(wrong.status, 2)
    assert.match(wrong.err, /^[^\n]*nonsense[^\n]*--help[^\n]*\n$/)
    assert.match(list, new RegExp(`^ {2}${name}$`, 'm'))
  }
  for (const args of [
    ['word-count', '--mebibytes', 'many'],
    ['uppercase', '--kibibytes', '0'],
    ['random-reads', '--mebibytes', '3'],
  ])
    assert.is(example(here, ...args).status, 2, args.join(' '))
  assert.is(example(here, 'verdict').status, 2)
  assert.is(example(here).status, 0)
})

test('a file that is not there is a failure that says why', () => {
  const { status, err } = example(here, 'uppercase', '--file', '/nonexistent')
  assert.is.not(status, 0)
  assert.match(err, /ENOENT/)
})

test.run()

/**
 * What comments and documents say of the tree is true: a file that they name exists.
 *
 *     `mapping/owner.ts`    a path, from the folder of the comment, of `src`, or of the clone: some file ends so
 *     `arena.ts`            a name by itself: some file is called so
 *
 * Names that a program makes when it runs (`PATH`, `trace.json`) are no files of the tree and are not looked at: only `.ts` and `.md`
 * are. Comments of the folders in `PLAIN` also keep to plain words: a process is "it", and a sentence says which one.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const FOLDERS = [
  'src',
  'test',
  'props',
  'storm',
  'fuzz',
  'bench',
  'examples',
  'demo',
  'docs',
  'traces',
  'packaging',
] as const

/** Folders of `src`, each source of which is named in its README. */
const NAMED = ['src/ffi', 'src/arena', 'src/allocator', 'src/trace', 'src/cli']
/** Folders whose comments are in plain words. */
const PLAIN = ['src', 'test', 'props', 'fuzz', 'storm', 'bench', 'examples', 'demo', 'packaging']
const RIDDLES = /\b(?:nobody|somebody|anybody|everybody|everyone|someone|anyone|who|whoever|whom|he|him|his)\b/i

/** Files that exist only when a program is used: a user's own, or what a tool writes. */
const MADE_BY_USERS: ReadonlySet<string> = new Set([
  'policy.ts',
  'main.ts',
  'my-policy.ts',
  'mine.ts',
  'experiment.ts',
  'NAME.bench.ts',
])

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
).concat(readdirSync(root).filter((name) => name.endsWith('.md')))
const sources = files.filter((file) => file.endsWith('.ts'))
const documents = files.filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md')

const NAME = /(?<![\w./*<>{}$-])(?:\.\.\/|\.\/)*(?:[\w-]+\/)*[\w-]+(?:\.(?:test|prop|bench))?\.(?:ts|md)\b(?![\w*])/g

/** The comments of a source, each with its line. */
function commentsOf(text: string): [number, string][] {
  const found: [number, string][] = []
  for (const match of text.matchAll(/\/\*[\s\S]*?\*\/|(?<=^|[\s;{,])\/\/.*$/gm))
    found.push([text.slice(0, match.index).split('\n').length, match[0]])
  return found
}

/** Whether a name leads to a file of the tree, as it is written in `from`. */
function leadsSomewhere(name: string, from: string): boolean {
  const bare = name.replace(/^(?:\.\.?\/)+/, '')
  if (MADE_BY_USERS.has(bare)) return true
  if (files.includes(join(dirname(from), name))) return true
  // A source of the library speaks of the library: what only a test is called does not count.
  const among =
    from.startsWith('src/') && from.endsWith('.ts') && !bare.includes('/')
      ? files.filter((file) => !file.startsWith('test/'))
      : files
  return among.some((file) => file === bare || file.endsWith(`/${bare}`))
}

test('a file that a comment names exists', () => {
  const missing: string[] = []
  let named = 0
  for (const file of sources)
    for (const [line, comment] of commentsOf(readFileSync(join(root, file), 'utf8')))
      for (const [name] of comment.matchAll(NAME)) {
        named++
        if (!leadsSomewhere(name, file)) missing.push(`${file}:${line}: ${name}`)
      }
  assert.equal(missing, [])
  assert.ok(named > 200, `${named}`)
})

test('a file that a document names exists', () => {
  const missing: string[] = []
  let named = 0
  for (const file of documents) {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/^```(?!text)[\s\S]*?^```$/gm, '')
    for (const [name] of text.matchAll(NAME)) {
      named++
      if (!leadsSomewhere(name, file)) missing.push(`${file}: ${name}`)
    }
  }
  assert.equal(missing, [])
  assert.ok(named > 100, `${named}`)
})

test('every source of src is named in src/README.md', () => {
  const readme = readFileSync(join(root, 'src/README.md'), 'utf8')
  const unnamed = sources
    .filter((file) => NAMED.some((folder) => file.startsWith(`${folder}/`)))
    .filter((file) => !readme.includes(`\`${file.split('/').at(-1)}\``))
  assert.equal(unnamed, [])
})

for (const folder of PLAIN)
  test(`${folder}: comments are in plain words`, () => {
    const found: string[] = []
    for (const file of sources.filter((name) => name.startsWith(`${folder}/`)))
      for (const [line, comment] of commentsOf(readFileSync(join(root, file), 'utf8'))) {
        const word = RIDDLES.exec(comment)
        if (word !== null) found.push(`${file}:${line}: ${word[0]}`)
      }
    assert.equal(found, [])
  })

test('a name that leads nowhere is found', () => {
  assert.not(leadsSomewhere('arena/ground.ts', 'docs/design.md'))
  assert.not(leadsSomewhere('mapping/ground.ts', 'src/arena/arena.ts'))
  assert.not(leadsSomewhere('subject.ts', 'src/arena/arena.ts'))
  assert.ok(leadsSomewhere('views/windows.ts', 'src/arena/arena.ts'))
  assert.ok(leadsSomewhere('heap.md', 'docs/design.md'))
})

test.run()

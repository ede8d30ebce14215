/**
 * The README and the docs are true: every example runs as printed, every link leads somewhere, every public name is explained.
 *
 *     ```js    runs as it stands, in a process of its own
 *     ```ts    is compiled together with the sources first, so that a type error is a failure too
 *
 *     f() // -> 3                     the value, as `util.inspect` writes it
 *     f() // -> throws ERR_BUSY       the code of the error
 *
 * `sorites` and `sorites/trace` stand for the compiled sources. Fences of other languages, or of none, are left alone.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as library from '../src/index.ts'
import * as traces from '../src/trace/index.ts'
import { compiled, nodes } from './helpers/child.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const scratch = fileURLToPath(new URL('../readme/', import.meta.url))
const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.md')
)
const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'src/README.md',
  'bench/README.md',
  ...docs.map((name) => join('docs', name)),
]

interface Example {
  readonly page: string
  /** The line of the page that the code begins after. */
  readonly line: number
  readonly language: 'js' | 'ts'
  readonly code: string
  /** The name of its file, without an ending. */
  readonly name: string
}

const text = (page: string): string => readFileSync(join(root, page), 'utf8')

function examplesOf(page: string): Example[] {
  return [...text(page).matchAll(/^```(js|ts)\n([\s\S]*?)^```$/gm)].map((match) => {
    const line = text(page).slice(0, match.index).split('\n').length
    const name = `${page.slice(0, -'.md'.length).replaceAll('/', '-')}-${line}`
    return { page, line, name, language: match[1] as Example['language'], code: match[2] as string }
  })
}

const examples = ['README.md', ...docs.map((name) => join('docs', name))].flatMap(examplesOf)

/** Makes every `// ->` a check. */
function withChecks({ page, line, code }: Example): string {
  return code
    .split('\n')
    .map((source, index) => {
      const [, before, wanted] = /^(.*?)\s*\/\/ -> (.+)$/.exec(source) ?? []
      if (before === undefined || wanted === undefined) return source
      const where = JSON.stringify(`${page}:${line + index + 1}`)
      const check = (value: string) => `await expectValue(async () => (${value}), ${JSON.stringify(wanted)}, ${where})`
      const name = /^\s*(?:const|let) (\w+) = /.exec(before)?.[1]
      if (name !== undefined) return `${before}; ${check(name)}`
      return check(/^\s*console\.log\((.*)\)$/.exec(before)?.[1] ?? before.trim())
    })
    .join('\n')
}

const PRELUDE = `
import { inspect } from 'node:util'
globalThis.expectValue = async (run, wanted, where) => {
  let found
  try { found = inspect(await run()) } catch (error) { found = 'throws ' + (error.code ?? error.stack) }
  if (found !== wanted) throw new Error(where + ': ' + found + ', not ' + wanted)
}
`

const inRoot = (path: string): string => join(root, 'node_modules', path)

/** Compiles the examples in TypeScript, all at once. Returns what the compiler has to say. */
function compileExamples(): string {
  const declaration =
    'declare const expectValue: (run: () => Promise<unknown>, wanted: string, where: string) => Promise<void>'
  for (const example of examples.filter(({ language }) => language === 'ts'))
    writeFileSync(join(scratch, `${example.name}.ts`), `${withChecks(example)}\n${declaration}\nexport {}\n`)
  const compilerOptions = {
    noEmit: false,
    declaration: false,
    isolatedDeclarations: false,
    noUnusedLocals: false,
    rootDir: root,
    outDir: join(scratch, 'out'),
    paths: { sorites: [join(root, 'src/index.ts')], 'sorites/trace': [join(root, 'src/trace/index.ts')] },
  }
  const config = join(scratch, 'tsconfig.json')
  writeFileSync(config, JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }))
  return spawnSync(process.execPath, [inRoot('typescript/bin/tsc'), '-p', config], { encoding: 'utf8' }).stdout
}

/** The file that runs an example. */
function program(example: Example): string {
  const file = join(scratch, `${example.name}.mjs`)
  const emitted = join(scratch, 'out', relative(root, scratch), `${example.name}.js`)
  const code = example.language === 'ts' ? readFileSync(emitted, 'utf8') : withChecks(example)
  const own = code
    .replaceAll(/from 'sorites'/g, `from ${JSON.stringify(compiled('src/index'))}`)
    .replaceAll(/from 'sorites\/trace'/g, `from ${JSON.stringify(compiled('src/trace/index'))}`)
  writeFileSync(file, `${PRELUDE}${own}`)
  return file
}

test.before(() => {
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { recursive: true })
})

test('there are examples, and those in TypeScript compile', () => {
  assert.ok(examples.filter(({ page }) => page === 'README.md').length >= 3)
  assert.ok(examples.filter(({ page }) => page.startsWith('docs/guide/')).length >= 20)
  assert.is(compileExamples(), '')
})

for (const node of nodes)
  for (const example of examples)
    test(`Node ${node.major}: ${example.page}, line ${example.line}`, () => {
      const child = spawnSync(node.path, ['--no-warnings', program(example)], {
        encoding: 'utf8',
        env: { ...process.env, NODE_V8_COVERAGE: '' },
      })
      assert.is(child.signal, null, `ended by ${child.signal}\n${child.stderr}`)
      assert.is(child.status, 0, child.stderr)
      assert.is(child.stderr, '')
    })

test('the README is short: at most 200 lines of at most 140 characters', () => {
  const lines = text('README.md').trimEnd().split('\n')
  assert.ok(lines.length <= 200, `${lines.length} lines`)
  assert.equal(
    lines.filter((line) => line.length > 140),
    []
  )
})

test('every page of the guide is in the index of the docs, which the README leads to', () => {
  assert.ok(text('README.md').includes('](docs/README.md)'))
  const index = text('docs/README.md')
  assert.equal(
    docs.filter((name) => name !== 'README.md' && !index.includes(`](${name})`)),
    []
  )
})

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = text(page).matchAll(/^#+ (.*)$/gm)
  return [...headings].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )
}

for (const page of pages)
  test(`${page}: every link leads somewhere`, () => {
    const prose = text(page).replaceAll(/^```[\s\S]*?^```$/gm, '')
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target as string)) continue
      const [path = '', anchor] = (target as string).split('#')
      const file = path === '' ? page : join(dirname(page), path)
      assert.ok(existsSync(join(root, file)), `${target} does not exist`)
      if (anchor !== undefined) assert.ok(anchorsOf(file).includes(anchor), `${target}: no such heading`)
    }
  })

/** The names that a source file exports, with those of files it passes on whole. */
function exportsOf(source: string): string[] {
  const code = text(source)
  const declared = [...code.matchAll(/^export (?:abstract )?(?:class|function|const|let|type|interface) (\w+)/gm)]
  const listed = [...code.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    (names as string).split(',')
  )
  const passedOn = [...code.matchAll(/^export \* from '(.*)'/gm)].flatMap(([, file]) =>
    exportsOf(join(dirname(source), file as string))
  )
  const plain = listed.map((name) =>
    name
      .replace(/^\s*type /, '')
      .replace(/^.* as /, '')
      .trim()
  )
  return [...declared.map(([, name]) => name as string), ...plain.filter((name) => name !== ''), ...passedOn]
}

test('every public name is explained in the README or in docs/api.md', () => {
  const code = [...`${text('README.md')}${text('docs/api.md')}`.matchAll(/```[\s\S]*?```|`[^`\n]+`/g)].join('\n')
  const sources = ['src/index.ts', 'src/trace/index.ts'].flatMap(exportsOf)
  const names = new Set([...sources, ...Object.keys(library), ...Object.keys(traces)])
  assert.ok(names.size > 15)
  const missing = [...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(code))
  assert.equal(missing, [])
})

test('every source file is in src/README.md', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts')
  )
  const own = files.filter((name) => name.includes('/') && !name.endsWith('/index.ts') && !name.includes('/claims/'))
  assert.ok(own.length > 40)
  assert.equal(
    own.filter((name) => !text('src/README.md').includes(`\`${basename(name)}\``)),
    []
  )
})

test('every error code is in docs/errors.md', () => {
  const codes = new Set(text('src/errors.ts').match(/ERR_\w+/g))
  assert.ok(codes.size >= 10)
  assert.equal(
    [...codes].filter((code) => !text('docs/errors.md').includes(`\`${code}\``)),
    []
  )
})

test('every npm script that is mentioned exists', () => {
  const { scripts } = JSON.parse(text('package.json'))
  for (const page of pages)
    for (const [, name] of text(page).matchAll(/npm run ([\w:]+)/g))
      assert.ok((name as string) in scripts, `${page}: npm run ${name}`)
})

test.after(() => rmSync(scratch, { recursive: true, force: true }))

test.run()

/**
 * The reference that `npm run docs` makes: each public call says what it takes, gives and throws, and has an example that runs; the site asks
 * nothing of a network; and in Chromium a name is searched for and followed to its page.
 *
 * Where no Chromium is installed, the tests in it are skipped, and counted as that.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inBrowser, openPage, until } from '../helpers/browser.ts'
import { compiled } from '../helpers/child.ts'
import { roomyFolder } from '../helpers/scratch.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const scratch = mkdtempSync(join(roomyFolder(), 'sorites-site-'))
const site = join(scratch, 'site')

test.before(() => {
  const reference = join(scratch, 'reference.json')
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['run', '-s', 'docs', '--', '--html', site, '--json', reference],
    {
      cwd: root,
      encoding: 'utf8',
    }
  )
  assert.is(status, 0, `npm run docs: ${stdout}${stderr}`)
  collect(JSON.parse(readFileSync(reference, 'utf8')), '')
})
test.after(() => rmSync(scratch, { recursive: true, force: true }))

// ---- what the reference says ----

interface Part {
  readonly text: string
}
interface Comment {
  readonly summary: readonly Part[]
  readonly blockTags?: readonly { readonly tag: string; readonly content: readonly Part[] }[]
}
/** What TypeDoc tells of a name, as far as it is read here. */
interface Entry {
  readonly name: string
  readonly kind: number
  readonly inheritedFrom?: object
  readonly comment?: Comment
  readonly children?: readonly Entry[]
  readonly signatures?: readonly Entry[]
  readonly getSignature?: Entry
  readonly setSignature?: Entry
  readonly parameters?: readonly Entry[]
  readonly type?: { readonly name?: string; readonly type?: string }
}

const enum Kind {
  CONSTRUCTOR = 512,
  CALL = 4096,
}

/** Stand-ins for what JavaScript has: their members are documented there. */
const STAND_INS = /^[^.]+\.(ReadOnlyView|TypedArrayConstructor|ViewTypes|UrlLike|AbortSignalLike)\./

const names: string[] = []
const unexplained: string[] = []
const examples: { name: string; code: string }[] = []

const textOf = (parts: readonly Part[] | undefined): string =>
  (parts ?? [])
    .map(({ text }) => text)
    .join('')
    .trim()

function collect(entry: Entry, path: string): void {
  if (entry.inheritedFrom !== undefined) return
  for (const child of entry.children ?? []) {
    const name = path === '' ? child.name : `${path}.${child.name}`
    if (child.kind !== 2 && !STAND_INS.test(name)) check(child, name)
    collect(child, name)
  }
}

function check(entry: Entry, name: string): void {
  names.push(name)
  if (entry.signatures !== undefined) for (const signature of entry.signatures) checkCall(signature, name)
  else if (textOf((entry.comment ?? entry.getSignature?.comment ?? entry.setSignature?.comment)?.summary) === '')
    if (entry.kind !== 8388608)
      // A document has a text, not a comment.
      unexplained.push(name)
}

function checkCall({ comment, parameters = [], type, kind }: Entry, name: string): void {
  // One that was not written: there is nothing to say.
  if (kind === 16384 && parameters.length === 0) return
  const has = (tag: string): boolean => (comment?.blockTags ?? []).some((block) => block.tag === tag)
  if (textOf(comment?.summary) === '') unexplained.push(name)
  for (const parameter of parameters)
    if (textOf(parameter.comment?.summary) === '') unexplained.push(`${name}, parameter ${parameter.name}`)
  if (kind === Kind.CALL && type?.name !== 'void' && !has('@returns')) unexplained.push(`${name}, what it returns`)
  for (const tag of ['@throws', '@example']) if (!has(tag)) unexplained.push(`${name}, ${tag}`)
  for (const { tag, content } of comment?.blockTags ?? [])
    if (tag === '@example') examples.push({ name, code: textOf(content).replace(/^```js\n|\n?```$/g, '') })
}

test('every public name is explained; every call says what it takes, gives and throws, and has an example', () => {
  assert.ok(names.length > 300, String(names.length))
  assert.equal([...new Set(unexplained)], [])
})

// ---- what its examples do ----

/** Each example has these at hand; the pages of the modules say so. */
const PREPARED = `
  const arena = Arena.reserve(64 * MiB)
  const heap = new Heap(arena, { byteLength: 32 * MiB })
  const path = folder + '/example-' + i
  const file = mapFile(path, { mode: 'write', create: true, byteLength: 65536 })
`

function program(): string {
  const parts = [...new Map(examples.map((example) => [example.code, example])).values()].map(({ name, code }, i) => {
    const lines = code.split('\n').map((line) => {
      const [, before, wanted] = /^(.*?)\s*\/\/ -> (.+)$/.exec(line) ?? []
      return before === undefined ? line : `await expect(async () => (${before}), ${JSON.stringify(wanted)})`
    })
    return `await run(${JSON.stringify(name)}, async () => {\nconst i = ${i}\n${PREPARED}\n{\n${lines.join('\n')}\n}\n})\n`
  })
  return `
import * as index from ${JSON.stringify(compiled('src/index'))}
import * as trace from ${JSON.stringify(compiled('src/trace/index'))}
import { inspect } from 'node:util'
const { Arena, Bump, Buddy, Heap, Slab, mapFile, KiB, MiB, GiB } = index
const { Recorder, Replay, VerifiedReplay, TraceBuilder, writeTrace, readTrace, parseTrace, decodeTrace, encodeTrace, summarize } = trace
const folder = ${JSON.stringify(scratch)}
async function expect(run, wanted) {
  let found
  try { found = inspect(await run()) } catch (error) { found = 'throws ' + (error.code ?? error.stack) }
  if (found !== wanted) throw new Error(found + ', not ' + wanted)
}
async function run(name, example) {
  try { await example() } catch (error) { console.log(name + ': ' + error.stack.split('\\n').slice(0, 2).join(' ')) }
}
${parts.join('')}console.log('${parts.length} examples')
`
}

test('every example does what it says', () => {
  assert.ok(examples.length > 100, String(examples.length))
  const file = join(scratch, 'examples.mjs')
  writeFileSync(file, program())
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', file], { encoding: 'utf8' })
  assert.match(stdout + stderr, /^\d+ examples\n$/)
})

// ---- the site ----

test('no page loads anything from elsewhere', () => {
  const pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'))
  assert.ok(pages.length > 80, String(pages.length))
  const wrong = pages.filter((name) =>
    /<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="(?:https?:)?\/\//.test(
      readFileSync(join(site, name), 'utf8')
    )
  )
  assert.equal(wrong, [])
})

/** From `file:`, Chromium refuses the file of icons, and says so; the page has them in itself as well. */
const withoutIcons = (problems: readonly string[]): string[] => problems.filter((text) => !/icons\.svg#/.test(text))

/** Searches for a text in the open page, and waits for what is found. */
async function search(page: Page, text: string): Promise<string[]> {
  // What is typed before the index has been read is not searched for.
  await until(page, 'document.querySelector("#tsd-search-status").innerHTML.trim() === ""')
  await page.click('#tsd-search-trigger')
  await page.fill('#tsd-search-input', text)
  await until(page, 'document.querySelector("#tsd-search-results a") !== null')
  return page.locator('#tsd-search-results a').allInnerTexts()
}

inBrowser('in a browser: a name is searched for and followed to its call', async () => {
  const { page, problems, requests, close } = await openPage(join(site, 'index.html'))
  try {
    const found = await search(page, 'tryMalloc')
    assert.ok(found[0]?.includes('tryMalloc'), found.join())
    await page.click('#tsd-search-results li a')
    await until(page, 'location.hash.toLowerCase() === "#trymalloc" && document.readyState === "complete"')
    const shown = String(await page.evaluate('document.querySelector(location.hash).closest("section").innerText'))
    for (const words of ['tryMalloc', 'byteLength', 'Returns', 'Throws', 'Example'])
      assert.ok(shown.includes(words), words)
    assert.equal(withoutIcons(problems), [])
    assert.equal(
      requests.filter((url) => !/^(file|data):/.test(url)),
      []
    )
  } finally {
    await close()
  }
})

inBrowser('in a browser: a page of the docs is found by what it says', async () => {
  const { page, problems, close } = await openPage(join(site, 'index.html'))
  try {
    const found = await search(page, 'Alpine')
    const at = found.findIndex((text) => text.includes('Loading it'))
    assert.ok(at >= 0, found.join())
    await page.click(`#tsd-search-results li:nth-of-type(${at + 1}) a`)
    await until(page, 'document.title.includes("Loading it") && document.readyState === "complete"')
    assert.match(String(await page.evaluate('document.body.innerText')), /musl/)
    assert.equal(withoutIcons(problems), [])
  } finally {
    await close()
  }
})

test.run()

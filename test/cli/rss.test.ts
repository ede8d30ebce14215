/** `sorites rss`: every hypothesis that comes with the tool, the judgement, a user's own files, and what can go wrong with them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { EXPERIMENTS } from '../../src/cli/rss/experiments.ts'
import { judge } from '../../src/cli/rss/judgement.ts'
import { runExperiments } from '../../src/cli/rss/runner.ts'
import { spreadOf } from '../../src/cli/rss/spread.ts'
import { compiled } from '../helpers/compiled.ts'

const main = fileURLToPath(compiled('src/cli/main'))
let folder = ''

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-rss-'))
})

test.after(() => rmSync(folder, { recursive: true, force: true }))

function rss(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, 'rss', ...words], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
}

function own(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return `./${name}`
}

for (const { name, title, hypothesis } of EXPERIMENTS)
  test(`hypothesis: ${name}`, async () => {
    const url = compiled(`src/cli/rss/experiments/${name}`)
    // One process is enough most of the time; V8's own memory may move meanwhile, and then the three that the command takes decide.
    let [outcome] = await runExperiments([{ name, title, hypothesis, url }], 1)
    if (!outcome!.held) [outcome] = await runExperiments([{ name, title, hypothesis, url }], 3)
    assert.ok(outcome!.held, outcome!.verdicts.map(({ held, text }) => `${held ? 'held' : 'NOT'} ${text}`).join('\n'))
    assert.ok(outcome!.skipped !== undefined || outcome!.verdicts.length > 0)
  })

const GOOD = `export const experiment = {
  name: 'mine', title: 'A page', hypothesis: 'One byte costs a page.',
  steps: (lab) => {
    const bytes = lab.arena(lab.GiB).view(Uint8Array, 0, 8)
    return {
      'write, "one" byte': () => { bytes[0] = 1; lab.note('answer', 42); console.log('talk') },
      wait: async () => { await lab.sleep(1); lab.sample() },
    }
  },
  expect: ({ pageSize }) => [
    { step: 'write, "one" byte', figure: 'mincore', atLeast: pageSize, atMost: pageSize },
    { step: 'write, "one" byte', figure: 'answer', atLeast: 42, atMost: 42 },
    { step: 'wait', figure: 'mincore', sinceStart: true, atLeast: pageSize, atMost: pageSize },
  ],
}
`

test("a user's own file: text, JSON, CSV, pictures and a page", () => {
  const file = own('mine.mjs', GOOD)
  const text = rss(file, '--repeats', '2')
  assert.is(text.status, 0, text.stderr)
  assert.match(text.stdout, /1 of 1 hypotheses held/)
  assert.not.match(text.stdout, /^talk$/m)
  assert.match(text.stderr, /^talk$/m)
  assert.not.ok(text.stdout.includes('\u001b'))

  const json = rss(file, '--repeats=1', '--json', '--svg', '.', '--html', 'page.html')
  const { outcomes } = JSON.parse(json.stdout)
  assert.is(outcomes.length, 1)
  assert.is(outcomes[0].steps[0].change.answer.median, 42)
  assert.ok(outcomes[0].verdicts.every((one: { held: boolean }) => one.held))
  assert.match(readFileSync(join(folder, 'mine.svg'), 'utf8'), /^<svg [\s\S]*<\/svg>\n$/)
  const page = readFileSync(join(folder, 'page.html'), 'utf8')
  assert.match(page, /One byte costs a page/)
  assert.not.match(page.split('<script>')[0]!, /NaN|undefined|(src|href)="(?!#)/)

  const csv = rss(file, '--repeats=1', '--csv')
  const lines = csv.stdout.split('\r\n')
  assert.is(lines[0], 'experiment,step,figure,median,low,high,repeats')
  assert.ok(lines.includes('mine,"write, ""one"" byte",answer,42,42,42,1'))
})

test('the experiment of docs/laboratory.md', () => {
  const page = readFileSync(new URL('../../../docs/laboratory.md', import.meta.url), 'utf8')
  const example = /^```js\n(export const experiment[\s\S]*?)^```$/m.exec(page)?.[1] ?? ''
  const { status, stdout, stderr } = rss(own('docs.mjs', example), '--repeats=1')
  assert.is(status, 0, `${stdout}${stderr}`)
  for (const { name } of EXPERIMENTS) assert.ok(page.includes(`\`${name}\``), `${name} is not in docs/laboratory.md`)
})

test('a file of CommonJS, and --only with files', () => {
  const path = (name: string) => join(folder, `${name}.cjs`)
  for (const name of ['one', 'two'])
    writeFileSync(
      path(name),
      `module.exports = { experiment: { name: '${name}', title: 't', hypothesis: 'h', steps: () => ({ a() {} }), expect: [{ step: 'a', figure: 'mincore', atMost: 0 }] } }`
    )
  const made = (...words: string[]): string[] => {
    const { status, stdout, stderr } = rss('--json', '--repeats', '1', ...words)
    assert.is(status, 0, stderr)
    return JSON.parse(stdout).outcomes.map(({ name }: { name: string }) => name)
  }
  assert.equal(made(path('one'), path('two')), ['one', 'two'])
  assert.equal(made('--only', 'two', path('one'), path('two')), ['two'])
  assert.equal(made('--only', 'reserve', path('one')), ['reserve', 'one'])
  assert.match(rss('--only', 'tow', path('two')).stderr, /no experiment "tow"; did you mean "two"/)
})

test('a hypothesis that does not hold: status 1, and which', () => {
  const file = own(
    'wrong.mjs',
    GOOD.replace("figure: 'answer', atLeast: 42, atMost: 42", "figure: 'answer', atLeast: 43")
  )
  const { status, stdout } = rss(file, '--repeats=1')
  assert.is(status, 1)
  assert.match(stdout, /✗ .*answer 42 B, expected at least 43 B/)
  assert.match(stdout, /0 of 1 hypotheses held; not: mine/)
})

test('an experiment that cannot be made here says why and fails nothing', () => {
  const file = own('skip.mjs', GOOD.replace('steps:', "unless: () => 'there is no such thing', steps:"))
  const { status, stdout } = rss(file)
  assert.is(status, 0)
  assert.match(stdout, /not made: there is no such thing/)
})

test('files that hold no experiment, and experiments that fail: one line, status 1', () => {
  const files: [string, string, RegExp][] = [
    ['syntax.mjs', 'export const = 1', /holds no experiment/],
    ['none.mjs', 'export const other = 1', /exports no object/],
    ['name.mjs', GOOD.replace("name: 'mine'", "name: '../x'"), /the name of an experiment/],
    ['hypothesis.mjs', GOOD.replace('hypothesis:', 'hypo:'), /no text `hypothesis`/],
    ['steps.mjs', GOOD.replace('steps: (lab) => {', 'steps: 1, other: (lab) => {'), /no function `steps`/],
    ['throws.mjs', GOOD.replace('bytes[0] = 1', "throw new Error('broken')"), /the experiment mine failed: broken/],
    ['null.mjs', GOOD.replace('bytes[0] = 1', 'throw null'), /the experiment mine failed: null/],
    ['exits.mjs', GOOD.replace('bytes[0] = 1', 'process.exit(7)'), /ended without a report, by exit status 7/],
    [
      'killed.mjs',
      GOOD.replace('bytes[0] = 1', "process.kill(process.pid, 'SIGKILL')"),
      /without a report, by SIGKILL/,
    ],
    ['step.mjs', GOOD.replace("step: 'wait'", "step: 'no'"), /there is no step "no"/],
    ['figure.mjs', GOOD.replace("figure: 'answer'", "figure: 'question'"), /there is no figure "question"/],
    ['bound.mjs', GOOD.replace('atLeast: 42, atMost: 42', ''), /neither `atLeast` nor `atMost`/],
    ['nan.mjs', GOOD.replace('atLeast: 42', 'atLeast: NaN'), /is no number/],
    ['empty.mjs', GOOD.replace(/expect: [\s\S]*\],\n\}/, 'expect: [] }'), /`expect` is empty/],
  ]
  for (const [name, text, wanted] of files) {
    const { status, stdout, stderr } = rss(own(name, text), '--repeats=1', '--json')
    assert.is(status, 1, `${name}: ${stderr}`)
    assert.is(stdout, '', name)
    const lines = stderr.split('\n').filter((line) => line.startsWith('sorites: '))
    assert.is(lines.length, 1, stderr)
    assert.match(lines[0]!, wanted, name)
  }
})

test('wrong usage and bad output places', () => {
  assert.is(rss('--json', '--csv').status, 2)
  assert.is(rss('--repeats', '0').status, 2)
  assert.is(rss('--repeats', '1.5').status, 2)
  const mistyped = rss('--only', 'huge-page')
  assert.is(mistyped.status, 2)
  assert.match(mistyped.stderr, /did you mean "huge-pages"\?/)
  assert.is(rss('./absent.mjs').status, 1)
  const file = own('mine.mjs', GOOD)
  const before = readdirSync(folder)
  for (const place of ['no-folder', file]) {
    const { status, stdout, stderr } = rss(file, '--svg', place)
    assert.is(status, 1)
    assert.is(stdout, '', 'known before the work')
    assert.match(stderr, /there is no folder .* to put pictures in/)
  }
  assert.is(rss(file, '--repeats=1', '--html', 'no/page.html').status, 1)
  const full = rss(file, '--repeats=1', '--html', '/dev/full')
  assert.is(full.status, 1)
  assert.match(full.stderr, /cannot write \/dev\/full: the disk is full/)
  assert.equal(readdirSync(folder), before)
})

test('Ctrl-C: no child and no file is left', async () => {
  const place = join(folder, 'tmp')
  mkdirSync(place)
  const file = own(
    'waits.mjs',
    GOOD.replace(
      'bytes[0] = 1',
      'lab.file(4096); console.log(process.pid); return new Promise((done) => setTimeout(done, 1e6))'
    )
  )
  const child = spawn(process.execPath, [main, 'rss', file, '--html', 'never.html'], {
    cwd: folder,
    env: { ...process.env, NODE_V8_COVERAGE: '', TMPDIR: place },
  })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  while (!/^\d+\n/m.test(text)) await once(child.stderr, 'data')
  assert.is(readdirSync(place).length, 1)
  child.kill('SIGINT')
  const [status] = await once(child, 'close')
  assert.is(status, 130)
  assert.equal(readdirSync(place), [])
  assert.not.ok(existsSync(join(folder, 'never.html')))
  const body = Number(/^\d+$/m.exec(text)![0])
  while (existsSync(`/proc/${body}`) && !/^State:\s*Z/m.test(readFileSync(`/proc/${body}/status`, 'latin1')))
    await new Promise(setImmediate)
  rmSync(place, { recursive: true })
})

test('--list names every experiment', () => {
  const { stdout, status } = rss('--list')
  assert.is(status, 0)
  for (const { name, hypothesis } of EXPERIMENTS) assert.ok(stdout.includes(name) && stdout.includes(hypothesis))
  assert.equal(
    JSON.parse(rss('--list', '--json').stdout).map(({ name }: { name: string }) => name),
    EXPERIMENTS.map(({ name }) => name)
  )
})

test('judgement: by the median, in ratio, since the start', () => {
  assert.equal(spreadOf([3, 1, 2]), { median: 2, low: 1, high: 3 })
  assert.equal(spreadOf([1, 2, 3, 10]), { median: 2.5, low: 1, high: 10 })
  const report = (one: number, two: number) =>
    ({
      steps: [
        { name: 'a', change: { f: one } },
        { name: 'b', change: { f: two } },
      ],
    }) as never
  const reports = [report(10, 5), report(10, 6), report(10, 100)]
  assert.is(judge({ step: 'b', figure: 'f', atMost: 6 }, reports).held, true)
  assert.is(judge({ step: 'b', figure: 'f', atMost: 5 }, reports).held, false)
  assert.is(judge({ step: 'b', figure: 'f', against: 'a', atLeast: 0.6, atMost: 0.6 }, reports).held, true)
  assert.is(judge({ step: 'b', figure: 'f', sinceStart: true, atLeast: 16, atMost: 16 }, reports).held, true)
  // Nothing to compare with bears nothing out.
  assert.is(judge({ step: 'b', figure: 'f', against: 'a', atLeast: -Infinity }, [report(0, 5)]).held, false)
})

test.run()

/**
 * `sorites replay` and `sorites convert` as a user calls them: reports, a page that stands alone, policies that fail in each way, traces that
 * are none. Every failure is one line on stderr, and leaves nothing behind.
 *
 * Longer than other files: every option and every wrong use of one command.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeTrace, encodeTrace } from '../../../src/trace/format.ts'
import { parseTrace } from '../../../src/trace/readers/read-trace.ts'
import { roomyFolder } from '../../helpers/scratch.ts'
import { sampleFile } from '../../trace/readers/files.ts'
import { sampleTrace } from '../../trace/sample.ts'

const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
/** Where the tool makes its own files. */
const temporary = join(folder, 'tmp')
mkdirSync(temporary)
test.after(() => rmSync(folder, { recursive: true }))

const trace = join(folder, 'sample.mtrc')
writeFileSync(trace, encodeTrace(sampleTrace(3000)))

function tool(words: readonly string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  const result = spawnSync(process.execPath, [main, ...words], {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: '', TMPDIR: temporary, ...env },
  })
  assert.equal(readdirSync(temporary), [], 'nothing is left behind')
  return result
}

const replay = (...words: string[]): SpawnSyncReturns<string> => tool(['replay', '--quick', '--frames', '6', ...words])

/** Fails with this status and one line that matches. */
function fails(result: SpawnSyncReturns<string>, status: number, message: RegExp): void {
  assert.match(result.stderr, message)
  assert.match(result.stderr, /^sorites: [^\n]+\n$/)
  assert.is(result.stdout, '')
  assert.is(result.status, status, result.stderr)
}

/** A policy of a user, by the text of its calls. */
function policyFile(name: string, calls: string, before = ''): string {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(
    path,
    `export const summary = 'a test <of> policies'
export function create(arena) {
  let top = 8
  const sizes = new Map()
  ${before}
  const own = {
    malloc(byteLength) {
      const offset = top
      if (offset + byteLength > arena.byteLength) return 0
      top += Math.ceil(Math.max(1, byteLength) / 8) * 8
      sizes.set(offset, top - offset)
      return offset
    },
    free(offset) { sizes.delete(offset) },
    usableSize: (offset) => sizes.get(offset),
  }
  return Object.assign(own, ${calls})
}
`
  )
  return path
}

test('a table of all policies, sizes and lives', () => {
  const { status, stdout, stderr } = replay(trace)
  assert.is(status, 0, stderr)
  assert.is(stderr, '')
  for (const name of ['heap', 'best-fit', 'segregated-fit', 'first-fit', 'next-fit', 'buddy', 'bump'])
    assert.match(stdout, new RegExp(`^${name} +\\d`, 'm'))
  assert.match(stdout, /sample: 3,000 events/)
  assert.match(stdout, /Memory held over events/)
  assert.match(stdout, /median life/)
})

test('JSON has every figure, and the same ones again', () => {
  const figures = () => {
    const { status, stdout, stderr } = replay('-p', 'best-fit', '-p', 'heap', '--json', trace)
    assert.is(status, 0, stderr)
    const { traces } = JSON.parse(stdout)
    assert.is(traces.length, 1)
    for (const allocator of traces[0].allocators) {
      assert.ok(allocator.warmNs > 0 && allocator.coldNs > 0 && allocator.passes === 1)
      assert.ok(allocator.peakRssBytes > 0 && allocator.processPeakBytes > allocator.peakRssBytes)
      assert.is(allocator.samples.length, 6)
      assert.is(allocator.map, undefined)
    }
    return traces[0].allocators.map(
      ({ name, peakHeldBytes, internal, external, classes }: Record<string, unknown>) => ({
        name,
        peakHeldBytes,
        internal,
        external,
        classes,
      })
    )
  }
  const found = figures()
  assert.equal(
    found.map(({ name }: { name: string }) => name),
    ['best-fit', 'heap']
  )
  assert.equal(figures(), found)
})

test('the page stands alone: one file, no request, and its data unpacks', () => {
  const page = join(folder, 'page.html')
  const { status, stderr } = replay('--policy', policyFile('own', '{}'), '--policy', 'heap', '--html', page, trace)
  assert.is(status, 0, stderr)
  const html = readFileSync(page, 'utf8')
  assert.not.match(html, /(src|href)=/)
  // The address of uPlot stands in its notice, which goes with it.
  assert.equal([...html.matchAll(/https?:\/\/[^\s'"`]*/g)].map(String), ['https://github.com/leeoniya/uPlot'])
  assert.match(html, /Permission is hereby granted, free of charge/)
  assert.match(html, /default-src 'none'/)
  assert.match(html, /a test &lt;of&gt; policies/)
  const maps = [...html.matchAll(/<canvas[\s\S]*?<script type="application\/json">(.*?)<\/script>/g)].map(([, json]) =>
    JSON.parse(json as string)
  )
  assert.is(maps.length, 2)
  for (const { cells, frames, data, samples } of maps) {
    assert.is(frames, 6)
    assert.is(samples.length, 6)
    assert.is(gunzipSync(Buffer.from(data, 'base64')).length, 13 * cells * frames)
  }
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text as string)
  assert.is(scripts.length, 1)
  // Compiled, not run: they are for a browser.
  for (const script of scripts) assert.type(new Function(script), 'function')
})

test('several traces, of other formats too', () => {
  const lab = join(folder, 'small.rep')
  writeFileSync(lab, sampleFile('small.rep'))
  const { status, stdout, stderr } = replay('-p', 'heap', trace, lab)
  assert.is(status, 0, stderr)
  assert.match(stdout, /^small: 8 events, 3 blocks/m)
})

test('a policy from a file, verified', () => {
  const { status, stdout, stderr } = replay('--verify', '-p', policyFile('mine', '{}'), trace)
  assert.is(status, 0, stderr)
  assert.match(stdout, /^mine +\d/m)
})

test('what a policy prints is no part of the report', () => {
  const { status, stdout, stderr } = replay('--json', '-p', policyFile('loud', '{}', 'console.log("hello")'), trace)
  assert.is(status, 0, stderr)
  assert.is(JSON.parse(stdout).traces[0].allocators[0].name, 'loud')
  assert.match(stderr, /hello/)
})

test('a policy that is full is left out of the table, and that is said', () => {
  const { status, stdout, stderr } = replay('--arena', '1', '-p', 'bump', '-p', 'heap', trace)
  assert.is(status, 0, stderr)
  assert.match(stdout, /^bump had no room at event [\d,]+ /m)
  assert.match(stdout, /^heap +\d/m)
})

test('a policy that breaks its contract: the policy, the event and the reason in one line', () => {
  const cases: [name: string, calls: string, message: RegExp][] = [
    ['throws', '{ malloc() { throw new Error("no\\nidea") } }', /policy throws, event 0 of sample: no idea/],
    ['nan', '{ realloc: () => NaN }', /event \d+ of sample: realloc of \d+ bytes gave NaN, which is no/],
    ['text', '{ malloc: () => "8" }', /gave "8", which is no/],
    ['half', '{ malloc: () => 12.5 }', /gave 12.5, which is no multiple of 8/],
    ['beyond', '{ malloc: () => arena.byteLength }', /which is no multiple of 8 in an arena of 1073741824 bytes/],
    ['below', '{ malloc: () => -8 }', /gave -8/],
    ['odd', '{ memalign: (a, n) => own.malloc(n + 4096) + 4 }', /memalign of \d+ bytes gave \d+, which is no multiple/],
    ['nothing', '{ malloc: () => undefined }', /gave undefined/],
    ['same', '{ malloc: () => 64, usableSize: undefined }', /the block at 64 was given out twice/],
    ['sizeless', '{ usableSize: () => undefined }', /usableSize\(\d+\) gave undefined/],
    ['leaves', '{ free() { process.exit(3) } }', /policy leaves: its process ended with status 3 and no answer/],
    ['incomplete', '{ free: undefined }', /policy incomplete: `create` gave no policy: it has no function `free`/],
  ]
  for (const [name, calls, message] of cases) fails(replay('-p', policyFile(name, calls), trace), 1, message)
})

test('overlap, lost contents and small blocks are found on request', () => {
  const cases: [name: string, calls: string, message: RegExp][] = [
    [
      'same',
      '{ malloc: (n) => { sizes.set(64, 1e6); return 64 } }',
      /event \d+ of sample: the block of \d+ bytes at 64 overlaps the one of \d+ bytes at 64/,
    ],
    [
      'loses',
      '{ realloc: (p, n) => own.malloc(n) }',
      /event \d+ of sample: byte 0 of \d+ of the block made by event \d+ has changed/,
    ],
    [
      'dirty',
      '{ calloc: (n) => { const p = own.malloc(n); arena.view(Uint8Array, p, n).fill(1); return p } }',
      /from calloc is 1, not 0/,
    ],
    ['small', '{ usableSize: (p) => 1 }', /usableSize\(\d+\) gave 1, and the block was asked for with \d+ bytes/],
    ['damaged', '{ check() { throw new Error("my tables are damaged") } }', /my tables are damaged/],
  ]
  for (const [name, calls, message] of cases)
    fails(replay('--verify', '-p', policyFile(name, calls), trace), 1, message)
})

test('what is no policy', () => {
  const empty = join(folder, 'empty.mjs')
  writeFileSync(empty, 'export const a = 1')
  fails(replay('-p', empty, trace), 1, /empty\.mjs is no policy: it exports no function `create`/)
  const broken = join(folder, 'broken.mjs')
  writeFileSync(broken, 'export function (')
  fails(replay('-p', broken, trace), 1, /cannot load .*broken\.mjs/)
  fails(replay('-p', 'best-fti', trace), 2, /no policy "best-fti" and no such file; did you mean "best-fit"\?/)
  const common = join(folder, 'common.cjs')
  writeFileSync(common, 'module.exports = { create: () => ({ malloc: () => 0, free() {}, usableSize: () => 0 }) }')
  assert.match(replay('-p', common, trace).stdout, /common had no room at event 0/)
})

test('what is no trace, and wrong usage', () => {
  fails(replay(join(folder, 'none.mtrc')), 1, /cannot read .*none\.mtrc: there is no such file/)
  fails(replay(main), 1, /main\.js is no trace: the file does not begin with "MTRC"/)
  fails(replay(folder), 1, /cannot read .*: it is a folder/)
  fails(replay(), 2, /replay expects a trace/)
  fails(replay('--frames', 'many', trace), 2, /--frames expects a number from 2 to 1000/)
  fails(replay('--html', '/no/such/folder/a.html', '-p', 'heap', trace), 1, /cannot write \/no\/such\/folder\/a\.html/)
  fails(replay('--html', '/dev/full', '-p', 'heap', trace), 1, /cannot write \/dev\/full: the disk is full/)
})

test('Ctrl-C ends the process that replays, and leaves nothing behind', async () => {
  const marker = join(folder, 'started')
  const endless = policyFile(
    'endless',
    '{ malloc() { for (;;); } }',
    `writeFileSync(${JSON.stringify(marker)}, String(process.pid))`
  )
  writeFileSync(endless, `import { writeFileSync } from 'node:fs'\n${readFileSync(endless, 'utf8')}`)
  const child = spawn(process.execPath, [main, 'replay', '-p', endless, trace], {
    env: { ...process.env, NODE_V8_COVERAGE: '', TMPDIR: temporary },
    stdio: 'ignore',
  })
  while (!existsSync(marker) || readFileSync(marker, 'utf8') === '')
    await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGINT')
  assert.is(await new Promise((resolve) => child.on('close', resolve)), 130)
  assert.equal(readdirSync(temporary), [])
  // Killed, and gone as soon as the kernel has taken it apart.
  const replaying = readFileSync(marker, 'utf8')
  while (existsSync(`/proc/${replaying}`) && !isZombie(replaying))
    await new Promise((resolve) => setTimeout(resolve, 20))
})

/** Whether a process has ended and waits for its parent to ask. */
function isZombie(pid: string): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

test('the list of policies', () => {
  const { status, stdout } = tool(['replay', '--list'])
  assert.is(status, 0)
  assert.match(stdout, /^best-fit +the shortest free chunk/m)
})

test('the allocators of C beside a policy, or what is missing', () => {
  const { status, stdout, stderr } = replay('--native', '-p', 'heap', trace)
  if (/C compiler/.test(stderr)) return
  assert.is(status, 0, stderr)
  assert.match(stdout, /^glibc +\d/m)
  const { status: without, stderr: missing } = tool(['replay', '--quick', '--native', '-p', 'heap', trace], {
    PATH: folder,
  })
  assert.is(without, 1)
  assert.match(missing, /--native needs a C compiler/)
})

test('convert writes what was read, and says what it mended', () => {
  for (const [name, format] of [
    ['small.mtrace', 'mtrace'],
    ['small-memory-replay.txt', 'memory_replay'],
    ['small.rep', 'malloc-lab'],
  ] as const) {
    const [from, to] = [join(folder, name), join(folder, 'out.mtrc.gz')]
    writeFileSync(from, sampleFile(name))
    const { status, stderr } = tool(['convert', from, to])
    assert.is(status, 0, stderr)
    assert.match(stderr, new RegExp(`^${format}: \\d+ events`, 'm'))
    const { trace: wanted, notes } = parseTrace(sampleFile(name))
    assert.equal(decodeTrace(readFileSync(to)), wanted)
    for (const note of notes) assert.ok(stderr.includes(note))
  }
})

test('convert: damaged files, full disks, wrong usage', () => {
  const damaged = join(folder, 'damaged.rep')
  writeFileSync(damaged, '1\n1\n1\n1\na 0 x\n')
  fails(
    tool(['convert', damaged, join(folder, 'never')]),
    1,
    /damaged\.rep is no trace: line 5: expected a size, in "a 0 x"/
  )
  assert.not.ok(readdirSync(folder).some((name) => name.includes('never')))
  fails(tool(['convert', damaged]), 2, /convert expects two files/)
  const full = tool(['convert', trace, '/dev/full'])
  assert.is(full.status, 1)
  assert.match(full.stderr, /^sorites: cannot write \/dev\/full: the disk is full\n$/m)
})

test.run()

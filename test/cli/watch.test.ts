/**
 * `sorites watch` against programs that grow, shrink, fail and hang, and its findings on samples that are known.
 *
 * Longer than other files: the programs that are watched, and what must be found in each.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Owner } from '../../src/cli/map/owners.ts'
import { ownerChart } from '../../src/cli/watch/charts.ts'
import { type Finding, findings } from '../../src/cli/watch/findings.ts'
import { watchPage } from '../../src/cli/watch/page.ts'
import { ownersOf, type Sample, Samples } from '../../src/cli/watch/samples.ts'
import { V8Figures } from '../../src/cli/watch/v8-figures.ts'
import { MiB } from '../../src/units.ts'
import { compiled, nodes } from '../helpers/child.ts'

const main = fileURLToPath(compiled('src/cli/main'))
const env = { ...process.env, NODE_V8_COVERAGE: '', NODE_OPTIONS: '' }
let folder = ''

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-watch-'))
})

test.after(() => rmSync(folder, { recursive: true, force: true }))

function watch(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, 'watch', ...words], { encoding: 'utf8', cwd: folder, env })
}

/**
 * Waits, grows by 60 MiB of Buffers, says when, and waits as long again. The clock is the subject: samples have times, and a test asks which of
 * them lie before and behind the growth. No time is asserted.
 */
const growing = (restMs: number): string => `
const keep = []
const begun = Date.now() + ${restMs}
setTimeout(() => {
  const timer = setInterval(() => {
    for (let i = 0; i < 256; i++) keep.push(Buffer.allocUnsafeSlow(8192).fill(1))
    if (keep.length < 256 * 30) return
    clearInterval(timer)
    process.stderr.write(JSON.stringify({ begun, made: Date.now() }))
    setTimeout(() => keep, ${restMs})
  }, 20)
}, ${restMs})`

interface Timed {
  readonly time: number
}

/** Whether some were taken before the program grew, and at least as many after it: what was found depends on that. */
function seesBoth(list: readonly Timed[], { begun, made }: { begun: number; made: number }): boolean {
  const count = (is: (one: Timed) => boolean) => list.filter(is).length
  const [quarter, after] = [Math.max(1, Math.floor(list.length / 4)), count(({ time }) => time > made)]
  return list.length >= 4 && count(({ time }) => time < begun) >= 1 && after >= Math.max(2, quarter)
}

for (const { path, major } of nodes)
  test(`a program that grows, Node ${major}: which owner grew, V8's figures, collections, what it cost`, () => {
    // On a busy machine samples are rare, so the program rests twice as long until there are some on both sides of its growth.
    for (let restMs = 500; ; restMs *= 2) {
      const words = ['--json', '--html', 'page.html', '--interval', '50', '--', path, '-e', growing(restMs)]
      const { status, stdout, stderr } = watch(...words)
      assert.is(status, 0, stderr)
      const times = JSON.parse(/\{"begun".*?\}/.exec(stderr)![0])
      const { samples, v8, findings: found } = JSON.parse(stdout)
      if (!seesBoth(samples, times) || !seesBoth(v8.readings, times)) continue
      const shown = JSON.stringify({ found, samples, readings: v8.readings, times })
      for (const { resident, owners } of samples)
        assert.is(
          (Object.values(owners) as number[]).reduce((sum, bytes) => sum + bytes, 0),
          resident,
          shown
        )
      const last = samples.at(-1)
      // What the kernel has written to swap is held, and not resident.
      assert.ok(last.owners.malloc + last.swapped >= 60 * MiB, shown)
      assert.ok(v8.readings.at(-1).arrayBuffers >= 60 * MiB, shown)
      assert.ok(v8.costMs > 0, shown)
      assert.ok(
        found.some(({ kind }: Finding) => kind === 'cost'),
        shown
      )
      if (last.swapped < MiB) {
        const grew = found.find(
          ({ kind, text }: Finding) => kind === 'grew' && text.startsWith('Buffers and native malloc')
        )
        assert.ok(grew !== undefined, shown)
        assert.match(grew.advice, /arrayBuffers grew too/, shown)
      }
      const page = readFileSync(join(folder, 'page.html'), 'utf8').split('<script>')[0]!
      assert.match(page, /Resident memory by owner/)
      assert.match(page, /heapUsed/)
      assert.not.match(page, /NaN|undefined|(src|href)="(?!#)/)
      return
    }
  })

test('a process by its number, for a while; the page has a name of its own', async () => {
  const child = spawn(process.execPath, ['-e', "console.log('ready'); setInterval(() => {}, 1e6)"], { env })
  try {
    await once(child.stdout, 'data')
    // Stopped, its memory stays as it is.
    child.kill('SIGSTOP')
    while (!/^State:\s*T/m.test(statusOf(child.pid as number))) await new Promise(setImmediate)
    const { status, stdout, stderr } = watch('--interval', '20', '--duration', '0.3', String(child.pid))
    assert.is(status, 0, stderr)
    assert.match(stdout, /Nothing grew lastingly/, stdout)
    assert.match(stderr, /written: sorites-watch\.html/)
    assert.ok(existsSync(join(folder, 'sorites-watch.html')))
  } finally {
    child.kill('SIGKILL')
  }
})

test('a process that ends meanwhile ends the watch', async () => {
  // Nothing outside shows that the watch has begun, so the process lives twice as long until it has.
  for (let lifetimeMs = 500; ; lifetimeMs *= 2) {
    const child = spawn(process.execPath, ['-e', `setTimeout(() => {}, ${lifetimeMs})`], { env })
    const watcher = spawn(process.execPath, [main, 'watch', '--json', '--interval', '20', String(child.pid)], { env })
    let [out, err] = ['', '']
    watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
    watcher.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
    const [status] = await once(watcher, 'close')
    if (status === 0) {
      assert.ok(JSON.parse(out).samples.length >= 1)
      return
    }
    assert.match(err, /^sorites: (there is no process \d+, or it has ended|process \d+ has no memory: .*)\n$/)
  }
})

test('Ctrl-C: the program ends, the report is written, no child is left', async () => {
  const program = 'console.log(process.pid); setInterval(() => {}, 1e6)'
  const watcher = spawn(
    process.execPath,
    [main, 'watch', '--html', 'int.html', '--interval', '20', '--', process.execPath, '-e', program],
    {
      cwd: folder,
      env,
    }
  )
  let [out, err] = ['', '']
  watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
  watcher.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
  while (!/^\d+\n/.test(out)) await once(watcher.stdout, 'data')
  const pid = Number(out.split('\n')[0])
  watcher.kill('SIGINT')
  const [status] = await once(watcher, 'close')
  assert.is(status, 0, err)
  assert.match(err, /The program ended by SIGINT/)
  assert.throws(() => process.kill(pid, 0), /ESRCH/)
  assert.ok(existsSync(join(folder, 'int.html')))
})

test('a second Ctrl-C ends a program that does not want to end, and leaves nothing', async () => {
  const program = "process.on('SIGINT', () => console.log('no')); console.log(process.pid); setInterval(() => {}, 1e6)"
  const before = readdirSync(folder)
  const watcher = spawn(
    process.execPath,
    [main, 'watch', '--html', 'twice.html', '--', process.execPath, '-e', program],
    { cwd: folder, env }
  )
  let out = ''
  watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
  while (!/^\d+\n/.test(out)) await once(watcher.stdout, 'data')
  const pid = Number(out.split('\n')[0])
  watcher.kill('SIGINT')
  while (!out.includes('no')) await once(watcher.stdout, 'data')
  watcher.kill('SIGINT')
  const [status] = await once(watcher, 'close')
  assert.is(status, 130)
  // SIGKILL is on its way; the process is gone, or is a zombie of the reaper's.
  while (existsSync(`/proc/${pid}/status`) && !/^State:\s*Z/m.test(statusOf(pid))) await new Promise(setImmediate)
  assert.equal(readdirSync(folder), before)
})

for (const signal of ['SIGTERM', 'SIGHUP'] as const)
  test(`${signal} reaches the program, and the report is written`, async () => {
    const program = `process.on('${signal}', () => { console.log('heard'); process.exit() }); console.log('ready'); setInterval(() => {}, 1e6)`
    const words = [main, 'watch', '--html', `${signal}.html`, '--', process.execPath, '-e', program]
    const watcher = spawn(process.execPath, words, { cwd: folder, env })
    let [out, err] = ['', '']
    watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
    watcher.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
    while (!out.includes('ready')) await once(watcher.stdout, 'data')
    watcher.kill(signal)
    const [status] = await once(watcher, 'close')
    assert.is(status, 0, err)
    assert.match(out, /heard/)
    assert.ok(existsSync(join(folder, `${signal}.html`)))
  })

test('a second Ctrl-C ends what the program has started, too', async () => {
  const inner = "process.on('SIGINT', () => {}); console.log(process.pid); setInterval(() => {}, 1e6)"
  const outer = `process.on('SIGINT', () => console.log('no'))
    require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'inherit' })`
  const words = [main, 'watch', '--html', 'tree.html', '--', process.execPath, '-e', outer]
  const watcher = spawn(process.execPath, words, { cwd: folder, env })
  let out = ''
  watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
  while (!/^\d+\n/.test(out)) await once(watcher.stdout, 'data')
  const pid = Number(out.split('\n')[0])
  watcher.kill('SIGINT')
  while (!out.includes('no')) await once(watcher.stdout, 'data')
  watcher.kill('SIGINT')
  await once(watcher, 'close')
  while (existsSync(`/proc/${pid}/status`) && !/^State:\s*Z/m.test(statusOf(pid))) await new Promise(setImmediate)
})

test('stdout is for the JSON alone: what the program prints goes to stderr', () => {
  const { status, stdout, stderr } = watch(
    '--json',
    '--',
    process.execPath,
    '-e',
    "console.log('printed'); setTimeout(() => {}, 300)"
  )
  assert.is(status, 0, stderr)
  assert.match(stderr, /printed/)
  assert.ok(JSON.parse(stdout).samples.length > 0)
})

/** Watches a shell that starts Node for so long. */
function watchShell(restMs: number): ReturnType<typeof watch> {
  const script = `${process.execPath} -e 'setTimeout(() => {}, ${restMs})'; true`
  return watch('--json', '--interval', '20', '--', 'sh', '-c', script)
}

test('V8 speaks for the process that is watched, not for programs that it starts', () => {
  const { status, stdout, stderr } = watchShell(300)
  assert.is(status, 0, stderr)
  assert.equal(JSON.parse(stdout).v8.readings, [])
})

test('the memory of programs that the program starts is said to be missing', () => {
  // Looks are rare on a busy machine, so the inner program lives twice as long until it has been seen.
  for (let restMs = 1000; ; restMs *= 2) {
    const { status, stdout, stderr } = watchShell(restMs)
    assert.is(status, 0, stderr)
    const found = JSON.parse(stdout).findings.find(({ kind }: Finding) => kind === 'offspring')
    if (found === undefined) continue
    assert.match(found.text, /memory of a process that it started: \S+ \(\d+\) [\d.]+ MiB\./)
    return
  }
})

for (const { path, major } of nodes)
  test(`a program under the permission model, Node ${major}`, () => {
    writeFileSync(join(folder, 'allowed.cjs'), 'setTimeout(() => {}, 300)')
    const file = join(folder, 'allowed.cjs')
    const permission = major < 22 ? '--experimental-permission' : '--permission'
    const { status, stdout, stderr } = watch('--json', '--', path, permission, `--allow-fs-read=${file}`, file)
    assert.is(status, 0, stderr)
    assert.ok(JSON.parse(stdout).v8.readings.length > 0)
  })

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return 'State: Z'
  }
}

test('programs that fail, that are none, and processes that are none', () => {
  const failing = watch('--interval', '10', '--', process.execPath, '-e', 'setTimeout(() => process.exit(3), 300)')
  assert.is(failing.status, 1)
  assert.match(failing.stderr, /The program ended by exit status 3/)
  for (const [words, status, wanted] of [
    [['--', './no-such-program'], 1, /cannot start \.\/no-such-program: there is no such file/],
    [['4194303'], 1, /there is no process 4194303/],
    [[], 2, /expects one process/],
    [['1', '--', 'true'], 2, /expects one process/],
    [['--interval', '1', '1'], 2, /--interval expects/],
  ] as const) {
    const found = watch(...words)
    assert.is(found.status, status, found.stderr)
    assert.match(found.stderr, wanted)
    assert.match(found.stderr, /^sorites: [^\n]+\n$/)
  }
  const full = watch('--html', '/dev/full', '--', process.execPath, '-e', 'setTimeout(() => {}, 200)')
  assert.is(full.status, 1)
  assert.match(full.stderr, /the disk is full/)
})

test('the module leaves the environment as it was, and programs of the program alone', () => {
  writeFileSync(
    join(folder, 'environment.mjs'),
    `import { spawnSync } from 'node:child_process'
    const names = Object.keys(process.env).filter((name) => name.startsWith('SORITES_WATCH'))
    const inner = spawnSync(process.execPath, ['-p', 'JSON.stringify([process.env.NODE_OPTIONS])'], { encoding: 'utf8' })
    console.log(JSON.stringify({ names, options: process.env.NODE_OPTIONS ?? null, inner: JSON.parse(inner.stdout) }))
    setTimeout(() => {}, 300)`
  )
  const run = (options: string) =>
    spawnSync(process.execPath, [main, 'watch', '--html', 'e.html', '--', process.execPath, 'environment.mjs'], {
      encoding: 'utf8',
      cwd: folder,
      env: { ...env, NODE_OPTIONS: options },
    })
  const plain = run('')
  assert.is(plain.status, 0, plain.stderr)
  assert.equal(JSON.parse(plain.stdout.split('\n')[0]!), { names: [], options: null, inner: [null] })
  const given = run('--no-warnings')
  assert.equal(JSON.parse(given.stdout.split('\n')[0]!), {
    names: [],
    options: '--no-warnings',
    inner: ['--no-warnings'],
  })
})

/** Samples a second apart. */
function samples(...owners: Partial<Record<Owner, number>>[]): Sample[] {
  return owners.map((one, second) => ({
    time: 1e12 + 1000 * second,
    resident: Object.values(one).reduce((sum, bytes) => sum + bytes, 0),
    swapped: 0,
    owners: one,
  }))
}

const heaps = { usedBytes: 10 * MiB, freeBytes: 30 * MiB, topBytes: 2 * MiB, blocks: 1, heaps: 1, unknownHeaps: 0 }

test('findings: grew, came back, kept', () => {
  const list = samples(
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({ malloc: 10 * n * MiB, 'v8-heap': (n === 4 ? 90 : 20) * MiB, files: MiB }))
  )
  const v8 = new V8Figures()
  v8.add('{"time":1000000001000,"heapUsed":1048576,"heapTotal":41943040,"external":0,"arrayBuffers":0,"costMs":1}\n')
  v8.add('{"gc":"major","time":1000000002000,"ms":12.5,"costMs":1.5}\n')
  const arenas = [
    {
      name: 'cache',
      start: 0,
      end: 1,
      byteLength: 1,
      residentBytes: 50 * MiB,
      allocators: [{ kind: 'Heap', offset: 0, byteLength: 1, usedBytes: MiB }],
    },
  ]
  const found = findings({ samples: list, malloc: heaps, arenas, v8 })
  const texts = found.map(({ kind, text }) => `${kind}: ${text}`).join('\n')
  assert.match(texts, /grew: Buffers and native malloc grew from 10\.0 MiB to 70\.0 MiB/)
  assert.match(texts, /came back: Of V8 heap 70\.0 MiB came back: from 90\.0 MiB/)
  assert.match(texts, /kept: malloc keeps at least 32\.0 MiB/)
  assert.match(texts, /kept: V8 keeps 39\.0 MiB/)
  assert.match(texts, /kept: The arena "cache" has 50\.0 MiB resident and 1\.00 MiB in use/)
  assert.match(texts, /collections: 1 garbage collection, 1 of them major, took 12\.5 ms/)
  assert.not.match(texts, /mapped files/)
  assert.not.match(texts, /Nothing grew/)
  const quiet = findings({
    samples: samples({ malloc: 9 * MiB }, { malloc: 9 * MiB }),
    malloc: undefined,
    arenas: [],
    v8: undefined,
  })
  assert.equal(
    quiet.map(({ kind }) => kind),
    ['steady']
  )
  const page = watchPage({ title: '<x>', origin: 'here', samples: list, malloc: heaps, arenas, v8 })
  assert.match(page, /&lt;x&gt;/)
  assert.match(page, /major collection, 12\.5 ms/)
})

test('the share of the time is of the life of a program, also where it was seen once', () => {
  const v8 = new V8Figures()
  const figures = '"heapUsed":1,"heapTotal":1,"external":0,"arrayBuffers":0'
  v8.add(
    `{"time":1000000000000,${figures},"costMs":10,"upMs":100}\n{"gc":"minor","time":1000000000001,"ms":5,"costMs":10,"upMs":200}\n`
  )
  const [, collected, cost] = findings({ samples: samples({ malloc: MiB }), malloc: undefined, arenas: [], v8 })
  assert.match(collected!.text, /took 5\.00 ms \(2\.5 % of the time\)/)
  assert.match(cost!.text, /took 10\.0 ms of the program's time \(5\.0 %\), in 1 reading\./)
})

test('what comes from a program may be anything', () => {
  const v8 = new V8Figures()
  v8.add('{"time":1,"heapUsed":2,"heap')
  v8.add(
    'Total":3,"external":4,"arrayBuffers":5,"costMs":6}\nnull\n[]\n{}\n{"time":"x"}\n{"time":1e999}\nnonsense\n"\n{"gc":1,"time":2}\n'
  )
  assert.equal(v8.readings, [{ time: 1, heapUsed: 2, heapTotal: 3, external: 4, arrayBuffers: 5 }])
  assert.equal(v8.collections, [])
  assert.is(v8.costMs, 6)
})

test('areas add up, and owners without a colour are summed', () => {
  const owners = Object.fromEntries(
    ['v8-heap', 'v8-code', 'webassembly', 'malloc', 'sorites', 'stacks', 'files', 'shared', 'libraries'].map(
      (owner, index) => [owner, (9 - index) * MiB]
    )
  )
  const list = samples(owners, owners)
  const { series } = ownerChart(list, undefined)
  assert.is(series.length, 8)
  assert.is(
    series.reduce((sum, { points }) => sum + points[0]![1], 0),
    45 * MiB
  )
  assert.is(ownersOf(list)[0], 'v8-heap')
})

test('samples of a process that is taken apart are dropped', () => {
  const watched = new Samples(process.pid, 10)
  const heap = (...sizes: number[]) => samples(...sizes.map((bytes) => ({ malloc: MiB, 'v8-heap': bytes })))
  const left = (...sizes: number[]) => {
    watched.list.splice(0, watched.list.length, ...heap(...sizes))
    watched.dropEdges()
    return watched.list.map(({ owners }) => owners['v8-heap'])
  }
  assert.equal(left(0, 4 * MiB, 45 * MiB, 44 * MiB, 52_000, 4096), [4 * MiB, 45 * MiB, 44 * MiB])
  assert.equal(left(40 * MiB, 30 * MiB, 3 * MiB), [40 * MiB, 30 * MiB])
  assert.equal(left(0, 0), [0, 0], 'a program that is not Node')
})

test('a long run keeps half of its samples, half as often', () => {
  const watched = new Samples(process.pid, 10)
  for (let index = 0; index < 8000; index++) watched.list.push({ time: index, resident: 0, swapped: 0, owners: {} })
  watched.take()
  assert.is(watched.list.length, 4001)
  assert.is(watched.intervalMs, 20)
})

test.run()

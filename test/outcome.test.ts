/** The runner's own judgement: no way for a test process to end badly and be counted as passed, and nothing is left of it. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { judge, type Outcome, type RunOptions, runFile, testEnvironment } from './outcome.ts'
import { processesOf } from './processes.ts'

const summary = (total: number, passed: number) => `\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   1\n`
const UVU = JSON.stringify(import.meta.resolve('uvu'))
const folder = mkdtempSync(join(tmpdir(), 'sorites-runner-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

let count = 0

function run(body: string, options: RunOptions = {}): Promise<Outcome> {
  const file = join(folder, `${count++}.mjs`)
  writeFileSync(file, body)
  return runFile(file, options)
}

test('counts come from the last summary', () => {
  assert.equal(judge(summary(9, 1) + summary(5, 5), 0, null), { passed: 5, failed: 0, skipped: 1, reason: undefined })
  assert.equal(judge(summary(5, 3), 1, null), { passed: 3, failed: 2, skipped: 1, reason: undefined })
})

test('a bad end is a failure, whatever was counted', () => {
  assert.is(judge(summary(5, 5), null, 'SIGSEGV').failed, 1)
  assert.is(judge(summary(5, 5), 1, null).failed, 1)
  assert.is(judge(summary(5, 5), 0, null, 'process 7: sleep').failed, 1)
  assert.is(judge('', 0, null).failed, 1)
  assert.is(judge('', null, 'SIGABRT').reason, 'ended by SIGABRT')
  assert.is(judge(summary(5, 5), null, 'X').reason, 'ended by X, after its tests: something is left open')
})

test('a process that dies by a signal, exits early, or says nothing has failed', async () => {
  const early = `import { test } from ${UVU}; test('first', () => {}); test('second', () => process.exit(0)); test.run()`
  for (const [body, reason] of [
    ['process.kill(process.pid, "SIGSEGV")', /SIGSEGV/],
    ['console.log("hello")', /without a summary/],
    [`import { test } from ${UVU}; test('never run', () => {})`, /without a summary/],
    [`import { test } from ${UVU}; test.run()`, /it has no tests/],
    [early, /exit status \d+ without a summary/],
    [early.replace('process.exit(0)', 'new Promise(() => {})'), /exit status \d+ without a summary/],
    [
      `${early.replace('process.exit(0)', '{}')}; process.on('exit', () => { process.exitCode = 3 })`,
      /though every test passed/,
    ],
  ] as const) {
    const { failed, reason: found } = await run(body)
    assert.ok(failed > 0, body)
    assert.match(found ?? '', reason, body)
  }
  const good = await run(early.replace('process.exit(0)', '{}'))
  assert.equal([good.passed, good.failed, good.reason], [2, 0, undefined], good.output)
  const bad = await run(early.replace('process.exit(0)', '{ throw new Error("no") }'))
  assert.equal([bad.passed, bad.failed, bad.reason], [1, 1, undefined], bad.output)
})

test('a file that does not end is stopped, and the report says where it was', async () => {
  const endless = await run('function spinning() { for (;;) ; }\nspinning()', { watchdogSeconds: 2 })
  assert.match(endless.reason ?? '', /^ended by the watchdog: no end after 2 s$/)
  assert.match(endless.output, /process \d+: .*\n {2}thread \d+ \S+: [A-Z] /)
  // A machine that is very busy may not answer in time; what it then says is true as well.
  assert.match(endless.output, /JavaScript of process \d+:\n {2}(at spinning .*:1:\d+|no JavaScript runs)/)
  const open = await run(
    `import { test } from ${UVU}; test('fine', () => {}); test.run(); setInterval(() => {}, 1000)`,
    { watchdogSeconds: 3 }
  )
  // On a busy machine it may not have come to its tests by then.
  assert.match(
    open.reason ?? '',
    /^ended by the watchdog: no end after 3 s(, after its tests: something is left open)?$/
  )
  assert.is(open.failed, 1)
})

test('processes that a file leaves behind are a failure, and are ended', async () => {
  const leaving = (stdio: string) => `
    import { test } from ${UVU}
    import { spawn } from 'node:child_process'
    test('leaves a process', () => { spawn('sleep', ['3600'], { stdio: '${stdio}' }).unref() })
    test.run()`
  // One that has the pipe of the file's output keeps it open; one that has not shows nowhere but in the list of processes.
  for (const stdio of ['inherit', 'ignore']) {
    const { failed, reason, passed } = await run(leaving(stdio), { lingerSeconds: 1 })
    assert.equal([passed, failed], [1, 1])
    assert.match(reason ?? '', /left processes behind:\nprocess \d+: sleep 3600/)
    const pid = Number(/process (\d+)/.exec(reason as string)?.[1])
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve))
  }
})

/** Whether it runs; a zombie does not, and may stay for ever where no process waits for it. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a runner that is ended leaves no process behind', async () => {
  // A runner of its own, beside which a folder of tests lies: the compiled one with its imports.
  const build = join(folder, 'build')
  const here = dirname(fileURLToPath(import.meta.url))
  mkdirSync(join(build, 'test'), { recursive: true })
  mkdirSync(join(build, 'hanging'))
  writeFileSync(join(build, 'package.json'), '{ "type": "module" }')
  for (const name of ['run.js', 'outcome.js', 'processes.js', 'stacks.js'])
    writeFileSync(join(build, 'test', name), readFileSync(join(here, name)))
  const body = `
    import { spawn } from 'node:child_process'
    import { renameSync, writeFileSync } from 'node:fs'
    const child = spawn('sleep', ['3600'], { stdio: 'inherit' })
    writeFileSync(process.env.RUNNER_PIDS + '~', process.pid + ' ' + child.pid)
    renameSync(process.env.RUNNER_PIDS + '~', process.env.RUNNER_PIDS)
    setInterval(() => {}, 1000)`
  writeFileSync(join(build, 'hanging/one.test.js'), body)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const pids = join(folder, signal)
    const env = { ...testEnvironment(), RUNNER_PIDS: pids }
    const runner = spawn(process.execPath, [join(build, 'test/run.js'), 'hanging'], { env, stdio: 'ignore' })
    const ended = new Promise((resolve) => runner.once('exit', (status) => resolve(status)))
    let text = ''
    while (text === '' && runner.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      text = readIfThere(pids)
    }
    runner.kill(signal)
    assert.is.not(await ended, 0)
    const [leader, child] = text.split(' ').map(Number) as [number, number]
    while (isAlive(leader) || isAlive(child)) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(processesOf(leader), [])
  }
})

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

test('what the caller has set for Node does not reach the tests', async () => {
  const env = testEnvironment({ ...process.env, NODE_OPTIONS: '--no-such-option', FORCE_COLOR: '1', LC_ALL: 'de_DE' })
  const { failed, output } = await run(
    `import { test } from ${UVU}
    test('env', () => { if (process.umask() !== 0o022 || process.env.LC_ALL !== 'C') throw new Error('no') })
    test.run()`,
    { env }
  )
  assert.is(failed, 0, output)
})

test.run()

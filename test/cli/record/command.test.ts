/**
 * `sorites record` on programs whose memory is known: what is written down and what is not, that the program runs as it would without, and
 * how it fails.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readTrace } from '../../../src/trace/readers/read-trace.ts'
import { CALLOC, FLAG_TRUNCATED, FREE, MALLOC, type Trace } from '../../../src/trace/trace.ts'
import { nodes } from '../../helpers/child.ts'
import { roomyFolder } from '../../helpers/scratch.ts'

const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
const temporary = join(folder, 'tmp')
mkdirSync(temporary)
test.after(() => rmSync(folder, { recursive: true }))
const output = join(folder, 'out.mtrc')
const env = { ...process.env, NODE_V8_COVERAGE: '', NODE_OPTIONS: '', TMPDIR: temporary }

function record(program: readonly string[], ...options: readonly string[]): SpawnSyncReturns<string> {
  rmSync(output, { force: true })
  const result = spawnSync(process.execPath, [main, 'record', '-o', output, ...options, '--', ...program], {
    encoding: 'utf8',
    env,
  })
  assert.equal(readdirSync(temporary), [], 'nothing is left behind')
  return result
}

function programFile(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Blocks of an odd size that the program made. */
const count = ({ meta, size }: Trace, op: number, byteLength: number): number =>
  size.reduce((sum, bytes, event) => sum + Number(bytes === byteLength && (meta[event]! & 255) === op), 0)

test('a place that cannot be written to is known before the program runs', () => {
  const started = join(folder, 'started')
  const program = `require('fs').writeFileSync(${JSON.stringify(started)}, '')`
  const words = ['record', '-o', join(folder, 'none', 'out.mtrc'), '--', process.execPath, '-e', program]
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8', env })
  assert.is(status, 1)
  assert.match(stderr, /^sorites: cannot write .*out\.mtrc: there is no such file or folder\n$/)
  assert.not.ok(existsSync(started))
})

for (const { path: node, major } of nodes) {
  test(`Node ${major}: each way of making memory is one block, and a view over memory none`, () => {
    const program = programFile(
      'ways.cjs',
      `const memory = new ArrayBuffer(70001)
new Uint8Array(memory); new Float32Array(memory, 4, 2); Buffer.from(memory); new DataView(memory)
Buffer.alloc(70003); Buffer.allocUnsafe(70005); Buffer.allocUnsafeSlow(70007)
Buffer.from('x'.repeat(70009)); Buffer.concat([Buffer.alloc(70011), Buffer.alloc(70011)])
new Float64Array(8757); new Int8Array(new Array(70013)); new SharedArrayBuffer(70015)
class Own extends Uint16Array {}
new Own(35009)
Uint8Array.from({ length: 70019 })`
    )
    const { status, stderr } = record([node, program])
    assert.is(status, 0, stderr)
    const trace = readTrace(output)
    for (const [op, bytes, blocks] of [
      [CALLOC, 70001, 1],
      [CALLOC, 70003, 1],
      [MALLOC, 70005, 1],
      [MALLOC, 70007, 1],
      [MALLOC, 70009, 1],
      [CALLOC, 70011, 2],
      [MALLOC, 140022, 1],
      [CALLOC, 70056, 1],
      [MALLOC, 70013, 1],
      [CALLOC, 70015, 1],
      [CALLOC, 70018, 1],
      [CALLOC, 70019, 1],
    ] as const)
      assert.is(count(trace, op, bytes), blocks, `${bytes} bytes`)
    assert.match(stderr, /Not seen: what Node and native code make/)
  })

  test(`Node ${major}: what the collector finds is freed, what is held is not`, () => {
    const program = programFile(
      'lives.mjs',
      `const held = []
for (let i = 0; i < 300; i++) (i % 3 === 0 ? held : []).push(Buffer.alloc(90001))
for (let i = 0; i < 300; i++) (i % 3 === 0 ? held : []).push(new Uint32Array(12))
// Until the finalizers of all that is garbage have run.
let found = 0
const sentinel = new FinalizationRegistry(() => found++)
sentinel.register({}, 0)
for (let quiet = 0; quiet < 20; quiet++) { gc(); await new Promise((resolve) => setImmediate(resolve)) }
while (found === 0) { gc(); await new Promise((resolve) => setImmediate(resolve)) }
globalThis.held = held`
    )
    const { status, stderr } = record([node, '--expose-gc', program])
    assert.is(status, 0, stderr)
    const trace = readTrace(output)
    assert.is(count(trace, CALLOC, 90001), 300)
    assert.is(count(trace, CALLOC, 48), 300)
    const frees = trace.meta.reduce((sum, meta) => sum + Number((meta & 255) === FREE), 0)
    // The last of each kind may still be in a register or on the stack.
    assert.ok(frees >= 398 && frees <= trace.summary.blocks - 200, `${frees} frees`)
  })

  test(`Node ${major}: the program runs as it would without`, () => {
    const program = programFile(
      'same.mjs',
      `import assert from 'node:assert'
class Own extends Uint8Array {}
assert.ok(new Own(3) instanceof Own && new Own(3) instanceof Uint8Array)
assert.equal(new Uint8Array(2).constructor, Uint8Array)
assert.equal(new Own(2).constructor, Own)
assert.ok(Buffer.from('a') instanceof Uint8Array && Buffer.isBuffer(Buffer.alloc(1)))
assert.equal(Uint8Array.name, 'Uint8Array'); assert.equal(Uint8Array.BYTES_PER_ELEMENT, 1)
assert.equal(Buffer.alloc.name, 'alloc'); assert.equal(Buffer.alloc(2, 'ab').toString(), 'ab')
assert.throws(() => Uint8Array(3), TypeError)
assert.throws(() => new ArrayBuffer(-1), RangeError)
assert.deepStrictEqual(new Uint8Array([1, 2]).map((x) => x * 2), new Uint8Array([2, 4]))
assert.deepStrictEqual(structuredClone(new Float32Array([1])), new Float32Array([1]))
assert.equal(Object.prototype.toString.call(new ArrayBuffer(1)), '[object ArrayBuffer]')
console.log('fine')
process.exitCode = 7`
    )
    const { status, stdout, stderr } = record([node, program])
    assert.is(stdout, 'fine\n', stderr)
    assert.is(status, 1, 'statuses are those of the tool')
    assert.match(stderr, /The program ended by exit status 7\./)
    assert.ok(existsSync(output))
  })
}

test('sites say where', () => {
  const program = programFile(
    'sites.cjs',
    'function make() { return Buffer.alloc(70001) }\nfor (let i = 0; i < 5; i++) make()'
  )
  const { stderr } = record([process.execPath, program], '--sites')
  assert.match(stderr, /^ *342 KiB +5 +5 +make \(.*sites\.cjs:1:33\)$/m)
})

test('of several threads the one with most events is taken, and the others are named', () => {
  const program = programFile(
    'threads.cjs',
    `const { Worker, isMainThread } = require('node:worker_threads')
if (isMainThread) { new Worker(__filename); for (let i = 0; i < 100; i++) Buffer.alloc(70001) }
else Buffer.alloc(70003)`
  )
  const { status, stderr } = record([process.execPath, program])
  assert.is(status, 0, stderr)
  assert.match(
    stderr,
    /^Of 2 processes and threads this is process \d+ \(.* events\); not in the trace: process \d+, thread 1/m
  )
  assert.is(count(readTrace(output), CALLOC, 70001), 100)
})

test('a program that is killed leaves what was written, and Ctrl-C ends the program', async () => {
  const program = programFile(
    'endless.cjs',
    `for (let i = 0; i < 5000; i++) Buffer.alloc(70001)
setTimeout(() => console.log('ready'), 600)
setInterval(() => {}, 1000)`
  )
  const child = spawn(process.execPath, [main, 'record', '-o', output, '--', process.execPath, program], { env })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGINT')
  const status = await new Promise((resolve) => child.on('close', resolve))
  assert.is(status, 0, stderr)
  assert.match(stderr, /The program ended by SIGINT/)
  const trace = readTrace(output)
  assert.ok(count(trace, CALLOC, 70001) >= 4096)
  assert.ok((trace.flags & FLAG_TRUNCATED) !== 0)
  assert.match(stderr, /did not come to its exit/)
  assert.equal(readdirSync(temporary), [])
})

for (const { path: node, major } of nodes)
  test(`Node ${major}: a program under the permission model`, () => {
    const program = programFile('allowed.cjs', 'for (let i = 0; i < 100; i++) Buffer.alloc(70001)')
    const permission = major < 22 ? '--experimental-permission' : '--permission'
    const { status, stderr } = record([node, permission, `--allow-fs-read=${program}`, program])
    assert.is(status, 0, stderr)
    assert.is(count(readTrace(output), CALLOC, 70001), 100)
  })

test('a recording that cannot be written is a failure, and the program does not notice', () => {
  // A folder that is gone is refused as a full disk is: by an error of the write.
  const program = programFile(
    'unwritable.cjs',
    `const { readdirSync, openSync, closeSync, readlinkSync } = require('fs')
for (const fd of readdirSync('/proc/self/fd'))
  try { if (readlinkSync('/proc/self/fd/' + fd).endsWith('.events')) closeSync(Number(fd)) } catch {}
for (let i = 0; i < 20000; i++) Buffer.alloc(100)
console.log('fine')`
  )
  const { status, stdout, stderr } = record([process.execPath, program])
  assert.is(stdout, 'fine\n')
  assert.is(status, 1)
  assert.match(stderr, /^sorites: cannot write the recording in [^\n]+\n$/)
  assert.not.ok(existsSync(output))
})

test('no folder for what is made on the way', () => {
  const words = [main, 'record', '-o', output, '--', process.execPath, '-e', '0']
  const { status, stderr } = spawnSync(process.execPath, words, {
    encoding: 'utf8',
    env: { ...env, TMPDIR: join(folder, 'none') },
  })
  assert.is(status, 1)
  assert.match(stderr, /^sorites: cannot make a folder in .*none: there is no such file or folder\n$/)
})

test('failures: no program, none of that name, none of Node', () => {
  const fails = (result: SpawnSyncReturns<string>, status: number, message: RegExp): void => {
    assert.match(result.stderr, message)
    assert.is(result.status, status)
    assert.not.ok(existsSync(output))
  }
  fails(record([]), 2, /record expects a program after `--`/)
  fails(
    record(['/no/such/program']),
    1,
    /^sorites: cannot start \/no\/such\/program: there is no such file or folder\n$/
  )
  fails(record(['true']), 1, /^sorites: true was not recorded: it is no Node program/)
})

test.run()

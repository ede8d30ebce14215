/**
 * `sorites/trace` as a user has it: by the package's name and its exports, from modules and from CommonJS. Reads every format, writes,
 * records, replays, verifies, and refuses what is none.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { copyPackage } from '../helpers/built-package.ts'
import { nodes } from '../helpers/child.ts'
import { scratch } from '../helpers/scratch.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const place = join(scratch, 'node_modules', 'sorites')

test.before(async () => {
  mkdirSync(place, { recursive: true })
  copyFileSync(join(root, 'package.json'), join(place, 'package.json'))
  await copyPackage(join(place, 'dist'))
  symlinkSync(join(root, 'node_modules', 'koffi'), join(scratch, 'node_modules', 'koffi'))
})

/** Runs a program beside the package; gives what it printed. */
function run(node: string, name: string, text: string): string {
  const file = join(scratch, name)
  writeFileSync(file, text)
  const { status, stdout, stderr } = spawnSync(node, ['--no-warnings', file], {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
  assert.is(status, 0, stderr)
  return stdout
}

const FILES = {
  'memory-replay': join(root, 'test/trace/files/small-memory-replay.txt'),
  mtrace: join(root, 'test/trace/files/small.mtrace'),
  'malloc lab': join(root, 'test/trace/files/small.rep'),
  MTRC: join(root, 'traces/gs.mtrc.gz'),
}

/** Records a heap, writes the trace, reads it again, and runs it once more, plainly and with every byte verified. */
const PROGRAM = `
const arena = Arena.reserve(MiB)
const recorder = new Recorder(new Heap(arena), arena)
const blocks = Array.from({ length: 100 }, (_, at) => recorder.malloc(at * 8))
for (const block of blocks.filter((_, at) => at % 3 === 0)) recorder.free(block)
recorder.realloc(blocks[1], 4000)
const view = recorder.alloc(Float64Array, 10)
recorder.free(view)
writeTrace('${join(scratch, 'own.mtrc.gz')}', recorder.trace())
const trace = readTrace('${join(scratch, 'own.mtrc.gz')}')
const again = Arena.reserve(MiB)
const replay = new Replay(trace, new Heap(again))
const events = replay.run()
const left = replay.drain()
const third = Arena.reserve(MiB)
const verified = new VerifiedReplay(trace, new Heap(third), third)
verified.run()
const texts = ${JSON.stringify(Object.values(FILES))}.map((path) => readTrace(path).summary.blocks)
const codes = [Buffer.from('no trace'), Buffer.from('MTRC'), Buffer.alloc(0), encodeTrace(trace).subarray(0, 80)].map((bytes) => {
  try { parseTrace(bytes) } catch (error) { return error instanceof TraceError ? error.fault : String(error) }
})
console.log(JSON.stringify({ events, left, done: verified.done, texts, codes, same: encodeTrace(decodeTrace(encodeTrace(trace))).length }))
`
const NAMES =
  'Recorder, Replay, TraceError, VerifiedReplay, decodeTrace, encodeTrace, parseTrace, readTrace, writeTrace'

for (const { path, major } of nodes) {
  const expected = { events: 137, left: 66, done: true }
  const check = (out: string) => {
    const { texts, codes, same, ...rest } = JSON.parse(out)
    assert.equal(rest, expected)
    assert.ok(
      texts.every((blocks: number) => blocks > 0),
      String(texts)
    )
    assert.equal(codes.length, 4)
    for (const code of codes) assert.match(code, /^(magic|truncated)$/)
    assert.is(same, 64 + 12 * 137)
  }

  test(`from a module, Node ${major}`, () =>
    check(
      run(
        path,
        'program.mjs',
        `import { Arena, Heap, MiB } from 'sorites'\nimport { ${NAMES} } from 'sorites/trace'\n${PROGRAM}`
      )
    ))

  test(`from CommonJS, Node ${major}`, () =>
    check(
      run(
        path,
        'program.cjs',
        `const { Arena, Heap, MiB } = require('sorites')\nconst { ${NAMES} } = require('sorites/trace')\n${PROGRAM}`
      )
    ))
}

test('nothing else of the package can be imported by name', () => {
  const out = run(
    process.execPath,
    'inside.mjs',
    `for (const name of ['sorites/dist/trace/trace.js', 'sorites/trace/record', 'sorites/cli'])
      await import(name).then(() => console.log('open'), (error) => console.log(error.code))`
  )
  assert.equal(out.trim().split('\n'), Array(3).fill('ERR_PACKAGE_PATH_NOT_EXPORTED'))
})

test.run()

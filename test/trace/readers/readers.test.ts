/** Traces of other formats: what each call becomes, what is mended and noted, and which line is named of a file that is damaged. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceError, type TraceFault } from '../../../src/trace/error.ts'
import { type ParsedTrace, parseTrace, readTrace } from '../../../src/trace/readers/read-trace.ts'
import {
  CALLOC,
  FLAG_FETCHED,
  FLAG_TRUNCATED,
  FREE,
  MALLOC,
  MEMALIGN,
  REALLOC,
  type Trace,
} from '../../../src/trace/trace.ts'
import { roomyFolder } from '../../helpers/scratch.ts'
import { sampleFile } from './files.ts'

const parse = (text: string): ParsedTrace => parseTrace(Buffer.from(text))
const [M, C, R, F] = [MALLOC, CALLOC, REALLOC, FREE]

/** Each event as operation, slot, size. */
const events = ({ meta, slot, size }: Trace): number[][] =>
  [...meta].map((word, index) => [word & 0xff, slot[index]!, size[index]!])

function fault(text: string | Uint8Array, kind: TraceFault, line: number | undefined, message: RegExp): void {
  try {
    parseTrace(Buffer.from(text as string))
  } catch (error) {
    assert.instance(error, TraceError, String(error))
    const found = error as TraceError
    assert.is(found.fault, kind, found.message)
    assert.is(found.line, line, found.message)
    assert.match(found.message, message)
    if (line !== undefined) assert.match(found.message, new RegExp(`^line ${line}: `))
    return
  }
  throw new Error(`accepted: ${text}`)
}

test('memory_replay: every call, failures and threads', () => {
  const { trace, format, notes } = parseTrace(sampleFile('small-memory-replay.txt'))
  assert.is(format, 'memory_replay')
  const memalign = MEMALIGN
  assert.equal(events(trace), [
    [M, 0, 40],
    [C, 1, 100],
    [memalign, 2, 9000],
    [M, 3, 0],
    [R, 0, 5000],
    [M, 4, 33],
    [F, 1, 0],
    [F, 0, 0],
    [F, 2, 0],
  ])
  assert.is((trace.meta[2]! >>> 8) & 0xff, 12)
  assert.equal(
    [...trace.meta].map((word) => word >>> 16),
    [0, 0, 0, 1, 1, 1, 0, 0, 0]
  )
  assert.is(trace.summary.threads, 2)
  assert.is(trace.flags, FLAG_FETCHED)
  assert.equal(notes, ['1 free of blocks whose allocation is not in the file: left out'])
})

test('memory_replay: any blanks between words, from the first line on', () => {
  for (const text of ['1:\tmalloc\t0x10\t5\r\n', '1:malloc  0x10 5 \n', '\n  1: malloc 0x10\t5'])
    assert.is(parseTrace(Buffer.from(text)).trace.summary.peakLiveBytes, 5, JSON.stringify(text))
})

test('memory_replay: addresses of 64 bits that differ in one bit are two blocks', () => {
  const { trace, notes } = parse(
    '1: malloc 0xb400007fffffffff 1\n1: malloc 0xb400007ffffffffe 2\n1: malloc 0x3400007fffffffff 3\n1: free 0xB400007FFFFFFFFE\n'
  )
  assert.equal(events(trace), [
    [M, 0, 1],
    [M, 1, 2],
    [M, 2, 3],
    [F, 1, 0],
  ])
  assert.equal(notes, [])
})

test('memory_replay: an alignment that is no power of two is rounded up, a realloc in place keeps its size above 0', () => {
  const { trace } = parse('1: memalign 0x30 24 5\n1: realloc 0x30 0x30 0\n2: memalign 0x40 0 5\n')
  assert.equal([...trace.meta], [MEMALIGN | (5 << 8), REALLOC, MEMALIGN | (1 << 16)])
  assert.equal([...trace.size], [5, 1, 5])
})

test('memory_replay: a lost free and a lost malloc are mended, and said', () => {
  const { trace, notes } = parse('1: malloc 0x10 1\n1: malloc 0x10 2\n1: realloc 0x20 0x30 3\n1: realloc 0x20 0x10 4\n')
  assert.equal(events(trace), [
    [M, 0, 1],
    [F, 0, 0],
    [M, 0, 2],
    [M, 1, 3],
    [F, 1, 0],
    [R, 0, 4],
  ])
  assert.equal(notes, [
    '1 realloc of blocks whose allocation is not in the file: taken as mallocs',
    '2 blocks made where one was live: its free went missing, and is put in',
  ])
})

test('memory_replay: the line and the reason of what is wrong', () => {
  const good = '7: malloc 0x10 1\n\n'
  const cases: [string, RegExp][] = [
    ['7: malloc 0x20\n', /expected a size, in "7: malloc 0x20"/],
    ['7: malloc\n', /expected a pointer/],
    ['7: malloc 0x20 -5\n', /expected a size/],
    ['7: malloc 0x20 2147483648\n', /the size is not below 2\^31/],
    ['7: malloc 0x20 99999999999999999999999999\n', /the size is not below 2\^31/],
    ['7: calloc 0x20 4000000000 4000000000\n', /the size is not below 2\^31/],
    ['7: memalign 0x20 4294967296 8\n', /the alignment is above 2\^30/],
    ['7: malloc 0x20 8 100\n', /expected a second time/],
    ['7: malloc 0x20 8 100 200 300\n', /expected the end of the line/],
    ['7: malloc 0xb400007fffffffff0 8\n', /a pointer has 17 digits/],
    ['7: malloc zzz 8\n', /expected a pointer/],
    ['7: mallok 0x20 8\n', /unknown call "mallok"/],
    ['seven: malloc 0x20 8\n', /expected a thread/],
    ['99999999999: malloc 0x20 8\n', /a thread of 99999999999 is above 2147483647/],
    ['7: free 0x10 5\n', /expected a second time/],
    [`7: ${'x'.repeat(100)} 0x20 8\n`, /unknown call "x{32}", in "7: x{57}…"/],
  ]
  for (const [line, message] of cases) fault(good + line, 'line', 3, message)
})

test('mtrace: every call', () => {
  const { trace, format, notes } = parseTrace(sampleFile('small.mtrace'))
  assert.is(format, 'mtrace')
  assert.equal(events(trace).slice(0, 7), [
    [M, 0, 100],
    [M, 1, 100],
    [R, 0, 5000],
    [M, 2, 33],
    [F, 1, 0],
    [M, 1, 640],
    [M, 3, 10000],
  ])
  assert.is(trace.summary.blocks, 45)
  assert.is(trace.summary.endLiveCount, 20)
  assert.is(trace.flags, FLAG_FETCHED)
  assert.equal(notes, ['1 free of blocks whose allocation is not in the file: left out'])
})

test('mtrace: paths with blanks and brackets, lines without a place, carriage returns', () => {
  const { trace } = parse('= Start\r\n@ /a b] c:(f+0x1)[0x2] + 0x10 0x8\r\n+ 0x20 0\r\n@ [0x7] - 0x10\r\n= End\r\n')
  assert.equal(events(trace), [
    [M, 0, 8],
    [M, 1, 0],
    [F, 0, 0],
  ])
})

test('mtrace: a file that ends within a line, or between the lines of a realloc, is cut short there', () => {
  for (const rest of ['+ 0x30 0x1', '@ ./a:[0x1', '< 0x10']) {
    const { trace, notes } = parse(`= Start\n+ 0x10 0x8\n${rest}`)
    assert.equal(events(trace), [[M, 0, 8]])
    assert.is(trace.flags, FLAG_FETCHED | FLAG_TRUNCATED)
    assert.equal(notes, ['the last line is not whole: left out'])
  }
  assert.equal(events(parse('= Start\n+ 0x10 0x8\n< 0x10\n').trace), [[M, 0, 8]])
})

test('mtrace: the line and the reason of what is wrong', () => {
  const good = '= Start\n+ 0x10 0x8\n'
  const cases: [string, RegExp][] = [
    ['* 0x10\n', /expected one of \+ - < > !/],
    ['@ ./a:0x1 + 0x20 0x8\n', /expected a place in brackets/],
    ['@ ./a:[0x1] + 0x20\n', /expected a size/],
    ['+ 0x20 0x80000000\n', /the size is not below 2\^31/],
    ['+ (nul) 0x8\n', /expected an address/],
    ['> 0x20 0x8\n', /the line before is not the first line of a realloc/],
    ['- 0x10 0x8\n', /expected the end of the line/],
    ['= Middle\n', /expected "= Start" or "= End"/],
    ['++ 0x20 0x8\n', /expected one of \+ - < > ! and a blank/],
  ]
  for (const [line, message] of cases) fault(good + line, 'line', 3, message)
  fault(`${good}< 0x10\n+ 0x20 0x8\n`, 'line', 4, /expected the second line of a realloc/)
})

test('malloc lab: every request', () => {
  const { trace, format, notes } = parseTrace(sampleFile('small.rep'))
  assert.is(format, 'malloc-lab')
  assert.equal(events(trace), [
    [M, 0, 512],
    [M, 1, 128],
    [R, 0, 640],
    [M, 2, 128],
    [F, 1, 0],
    [R, 0, 768],
    [F, 0, 0],
    [F, 2, 0],
  ])
  assert.equal(notes, [])
})

test('malloc lab: a realloc of nothing, to nothing, a free of nothing, an id again', () => {
  const { trace } = parse('0\n1\n6\n0\nr 0 8\nr 0 0\nf -1\na 0 9\nr 0 10\nf 0\n')
  assert.equal(events(trace), [
    [M, 0, 8],
    [F, 0, 0],
    [M, 0, 9],
    [R, 0, 10],
    [F, 0, 0],
  ])
})

test('malloc lab: the line and the reason of what is wrong', () => {
  const lab = (ids: number, requests: string[]) => `1\n${ids}\n${requests.length}\n1\n${requests.join('\n')}\n`
  const cases: [string, number, RegExp][] = [
    [lab(1, ['a 0 8', 'a 0 8']), 6, /block 0 is live already/],
    [lab(1, ['a 0 8', 'f 0', 'f 0']), 7, /block 0 is not live/],
    [lab(1, ['a 1 8']), 5, /id 1 is not below 1/],
    [lab(1, ['a -1 8']), 5, /id -1 is not below 1/],
    [lab(1, ['a 0 2147483648']), 5, /the size is not below 2\^31/],
    [lab(1, ['b 0 8']), 5, /expected one of a, r, f/],
    [lab(1, ['a 0']), 5, /expected a size/],
    [lab(1, ['a 0 8 9']), 5, /expected the end of the line/],
    ['1\n1\n1\n1\na 0 8\nf 0\n', 6, /the header says 1 requests, this is another/],
    ['1\nx\n', 2, /expected the number of ids/],
  ]
  for (const [text, line, message] of cases) fault(text, 'line', line, message)
  fault('1\n1\n2\n1\na 0 8\n', 'truncated', undefined, /the header says 2 requests, the file has 1/)
  fault('1\n2\n1\n1\na 0 8\n', 'summary', undefined, /the header says 2 ids, the largest in the file is 0/)
  fault('1\n1\n', 'truncated', undefined, /the file ends before the number of requests/)
})

test('counts and ids are not taken for lengths of tables', () => {
  const far = Number.MAX_SAFE_INTEGER
  assert.is(parse(`1\n${far}\n1\n1\na ${far - 1} 8\n`).trace.summary.slots, 1)
  fault(`1\n${far}\n${far}\n1\na ${far - 1} 8\n`, 'truncated', undefined, /the file has 1/)
  assert.is(parse('1: malloc 0xffffffffffffffff 8\n').trace.summary.slots, 1)
})

test('what is none of these is refused in one sentence', () => {
  for (const text of ['', '\n \n', 'hello world\n', '{"a":1}', '\0\0\0\0', '7: malloc'])
    fault(text, 'magic', undefined, /^the file does not begin with "MTRC", nor as a text of memory_replay, mtrace or/)
})

test('a file that does not end is read no further than the limit, a pipe is read to its end', () => {
  assert.throws(() => readTrace('/dev/zero', { maxByteLength: 2 ** 22 }), /the file: more than 4194304 bytes/)
  const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
  try {
    writeFileSync(join(folder, 'a'), sampleFile('small.rep'))
    const reader = new URL('../../../src/trace/readers/read-trace.js', import.meta.url).href
    const program = `import { readTrace } from ${JSON.stringify(reader)}
console.log(readTrace('/dev/stdin').summary.events)`
    const { stdout, stderr } = spawnSync(
      '/bin/sh',
      [
        '-c',
        'cat "$1" | "$2" --no-warnings --input-type=module -e "$3"',
        'sh',
        join(folder, 'a'),
        process.execPath,
        program,
      ],
      { encoding: 'utf8' }
    )
    assert.is(stdout, '8\n', stderr)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()

/**
 * Readers of traces, on anything: arbitrary bytes, arbitrary lines of a format's words, and real files that were damaged give a valid trace or
 * a TraceError, and nothing else. A trace that is given is the one that its MTRC bytes decode to.
 */
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TraceError } from '../src/trace/error.ts'
import { decodeTrace, encodeTrace } from '../src/trace/format.ts'
import { parseTrace } from '../src/trace/readers/read-trace.ts'
import { SAMPLES, sampleFile, zipOf } from '../test/trace/readers/files.ts'
import { sampleTrace } from '../test/trace/sample.ts'
import { programs, seed } from './campaign.ts'

const settings = { seed, numRuns: 20 * programs }
const files = [...SAMPLES.map(sampleFile), Buffer.from(encodeTrace(sampleTrace(60)))]
const compressed = files.flatMap((bytes) => [gzipSync(bytes), zipOf({ a: bytes })])
const seen = { valid: 0, refused: 0 }

/** Reads the bytes; anything but a valid trace or a TraceError fails the property. */
function readable(bytes: Uint8Array): void {
  try {
    const { trace } = parseTrace(bytes, { maxByteLength: 2 ** 20 })
    assert.equal(decodeTrace(encodeTrace(trace)), trace)
    seen.valid++
  } catch (error) {
    if (!(error instanceof TraceError)) throw error
    assert.is(error.code, 'ERR_INVALID_TRACE')
    seen.refused++
  }
}

const check = (arbitrary: fc.Arbitrary<Uint8Array>): void => {
  seen.valid = seen.refused = 0
  fc.assert(fc.property(arbitrary, readable), settings)
  assert.ok(seen.refused > 0, 'some were refused')
}

/** Numbers that a format takes, and some that it does not. */
const number = fc.oneof(
  fc.nat(40).map(String),
  fc.maxSafeNat().map(String),
  fc.bigInt(-(2n ** 70n), 2n ** 70n).map(String),
  fc.constantFrom('', '-1', '0x', '1e9', 'NaN', '2147483647', '2147483648')
)
const address = fc.oneof(
  fc.nat(15).map((value) => `0x${value.toString(16)}`),
  fc.bigInt(0n, 2n ** 66n).map((value) => `0x${value.toString(16)}`),
  fc.constantFrom('(nil)', '0x0', '0x', 'zz')
)

/** Lines that have mostly the shape of a format's. */
const lines: Record<string, { head: (rest: readonly string[]) => string; line: fc.Arbitrary<string> }> = {
  memory_replay: {
    head: () => '1: malloc 0x1 1\n',
    line: fc
      .tuple(
        fc.nat(3),
        fc.constantFrom('malloc', 'calloc', 'realloc', 'memalign', 'free', 'thread_done', 'x'),
        address,
        fc.array(fc.oneof(number, address), { maxLength: 4 })
      )
      .map(([thread, call, pointer, rest]) => `${thread}: ${call} ${pointer} ${rest.join(' ')}`),
  },
  mtrace: {
    head: () => '= Start\n',
    line: fc
      .tuple(
        fc.constantFrom('@ ./a:[0x1] ', '@ [0x1] ', '', '@ '),
        fc.constantFrom('+', '-', '<', '>', '!', '='),
        address,
        fc.oneof(address, fc.constant(''))
      )
      .map((parts) => parts.join(' ')),
  },
  'malloc lab': {
    // Ids are below 6: the header is right wherever no other number came.
    head: (rest) => `1\n6\n${rest.length + 1}\n1\na 5 1\n`,
    line: fc
      .tuple(fc.constantFrom('a', 'r', 'f', 'x'), fc.oneof(fc.nat(4).map(String), number), number)
      .map(([request, id, size]) => (request === 'f' ? `f ${id}` : `${request} ${id} ${size}`)),
  },
}

test('arbitrary bytes', () => check(fc.uint8Array({ maxLength: 300 })))

test('arbitrary bytes after the first ones of a format', () => {
  const starts = [...files, ...compressed].flatMap((bytes) => [4, 8, 64].map((length) => bytes.subarray(0, length)))
  check(
    fc
      .tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 200 }))
      .map(([start, rest]) => Buffer.concat([start, rest]))
  )
})

for (const [format, { head, line }] of Object.entries(lines))
  test(`${format}: arbitrary lines`, () => {
    check(
      fc
        .tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\n', '\r\n', '\n\n'))
        .map(([text, end]) => Buffer.from(head(text) + text.join(end) + end))
    )
    assert.ok(seen.valid > 0, 'some were accepted')
  })

test('real files with bytes changed, left out, doubled and cut', () => {
  const edit = fc.record({ at: fc.nat(9999), drop: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }), cut: fc.nat(20) })
  check(
    fc
      .tuple(fc.constantFrom(...files, ...compressed), fc.array(edit, { minLength: 1, maxLength: 4 }))
      .map(([file, edits]) => {
        let bytes = Buffer.from(file)
        for (const { at, drop, put, cut } of edits) {
          const place = at % (bytes.length + 1)
          const rest = cut === 0 ? Buffer.alloc(0) : bytes.subarray(place + drop)
          bytes = Buffer.concat([bytes.subarray(0, place), put, rest])
        }
        return bytes
      })
  )
})

test('real files with their lines in another order', () => {
  const texts = SAMPLES.map((name) => sampleFile(name).toString().split('\n'))
  check(
    fc
      .tuple(fc.constantFrom(...texts), fc.array(fc.tuple(fc.nat(200), fc.nat(200)), { minLength: 1, maxLength: 5 }))
      .map(([text, swaps]) => {
        const changed = [...text]
        for (const [a, b] of swaps) {
          const [from, to] = [a % changed.length, b % changed.length]
          const line = changed[from]!
          changed[from] = changed[to]!
          changed[to] = line
        }
        return Buffer.from(changed.join('\n'))
      })
  )
})

test.run()

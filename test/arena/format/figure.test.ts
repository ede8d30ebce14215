/** The figures of layout.ts and thread-id.ts against the numbers that the code uses: a figure that has drifted is found here. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ENTRY_BYTES,
  ENTRY_HOLDER,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HEADER_LOCK,
  HEADER_OWNER,
  HeaderLength,
  HeaderWord,
  KIND_BYTES,
  MOST_CLAIMS,
} from '../../../src/arena/format/layout.ts'
import { THREAD_ID_BYTES } from '../../../src/arena/format/thread-id.ts'

const source = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../../src/arena/format/${name}`, import.meta.url)), 'utf8')

/** Fields that a figure draws, by name: where each begins, in bytes. Two columns side by side: `left` ends where `right` begins. */
function fieldsIn(lines: readonly string[]): Map<string, number> {
  const fields = new Map<string, number>()
  for (const line of lines)
    for (const [, at, , name] of line.matchAll(/(?<=\s)(\d+)\s+(u32|u64|f64)\s+(.+?)(?=\s{2,}\d+\s|\s+\(|$)/g))
      fields.set((name as string).trim(), Number(at))
  return fields
}

/** A field's name in the code: `open claims` is `openClaims`. */
function keyOf(name: string): string {
  return name.replaceAll(/ (\w)/g, (_, letter: string) => letter.toUpperCase())
}

const figure = source('layout.ts').split('\n')
const first = figure.findIndex((line) => line.includes('header          ') && line.includes('directory entry'))
const drawn = figure.slice(
  first + 1,
  figure.findIndex((line, index) => index > first && line.trim() === '*')
)
const column = (figure[first] as string).indexOf('directory entry')

test('the header is as the figure draws it', () => {
  const fields = fieldsIn(drawn.map((line) => line.slice(0, column)))
  const words = Object.entries(HeaderWord).map(([key, index]) => [key, index * 4] as const)
  const lengths = Object.entries(HeaderLength).map(([key, index]) => [key, index * 8] as const)
  const expected = new Map([...words, ...lengths, ['lock', HEADER_LOCK] as const])
  const found = new Map([...fields].map(([name, at]) => [keyOf(name).replace('entriesInUse', 'entries'), at]))
  assert.equal([...found].sort(), [...expected].sort())
  assert.match(drawn.join('\n'), new RegExp(`${HEADER_OWNER}\\s+owner \\(thread-id.ts, ${THREAD_ID_BYTES} bytes\\)`))
  for (const at of found.values()) assert.ok(at < HEADER_BYTES)
})

test('an entry of the directory is as the figure draws it', () => {
  const fields = fieldsIn(drawn.map((line) => ` ${line.slice(column - 1)}`))
  const names: Record<string, number> = {
    offset: EntryLength.offset * 8,
    byteLength: EntryLength.byteLength * 8,
    'metadata offset': EntryLength.metadataOffset * 8,
    'metadata length': EntryLength.metadataLength * 8,
    state: EntryWord.state * 4,
    'entry of the claim around it + 1': EntryWord.around * 4,
    'times this entry was used': EntryWord.uses * 4,
    holder: ENTRY_HOLDER,
  }
  assert.equal([...fields].sort(), Object.entries(names).sort())
  assert.match(drawn.join('\n'), new RegExp(`${ENTRY_KIND}\\s+${KIND_BYTES} bytes of kind`))
  assert.is(ENTRY_HOLDER + 8, ENTRY_BYTES)
})

test('the numbers beside the figure of the mapping', () => {
  const text = figure.join('\n')
  assert.match(text, `${HEADER_BYTES} B | ${MOST_CLAIMS.toLocaleString('en')} x ${ENTRY_BYTES} B`)
})

test('a record of a thread is as its figure draws it', () => {
  const text = source('thread-id.ts')
  assert.match(text, `record, ${THREAD_ID_BYTES} bytes`)
  const bits = /\| check (\d+) bits \| process (\d+) \| thread (\d+) \|/.exec(text)
  assert.is(
    bits?.slice(1).reduce((sum, count) => sum + Number(count), 0),
    64
  )
})

test.run()

/**
 * Example: a file changed in place through a shared mapping, and the same through a private one, which leaves it as it was.
 * `--help`.
 * @module
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bytes, table } from '../demo/print.ts'
import { GiB, KiB, mapFile } from '../src/index.ts'
import { writeText } from './text.ts'
import { parsed, verdict, whole } from './verdict.ts'

const HELP = `Usage: npm run example -- uppercase [options]

Turns the letters a to z of a file into capitals, in place: first in mode 'copy', where
the changes stay in this process, then in mode 'write', where they are the file's. The
file on the disk is compared each time with what it should be.

  --file PATH     the text; a copy of it is changed (default: made-up words)
  --kibibytes N   how much of those (default 16384)
  --help          this text

Exit status: 0 when the file is what it should be each time, 1 when not.`

/** Capitals in place; says how many letters that took. */
function uppercase(letters: Uint8Array): number {
  let count = 0
  for (let at = 0; at < letters.length; at++) {
    const byte = letters[at] as number
    if (byte < 97 || byte > 122) continue
    letters[at] = byte - 32
    count++
  }
  return count
}

/** Maps the file, changes all of it, and says what that was. */
function change(path: string, mode: 'copy' | 'write'): { letters: number; milliseconds: number; seen: Buffer } {
  const file = mapFile(path, { mode })
  const start = performance.now()
  let letters = 0
  for (let offset = 0; offset < file.byteLength; offset += GiB)
    letters += uppercase(file.view(Uint8Array, offset, Math.min(GiB, file.byteLength - offset)))
  const milliseconds = performance.now() - start
  // To the disk: other processes see the changes without it, a machine that loses power does not keep them.
  file.sync()
  const seen = Buffer.from(file.read(0, file.byteLength))
  file.close()
  return { letters, milliseconds, seen }
}

/** The first words of a text, in one line. */
const beginning = (text: Buffer): string => text.toString('latin1', 0, 48).replaceAll(/\s+/g, ' ')

function run(path: string): void {
  const before = readFileSync(path)
  const expected = Buffer.from(before)
  uppercase(expected)
  const copied = change(path, 'copy')
  const afterCopy = readFileSync(path)
  const written = change(path, 'write')
  const afterWrite = readFileSync(path)
  const row = (name: string, letters: string, milliseconds: string, text: Buffer): string[] => [
    name,
    letters,
    milliseconds,
    beginning(text),
  ]
  console.log(`\n${path}, ${bytes(before.length)}\n`)
  console.log(
    table(
      ['', 'letters changed', 'time', 'the file on the disk'],
      [
        row('before', '', '', before),
        row("mode 'copy'", String(copied.letters), `${copied.milliseconds.toFixed(0)} ms`, afterCopy),
        row("mode 'write'", String(written.letters), `${written.milliseconds.toFixed(0)} ms`, afterWrite),
      ]
    )
  )
  console.log()
  verdict([
    { name: "mode 'copy': the mapping shows capitals", ok: copied.seen.equals(expected) },
    { name: "mode 'copy': the file is untouched", ok: afterCopy.equals(before) },
    { name: "mode 'write': the mapping shows capitals", ok: written.seen.equals(expected) },
    { name: "mode 'write': so does the file, byte for byte", ok: afterWrite.equals(expected) },
  ])
}

const options = parsed(HELP, () => {
  const { values } = parseArgs({
    options: {
      file: { type: 'string' },
      kibibytes: { type: 'string', default: '16384' },
      help: { type: 'boolean', default: false },
    },
  })
  return { ...values, kibibytes: whole('kibibytes', values.kibibytes, 1) }
})
if (options !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-uppercase-'))
  try {
    const path = join(folder, 'text')
    if (options.file === undefined) writeText(path, options.kibibytes * KiB)
    else copyFileSync(options.file, path)
    run(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

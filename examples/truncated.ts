/**
 * Example: a file that is shortened under its reader, and what becomes of the reader: with plain access, and with the checked
 * calls. `--help`.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bytes, table } from '../demo/print.ts'
import { KiB } from '../src/index.ts'
import { parsed, verdict } from './verdict.ts'

const HELP = `Usage: npm run example -- truncated [options]

Maps a file of 1 MiB in another process, makes the file shorter, and lets that process
read the last byte it had mapped: plainly, after check(), and by read().

  --help          this text

Exit status: 0 when plain access ends by a signal and the others by an error, 1 when not.`

const WAYS = ['plain', 'check', 'read'] as const
const LENGTH = 1024 * KiB

/** How a reader ended. */
interface Ending {
  readonly signal: string | null
  /** What it read, or the code of the error. Nothing when it did not live to say so. */
  readonly outcome: string | undefined
  readonly message: string | undefined
}

/** Starts a reader, shortens the file when it has mapped it, and sees what becomes of it. */
async function shorten(path: string, way: string, left: number): Promise<Ending> {
  writeFileSync(path, Buffer.alloc(LENGTH, 7))
  const reader = fork(fileURLToPath(new URL('./truncated-reader.js', import.meta.url)), [way, path], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(reader, 'close')
  let said: { outcome?: string; message?: string } = {}
  await ready(reader)
  reader.on('message', (message) => {
    said = message as typeof said
  })
  truncateSync(path, left)
  reader.send('go')
  const [, signal] = await ended
  return { signal, outcome: said.outcome, message: said.message }
}

async function ready(reader: ChildProcess): Promise<void> {
  const [{ before }] = await once(reader, 'message')
  if (before !== 7) throw new Error(`the reader saw ${before} before anything happened`)
}

async function run(path: string): Promise<void> {
  const endings = new Map<string, Ending>()
  const rows: string[][] = []
  for (const left of [LENGTH / 2 + 100, 0])
    for (const way of WAYS) {
      const ending = await shorten(path, way, left)
      endings.set(`${way} ${left}`, ending)
      const name =
        way === 'plain' ? 'bytes[last]' : way === 'check' ? 'check(last, 1), then bytes[last]' : 'read(last, 1)'
      rows.push([`${bytes(LENGTH)} to ${bytes(left)}`, name, ending.signal ?? `${ending.outcome}`])
    }
  console.log(`\n${table(['shortened from', 'reads by', 'ends with'], rows, 3)}`)
  console.log(`
  ${endings.get('read 0')?.message}

A page that the file no longer has cannot be shown, and the processor has no way to say so
but a signal, which ends the process before any JavaScript can notice. The checked calls
ask the kernel instead, which answers with an error. Between a check() and the access
behind it the file can still be shortened; read() copies and has no such gap. A file that
no other process writes needs neither.
`)
  const all = (test: (ending: Ending, way: string) => boolean): boolean =>
    [...endings].every(([key, ending]) => test(ending, key.split(' ')[0] as string))
  verdict([
    { name: 'plain access is ended by SIGBUS', ok: all(({ signal }, way) => way !== 'plain' || signal === 'SIGBUS') },
    {
      name: 'check() and read() throw ERR_TRUNCATED, and the process goes on',
      ok: all(({ signal, outcome }, way) => way === 'plain' || (signal === null && outcome === 'ERR_TRUNCATED')),
    },
  ])
}

if (parsed(HELP, () => parseArgs({ options: { help: { type: 'boolean', default: false } } }).values) !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-truncated-'))
  try {
    await run(join(folder, 'file'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

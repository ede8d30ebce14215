/**
 * Example: a gibibyte of addresses, 4 KiB of them touched, and what that does to the memory of the process. `--help`.
 * @module
 */
import { parseArgs } from 'node:util'
import { bytes, change, table } from '../demo/print.ts'
import { Arena, GiB, KiB, MiB } from '../src/index.ts'
import { parsed, verdict } from './verdict.ts'

const HELP = `Usage: npm run example -- one-gigabyte [options]

Reserves 1 GiB, touches 4 KiB of it, then 64 MiB, gives them back, and prints what is
resident each time: of the arena, and of the whole process.

  --help          this text

Exit status: 0 when the figures are what they should be, 1 when not.`

interface Reading {
  readonly step: string
  readonly resident: number
  readonly rss: number
}

/** Settles the garbage, so that RSS is about the arena alone as far as may be. */
function rss(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage.rss()
}

function measure(): Reading[] {
  // Loads koffi and compiles what follows: some MiB that have nothing to do with the question.
  const warm = Arena.reserve(MiB)
  warm.view(Uint8Array, 0, 4 * KiB).fill(1)
  warm.purge()
  warm.close()
  rss()
  const readings: Reading[] = [{ step: 'before', resident: 0, rss: rss() }]
  const arena = Arena.reserve(GiB)
  const note = (step: string): void => {
    readings.push({ step, resident: arena.resident(), rss: rss() })
  }
  note('1 GiB reserved')
  const view = arena.view(Uint8Array, 0, GiB)
  note('a view made of all of it')
  view.fill(1, 512 * MiB, 512 * MiB + 4 * KiB)
  note('4 KiB touched, in the middle')
  view.fill(1, 0, 64 * MiB)
  note('64 MiB touched')
  arena.purge()
  note('purged')
  arena.close()
  readings.push({ step: 'closed', resident: 0, rss: rss() })
  return readings
}

function run(): void {
  const readings = measure()
  const first = (readings[0] as Reading).rss
  const rows = readings.map(({ step, resident, rss }) => [step, bytes(resident), bytes(rss), change(rss - first)])
  console.log(`\n${table(['', 'of the arena', 'RSS', 'change'], rows)}`)
  console.log(`
Reserving takes addresses, which are plentiful, and no memory: a page becomes resident
when it is first touched. A view is a JavaScript object that says where memory is; it
touches none either, though V8 counts its whole length as "external". So 4 KiB touched in
1 GiB cost one page (and the tables that lead to it, a page or two), not 1 GiB. Purging
gives pages back to the kernel at once, not at some later garbage collection, and the
range stays usable and reads zero. The rest of RSS is Node's own, and moves by some
hundred KiB whatever one does.
`)
  const of = (step: number): Reading => readings[step] as Reading
  const grown = (step: number): number => of(step).rss - of(step - 1).rss
  const page = Math.max(4 * KiB, of(3).resident)
  verdict([
    { name: 'reserved and viewed: nothing is resident', ok: of(1).resident === 0 && of(2).resident === 0 },
    {
      name: `4 KiB touched: ${bytes(page)} resident, and RSS up by less than 2 MiB`,
      ok: page < 128 * KiB && grown(3) < 2 * MiB,
    },
    { name: '64 MiB touched: RSS up by them', ok: grown(4) > 63 * MiB && grown(4) < 72 * MiB },
    { name: 'purged: RSS down by them again', ok: of(5).resident === 0 && grown(5) < -63 * MiB },
  ])
}

if (parsed(HELP, () => parseArgs({ options: { help: { type: 'boolean', default: false } } }).values) !== undefined)
  run()

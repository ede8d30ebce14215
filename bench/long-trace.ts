/**
 * How a long trace replays: five million events of a synthetic trace through `Heap`, beside loading it, and the memory of the process.
 *
 *     npm run -s compile && node .build/bench/long-trace.js [EVENTS]
 *
 * The trace stands for a server. Sizes: 70 % from 16 to 256 bytes, 25 % to 4 KiB, 4.9 % to 64 KiB, 0.1 % to 1 MiB, each even on a logarithmic
 * scale. Lives, exponential: 90 % with a mean of 200 events, 10 % with one of a fifth of the trace. 3 % of the steps resize a block. Some
 * 90,000 blocks live at the end, with 170 MiB. Every block is written to at both ends, and on each of its pages.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineText } from '../src/cli/machine.ts'
import { ArenaToucher } from '../src/cli/replay/run/passes.ts'
import { bytesText, countText } from '../src/cli/terminal/format.ts'
import { Arena, GiB, Heap } from '../src/index.ts'
import { FLAG_SYNTHETIC, Replay, readTrace, type Trace, TraceBuilder, writeTrace } from '../src/trace/index.ts'

const [SHORT_LIFE, LONG_SHARE, RESIZED] = [200, 0.1, 0.03]
const DEFAULT_EVENTS = 5_000_000

/** Numbers from 0 to 1, the same each time. */
function randomNumbers(seed: number): () => number {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32
  }
}

/** Blocks by the event at which they are freed: for each event a list, as links. */
class Calendar {
  readonly #first: Int32Array
  readonly #next = new Map<number, number>()

  constructor(events: number) {
    this.#first = new Int32Array(events).fill(-1)
  }

  add(event: number, slot: number): void {
    if (event >= this.#first.length) return
    this.#next.set(slot, this.#first[event]!)
    this.#first[event] = slot
  }

  /** The slots whose time has come. */
  *due(event: number): Generator<number> {
    for (let slot = this.#first[event]!; slot >= 0; ) {
      const next = this.#next.get(slot)!
      this.#next.delete(slot)
      yield slot
      slot = next
    }
  }
}

function syntheticTrace(events: number): Trace {
  const random = randomNumbers(1)
  const trace = new TraceBuilder()
  const calendar = new Calendar(events)
  const between = (least: number, most: number): number => Math.floor(least * (most / least) ** random())
  const size = (): number => {
    const kind = random()
    if (kind < 0.7) return between(16, 256)
    if (kind < 0.95) return between(256, 4096)
    return kind < 0.999 ? between(4096, 65536) : between(65536, 2 ** 20)
  }
  for (let time = 0; trace.length < events; time++) {
    for (const slot of calendar.due(time)) trace.free(slot)
    const slot = random() < 0.9 ? trace.malloc(size()) : trace.calloc(size())
    const long = random() < LONG_SHARE
    const life = Math.ceil(-Math.log(1 - random()) * (long ? events / 5 : SHORT_LIFE))
    calendar.add(time + life, slot)
    // A block that was just made lives still.
    if (random() < RESIZED && long && life > SHORT_LIFE) trace.realloc(slot, size())
  }
  return trace.build(FLAG_SYNTHETIC)
}

function measure(path: string): void {
  let begin = performance.now()
  const trace = readTrace(path)
  const loading = performance.now() - begin
  const arena = Arena.reserve(16 * GiB)
  const heap = new Heap(arena)
  const toucher = new ArenaToucher(arena)
  const replay = new Replay(trace, heap, (offset, byteLength, before) => {
    toucher.ends(offset, byteLength)
    toucher.pages(offset, before, byteLength)
  })
  const used = process.cpuUsage()
  begin = performance.now()
  replay.run()
  const replaying = performance.now() - begin
  const { user, system } = process.cpuUsage(used)
  const { events, endLiveCount, peakLiveBytes } = trace.summary
  console.log(`${countText(events)} events, ${countText(endLiveCount)} blocks and ${bytesText(peakLiveBytes)} live`)
  console.log(
    `loading ${seconds(loading)} s, replaying ${seconds(replaying)} s, ${seconds((user + system) / 1000)} s of it on the CPU`
  )
  console.log(`peak of RSS ${bytesText(process.resourceUsage().maxRSS * 1024)}`)
  console.log(machineText())
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2)
}

const [word, path] = process.argv.slice(2)
if (word === 'measure') measure(path as string)
else {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-long-'))
  try {
    const file = join(folder, 'long.mtrc')
    writeTrace(file, syntheticTrace(Number(word ?? DEFAULT_EVENTS)))
    // In a process of its own: what made the trace is not in its memory.
    const { status } = spawnSync(process.execPath, [process.argv[1] as string, 'measure', file], { stdio: 'inherit' })
    process.exitCode = status ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

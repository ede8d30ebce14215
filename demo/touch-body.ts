/**
 * The body of the experiment in touch-run.ts: prints its readings as JSON.
 *
 * The first step does nothing: what moves there is JavaScript's own noise, the measure for the rest.
 * @module
 */
import { readSmaps, readStatm, readStatus } from '../src/ffi/procfs.ts'
import { Arena, GiB, MiB } from '../src/index.ts'
import type { Reading, TouchRun } from './touch-run.ts'

const FILLED_BYTES = 16 * MiB
const readings: Reading[] = []

/**
 * Takes a step and reads every counter. RSS is read right before and right after, twice each so that the reading itself has its
 * pages: what it moves by is the step's doing, while from one full reading to the next it also moves by the readings' garbage.
 */
function step(name: string, pageSize: number, run: () => Arena | undefined): void {
  globalThis.gc?.()
  const rss = () => readStatm(pageSize).residentBytes
  rss()
  const rssBefore = rss()
  const arena = run()
  const rssBytes = rss()
  const status = readStatus()
  readings.push({
    step: name,
    sizeBytes: readStatm(pageSize).sizeBytes,
    rssBytes,
    rssMovedBytes: rssBytes - rssBefore,
    fileBytes: status.get('RssFile') ?? 0,
    pageTableBytes: status.get('VmPTE') ?? 0,
    mappingRssBytes: arena === undefined ? 0 : mappingRss(arena),
    mincoreBytes: arena?.resident() ?? 0,
  })
}

/** An arena does not tell its address. Its mappings are those that were not there before. */
let before = new Set<number>()

function mappingRss(arena: Arena): number {
  const entries = readSmaps().filter(({ start, end }) => !before.has(start) && end - start >= arena.byteLength / 2)
  return entries.reduce((sum, entry) => sum + (entry.fields.get('Rss') ?? 0), 0)
}

function main(): TouchRun {
  // A few times in full for nothing: libraries are loaded, code is compiled, buffers have grown.
  let pageSize = 0
  for (let warming = 0; warming < 4; warming++) {
    readings.length = 0
    pageSize = experiment().pageSize
  }
  return { pageSize, filledBytes: FILLED_BYTES, readings }
}

function experiment(): { pageSize: number } {
  using probe = Arena.reserve(1)
  const { pageSize } = probe
  const nothing = () => undefined
  step('start', pageSize, nothing)
  step('nothing', pageSize, nothing)
  before = new Set(readSmaps().map(({ start }) => start))
  let arena = probe
  step('reserve', pageSize, () => (arena = Arena.reserve(GiB)))
  const bytes = arena.view(Uint8Array, 0, GiB)
  const then = (name: string, run: () => void) =>
    step(name, pageSize, () => {
      run()
      return arena
    })
  then('write', () => {
    bytes[GiB / 2] = 1
  })
  then('read', () => {
    if (bytes[GiB / 4] !== 0) throw new Error('a fresh page does not read zero')
  })
  then('fill', () => bytes.fill(1, 0, FILLED_BYTES))
  then('purge', () => arena.purge())
  step('close', pageSize, () => {
    arena.close()
    return undefined
  })
  return { pageSize }
}

console.log(JSON.stringify(main()))

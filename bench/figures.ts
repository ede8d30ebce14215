/**
 * Draws the figures from the rows that `npm run bench:traces -- --write` has left in bench/figures/traces.json, or from another file of rows.
 *
 *     npm run bench:figures [-- FILE]
 *
 * - figures/time-memory.svg: net time against peak RSS, relative to glibc
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Comparison, type ComparisonData } from './replay/comparison.ts'
import { drawTimeMemory, type Point } from './report/time-memory.ts'

const folder = new URL('../../bench/figures/', import.meta.url)
const file = process.argv[2] ?? fileURLToPath(new URL('traces.json', folder))

const comparison = new Comparison(JSON.parse(readFileSync(file, 'utf8')) as ComparisonData)
const glibc = comparison.natives.find(({ name }) => name === 'glibc')
if (glibc === undefined) throw new Error(`${file} has no rows of glibc, to which the figure is relative`)

const points = comparison.data.subjects.flatMap((subject): Point[] => {
  const time = comparison.overall('net', subject, glibc)
  const memory = comparison.overall('peak', subject, glibc)
  if (time === undefined || memory === undefined) return []
  return [{ name: subject.name, time: time.mean, memory: memory.mean, ours: subject.kind === 'heap' }]
})
const { rounds, machine, date } = comparison.data
const counts = `${comparison.tracesFor('net').length} traces, ${rounds} interleaved round${rounds === 1 ? '' : 's'}`
const svg = drawTimeMemory(points, {
  title: 'Malloc traces of real programs: time against memory',
  subtitle: `geometric means over ${counts}; ${machine.replaceAll(/\(\w+\)| Processor|, Linux.*/g, '')}; ${date}`,
  time: 'time of a call, net of the replaying loop, relative to glibc: left is faster',
  memory: 'peak RSS, relative to glibc: low is small',
})
const figure = fileURLToPath(new URL('time-memory.svg', folder))
writeFileSync(figure, svg)
console.log(`${figure}: ${points.length} allocators`)

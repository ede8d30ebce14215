/**
 * Draws the figures anew from the rows that `--write` has left in bench/figures: that of the traces from traces.json, or from another file of
 * such rows, and that of the jobs from buffers.json.
 *
 *     npm run bench:figures [-- FILE]
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buffersFigure } from './buffers/figure.ts'
import { JOBS } from './buffers/jobs.ts'
import type { Results } from './buffers/results.ts'
import { Comparison, type ComparisonData } from './replay/comparison.ts'
import { timeMemoryFigure } from './replay/figure.ts'

const folder = new URL('../../bench/figures/', import.meta.url)
const rows = process.argv[2] ?? fileURLToPath(new URL('traces.json', folder))
const figure = fileURLToPath(new URL('time-memory.svg', folder))
const comparison = new Comparison(JSON.parse(readFileSync(rows, 'utf8')) as ComparisonData)
writeFileSync(figure, timeMemoryFigure(comparison))
console.log(figure)

const bars = fileURLToPath(new URL('buffers.svg', folder))
const results = JSON.parse(readFileSync(new URL('buffers.json', folder), 'utf8')) as Results
writeFileSync(bars, buffersFigure(JOBS, results))
console.log(bars)

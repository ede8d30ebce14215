/**
 * Draws the figures anew from the rows that `npm run bench:traces -- --write` has left in bench/figures/traces.json, or from another file
 * of rows (`--json FILE`).
 *
 *     npm run bench:figures [-- FILE]
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Comparison, type ComparisonData } from './replay/comparison.ts'
import { timeMemoryFigure } from './replay/figure.ts'

const folder = new URL('../../bench/figures/', import.meta.url)
const rows = process.argv[2] ?? fileURLToPath(new URL('traces.json', folder))
const figure = fileURLToPath(new URL('time-memory.svg', folder))
const comparison = new Comparison(JSON.parse(readFileSync(rows, 'utf8')) as ComparisonData)
writeFileSync(figure, timeMemoryFigure(comparison))
console.log(figure)

/**
 * Bundlers: each bundle runs where it was made, then in another folder that has koffi, and in one that has not, where the error must
 * say what to do. No bundler is told anything of koffi.
 * @module
 */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Cell,
  CJS_PROGRAM,
  ESM_PROGRAM,
  fail,
  folderApart,
  nodeFrom,
  project,
  succeed,
  tool,
  type Workshop,
} from './cell.ts'

/** One program by import, one by require, one that has both in it. */
const SOURCES = {
  'module.mjs': ESM_PROGRAM,
  'common.cjs': CJS_PROGRAM,
  'mixed.mjs': `import { a } from './a.mjs'\nimport b from './b.cjs'\n${checkOne('a', 'b')}`,
  'a.mjs': `import * as sorites from 'sorites'\nexport const a = sorites\n`,
  'b.cjs': `module.exports = require('sorites')\n`,
}

function checkOne(one: string, other: string): string {
  return `
if (${one}.Arena !== ${other}.Arena) throw new Error('two instances')
new ${one}.Heap(${other}.Arena.reserve(2 ** 20)).malloc(10)
console.log('works')
`
}

type Bundle = (workshop: Workshop, folder: string, source: string, target: string) => void

function bundling(name: string, suffix: 'cjs' | 'mjs', bundle: Bundle): Cell {
  return {
    name,
    alone: true,
    run(workshop) {
      const folder = project(workshop, name, SOURCES)
      for (const source of ['module.mjs', 'common.cjs', 'mixed.mjs']) {
        const target = `out-${source.split('.')[0]}.${suffix}`
        bundle(workshop, folder, source, target)
        succeed(folder, [process.execPath, target], 'works')
        moved(workshop, join(folder, target), target)
      }
    },
  }
}

/** Elsewhere the bundle finds nothing but what it was moved with. */
function moved(workshop: Workshop, bundle: string, name: string): void {
  const folder = folderApart('moved')
  const modules = join(workshop.folder, 'node_modules')
  const away = `${modules}.away`
  try {
    cpSync(bundle, join(folder, name))
    mkdirSync(join(folder, 'node_modules'))
    for (const part of ['koffi', '@koromix'])
      cpSync(join(modules, part), join(folder, 'node_modules', part), { recursive: true })
    succeed(folder, [process.execPath, name], 'works')
    rmSync(join(folder, 'node_modules'), { recursive: true })
    // A bundler may have written the place of the source into the bundle: there is nothing there on another machine.
    renameSync(modules, away)
    fail(folder, [process.execPath, name], 'npm install koffi')
  } finally {
    if (existsSync(away)) renameSync(away, modules)
    rmSync(folder, { recursive: true, force: true })
  }
}

const esbuild =
  (format: string): Bundle =>
  (workshop, folder, source, target) => {
    const options = ['--bundle', '--platform=node', `--format=${format}`, `--outfile=${target}`, '--log-level=warning']
    const output = succeed(folder, [tool(workshop, 'esbuild'), source, ...options])
    if (output.trim() !== '') throw new Error(`esbuild warns: ${output}`)
  }

const rolldown =
  (format: string): Bundle =>
  (workshop, folder, source, target) => {
    const options = ['--platform', 'node', '--format', format, '--file', target, '--external', '/^node:/']
    succeed(folder, [nodeFrom(workshop, 22), tool(workshop, 'rolldown'), source, ...options])
  }

/** rollup takes modules only: what has a `require` in it needs a plugin, with rollup's users too. */
function rollup(format: string, suffix: 'cjs' | 'mjs'): Cell {
  const name = `rollup to ${format}`
  return {
    name,
    alone: true,
    run(workshop) {
      const folder = project(workshop, name, SOURCES)
      const target = `out.${suffix}`
      const options = ['--plugin', 'node-resolve', '--format', format, '--file', target, '--external', 'node:module']
      succeed(folder, [process.execPath, tool(workshop, 'rollup'), 'module.mjs', ...options])
      succeed(folder, [process.execPath, target], 'works')
      moved(workshop, join(folder, target), target)
    },
  }
}

const WEBPACK = `
const webpack = require('webpack')
const [source, target, kind] = process.argv.slice(2)
const module_ = kind === 'module'
webpack({
  mode: 'production', target: 'node20', context: __dirname, entry: './' + source, experiments: { outputModule: module_ },
  output: { path: __dirname, filename: target, ...(module_ && { library: { type: 'module' }, chunkFormat: 'module' }) },
}, (error, stats) => {
  if (error || stats.hasErrors() || stats.hasWarnings()) { console.error(error ?? stats.toString()); process.exit(1) }
})
`

const webpack =
  (kind: string): Bundle =>
  (workshop, folder, source, target) => {
    tool(workshop, 'webpack')
    project(workshop, folder.slice(workshop.cells.length + 1), { 'bundle.cjs': WEBPACK })
    succeed(folder, [process.execPath, 'bundle.cjs', source, target, kind])
  }

export function bundleCells(): Cell[] {
  return [
    bundling('esbuild to CommonJS', 'cjs', esbuild('cjs')),
    bundling('esbuild to a module', 'mjs', esbuild('esm')),
    bundling('rolldown to CommonJS', 'cjs', rolldown('cjs')),
    bundling('rolldown to a module', 'mjs', rolldown('esm')),
    rollup('cjs', 'cjs'),
    rollup('es', 'mjs'),
    bundling('webpack to CommonJS', 'cjs', webpack('commonjs')),
    bundling('webpack to a module', 'mjs', webpack('module')),
  ]
}

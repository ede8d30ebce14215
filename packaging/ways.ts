/**
 * Every way in: installs the packed package as its users do, and runs it by everything that loads JavaScript. One line a cell:
 *
 *     ok    esbuild to CommonJS
 *     FAIL  jest
 *           …what it printed
 *     skip  Deno: could not be installed
 *
 *     node .build/packaging/ways.js [word …]     the cells whose name contains a word; default: all
 *
 * What is needed comes from the package registry, into one temporary folder: some 600 MB, most of it Node lines and runtimes. Takes three to
 * four minutes. Ends with `N passed, N failed`. The environment variable WAYS_FOLDER names a folder that is kept, with what was
 * installed there.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { argv, env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { bundleCells } from './cells/bundles.ts'
import { type Cell, Failure, Skipped, type Workshop } from './cells/cell.ts'
import { installCells } from './cells/installs.ts'
import { runtimeCells } from './cells/runtimes.ts'
import { testRunnerCells } from './cells/test-runners.ts'
import { typeCells } from './cells/types.ts'

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)))

/** Majors, so that CI meets what users are given today. */
const TOOLS: readonly string[] = [
  ...['ts54@npm:typescript@5.4', 'ts59@npm:typescript@5.9', 'ts7@npm:typescript@7', '@types/node@22'],
  ...['jest@30', 'jest-environment-jsdom@30', 'vitest@5', 'tsx@4'],
  ...['esbuild@0.28', 'rollup@4', '@rollup/plugin-node-resolve@16', 'rolldown@1', 'webpack@5'],
  ...['pnpm@12', 'yarn@1', '@yarnpkg/cli-dist@4', 'publint@0.3', '@arethetypeswrong/cli@0.18'],
  ...['bun@1', 'deno@2', ...[22, 24, 26].map((major) => `node${major}@npm:node-linux-${process.arch}@${major}`)],
]

/** Packs what has been built, without building again. */
function pack(folder: string): string {
  const arguments_ = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const [{ filename }] = JSON.parse(execFileSync('npm', arguments_, { cwd: root, encoding: 'utf8' })) as [
    { filename: string },
  ]
  return join(folder, filename)
}

function prepare(folder: string): Workshop {
  mkdirSync(folder, { recursive: true })
  const tarball = pack(folder)
  const install = (...given: string[]): void => {
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', ...given], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  if (!existsSync(join(folder, 'node_modules', 'ts54'))) {
    try {
      install(...TOOLS)
    } catch {
      // Not for every machine are there all of them: each by itself, and the cells of the others say that they are skipped.
      for (const tool of TOOLS)
        try {
          install(tool)
        } catch {
          console.log(`could not be installed: ${tool}`)
        }
    }
  }
  // Two are put together by their install scripts, of a part that is installed already.
  for (const tool of ['bun', 'pnpm']) {
    const place = join(folder, 'node_modules', tool)
    if (existsSync(place)) execFileSync(process.execPath, ['install.js'], { cwd: place, stdio: 'ignore' })
  }
  install(tarball)
  const cells = join(folder, 'cells')
  rmSync(cells, { recursive: true, force: true })
  mkdirSync(cells)
  return { folder, tarball, cells }
}

async function runCell({ name, run }: Cell, workshop: Workshop): Promise<'passed' | 'failed' | 'skipped'> {
  const begin = performance.now()
  try {
    await run(workshop)
    console.log(`ok    ${name}  (${((performance.now() - begin) / 1000).toFixed(1)} s)`)
    return 'passed'
  } catch (error) {
    if (error instanceof Skipped) {
      console.log(`skip  ${name}: ${error.message}`)
      return 'skipped'
    }
    const text = error instanceof Failure ? error.message : String((error as Error).stack)
    console.log(
      `FAIL  ${name}\n      ${text
        .trim()
        .split('\n')
        .slice(0, 60)
        .map((line) => line.slice(0, 300))
        .join('\n      ')}`
    )
    return 'failed'
  }
}

const words = argv.slice(2)
const kept = env.WAYS_FOLDER
const folder = kept === undefined ? mkdtempSync(join(tmpdir(), 'sorites-ways-')) : resolve(kept)
const counts = { passed: 0, failed: 0, skipped: 0 }
try {
  const workshop = prepare(folder)
  const all = [...installCells(), ...runtimeCells(), ...typeCells(), ...testRunnerCells(), ...bundleCells()]
  const chosen = all.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  for (const cell of chosen) counts[await runCell(cell, workshop)]++
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true })
}
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`)
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0

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
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { argv, env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { bundleCells } from './cells/bundles.ts'
import { type Cell, Failure, folderApart, Skipped, type Workshop } from './cells/cell.ts'
import { installCells } from './cells/installs.ts'
import { bunForMusl, muslCells } from './cells/musl.ts'
import { runtimeCells } from './cells/runtimes.ts'
import { testRunnerCells } from './cells/test-runners.ts'
import { toolCells } from './cells/tool.ts'
import { typeCells } from './cells/types.ts'

interface Outcome {
  readonly kind: 'passed' | 'failed' | 'skipped'
  /** What is printed of it. */
  readonly text: string
}

const ALL: readonly Cell[] = [
  ...[...installCells(), ...runtimeCells(), ...muslCells(), ...toolCells()],
  ...[...typeCells(), ...testRunnerCells(), ...bundleCells()],
]

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
  const musl = join(folder, 'musl')
  if (!existsSync(musl))
    try {
      mkdirSync(musl)
      // For another libc than this machine's, which npm must be told, and in a folder of its own, or it would exchange all others too.
      install('--prefix', musl, '--force', '--libc=musl', `${bunForMusl}@1`)
    } catch {
      console.log(`could not be installed: ${bunForMusl}`)
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

async function runCell({ name, run }: Cell, workshop: Workshop): Promise<Outcome> {
  const begin = performance.now()
  try {
    await run(workshop)
    return { kind: 'passed', text: `ok    ${name}  (${((performance.now() - begin) / 1000).toFixed(1)} s)` }
  } catch (error) {
    if (error instanceof Skipped) return { kind: 'skipped', text: `skip  ${name}: ${error.message}` }
    const text = error instanceof Failure ? error.message : String((error as Error).stack)
    const lines = text.trim().split('\n').slice(0, 60)
    return { kind: 'failed', text: `FAIL  ${name}\n      ${lines.map((line) => line.slice(0, 300)).join('\n      ')}` }
  }
}

interface Work {
  readonly workshop: Workshop
  /** Places in ALL. */
  readonly cells: readonly number[]
  /** The next of them that no thread has taken. */
  readonly next: Int32Array
}

/** Cells wait for the programs that they start, so each of several threads runs one at a time. */
async function work({ workshop, cells, next }: Work, report: (outcome: Outcome) => void): Promise<void> {
  for (let i = Atomics.add(next, 0, 1); i < cells.length; i = Atomics.add(next, 0, 1))
    report(await runCell(ALL[cells[i] as number] as Cell, workshop))
}

async function runAll(workshop: Workshop, words: readonly string[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const report = (outcome: Outcome): void => {
    console.log(outcome.text)
    outcomes.push(outcome)
  }
  const chosen = [...ALL.keys()].filter(
    (at) => words.length === 0 || words.some((word) => ALL[at]?.name.includes(word))
  )
  const cells = chosen.filter((at) => ALL[at]?.alone !== true)
  const shared: Work = { workshop, cells, next: new Int32Array(new SharedArrayBuffer(4)) }
  await Promise.all(
    Array.from({ length: Math.min(4, availableParallelism(), cells.length) }, () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: shared }).on('message', report)
      return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve))
    })
  )
  const rest = chosen.filter((at) => ALL[at]?.alone === true)
  await work({ workshop, cells: rest, next: new Int32Array(1) }, report)
  return outcomes
}

async function main(): Promise<void> {
  const kept = env.WAYS_FOLDER
  const folder = kept === undefined ? folderApart('ways') : resolve(kept)
  try {
    const outcomes = await runAll(prepare(folder), argv.slice(2))
    const of = (kind: Outcome['kind']): Outcome[] => outcomes.filter((outcome) => outcome.kind === kind)
    const [passed, failed, skipped] = [of('passed'), of('failed'), of('skipped')]
    if (skipped.length > 0)
      console.log(`\n${skipped.length} skipped, which is not passed:\n${skipped.map(({ text }) => text).join('\n')}\n`)
    console.log(`${passed.length} passed, ${failed.length} failed`)
    process.exitCode = failed.length > 0 || passed.length === 0 ? 1 : 0
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

if (isMainThread) await main()
else await work(workerData as Work, (outcome) => parentPort?.postMessage(outcome))

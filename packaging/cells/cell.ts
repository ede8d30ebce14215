/**
 * A cell of the matrix, and what all of them use: a folder with a few files, a program that runs there, and what it must print.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Where the cells run. */
export interface Workshop {
  /** The folder in which the package and all tools are installed. */
  readonly folder: string
  readonly tarball: string
  /** Each cell has a folder in this one, so it finds the package above itself. */
  readonly cells: string
}

export interface Cell {
  readonly name: string
  /** Whether no other cell may run meanwhile: it moves what they use. */
  readonly alone?: boolean
  run(workshop: Workshop): void | Promise<void>
}

export class Failure extends Error {}
export class Skipped extends Error {}

/** Makes a folder with these files for a cell. */
export function project(workshop: Workshop, name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(workshop.cells, name.replaceAll(/\W+/g, '-'))
  return write(folder, { 'package.json': '{ "private": true }', ...files })
}

export function write(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** A new folder in which, and above which, no package is installed: what a program finds there, it was given. */
export function folderApart(name: string): string {
  const base = [tmpdir(), '/var/tmp', homedir(), '/dev/shm'].find(
    (folder) => existsSync(folder) && !hasPackages(folder)
  )
  if (base === undefined) throw new Skipped('each folder for temporary files has a node_modules in it or above it')
  return mkdtempSync(join(base, `sorites-${name}-`))
}

function hasPackages(folder: string): boolean {
  if (existsSync(join(folder, 'node_modules'))) return true
  return dirname(folder) !== folder && hasPackages(dirname(folder))
}

export interface Result {
  readonly status: number | null
  readonly output: string
}

/** Runs a program to its end. */
export function start(cwd: string, command: readonly string[], env: Readonly<Record<string, string>> = {}): Result {
  const [program, ...given] = command as [string, ...string[]]
  const { status, signal, stdout, stderr, error } = spawnSync(program, given, {
    cwd,
    encoding: 'utf8',
    timeout: 300_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...env },
  })
  const ending = error === undefined ? (signal ?? '') : error.message
  return { status, output: `${stdout}${stderr}${ending}` }
}

/** What npm tells the scripts that it runs is not for what they start. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|config_local)/.test(name))
  )
}

/** Runs a program that must succeed, and print `expected`. */
export function succeed(
  cwd: string,
  command: readonly string[],
  expected: string | RegExp = '',
  env?: Readonly<Record<string, string>>
): string {
  const { status, output } = start(cwd, command, env)
  if (status !== 0) throw new Failure(`${command.join(' ')}: status ${status}\n${output}`)
  return expectText(command, output, expected)
}

/** Runs a program that must fail, and say so in the words that are expected. */
export function fail(cwd: string, command: readonly string[], expected: string | RegExp): void {
  const { status, output } = start(cwd, command)
  if (status === 0) throw new Failure(`${command.join(' ')}: succeeded\n${output}`)
  expectText(command, output, expected)
}

function expectText(command: readonly string[], output: string, expected: string | RegExp): string {
  const found = typeof expected === 'string' ? output.includes(expected) : expected.test(output)
  if (!found) throw new Failure(`${command.join(' ')}: expected ${expected}, got\n${output}`)
  return output
}

/** The path of a tool that was installed. */
export function tool(workshop: Workshop, name: string): string {
  return present(join(workshop.folder, 'node_modules', '.bin', name), name)
}

export function present(path: string, name: string): string {
  if (!existsSync(path)) throw new Skipped(`${name} could not be installed`)
  return path
}

/** A Node of at least this line: this one, or one that was installed. */
export function nodeFrom(workshop: Workshop, least: number): string {
  if (Number.parseInt(process.versions.node, 10) >= least) return process.execPath
  return nodeOf(workshop, least)
}

/** A Node that was installed. */
export function nodeOf(workshop: Workshop, major: number): string {
  return present(join(workshop.folder, 'node_modules', `node${major}`, 'bin', 'node'), `Node ${major}`)
}

export function listing(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).join('\n')
}

// ---- the program that the cells run ----

/** Uses what `load` gives, and prints `works`. `shared`: the same library by another way, to see that it is one instance. */
export const EXERCISE = `
  const arena = Arena.reserve(64 * MiB)
  const heap = new Heap(arena)
  const view = heap.alloc(Float64Array, 1000)
  view.fill(1)
  heap.free(view)
  heap.check()
  const { name, code } = (() => { try { heap.free(view) } catch (error) { return error } return {} })()
  if (code !== 'ERR_DOUBLE_FREE' && code !== 'ERR_INVALID_FREE') throw new Error('freed twice: ' + name)
  heap.close()
  const file = mapFile(path, { mode: 'write', create: true, byteLength: 4096 })
  file.bytes[1] = 7
  file.sync()
  file.close()
  const again = mapFile(path, { mode: 'read' })
  if (again.read(0, 2)[1] !== 7) throw new Error('the file differs')
  again.close()
  const named = Arena.open(path + '.arena', { create: true, byteLength: MiB })
  const second = Arena.open(path + '.arena')
  second.view(Uint8Array, 0, 1)[0] = 9
  if (named.view(Uint8Array, 0, 1)[0] !== 9) throw new Error('the arena differs')
  second.close()
  named.unlink()
  named.close()
  const builder = new TraceBuilder()
  builder.free(builder.malloc(100))
  const target = new Heap(Arena.reserve(MiB))
  new Replay(decodeTrace(encodeTrace(builder.build())), target).run()
  target.check()
`

const PATH = `const path = process.cwd() + '/file-' + process.pid + '-' + Math.random()`

export const ESM_PROGRAM: string = `
import { Arena, Heap, mapFile, MiB } from 'sorites'
import { decodeTrace, encodeTrace, Replay, TraceBuilder } from 'sorites/trace'
${PATH}
${EXERCISE}
console.log('works')
`

export const CJS_PROGRAM: string = `
const { Arena, Heap, mapFile, MiB } = require('sorites')
const { decodeTrace, encodeTrace, Replay, TraceBuilder } = require('sorites/trace')
${PATH}
${EXERCISE}
console.log('works')
`

/** Loads the library by both ways. */
export const BOTH_PROGRAM = `
import { createRequire } from 'node:module'
import { Arena, Heap, ArenaClosedError, MiB } from 'sorites'
import { TraceError } from 'sorites/trace'
const require = createRequire(import.meta.url)
const required = require('sorites')
if (require('sorites/trace').TraceError !== TraceError) throw new Error('two instances of sorites/trace')
if (required.Arena !== Arena || required.ArenaClosedError !== ArenaClosedError) throw new Error('two instances')
new Heap(required.Arena.reserve(MiB)).malloc(10)
console.log('works')
`

export { PATH }

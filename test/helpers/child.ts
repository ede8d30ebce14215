/**
 * Runs a program in a process of its own: for whatever may fault, and for every reading of RSS.
 *
 *     const child = await runChild(`arena.close(); report({ first: view[0] })`)
 *     child.clean().report.first
 *
 * The program is the text of an ES module. `Arena`, `Heap`, `FakeOs`, `Thread`, `Peer`, everything of inside.ts and the units are imported
 * for it; whatever it passes to `report` comes back. It runs with --expose-gc, under this Node or under another one:
 * `SORITES_NODES=path,path` adds those to `nodes`, and tests that loop over it run under each.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import * as assert from 'uvu/assert'
import { compiled } from './compiled.ts'

export { compiled }

/** A Node to run children under. */
export interface NodeBinary {
  readonly path: string
  readonly major: number
}

/** This Node, and those of `SORITES_NODES`. */
export const nodes: readonly NodeBinary[] = [
  { path: process.execPath, major: Number.parseInt(process.versions.node, 10) },
  ...(process.env.SORITES_NODES ?? '')
    .split(',')
    .filter((path) => path !== '')
    .map(otherNode),
]

function otherNode(path: string): NodeBinary {
  const { stdout, error } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  if (error !== undefined) throw error
  return { path, major: Number.parseInt(stdout.slice(1), 10) }
}

/** How a child ended. */
export class ChildResult {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string

  constructor(status: number | null, signal: NodeJS.Signals | null, stdout: string, stderr: string) {
    this.status = status
    this.signal = signal
    this.stdout = stdout
    this.stderr = stderr
  }

  /** All that the child reported, in one object. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the test's own affair
  get report(): any {
    const lines = this.stdout.split('\n').filter((line) => line.startsWith(REPORT))
    return Object.assign({}, ...lines.map((line) => JSON.parse(line.slice(REPORT.length))))
  }

  /** Asserts that it ended by itself, with status 0 and nothing on stderr. */
  clean(): this {
    assert.is(this.signal, null, `ended by ${this.signal}\n${this.stdout}${this.stderr}`)
    assert.is(this.status, 0, `status ${this.status}\n${this.stdout}${this.stderr}`)
    assert.is(this.stderr, '')
    return this
  }
}

const REPORT = '\u0001report '

export interface ChildOptions {
  readonly node?: NodeBinary
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A shell command to run first, in the same process: `ulimit -f 1000`. */
  readonly before?: string
}

/** Runs the text of a module. */
export function runChild(program: string, options: ChildOptions = {}): Promise<ChildResult> {
  const { node = nodes[0] as NodeBinary, flags = [], env = {}, before = ':' } = options
  const text = `${prelude()}\n${program}`
  const command = [node.path, '--expose-gc', '--no-warnings', ...flags, '--input-type=module', '-']
  const child = spawn('/bin/sh', ['-c', `${before}; exec "$@"`, 'sh', ...command], {
    env: { ...process.env, NODE_V8_COVERAGE: '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(text)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => resolve(new ChildResult(status, signal, stdout, stderr)))
  })
}

/** What every program starts with. */
function prelude(): string {
  return `
import { Arena, insideOf } from ${JSON.stringify(compiled('src/arena/arena'))}
import { Heap } from ${JSON.stringify(compiled('src/allocator/heap/heap'))}
import { KiB, MiB, GiB, TiB } from ${JSON.stringify(compiled('src/units'))}
import { FakeOs } from ${JSON.stringify(compiled('test/helpers/fake-os'))}
import { Peer } from ${JSON.stringify(compiled('test/helpers/peer'))}
import { Thread } from ${JSON.stringify(compiled('test/helpers/thread'))}
import { collect, isMapped, mappedBytes, rssBytes, turns } from ${JSON.stringify(compiled('test/helpers/inside'))}
const report = (values) => process.stdout.write(${JSON.stringify(REPORT)} + JSON.stringify(values) + '\\n')
`
}

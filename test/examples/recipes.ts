/** Runs a recipe as its user does, and what is asked of every recipe. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { type NodeBinary, nodes } from '../helpers/child.ts'

const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

export function example(node: NodeBinary, ...args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(node.path, ['--expose-gc', '--no-warnings', main, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
  return { status, out: stdout, err: stderr }
}

/** Runs one that must succeed, with so many checks, all ok. Returns what it printed. */
export function passes(node: NodeBinary, checks: number, ...args: readonly string[]): string {
  const { status, out, err } = example(node, ...args)
  assert.equal([status, err], [0, ''], out)
  assert.is(out.match(/^ ok {3}\S/gm)?.length, checks, out)
  assert.ok(
    out.split('\n').every((line) => line.length <= 100),
    out
  )
  return out
}

/** Help, and one clear line for each wrong command line: pairs of arguments and what the line must say. */
export function refuses(name: string, wrong: readonly (readonly [readonly string[], RegExp])[]): void {
  const here = nodes[0] as NodeBinary
  const help = example(here, name, '--help')
  assert.equal([help.status, help.err], [0, ''])
  assert.match(help.out, new RegExp(`^Usage: npm run example -- ${name} \\[options\\]\n`))
  assert.ok(help.out.split('\n').every((line) => line.length <= 90))
  const always: typeof wrong = [
    [['--nonsense'], /'--nonsense'/],
    [['nonsense'], /'nonsense'/],
  ]
  for (const [args, message] of [...always, ...wrong]) {
    const { status, out, err } = example(here, name, ...args)
    assert.equal([status, out], [2, ''], args.join(' '))
    assert.match(err, message)
    assert.match(err, /^[^\n]+ \(--help tells what there is\)\n$/)
  }
}

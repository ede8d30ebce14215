/**
 * Runs the explorer over all scenarios and mutants.
 *
 *     npm run explore                    everything, to the end: some minutes
 *     npm run explore -- --most 20000    so many states of each
 *
 * The steps are the compiled ones, read as text, so that a fault can be put in; and so that stores are as strong as the model needs: plain ones in
 * order under TSO (x64), `Atomics.store` under PSO (elsewhere).
 * @module
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type * as Steps from '../../../src/allocator/concurrent/steps.ts'
import { compiled } from '../../helpers/compiled.ts'
import { explore, installAtomics, type Model, type Outcome } from './explorer.ts'
import { mutants, type Named, scenarios } from './scenarios.ts'

type StepsModule = typeof Steps

const PLACE = 'src/allocator/concurrent/steps.js'
let loads = 0

/** The steps, for a model, with a fault. */
export async function stepsFor(model: Model, from = '', to = ''): Promise<StepsModule> {
  const url = new URL(`../../../${PLACE}`, import.meta.url)
  let text = readFileSync(url, 'utf8')
  const exact = "const TOTAL = process.arch === 'x64'"
  if (!text.includes(exact)) throw new Error('the steps do not say what the processor keeps')
  text = text.replace(exact, `const TOTAL = ${model === 'tso'}`)
  if (!text.includes(from)) throw new Error(`no such text in the steps: ${from}`)
  text = from === '' ? text : text.replace(from, to)
  text = text.replace(/from '(\.\.?\/[^']*)'/g, (_, path: string) => `from '${new URL(path, url)}'`)
  // A relative place of a source map means nothing in such a URL.
  text = text.replace(/^\/\/# sourceMappingURL=.*$/m, '')
  return import(`data:text/javascript,${encodeURIComponent(`${text}\n// ${++loads}`)}`) as Promise<StepsModule>
}

export interface Line {
  readonly name: string
  readonly model: Model
  readonly outcome: Outcome
  /** Whether something wrong is to be found. */
  readonly mutant: boolean
}

/** All scenarios of up to `size` threads, and all mutants. */
export async function* exploreAll(most: number, size = 3): AsyncGenerator<Line> {
  for (const model of ['tso', 'pso'] as const) {
    const steps = await stepsFor(model)
    for (const named of scenarios)
      if (named.size <= size) yield { name: named.name, model, outcome: run(named, steps, model, most), mutant: false }
  }
  for (const { name, from, to, found, model = 'tso' } of mutants) {
    const named = scenarios.find((one) => one.name === found) as Named
    yield {
      name: `mutant: ${name}`,
      model,
      outcome: run(named, await stepsFor(model, from, to), model, Math.max(most, 200_000)),
      mutant: true,
    }
  }
}

function run(named: Named, steps: StepsModule, model: Model, most: number): Outcome {
  return explore(named.make(steps), model, named.dying, most)
}

installAtomics()
void compiled

if (process.argv[1]?.endsWith('explore.js')) {
  const { values } = parseArgs({
    options: {
      most: { type: 'string', default: '30000000' },
      path: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
    },
  })
  let wrong = 0
  for await (const { name, model, outcome, mutant } of exploreAll(Number(values.most))) {
    const { states, ends, complete, wrong: what, path } = outcome
    const expected = (what !== undefined) === mutant
    if (!expected) wrong++
    const end = what === undefined ? (complete ? 'holds' : 'holds, as far as looked at') : what
    console.log(
      `${expected ? ' ' : '!'} ${model} ${name.padEnd(76)} ${String(states).padStart(9)} states ${String(ends).padStart(7)} ends  ${end}`
    )
    if (!expected && what !== undefined) console.log(`    ${path.join('\n    ')}`)
  }
  if (wrong > 0) process.exitCode = 1
}

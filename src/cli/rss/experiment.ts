/**
 * What an experiment is: a hypothesis, steps, and what the numbers must be if the hypothesis is right.
 *
 *     export const experiment = {
 *       name: 'one-byte', title: 'One byte costs a page',
 *       hypothesis: 'Writing one byte of a fresh arena makes one page resident.',
 *       steps: (lab) => {
 *         const arena = lab.arena(lab.GiB)
 *         return { 'write one byte': () => { arena.view(Uint8Array, 0, 1)[0] = 1 } }
 *       },
 *       expect: [{ step: 'write one byte', figure: 'mincore', atLeast: 4096, atMost: 65536 }],
 *     }
 *
 * What `steps` does before it returns is preparation and not measured. Every repeat runs in a fresh process. An expectation is judged by
 * the median of the repeats.
 * @module
 */
import type { Lab, Machine } from './lab.ts'

/**
 * Bytes that the rest of the process, V8 above all, may gain or give back during a step. It matters to the figures of a whole process;
 * `mincore` counts the pages of the experiment alone.
 */
export const SLACK: number = 2 ** 22

/** What is read before and after each step. Bytes, but for the faults (a count) and the times (milliseconds). */
export const FIGURES = [
  'reserved',
  'resident',
  'anonymous',
  'file',
  'shared',
  'hugePages',
  'lazyFree',
  'swap',
  'pageTables',
  'mincore',
  'minorFaults',
  'majorFaults',
  'milliseconds',
  'cpuMilliseconds',
] as const

export type Figure = (typeof FIGURES)[number]

/** What must be true of a figure's change during a step. */
export interface Expectation {
  readonly step: string
  /** One of `FIGURES`, or what the step has given to `lab.note`. */
  readonly figure: string
  /** The change is divided by that of the same figure in this step; the bounds are then ratios. */
  readonly against?: string
  /** The sum of the changes since the first step, this one included. */
  readonly sinceStart?: boolean
  readonly atLeast?: number
  readonly atMost?: number
}

export type Steps = Readonly<Record<string, () => unknown>>

export interface Experiment {
  readonly name: string
  readonly title: string
  readonly hypothesis: string
  readonly steps: (lab: Lab) => Steps | Promise<Steps>
  readonly expect: readonly Expectation[] | ((machine: Machine) => readonly Expectation[])
  /** Why the experiment cannot be made on this machine; undefined when it can. */
  readonly unless?: (machine: Machine) => string | undefined
}

/** Figures by name at one moment, or their change. */
export type Figures = Readonly<Record<string, number>>

/** A reading in the course of a run. */
export interface Reading {
  readonly step: string
  /** Since the first step, without the time that readings took. */
  readonly milliseconds: number
  readonly figures: Figures
}

export interface StepResult {
  readonly name: string
  /** The change during the step. */
  readonly change: Figures
}

/** What one process reports. */
export interface RunReport {
  readonly machine: Machine
  readonly steps: readonly StepResult[]
  readonly readings: readonly Reading[]
  /** Why it was not made. */
  readonly skipped?: string
  readonly expectations: readonly Expectation[]
}

/** What a module exports as `experiment`, or as default; of CommonJS the default export is all of `module.exports`. */
export function experimentOf(module: { readonly experiment?: unknown; readonly default?: unknown }): unknown {
  const whole = module.default as { readonly experiment?: unknown } | null | undefined
  return module.experiment ?? whole?.experiment ?? whole
}

/** Throws, with the reason, unless the value is an experiment. */
export function requireExperiment(value: unknown, from: string): Experiment {
  const given = value as Partial<Record<keyof Experiment, unknown>> | null | undefined
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`${from} exports no object \`experiment\` and no default one`)
  for (const field of ['name', 'title', 'hypothesis'] as const)
    if (typeof given[field] !== 'string' || given[field] === '')
      throw new TypeError(`the experiment of ${from} has no text \`${field}\``)
  if (!/^[\w.-]+$/.test(given.name as string))
    throw new TypeError(`the name of an experiment consists of letters, digits, ".", "_" and "-", not "${given.name}"`)
  if (typeof given.steps !== 'function') throw new TypeError(`the experiment of ${from} has no function \`steps\``)
  if (!Array.isArray(given.expect) && typeof given.expect !== 'function')
    throw new TypeError(`the experiment of ${from} has no list \`expect\``)
  if (given.unless !== undefined && typeof given.unless !== 'function')
    throw new TypeError(`\`unless\` of the experiment of ${from} is no function`)
  return given as Experiment
}

/** Throws, with the reason, unless the expectations fit the steps. */
export function requireExpectations(value: unknown, steps: readonly StepResult[]): readonly Expectation[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new TypeError('an experiment expects something: `expect` is empty')
  for (const { step, figure, against, atLeast, atMost } of value as Expectation[]) {
    for (const name of [step, against])
      if (name !== undefined || name === step) requireFigure(String(name), String(figure), steps)
    if (atLeast === undefined && atMost === undefined)
      throw new TypeError(`the expectation of ${figure} in "${step}" has neither \`atLeast\` nor \`atMost\``)
    for (const bound of [atLeast, atMost])
      if (bound !== undefined && !Number.isFinite(bound))
        throw new TypeError(`a bound of ${figure} in "${step}" is no number`)
  }
  return value
}

function requireFigure(step: string, figure: string, steps: readonly StepResult[]): void {
  const found = steps.find(({ name }) => name === step)
  if (found === undefined) throw new TypeError(`there is no step "${step}"`)
  if (found.change[figure] === undefined)
    throw new TypeError(
      `there is no figure "${figure}" in "${step}"; there are ${Object.keys(found.change).join(', ')}`
    )
}

/**
 * One run of an experiment, in this process: preparation, then each step between two readings.
 *
 * Before the first step the library is used once, so that koffi is loaded and code is compiled, and readings are taken until their own
 * memory is there. A step that returns a promise is sampled while it lasts. What a reading costs in the midst of a step is taken off.
 * @module
 */
import { readFileSync } from 'node:fs'
import { laboratoryOs } from '../../ffi/laboratory.ts'
import { Arena, Heap, MiB } from '../../index.ts'
import { type Experiment, type Reading, type RunReport, requireExpectations, type StepResult } from './experiment.ts'
import { changeOf, figuresOf, type RawReading, readAfter, readBefore } from './figures.ts'
import { Lab, type Machine } from './lab.ts'

const SAMPLE_EVERY_MS = 20
/** More readings than this in a run are not drawn. */
const MOST_READINGS = 4000

function machineFacts(): Machine {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'latin1')
    } catch {
      return ''
    }
  }
  const folder = '/sys/kernel/mm/transparent_hugepage'
  return {
    pageSize: laboratoryOs().pageSize,
    hugePageSize: Number(read(`${folder}/hpage_pmd_size`)) || 2 * MiB,
    hugePages: /\[(\w+)\]/.exec(read(`${folder}/enabled`))?.[1] ?? 'absent',
    nodeMajor: Number.parseInt(process.versions.node, 10),
  }
}

/** Loads and compiles what every experiment uses. */
function warmUp(): void {
  for (let round = 0; round < 3; round++) {
    using arena = Arena.reserve(4 * MiB)
    arena.view(Uint8Array, 0, MiB).fill(1)
    arena.populate(0, MiB)
    arena.resident()
    arena.purge()
    using heap = new Heap(arena)
    const blocks = Array.from({ length: 100 }, (_, index) => heap.malloc(16 + index))
    for (const block of blocks) heap.free(block)
    heap.purge()
    figuresOf(readBefore(), 0)
    changeOf(figuresOf(readAfter(), 0), figuresOf(readAfter(), 0))
    globalThis.gc?.()
  }
}

class Run {
  readonly steps: StepResult[] = []
  readonly readings: Reading[] = []
  readonly lab: Lab
  #step = 'start'
  /** Time at which the measured time is 0: readings push it on. */
  #origin = 0
  /** Time on the CPU and faults that readings within the present step have cost. */
  #cost: Record<string, number> = {}

  constructor(machine: Machine, folder: string) {
    this.lab = new Lab(machine, folder, () => this.#sample())
  }

  async take(name: string, run: () => unknown): Promise<void> {
    globalThis.gc?.()
    figuresOf(readBefore(), this.lab.mincore())
    const mincore = this.lab.mincore()
    const before = readBefore()
    if (this.steps.length === 0) {
      this.#origin = before.now
      this.#record(before, mincore)
    } else this.#origin += before.now - this.#last
    this.#step = name
    this.#cost = {}
    const pending = run()
    if (isPromise(pending)) await this.#during(pending)
    const after = readAfter()
    this.#last = after.now
    const change = changeOf(figuresOf(before, mincore), this.#record(after, this.lab.mincore()))
    for (const [figure, cost] of Object.entries(this.#cost)) change[figure] = (change[figure] ?? 0) - cost
    this.steps.push({ name, change: { ...change, ...this.lab.takeNotes() } })
  }

  #last = 0

  async #during(pending: Promise<unknown>): Promise<void> {
    const timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS)
    try {
      await pending
    } finally {
      clearInterval(timer)
    }
  }

  #sample(): void {
    const reading = readAfter()
    this.#record(reading, this.lab.mincore())
    const end = readBefore()
    this.#origin += end.now - reading.now
    const cost = {
      milliseconds: end.now - reading.now,
      cpuMilliseconds:
        (end.usage.userCPUTime + end.usage.systemCPUTime - reading.usage.userCPUTime - reading.usage.systemCPUTime) /
        1000,
      minorFaults: end.usage.minorPageFault - reading.usage.minorPageFault,
      majorFaults: end.usage.majorPageFault - reading.usage.majorPageFault,
    }
    for (const [name, value] of Object.entries(cost)) this.#cost[name] = (this.#cost[name] ?? 0) + value
  }

  #record(raw: RawReading, mincore: number): Reading['figures'] {
    const figures = figuresOf(raw, mincore)
    if (this.readings.length < MOST_READINGS)
      this.readings.push({ step: this.#step, milliseconds: raw.now - this.#origin, figures })
    return figures
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** Makes the experiment once. Its files go to `folder`. */
export async function makeExperiment(
  experiment: Experiment,
  folder: string,
  machine: Machine = machineFacts()
): Promise<RunReport> {
  const skipped = experiment.unless?.(machine)
  if (skipped !== undefined) return { machine, steps: [], readings: [], expectations: [], skipped }
  warmUp()
  const run = new Run(machine, folder)
  const steps = await experiment.steps(run.lab)
  await run.lab.collect()
  for (const [name, step] of Object.entries(steps)) await run.take(name, step)
  const { expect } = experiment
  const expectations = requireExpectations(typeof expect === 'function' ? expect(machine) : expect, run.steps)
  return { machine, steps: run.steps, readings: run.readings, expectations }
}

/**
 * How often the process ends because a worker was terminated while it worked with sorites. A stress, and a helper of the test that
 * runs a small share of it:
 *
 *     node .build/test/helpers/terminations.js [workers a stage] [stage …]
 *
 *     load      the worker loads koffi and reserves its first arena
 *     attach    it attaches and closes, again and again
 *     claim     the same, and claims a range
 *     wait      it waits for a word, without blocking, again and again
 *     window    it reserves, makes a window, closes, again and again
 *     life      it attaches, makes views, has a heap, waits, all for the first time
 *
 * Each worker is terminated at a random moment. A child runs the workers one after another and says so before and after each; when
 * the child is ended by a signal, that is counted, and another child goes on.
 * @module
 */
import { spawn } from 'node:child_process'
import { argv, execPath } from 'node:process'
import { pathToFileURL } from 'node:url'
import { compiled } from './compiled.ts'

/** What a worker does once it is ready, and how many microseconds it gets at most. */
const STAGES = {
  load: { microseconds: 6000, body: 'ready(); for (;;) Arena.reserve(4096).close()' },
  attach: { microseconds: 2000, body: 'warm(); ready(); for (;;) Arena.attach(data).close()' },
  claim: {
    microseconds: 2000,
    body: 'warm(); ready(); for (;;) { const arena = Arena.attach(data); new Bump(arena); arena.close() }',
  },
  wait: {
    microseconds: 4000,
    body: 'const arena = warm(); ready(); for (;;) await arena.waitAsync(0, 0, { timeoutMs: 0.1 })',
  },
  window: {
    microseconds: 2000,
    body: 'warm(); ready(); for (;;) { const arena = Arena.reserve(4096); arena.view(Uint8Array, 0, 8); arena.close() }',
  },
  life: {
    microseconds: 15_000,
    body: `ready()
      const arena = Arena.attach(data)
      arena.view(Float64Array, 0, 100).fill(1)
      arena.view(Uint8Array, 2 ** 30 - 10, 20).fill(1)
      new Heap(arena, { offset: 2 ** 21, byteLength: 2 ** 20 }).alloc(Uint8Array, 1000)
      await arena.waitAsync(0, 0, { timeoutMs: 1 })
      for (;;) Arena.attach(data).view(Uint8Array, 0, 1)`,
  },
} as const

export type Stage = keyof typeof STAGES
export const stages = Object.keys(STAGES) as Stage[]

/** How many workers were terminated, and how often that ended their process. */
export interface Outcome {
  readonly terminated: number
  readonly ended: number
  /** What the processes that ended said last, with how many said so. */
  readonly reasons: ReadonlyMap<string, number>
}

/** Terminates `count` workers in a stage. */
export async function terminations(stage: Stage, count: number): Promise<Outcome> {
  const reasons = new Map<string, number>()
  let terminated = 0
  let ended = 0
  while (terminated < count) {
    const { begun, done, reason } = await inChild(stage, count - terminated)
    terminated += begun
    if (done) continue
    ended++
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    if (begun === 0) throw new Error(`the child ended before it had terminated anything: ${reason}`)
  }
  return { terminated, ended, reasons }
}

interface ChildEnd {
  readonly begun: number
  readonly done: boolean
  readonly reason: string
}

function inChild(stage: Stage, count: number): Promise<ChildEnd> {
  const child = spawn(execPath, ['--no-warnings', '--input-type=module', '-e', program(stage, count)])
  let begun = 0
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (begun += chunk.length))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(0, 2000)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      const line =
        /FATAL ERROR: .*|Check failed: .*|Assertion .*/.exec(errors)?.[0] ?? errors.trim().split('\n')[0] ?? ''
      resolve({ begun, done: status === 0, reason: `${signal ?? status} ${line}`.trim() })
    })
  })
}

/** A byte on stdout for each worker that is about to be terminated. */
function program(stage: Stage, count: number): string {
  const { microseconds, body } = STAGES[stage]
  const paths = ['src/arena/arena', 'src/allocator/heap/heap', 'src/allocator/bump/bump'].map(compiled)
  const worker = `
    const { parentPort, workerData: data } = require('node:worker_threads')
    Promise.all(${JSON.stringify(paths)}.map((path) => import(path))).then(async (parts) => {
      const { Arena, Heap, Bump } = Object.assign({}, ...parts)
      const ready = () => parentPort.postMessage('ready')
      const warm = () => { const arena = Arena.attach(data); arena.view(Uint8Array, 0, 1); return arena }
      ${body}
    })`
  return `
    import { writeSync } from 'node:fs'
    import { Worker } from 'node:worker_threads'
    import { Arena } from ${JSON.stringify(compiled('src/arena/arena'))}
    const arena = Arena.reserve(2 ** 31)
    for (let i = 0; i < ${count}; i++) {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [], workerData: arena.handle() })
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      // The clock draws the moment of the termination, which is random on purpose; no outcome is judged by it.
      const end = performance.now() + Math.random() * ${microseconds / 1000}
      while (performance.now() < end);
      writeSync(1, '.')
      await worker.terminate()
    }
    process.exit(0)`
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const [, , count = '100', ...chosen] = argv
  for (const stage of (chosen.length === 0 ? stages : chosen) as Stage[]) {
    const { terminated, ended, reasons } = await terminations(stage, Number(count))
    console.log(`${stage}: ${terminated} terminated, ${ended} times the end of the process`)
    for (const [reason, times] of reasons) console.log(`    ${times} x ${reason}`)
  }
}

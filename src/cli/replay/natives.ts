/**
 * The allocators of C beside the policies: a program of ours (native/replay-source.ts) replays the trace through the malloc of its process,
 * which another library may have taken over. What is not installed, or cannot be compiled, is left out, and named.
 * @module
 */
import { spawn } from 'node:child_process'
import { atEnd, Failure } from '../failure.ts'
import { compileSource, type Scratch } from '../native/compile.ts'
import { environment, findNatives, isFrom, type NativeAllocator } from '../native/libraries.ts'
import { REPLAY_SOURCE } from '../native/replay-source.ts'

export interface NativeMeasured {
  readonly coldNs: number
  readonly warmNs: number
  readonly passes: number
  readonly peakRssBytes: number
  /** The library that the calls went to. */
  readonly library: string
}

/** Passes count whether their core was quiet or not: the limit is above what any takes. */
const ANY_NS = 1e12

export class Natives {
  readonly #found: readonly NativeAllocator[]
  #program: string | undefined

  /** `missing` is called with a line for each that is not there. */
  constructor(missing: (line: string) => void) {
    this.#found = findNatives(missing)
  }

  get names(): readonly string[] {
    return this.#found.map(({ name }) => name)
  }

  async replay(name: string, file: string, events: number, warmMs: number, scratch: Scratch): Promise<NativeMeasured> {
    const native = this.#found.find((one) => one.name === name)!
    this.#program ??= compileSource('replay', REPLAY_SOURCE, scratch)
    if (this.#program === undefined) throw new Failure('--native needs a C compiler, and there is no working `cc` here')
    // At least a pass, and as many as the policies make in their time, at 50 ns an event.
    const passes = Math.max(1, Math.min(200, Math.ceil((warmMs * 1e6) / (50 * Math.max(1, events)))))
    const lines = await run(this.#program, [file, passes, 0, ANY_NS].map(String), native)
    const library = /^library (.*)$/m.exec(lines)?.[1] ?? ''
    if (!isFrom(native, library)) throw new Failure(`${name} was not preloaded: malloc came from ${library}`)
    const number = (key: string): number => Number(new RegExp(`^${key} (\\S+)$`, 'm').exec(lines)?.[1])
    const times = [...lines.matchAll(/^pass (\S+)/gm)].map(([, ns]) => Number(ns)).sort((a, b) => a - b)
    return {
      coldNs: number('cold'),
      warmNs: times[times.length >> 1]!,
      passes: times.length,
      peakRssBytes: number('peak'),
      library,
    }
  }
}

function run(program: string, args: readonly string[], native: NativeAllocator): Promise<string> {
  const child = spawn(program, args, { env: environment(native), stdio: ['ignore', 'pipe', 'pipe'] })
  const settled = atEnd(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Failure(`cannot run ${native.name}: ${error.message}`)))
    child.on('close', (status, signal) => {
      settled()
      if (status === 0) resolve(stdout)
      else reject(new Failure(`${native.name} ended with ${signal ?? `status ${status}`} ${stderr.trim()}`))
    })
  })
}

/**
 * What do many blocks in one call cost? `mallocMany` and `freeMany` of a Heap, beside its single calls and C's malloc and free, one by one.
 *
 * C has no call for many in its standard library, so this compares what each can do. The order in which blocks are freed is mixed into the
 * array before the clock starts. C runs as a process of its own, the rounds in turn.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { Heap } from '../src/allocator/heap/heap.ts'
import { Arena } from '../src/arena/arena.ts'
import { Scratch } from '../src/cli/native/compile.ts'
import { environment, findNatives, type NativeAllocator } from '../src/cli/native/libraries.ts'
import { GiB } from '../src/units.ts'
import { compile } from './native/compile.ts'
import { quick } from './pairs/grid.ts'
import { countText, markdownTable, timeText } from './report/markdown.ts'
import { Progress } from './report/progress.ts'
import { median } from './report/statistics.ts'

const SIZES = [16, 64, 256]
const COUNTS = [1000, 100_000]
const ORDERS = ['in order', 'in reverse', 'at random'] as const
const ROUNDS = quick ? 1 : 5
const SECONDS = quick ? 0.02 : 0.3

type Pass = (heap: Heap, byteLength: number, offsets: Float64Array, order: Uint32Array, freed: Float64Array) => void

const many: Pass = (heap, byteLength, offsets, order, freed) => {
  heap.mallocMany(byteLength, offsets)
  for (let i = 0; i < order.length; i++) freed[i] = offsets[order[i]!]!
  heap.freeMany(freed)
}

const single: Pass = (heap, byteLength, offsets, order, freed) => {
  for (let i = 0; i < offsets.length; i++) offsets[i] = heap.malloc(byteLength)
  for (let i = 0; i < order.length; i++) freed[i] = offsets[order[i]!]!
  for (let i = 0; i < freed.length; i++) heap.free(freed[i]!)
}

function orderOf(count: number, order: (typeof ORDERS)[number]): Uint32Array {
  const result = Uint32Array.from({ length: count }, (_, i) => (order === 'in reverse' ? count - 1 - i : i))
  let state = 88172645
  for (let i = count - 1; order === 'at random' && i > 0; i--) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const j = (state >>> 0) % (i + 1)
    ;[result[i], result[j]] = [result[j]!, result[i]!]
  }
  return result
}

/** The median time of a pair in ns, the mixing of the order taken off. */
function timePass(pass: Pass, heap: Heap, byteLength: number, order: Uint32Array): number {
  const offsets = new Float64Array(order.length)
  const freed = new Float64Array(order.length)
  const mix = (): void => {
    for (let i = 0; i < order.length; i++) freed[i] = offsets[order[i]!]!
  }
  const times = { pass: [] as number[], mix: [] as number[] }
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end || times.pass.length < 5) {
    const [a, b] = [performance.now(), pass(heap, byteLength, offsets, order, freed)] as [number, unknown]
    const c = performance.now()
    mix()
    times.mix.push(performance.now() - c)
    times.pass.push(c - a)
    void b
  }
  return ((median(times.pass) - median(times.mix)) * 1e6) / order.length
}

function main(): void {
  using scratch = new Scratch()
  const program = compile('many', scratch)
  const skipped: string[] = []
  const natives = program === undefined ? [] : findNatives((line) => skipped.push(line))
  const heap = new Heap(Arena.reserve(GiB), { decayMs: -1 })
  const names = ['mallocMany, freeMany', 'malloc, free', ...natives.map(({ name }) => `C, ${name}`)]
  const progress = new Progress(SIZES.length * COUNTS.length * ORDERS.length * ROUNDS)
  const rows: string[][] = []
  for (const count of COUNTS)
    for (const [number, order] of ORDERS.entries())
      for (const bytes of SIZES) {
        const times: number[][] = names.map(() => [])
        const indices = orderOf(count, order)
        for (let round = 0; round < ROUNDS; round++) {
          progress.next(`${countText(count)} of ${bytes} B, ${order}, round ${round + 1}`)
          times[0]!.push(timePass(many, heap, bytes, indices))
          times[1]!.push(timePass(single, heap, bytes, indices))
          for (const [i, native] of natives.entries())
            times[i + 2]!.push(runC(program as string, count, bytes, number, native))
        }
        rows.push([`${countText(count)}, ${order}, ${bytes} B`, ...times.map((list) => timeText(median(list)))])
      }
  progress.stop()
  console.log(`ns a block for making and freeing it, median of ${ROUNDS} interleaved rounds:\n`)
  console.log(markdownTable(['blocks', ...names], rows, 0))
  for (const line of skipped) console.log(`${line}.`)
}

function runC(program: string, count: number, bytes: number, order: number, native: NativeAllocator): number {
  const args = [count, bytes, order, SECONDS].map(String)
  return Number(execFileSync(program, args, { encoding: 'utf8', env: environment(native) }))
}

main()

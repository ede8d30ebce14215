/**
 * A worker of worker-arena.ts: fills its part of the arena with what it is to hold, or looks at both ends of what it is given.
 * @module
 */
import { parentPort } from 'node:worker_threads'
import { Arena, type ArenaHandle } from '../src/index.ts'

/** What a worker is told to do. `first` and `length` count numbers of 8 bytes. */
export type Task =
  | { readonly do: 'fill'; readonly handle: ArenaHandle; readonly first: number; readonly length: number }
  | { readonly do: 'look'; readonly handle: ArenaHandle }
  | { readonly do: 'look'; readonly copy: Uint8Array }

function fill({ handle, first, length }: Extract<Task, { do: 'fill' }>): number {
  const arena = Arena.attach(handle)
  const numbers = arena.view(Float64Array, first * 8, length)
  for (let i = 0; i < numbers.length; i++) numbers[i] = first + i
  arena.close()
  return length
}

/** The first and the last number, added. */
function look(task: Extract<Task, { do: 'look' }>): number {
  if ('copy' in task) {
    const numbers = new Float64Array(task.copy.buffer)
    return (numbers[0] as number) + (numbers.at(-1) as number)
  }
  const arena = Arena.attach(task.handle)
  const numbers = arena.view(Float64Array, 0, arena.byteLength / 8)
  const sum = (numbers[0] as number) + (numbers.at(-1) as number)
  // Detached also on Node 20, where its collector would take a window that is alive for 256 MiB of garbage each time.
  arena.close({ detach: true })
  return sum
}

parentPort?.on('message', (task: Task) => parentPort?.postMessage(task.do === 'fill' ? fill(task) : look(task)))

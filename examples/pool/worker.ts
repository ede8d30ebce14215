/**
 * A worker: does one job after the other, and stores each result before it says that the job is done.
 *
 *     node worker.js PATH PART PARTS        started by pool.ts, with a channel
 *
 * A job that is sent again, since the worker before this one died with it, is not done twice when its result is there.
 * @module
 */
import { Arena } from '../../src/index.ts'
import { resultOf } from './job.ts'
import { Journal } from './journal.ts'

/** What a worker says. */
export type Message =
  | { readonly ready: true; readonly recovered: boolean; readonly unfinished: number }
  | { readonly done: number }
  | { readonly failed: number; readonly reason: string }

function work(path: string, part: number, parts: number): void {
  const arena = Arena.open(path)
  const journal = new Journal(arena, part, parts)
  // A message that does not arrive is followed by `disconnect`.
  const say = (message: Message): void => {
    process.send?.(message, () => undefined)
  }
  process.on('message', (id: number) => {
    try {
      if (!journal.has(id)) journal.append(id, resultOf(id))
      say({ done: id })
    } catch (error) {
      say({ failed: id, reason: (error as Error).message })
    }
  })
  // Without its pool a worker ends, and lets others have its part.
  process.on('disconnect', () => {
    journal.close()
    arena.close()
  })
  say({ ready: true, recovered: journal.recovered, unfinished: journal.unfinished })
}

const [path = '', part, parts] = process.argv.slice(2)
try {
  work(path, Number(part), Number(parts))
} catch (error) {
  console.error(`worker ${part}: ${(error as Error).message}`)
  process.exit(1)
}

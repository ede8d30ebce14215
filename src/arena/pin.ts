/**
 * Pins keep an arena, a mapped file, an allocator or a block as it is while native code works on it.
 *
 *     arena.pin      arena  + 1                              arena.close refuses: ERR_ARENA_BUSY
 *     heap.pin       block  + 1    around it each block + 1  free, realloc, reset, close of each allocator refuse, and
 *                    arena's blocks + 1                      arena.close does: ERR_BLOCK_PINNED
 *     arena.use      both, where the view starts in a live block
 *
 * A pin is counted where it is refused, so each ending compares one number. `WhenIdle` closes once the last pin is gone. Cost: the
 * count and one object for a pin.
 * @module
 */
import { ArenaClosedError, InvalidArgumentTypeError } from '../errors.ts'
import { nextTurn } from '../runtime.ts'

/** Takes back what was done. Does it once. */
export type Release = () => void

/** A disposable that calls `release` once. */
export function disposable(release: Release): Disposable {
  let held = true
  return {
    [Symbol.dispose]: () => {
      if (!held) return
      held = false
      release()
    },
  }
}

/** Runs an operation on a view, pinned until its promise is settled. */
export async function pinned<V, R>(pin: () => Disposable, view: V, run: (view: V) => R | Promise<R>): Promise<R> {
  if (typeof run !== 'function') throw new InvalidArgumentTypeError('run', 'a function', run)
  const held = pin()
  try {
    return await run(view)
  } finally {
    held[Symbol.dispose]()
  }
}

/** Closes something when its last pin is gone. While that is awaited, the owner refuses new pins. */
export class WhenIdle {
  #outcome: Promise<void> | undefined
  #resume: (() => void) | undefined

  /** Throws while closing is awaited. `title`: of what is to be pinned. */
  requirePinnable(title: string): void {
    if (this.#outcome !== undefined) throw new ArenaClosedError(`${title} is closing and takes no new pins`)
  }

  /**
   * Calls `close` once nothing is pinned, at the earliest when the caller's code is over, and after what follows the end of the last
   * `use`: `await heap.use(view, send); heap.free(view)` still finds the heap open. Everything that asks meanwhile gets the same promise. When `close` throws, the promise is rejected, pins are granted again, and the next call tries anew.
   */
  close(idle: boolean, close: () => void): Promise<void> {
    this.#outcome ??= this.#run(idle, close)
    return this.#outcome
  }

  /** The last pin is gone. */
  wake(): void {
    this.#resume?.()
  }

  async #run(idle: boolean, close: () => void): Promise<void> {
    await (idle
      ? undefined
      : new Promise<void>((resolve) => {
          this.#resume = resolve
        }).then(nextTurn))
    this.#outcome = undefined
    this.#resume = undefined
    close()
  }
}

/**
 * Whether a mapping is open, and what keeps it so. An arena has one, a mapped file has one, and a file and the arena in it have
 * the same one: they are opened, pinned and closed together.
 *
 *     open ──close()──▶ pinned? ERR_ARENA_BUSY.  Who asked for it before is told, Lifetime closes the mapping (lifetime.ts), and
 *                       who asked for it after is told.
 *
 * When this is garbage without having been closed, so is everything that could still use the mapping but views of it: that is
 * what the lifetime watches.
 * @module
 */
import { boolean, optionsObject } from '../arguments.ts'
import { ArenaBusyError, ArenaClosedError, InvalidArgumentTypeError } from '../errors.ts'
import type { Lifetime } from './lifetime.ts'

export class Holding {
  /** For messages: 'the arena', 'file "x"'. */
  readonly title: string
  readonly #lifetime: Lifetime
  readonly #before: (() => void)[] = []
  readonly #after: (() => void)[] = []
  #pins = 0
  #closed = false

  constructor(title: string, lifetime: Lifetime) {
    this.title = title
    this.#lifetime = lifetime
    lifetime.watch(this)
  }

  get closed(): boolean {
    return this.#closed
  }

  requireOpen(): void {
    if (this.#closed) throw new ArenaClosedError(`${this.title} is closed`)
  }

  /** Has a function called before the mapping is closed. It may not throw, and be called again when closing is refused. */
  beforeClose(listener: () => void): void {
    this.#before.push(listener)
  }

  /** Has a function called once the mapping is closed. It may not throw. */
  onClose(listener: () => void): void {
    this.#after.push(listener)
  }

  /** Holds the mapping open until the pin is disposed of. */
  pin(): Disposable {
    this.requireOpen()
    this.#pins++
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#pins--
        held = false
      },
    }
  }

  /** Runs an operation, pinned until its promise is settled. */
  async use<V, R>(view: V, run: (view: V) => R | Promise<R>): Promise<R> {
    if (typeof run !== 'function') throw new InvalidArgumentTypeError('run', 'a function', run)
    const pin = this.pin()
    try {
      return await run(view)
    } finally {
      pin[Symbol.dispose]()
    }
  }

  /** Closes the mapping, unless it is closed. Throws while it is pinned, and what the kernel refuses: it is open then. */
  close(options: { readonly detach?: boolean | undefined } | undefined): void {
    if (this.#closed) return
    optionsObject('options', options)
    const detach = options?.detach
    boolean('options.detach', detach)
    if (this.#pins > 0)
      throw new ArenaBusyError(
        `${this.title} is pinned ${this.#pins === 1 ? 'once' : `${this.#pins} times`} and cannot be closed`
      )
    for (const listener of this.#before) listener()
    this.#lifetime.close(detach)
    this.#closed = true
    for (const listener of this.#after) listener()
  }
}

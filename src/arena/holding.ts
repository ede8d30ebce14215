/**
 * Whether a mapping is open, and what keeps it so. An arena has one, a mapped file has one, and a file and the arena in it have
 * the same one: they are opened, pinned and closed together.
 *
 *     open ──close()──▶ closing ──▶ closed          in the order of ending.ts
 *                       refuse: pinned? ERR_ARENA_BUSY.  store: what its parts leave to others.  give back: Lifetime closes the
 *                       mapping (lifetime.ts).  forget: its parts let go.
 *
 * From `closing` on every call is refused: nobody makes a buffer over a mapping that is going.
 *
 * When this is garbage without having been closed, so is everything that could still use the mapping but views of it: that is
 * what the lifetime watches.
 * @module
 */
import { boolean, optionsObject } from '../arguments.ts'
import { ArenaBusyError, ArenaClosedError, InvalidArgumentTypeError } from '../errors.ts'
import { end, told } from './ending.ts'
import type { Lifetime } from './lifetime.ts'

/** What a part of an arena or a file does when it is closed. None of it throws. */
export interface Closing {
  /** Stores what others must read. Called again when closing was refused and is tried again. */
  store?(): void
  /** Closing was refused. */
  restore?(): void
  /** The mapping is gone: drops references, and tells whoever must know. */
  forget(): void
}

export class Holding {
  /** For messages: 'the arena', 'file "x"'. */
  readonly title: string
  readonly #lifetime: Lifetime
  readonly #parts: Closing[] = []
  #pins = 0
  #state: 'open' | 'closing' | 'closed' = 'open'

  constructor(title: string, lifetime: Lifetime) {
    this.title = title
    this.#lifetime = lifetime
    lifetime.watch(this)
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  requireOpen(): void {
    if (this.#state !== 'open') throw new ArenaClosedError(`${this.title} is closed`)
  }

  /** Has a part told when it is closed. */
  onClose(part: Closing): void {
    this.#parts.push(part)
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
    if (this.#state !== 'open') return
    optionsObject('options', options)
    const detach = options?.detach
    boolean('options.detach', detach)
    // Reading the options may have closed it.
    if (this.#state !== 'open') return
    if (this.#pins > 0)
      throw new ArenaBusyError(
        `${this.title} is pinned ${this.#pins === 1 ? 'once' : `${this.#pins} times`} and cannot be closed`
      )
    end({
      store: () => {
        this.#state = 'closing'
        for (const part of this.#parts) part.store?.()
      },
      restore: () => {
        this.#state = 'open'
        for (const part of this.#parts) part.restore?.()
      },
      giveBack: () => this.#lifetime.close(detach),
      forget: () => {
        this.#state = 'closed'
        for (const part of this.#parts) told(() => part.forget())
      },
    })
  }
}

/**
 * Whether a mapping is open, and what keeps it so. An arena has one, a mapped file has one, and a file and the arena in it have
 * the same one: they are opened, pinned and closed together.
 *
 *     open ──close()──▶ closing ──▶ closed          in the order of ending.ts:
 *
 *     refuse      while it is pinned: ERR_ARENA_BUSY, or ERR_BLOCK_PINNED when only blocks are (pin.ts)
 *     store       each part stores what it leaves to others
 *     give back   the lifetime closes the mapping (lifetime.ts)
 *     forget      each part drops its references
 *
 * From `closing` on every call is refused, so no buffer is made over a mapping that is ending.
 *
 * Every user of the mapping but its views refers to this object. So when it is garbage without having been closed, only views can be
 * left, and the lifetime, which watches this object, waits for those.
 * @module
 */
import { boolean, optionsObject } from '../../arguments.ts'
import { ArenaBusyError, ArenaClosedError, BlockPinnedError } from '../../errors.ts'
import { end, told } from '../ending.ts'
import { disposable, pinned, type Release, WhenIdle } from '../pin.ts'
import type { Lifetime } from './lifetime.ts'

/** What a part of an arena or a file does when it is closed. None of it throws. */
export interface Closing {
  /** Stores what others must read. Called again when closing was refused and is tried again. */
  store?(): void
  /** Closing was refused. */
  restore?(): void
  /** The mapping is gone: drops references, and tells what depends on it. */
  forget(): void
}

export class OpenState {
  /** For messages: 'the arena', 'file "x"'. */
  readonly title: string
  readonly #lifetime: Lifetime
  readonly #parts: Closing[] = []
  readonly #whenIdle = new WhenIdle()
  #pins = 0
  /** Pins of blocks, which allocators have granted. */
  #blockPins = 0
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
    this.#requirePinnable()
    this.#pins++
    return disposable(() => {
      this.#pins--
      this.#wakeWhenIdle()
    })
  }

  /** Holds the mapping open for a pinned block in it. The answer is to be called once. */
  pinBlock(): Release {
    this.#requirePinnable()
    this.#blockPins++
    return () => {
      this.#blockPins--
      this.#wakeWhenIdle()
    }
  }

  /** Runs an operation, pinned until its promise is settled. `pinBlock` pins the block that the view starts in, where there is one. */
  async use<V, R>(view: V, run: (view: V) => R | Promise<R>, pinBlock?: () => Release | undefined): Promise<R> {
    return pinned(() => this.#pinWith(pinBlock), view, run)
  }

  #pinWith(pinBlock: (() => Release | undefined) | undefined): Disposable {
    const pin = this.pin()
    let release: Release | undefined
    try {
      release = pinBlock?.()
    } catch (error) {
      pin[Symbol.dispose]()
      throw error
    }
    return disposable(() => {
      release?.()
      pin[Symbol.dispose]()
    })
  }

  #requirePinnable(): void {
    this.requireOpen()
    this.#whenIdle.requirePinnable(this.title)
  }

  #wakeWhenIdle(): void {
    if (this.#pins + this.#blockPins === 0) this.#whenIdle.wake()
  }

  /** Closes the mapping when nothing is pinned any more, and refuses new pins until then. */
  closeWhenIdle(): Promise<void> {
    return this.#whenIdle.close(this.#pins + this.#blockPins === 0, () => this.close(undefined))
  }

  /** Closes the mapping, unless it is closed. Throws while it is pinned, and what the kernel refuses: it is open then. */
  close(options: { readonly detach?: boolean | undefined } | undefined): void {
    if (this.#state !== 'open') return
    optionsObject('options', options)
    const detach = options?.detach
    boolean('options.detach', detach)
    // Reading the options may have closed it.
    if (this.#state !== 'open') return
    end({
      refuse: () => this.#requireUnpinned(),
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

  #requireUnpinned(): void {
    if (this.#pins > 0) throw new ArenaBusyError(`${this.title} is pinned ${times(this.#pins)} and cannot be closed`)
    if (this.#blockPins > 0)
      throw new BlockPinnedError(`${this.title} cannot be closed: blocks in it are pinned ${times(this.#blockPins)}`)
  }
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

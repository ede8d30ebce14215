/**
 * From `close` to the end of a mapping. JavaScript code may hold views of an arena for as long as it likes, and touching an
 * unmapped page ends the process; so closing happens in steps, of which only the first two are at once.
 *
 *     open ──close()──▶ 1 fresh empty pages put over the whole range (RSS falls; a stale access reads zero)
 *       │               2 the arena's buffers detached, where that is safe (a stale access sees an empty view)
 *       │               3 wait until the last ArrayBuffer over the range is garbage
 *       └─garbage──────▶4 unmap: the addresses are free
 *
 * Detaching does not shorten step 3: a native operation in flight (a read, randomFill, zlib) still has the address, and holds
 * the view, hence the buffer, until it is done. An arena that never made a buffer goes to step 4 at once. One that is garbage
 * without having been closed starts at step 3. Nothing happens at process exit. A worker that is terminated leaves the mappings
 * of its arenas to the process, unless another thread has them too.
 *
 * Steps 1 and 4 are what one arena of one thread can do with a mapping that it has alone. When others have it as well, they are
 * done by the last of them, and closing detaches only this arena's buffers: `MappingOwner` decides (owner.ts, threads/thread-owner.ts).
 *
 * A buffer found detached by others while the arena is open means that its memory has moved to a buffer that the arena cannot watch:
 * such a mapping is emptied as usual but never unmapped, which costs addresses and no memory. A buffer that is not kept any
 * more, and that is garbage before it was looked at for the last time, may have been moved: it counts as one that was.
 *
 *     kept       by its windows, until the end: looked at when it is used, and at the end
 *     forgotten  a weak reference to it: alive at the end, it is looked at and detached like any other; garbage before that, moved
 *     private    never handed out, so no foreign code can have moved it
 *
 * What cannot be seen is a move in step 3: a stale view that is still attached, is first put into a byte stream (or transferred) then,
 * and whose chunk is touched after step 4. That takes Node 20, `detach: false`, or an arena that became garbage without `close`.
 *
 * Each buffer is one mark in a set, so that a callback that comes twice, or never, does no harm. Costs 0.1 us a buffer. A sleep in the
 * kernel on a word of the mapping counts as a buffer (`hold`).
 * @module
 */
import { ArenaBusyError } from '../../errors.ts'
import type { BufferRange } from '../buffer-range.ts'
import { canTransfer, detach } from './detach.ts'
import type { Mapping } from './mapping.ts'
import type { MappingOwner } from './owner.ts'
import { recheck } from './recheck.ts'

/** What keeps buffers over the mapping: windows. */
export interface BufferKeeper {
  /** Every buffer that is kept. */
  all(): ArrayBuffer[]
  /** Drops them. */
  forget(): void
}

/** Stands for one ArrayBuffer; must not refer to it. */
interface Mark {
  readonly lifetime: Lifetime
}

/** A buffer that was handed out, as its maker keeps it. */
export interface Seen {
  readonly buffer: ArrayBuffer
  readonly mark: Mark
}

/** Told when a buffer is garbage. Exported so that it is itself never garbage. @internal */
export const bufferRegistry: FinalizationRegistry<Mark> = new FinalizationRegistry((mark) =>
  mark.lifetime.bufferCollected(mark)
)

/** Told when the open state of a mapping is garbage without having been closed. @internal */
export const arenaRegistry: FinalizationRegistry<Lifetime> = new FinalizationRegistry((lifetime) =>
  lifetime.holderCollected()
)

let waiting = 0

/** Bytes of address space of closed arenas that wait for the garbage collector. */
export function waitingBytes(): number {
  return waiting
}

/**
 * What a mapping goes through, and every ArrayBuffer that was made over it for one arena or file. Never refers to what holds it.
 */
export class Lifetime {
  readonly #mapping: Mapping
  readonly #byteLength: number
  readonly #outstanding: Set<Mark> = new Set()
  #private: Map<Mark, WeakRef<ArrayBuffer>> = new Map()
  #forgotten: Map<Mark, WeakRef<ArrayBuffer>> = new Map()
  readonly #keepers: BufferKeeper[] = []
  #state: 'open' | 'closed' | 'unreferenced' | 'over' = 'open'
  #moved = false
  /** Bytes that `waiting` counts of this mapping. */
  #counted = 0

  /** `byteLength`: of the whole mapping, data and metadata. */
  constructor(mapping: Mapping, byteLength: number) {
    this.#mapping = mapping
    this.#byteLength = byteLength
  }

  /** The longest ArrayBuffer that can be had. */
  get maxViewBytes(): number {
    return this.#mapping.maxViewBytes
  }

  /** Watches the object that every user of the mapping refers to. */
  watch(openState: object): void {
    arenaRegistry.register(openState, this, this)
  }

  /** Keeps buffers over the mapping while it is open. */
  keep(keeper: BufferKeeper): void {
    this.#keepers.push(keeper)
  }

  /** From now on others may have the mapping too. */
  share(owner: MappingOwner): void {
    this.#mapping.owner = owner
    if (this.#moved) owner.moved()
  }

  /** A buffer over part of the mapping, for callers to see. */
  view(offset: number, byteLength: number): Seen {
    const buffer = this.#mapping.buffer(offset, byteLength)
    return { buffer, mark: this.#register(buffer) }
  }

  /** The maker of a buffer does not keep it any more. */
  forget({ buffer, mark }: Seen): void {
    if (buffer.byteLength === 0) this.memoryMoved()
    else this.#forgotten.set(mark, new WeakRef(buffer))
  }

  /** Keeps the addresses taken until the answer is called, as a buffer does that is alive. */
  hold(): () => void {
    const mark: Mark = { lifetime: this }
    this.#outstanding.add(mark)
    return () => this.bufferCollected(mark)
  }

  /** A range in a buffer that is never handed out: no operation in flight can hold it, so detaching it ends the wait for it. */
  range(offset: number, byteLength: number): BufferRange {
    const range = this.#mapping.range(offset, byteLength)
    this.#private.set(this.#register(range.buffer), new WeakRef(range.buffer))
    return range
  }

  /** A buffer was found detached by others: its memory is in use where we cannot see it. */
  memoryMoved(): void {
    if (this.#moved) return
    this.#moved = true
    this.#mapping.owner.moved()
  }

  /** Steps 1 to 3. Throws what the kernel refuses; the mapping is then as it was. */
  close(detaching: boolean | undefined): void {
    this.#findMoved()
    const watched = this.#outstanding.size > 0
    const leaving = this.#mapping.owner.leave(watched)
    arenaRegistry.unregister(this)
    this.#state = watched ? 'closed' : 'over'
    this.#detachPrivate()
    this.#forgetBuffers(detaching ?? canTransfer)
    if (watched) this.#wait(leaving === 'emptied')
  }

  /** The arena is garbage: what is left is to wait for its buffers. */
  holderCollected(): void {
    if (this.#state !== 'open') return
    this.#state = 'unreferenced'
    this.#findMoved()
    this.#forgetBuffers(false)
    this.#wait(true)
  }

  /** A buffer is garbage. */
  bufferCollected(mark: Mark): void {
    if (!this.#outstanding.delete(mark)) return
    this.#private.delete(mark)
    if (this.#forgotten.delete(mark)) this.memoryMoved()
    if ((this.#state === 'closed' || this.#state === 'unreferenced') && this.#outstanding.size === 0) this.#end()
  }

  #register(buffer: ArrayBuffer): Mark {
    const mark: Mark = { lifetime: this }
    this.#outstanding.add(mark)
    bufferRegistry.register(buffer, mark)
    return mark
  }

  /** No operation can be working on these, so it is without risk on every runtime. */
  #detachPrivate(): void {
    for (const [mark, reference] of this.#private) {
      const buffer = reference.deref()
      if (buffer !== undefined && detach(buffer)) this.#outstanding.delete(mark)
    }
  }

  /** Looks at every buffer that may have been moved, for the last time. */
  #findMoved(): void {
    const detached = ({ byteLength }: ArrayBuffer): boolean => byteLength === 0
    for (const keeper of this.#keepers) if (keeper.all().some(detached)) this.memoryMoved()
    for (const references of [this.#private, this.#forgotten])
      for (const reference of references.values()) {
        const buffer = reference.deref()
        if (buffer === undefined ? references === this.#forgotten : detached(buffer)) this.memoryMoved()
      }
  }

  #forgetBuffers(detaching: boolean): void {
    if (detaching) for (const reference of this.#forgotten.values()) detachIfAlive(reference)
    for (const keeper of this.#keepers.splice(0)) {
      if (detaching) for (const buffer of keeper.all()) detach(buffer)
      keeper.forget()
    }
    this.#private = new Map()
    this.#forgotten = new Map()
  }

  /** Until no buffer is left. `counting`: whether only they keep the addresses. */
  #wait(counting: boolean): void {
    if (counting && !this.#moved) waiting += this.#counted = this.#byteLength
    if (this.#outstanding.size === 0) this.#end()
  }

  #end(): void {
    const unclosed = this.#state === 'unreferenced'
    this.#state = 'over'
    waiting -= this.#counted
    this.#counted = 0
    if (unclosed && this.#moved) return
    if (!this.#tryEnd(unclosed)) recheck(() => this.#tryEnd(unclosed))
  }

  /** False when other threads hold the mapping up: then they have it, nothing of it is emptied, and this is tried again. */
  #tryEnd(unclosed: boolean): boolean {
    try {
      if (unclosed) this.#mapping.owner.leave(false)
      else this.#mapping.owner.drained()
    } catch (error) {
      if (error instanceof ArenaBusyError) return false
      // Refused for want of mappings, and there is no caller to tell: a finalizer's error would end the process. The addresses
      // stay taken; the memory is given back all the same.
      this.#mapping.owner.empty()
    }
    return true
  }
}

function detachIfAlive(reference: WeakRef<ArrayBuffer>): void {
  const buffer = reference.deref()
  if (buffer !== undefined) detach(buffer)
}

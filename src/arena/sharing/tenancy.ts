/**
 * This thread's part in a mapping that several threads of the process may have. One for each mapping and thread, however many
 * arenas the thread makes of it.
 *
 *     thread 1   arena ─┐
 *                arena ─┴ tenancy ─ slot ┐
 *                                        ├─ control ─ mapping                          control.ts
 *     thread 2   arena ── tenancy ─ slot ┘
 *
 * Closing an arena gives the slot up; the memory stays for the others. Whoever is the last to hold empties the mapping and closes
 * its descriptor, whoever is the last to have left unmaps it. A thread that was terminated has done neither: those who have left
 * go on looking for that (again.ts), and so does everyone who closes.
 *
 * The mutex of the control is waited for for some seconds (control.ts). A thread that cannot have it is told,
 * ERR_ARENA_BUSY, where there is a caller; where there is none it is tried again at the next look.
 *
 * The mapping is on this thread's record (`Os`) while the slot is taken, so another thread cannot unmap it under our hands.
 * @module
 */
import { ArenaBusyError, OutOfRangeError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import { readHeader, requireLayout } from '../header.ts'
import { HEADER_BYTES } from '../layout.ts'
import { closeQuietly, type Leaving, type Tenure } from '../tenure.ts'
import { lookAgain, lookNow } from './again.ts'
import { type Control, MappingState, SlotState } from './control.ts'
import { closed, generationOf } from './handle.ts'

/** No slot. */
const NONE = -1

/** This thread's tenancies by their mapping, until it is gone. */
const tenancies: WeakMap<Os, Map<string, Tenancy>> = new WeakMap()

export class Tenancy implements Tenure {
  readonly control: Control
  readonly #os: Os
  #slot = NONE
  /** Arenas of this thread that are open. */
  #open = 0
  /** Arenas of this thread that are closed, and whose buffers are alive. */
  #watched = 0
  #looking = false

  private constructor(os: Os, control: Control) {
    this.#os = os
    this.control = control
  }

  /** Turns a mapping that this thread had alone, with one arena, into one that others may join. */
  static found(os: Os, control: Control): Tenancy {
    const tenancy = new Tenancy(os, control)
    tenancy.#slot = control.take(os)
    tenancy.#open = 1
    tenanciesOf(os).set(keyOf(control), tenancy)
    return tenancy
  }

  /** Takes part in a mapping with one more arena. Throws ERR_ARENA_CLOSED when it is not open any more. */
  static join(os: Os, control: Control): Tenancy {
    lookNow()
    const own = tenanciesOf(os)
    const tenancy = own.get(keyOf(control)) ?? new Tenancy(os, control)
    // By what this thread knows of the mapping already, if it does.
    tenancy.control.locked(() => tenancy.#enter())
    own.set(keyOf(control), tenancy)
    return tenancy
  }

  leave(watched: boolean): Leaving {
    return this.control.locked(() => {
      const after = this.#watched + (watched ? 1 : 0)
      const leaving = this.#open > 1 ? 'left' : this.#giveUp(after > 0)
      this.#open--
      this.#watched = after
      this.#settle(leaving === 'unmapped')
      return leaving
    })
  }

  drained(): void {
    this.control.locked(() => {
      this.#watched--
      this.#settle(false)
    })
  }

  moved(): void {
    this.control.moved = true
  }

  #enter(): void {
    const { control } = this
    if (control.state !== MappingState.open) throw closed()
    if (this.#slot === NONE) {
      this.#record()
      try {
        this.#requireHeader()
        this.#slot = control.take(this.#os)
      } catch (error) {
        this.#forget()
        throw error
      }
    }
    control.set(this.#slot, SlotState.held)
    this.#open++
  }

  /** What is in memory must be what the control says, whole: read through the kernel, so that it may be anything, or nothing. */
  #requireHeader(): void {
    const { base, layout, identity } = this.control.facts
    const header = new Uint8Array(HEADER_BYTES)
    const generation = generationOf(identity)
    if (this.#os.copyOut((base + layout.metadataStart) as Address, HEADER_BYTES, header) < HEADER_BYTES)
      throw new OutOfRangeError('source', 'a handle of memory that can be read', generation)
    const found = readHeader(header.buffer, this.#os.pageSize, 'the arena of the handle')
    requireLayout(found.layout, layout, 'the arena of the handle')
    if (generationOf(found.identity) !== generation)
      throw new OutOfRangeError('source.generation', `${generationOf(found.identity)}, that of the arena`, generation)
  }

  /** The thread's last open arena goes. Throws what the kernel refuses; nothing has changed then. */
  #giveUp(watched: boolean): Leaving {
    const { control } = this
    control.reap(this.#os)
    if (control.count(SlotState.held) > 1) return 'left'
    return this.#end(watched || control.count(SlotState.left) > 0)
  }

  /** Nobody holds the mapping: empties it, or unmaps it when no buffer is left. */
  #end(watched: boolean): Leaving {
    const { control } = this
    const { fd } = control.facts
    const stays = watched || control.moved
    if (stays) {
      this.#os.replace(control.facts.base, control.facts.layout.mappingBytes)
      control.state = MappingState.closed
    } else this.#unmap()
    closeQuietly(this.#os, fd)
    return stays ? 'emptied' : 'unmapped'
  }

  /** Brings the slot up to date with the counts, and the mapping with the slots. */
  #settle(unmapped: boolean): void {
    const { control } = this
    if (this.#open > 0) return
    if (this.#watched > 0) control.set(this.#slot, SlotState.left)
    else {
      control.set(this.#slot, SlotState.free)
      this.#slot = NONE
      if (!unmapped) this.#vacate()
    }
    if (control.state === MappingState.gone) tenanciesOf(this.#os).delete(keyOf(control))
    else this.#look()
  }

  /** Without a slot: unmaps what nobody has, and leaves what others have. */
  #vacate(): void {
    const { control } = this
    control.reap(this.#os)
    if (this.#drained) this.#tryUnmap()
    if (control.state !== MappingState.gone) this.#forget()
  }

  /** Whether the mapping is empty and no buffer over it is left. */
  get #drained(): boolean {
    const { control } = this
    if (control.state !== MappingState.closed || control.moved) return false
    return control.count(SlotState.held) + control.count(SlotState.left) === 0
  }

  /** There is nobody to tell when it is refused, for want of mappings; it is tried again at the next look. */
  #tryUnmap(): void {
    try {
      this.#unmap()
    } catch {
      // Stale writes may have made pages resident again; addresses alone cost nothing.
      this.#tryEmpty()
    }
  }

  #tryEmpty(): void {
    const { base, layout } = this.control.facts
    try {
      this.#os.purge(base, layout.mappingBytes)
    } catch {
      // Locked in memory by somebody. It stays.
    }
  }

  #look(): void {
    if (this.#looking) return
    this.#looking = true
    lookAgain((closely) => {
      this.#looking = !this.#tryLook(closely)
      return !this.#looking
    })
  }

  /** True when there is no more to look for; false as well when the mutex cannot be had. */
  #tryLook(closely: boolean): boolean {
    try {
      return this.control.locked(() => this.#lookOnce(closely))
    } catch (error) {
      if (error instanceof ArenaBusyError) return false
      throw error
    }
  }

  /** Does what threads that were terminated have left to do. True when there is no more to look for. */
  #lookOnce(closely: boolean): boolean {
    const { control } = this
    if (this.#open > 0) return true
    if (control.state !== MappingState.gone) control.reap(this.#os, closely)
    const orphaned = control.state === MappingState.open && control.count(SlotState.held) === 0
    if (orphaned || this.#drained) this.#clearAway(orphaned)
    const done = control.state === MappingState.gone || (control.state === MappingState.closed && control.moved)
    if (done) tenanciesOf(this.#os).delete(keyOf(control))
    return done
  }

  /** What is refused for want of mappings is tried again at the next look: there is nobody to tell. */
  #clearAway(orphaned: boolean): void {
    const borrowed = this.#slot === NONE
    try {
      if (borrowed) this.#record()
    } catch {
      return
    }
    try {
      if (orphaned) this.#end(this.control.count(SlotState.left) > 0)
      else this.#tryUnmap()
    } catch {
      // The threads' memory is still there.
    }
    if (borrowed && this.control.state !== MappingState.gone) this.#forget()
  }

  #record(): void {
    this.#os.adopt(this.control.facts.base, this.control.facts.layout.mappingBytes)
  }

  #forget(): void {
    this.#os.disown(this.control.facts.base, this.control.facts.layout.mappingBytes)
  }

  /** Said first and done then: who is terminated in between must not leave others to unmap it once more, when it is another's. */
  #unmap(): void {
    const { control } = this
    const { state } = control
    control.state = MappingState.gone
    try {
      this.#os.release(control.facts.base, control.facts.layout.mappingBytes)
    } catch (error) {
      control.state = state
      throw error
    }
  }
}

/** One arena can have several mappings in a process: a file that was opened twice. */
function keyOf({ facts }: Control): string {
  return `${generationOf(facts.identity)} ${facts.base}`
}

function tenanciesOf(os: Os): Map<string, Tenancy> {
  let own = tenancies.get(os)
  if (own === undefined) {
    own = new Map()
    tenancies.set(os, own)
  }
  return own
}

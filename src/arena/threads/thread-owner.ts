/**
 * This thread's part in a mapping that several threads of the process may have. One for each mapping and thread, however many
 * arenas the thread makes of it.
 *
 *     thread 1   arena ─┐
 *                arena ─┴ ThreadOwner ─ row ┐
 *                                           ├─ ThreadTable ─ mapping                   thread-table.ts
 *     thread 2   arena ── ThreadOwner ─ row ┘
 *
 * Closing an arena gives the row up; the memory stays for the others. The last thread that holds it empties the mapping and
 * closes its descriptor; the last thread that has left unmaps it. A thread that was terminated has done neither: threads that have left
 * check for that from time to time (mapping/recheck.ts), and so does each close.
 *
 * A thread waits some seconds for the table's mutex (table-memory.ts). When it cannot have it, a caller gets ERR_ARENA_BUSY; where
 * there is no caller the next check tries again.
 *
 * The mapping is on this thread's record (`Os`) while the row is taken, so another thread cannot unmap it meanwhile.
 * @module
 */
import { ArenaBusyError, OutOfRangeError } from '../../errors.ts'
import type { Os } from '../../ffi/os.ts'
import type { Address } from '../../units.ts'
import { rangeOf } from '../buffer-range.ts'
import { identityText, readHeader, requireLayout } from '../format/header.ts'
import { HEADER_BYTES } from '../format/layout.ts'
import { closeQuietly } from '../mapping/own-file.ts'
import { type Leaving, type MappingOwner, purgeQuietly } from '../mapping/owner.ts'
import { recheck, recheckNow } from '../mapping/recheck.ts'
import { MappingState } from './table-memory.ts'
import { closedInAllThreads, RowState, type ThreadTable } from './thread-table.ts'

/** No row. */
const NONE = -1

/** This thread's tenancies by their mapping, until it is gone. */
const owners: WeakMap<Os, Map<string, ThreadOwner>> = new WeakMap()

export class ThreadOwner implements MappingOwner {
  readonly table: ThreadTable
  readonly #os: Os
  #row = NONE
  /** Arenas of this thread that are open. */
  #open = 0
  /** Arenas of this thread that are closed, and whose buffers are alive. */
  #watched = 0
  #checking = false

  private constructor(os: Os, table: ThreadTable) {
    this.#os = os
    this.table = table
  }

  /** Turns a mapping that this thread had alone, with one arena, into one that others may join. */
  static found(os: Os, table: ThreadTable): ThreadOwner {
    const owner = new ThreadOwner(os, table)
    owner.#row = table.take(os)
    owner.#open = 1
    ownersOf(os).set(keyOf(table), owner)
    return owner
  }

  /** Takes part in a mapping with one more arena. Throws ERR_ARENA_CLOSED when it is not open any more. */
  static join(os: Os, table: ThreadTable): ThreadOwner {
    recheckNow()
    const own = ownersOf(os)
    // Where a mapping was that is gone, the kernel may have put another of the same arena.
    const known = own.get(keyOf(table))
    const owner = known === undefined || known.table.state === MappingState.gone ? new ThreadOwner(os, table) : known
    // By what this thread knows of the mapping already, if it does.
    owner.table.locked(() => owner.#enter())
    own.set(keyOf(table), owner)
    return owner
  }

  leave(watched: boolean): Leaving {
    return this.table.locked(() => {
      const after = this.#watched + (watched ? 1 : 0)
      const leaving = this.#open > 1 ? 'left' : this.#leaveMapping(after > 0)
      this.#open--
      this.#watched = after
      this.#settle(leaving === 'unmapped')
      return leaving
    })
  }

  drained(): void {
    this.table.locked(() => {
      this.#watched--
      this.#settle(false)
    })
  }

  moved(): void {
    this.table.moved = true
  }

  #enter(): void {
    const { table } = this
    if (table.state !== MappingState.open) throw closedInAllThreads()
    if (this.#row === NONE) {
      this.#record()
      try {
        this.#requireHeader()
        this.#row = table.take(this.#os)
      } catch (error) {
        this.#forget()
        throw error
      }
    }
    table.set(this.#row, RowState.held)
    this.#open++
  }

  /** Throws unless the header in memory is as the table says. It is read through the kernel, so the memory may even be missing. */
  #requireHeader(): void {
    const { base, layout, identity } = this.table.facts
    const header = new Uint8Array(HEADER_BYTES)
    const generation = identityText(identity)
    if (this.#os.copyOut((base + layout.metadataStart) as Address, HEADER_BYTES, header) < HEADER_BYTES)
      throw new OutOfRangeError('source', 'a handle of memory that can be read', generation)
    const found = readHeader(rangeOf(header.buffer), this.#os.pageSize, 'the arena of the handle')
    requireLayout(found.layout, layout, 'the arena of the handle')
    if (identityText(found.identity) !== generation)
      throw new OutOfRangeError('source.generation', `${identityText(found.identity)}, that of the arena`, generation)
  }

  /** The thread's last open arena goes. Throws what the kernel refuses; nothing has changed then. */
  #leaveMapping(watched: boolean): Leaving {
    const { table } = this
    table.freeEndedRows(this.#os)
    if (table.count(RowState.held) > 1) return 'left'
    return this.#end(watched || table.count(RowState.left) > 0)
  }

  /** No thread holds the mapping: empties it, or unmaps it when no buffer is left. */
  #end(watched: boolean): Leaving {
    const { table } = this
    const { file } = table.facts
    const stays = watched || table.moved
    if (stays) {
      this.#os.replace(table.facts.base, table.facts.layout.mappingBytes)
      table.state = MappingState.closed
    } else this.#unmap()
    closeQuietly(this.#os, file)
    return stays ? 'emptied' : 'unmapped'
  }

  /** Brings the row up to date with the counts, and the mapping with the rows. */
  #settle(unmapped: boolean): void {
    const { table } = this
    if (this.#open > 0) return
    if (this.#watched > 0) table.set(this.#row, RowState.left)
    else {
      table.set(this.#row, RowState.free)
      this.#row = NONE
      if (!unmapped) this.#leaveRow()
    }
    if (table.state === MappingState.gone) this.#leave()
    else this.#check()
  }

  /** Without a row: unmaps what no thread has, and leaves what others have. */
  #leaveRow(): void {
    const { table } = this
    table.freeEndedRows(this.#os)
    if (this.#drained) this.#tryUnmap()
    if (table.state !== MappingState.gone) this.#forget()
  }

  /** Whether the mapping is empty and no buffer over it is left. */
  get #drained(): boolean {
    const { table } = this
    if (table.state !== MappingState.closed || table.moved) return false
    return table.count(RowState.held) + table.count(RowState.left) === 0
  }

  /** There is no caller to tell when it is refused, for want of mappings; it is tried again at the next check. */
  #tryUnmap(): void {
    try {
      this.#unmap()
    } catch {
      // Stale writes may have made pages resident again; addresses alone cost nothing.
      this.empty()
    }
  }

  empty(): void {
    const { base, layout } = this.table.facts
    purgeQuietly(this.#os, base, layout.mappingBytes)
  }

  #check(): void {
    if (this.#checking) return
    this.#checking = true
    recheck((closely) => {
      this.#checking = !this.#tryCheck(closely)
      return !this.#checking
    })
  }

  /** True when there is no more to look for; false as well when the mutex cannot be had. */
  #tryCheck(closely: boolean): boolean {
    try {
      return this.table.locked(() => this.#checkOnce(closely))
    } catch (error) {
      if (error instanceof ArenaBusyError) return false
      throw error
    }
  }

  /** Does what threads that were terminated have left to do. True when there is no more to look for. */
  #checkOnce(closely: boolean): boolean {
    const { table } = this
    if (this.#open > 0) return true
    if (table.state !== MappingState.gone) table.freeEndedRows(this.#os, closely)
    const orphaned = table.state === MappingState.open && table.count(RowState.held) === 0
    if (orphaned || this.#drained) this.#releaseOrphan(orphaned)
    const done = table.state === MappingState.gone || (table.state === MappingState.closed && table.moved)
    if (done) this.#leave()
    return done
  }

  /** What is refused for want of mappings is tried again at the next check: there is no caller to tell. */
  #releaseOrphan(orphaned: boolean): void {
    const borrowed = this.#row === NONE
    try {
      if (borrowed) this.#record()
    } catch {
      return
    }
    try {
      if (orphaned) this.#end(this.table.count(RowState.left) > 0)
      else this.#tryUnmap()
    } catch {
      // The threads' memory is still there.
    }
    if (borrowed && this.table.state !== MappingState.gone) this.#forget()
  }

  /** The mapping is no matter of this thread any more. By now the next one at its place may be. */
  #leave(): void {
    const own = ownersOf(this.#os)
    const key = keyOf(this.table)
    if (own.get(key) === this) own.delete(key)
  }

  #record(): void {
    this.#os.adopt(this.table.facts.base, this.table.facts.layout.mappingBytes)
  }

  #forget(): void {
    this.#os.disown(this.table.facts.base, this.table.facts.layout.mappingBytes)
  }

  /** The state is stored first: a thread that is terminated in between must not let others unmap the range again, when it is in other use. */
  #unmap(): void {
    const { table } = this
    const { state } = table
    table.state = MappingState.gone
    try {
      this.#os.release(table.facts.base, table.facts.layout.mappingBytes)
    } catch (error) {
      table.state = state
      throw error
    }
  }
}

/** One arena can have several mappings in a process: a file that was opened twice. */
function keyOf({ facts }: ThreadTable): string {
  return `${identityText(facts.identity)} ${facts.base}`
}

function ownersOf(os: Os): Map<string, ThreadOwner> {
  let own = owners.get(os)
  if (own === undefined) {
    own = new Map()
    owners.set(os, own)
  }
  return own
}

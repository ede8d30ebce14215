/**
 * The parts of one arena, put together: what each begins with, and what each does when the arena is closed.
 *
 *     OpenedArena ─▶ ArenaOrigin ─▶ ArenaParts ─▶ Arena
 *     (sources)      a lifetime     one object     hands each call
 *                    of its own     a part         to a part
 *
 *     closing        store     claims that last are left to others          (in the order of ending.ts)
 *                    restore   they are held again: closing was refused
 *                    forget    every part drops its references
 *
 * A file's arena has the lifetime and the open state of the file: file/file-arena.ts. Putting them together costs a few us and no page.
 * @module
 */
import { InsideOfArena } from './arena-inside.ts'
import { ArenaPages } from './arena-pages.ts'
import { Claims } from './claims/claims.ts'
import { Lifetime } from './mapping/lifetime.ts'
import { type Closing, OpenState } from './mapping/open-state.ts'
import { Locator, type StaleOwner } from './sources/locator.ts'
import type { OpenedArena } from './sources/opened-arena.ts'
import { Extent } from './views/extent.ts'
import { MemoryViews } from './views/memory-views.ts'
import { Windows } from './views/windows.ts'
import { WordWaits } from './waiting/wait.ts'

/** What an arena is made of. @internal */
export interface ArenaOrigin {
  /** For messages. */
  readonly title: string
  readonly opened: OpenedArena
  readonly lifetime: Lifetime
  readonly openState: OpenState
  /** Bytes in the windows that views come from. @defaultValue the usual */
  readonly windowBytes?: number
  /** Whether something in a long window may not read zero. @defaultValue never */
  readonly exposed?: (window: number) => boolean
  /** Whether the tables can be touched, asked before closing: a file may have become too short. @defaultValue they can */
  readonly intact?: () => boolean
}

/** The origin of an arena with a mapping of its own. @internal */
export function originOf(opened: OpenedArena, windowBytes: number): ArenaOrigin {
  const { mapping, layout, name } = opened
  const title = name === undefined ? 'the arena' : `arena "${name}"`
  const lifetime = new Lifetime(mapping, layout.mappingBytes)
  return { title, opened, lifetime, openState: new OpenState(title, lifetime), windowBytes }
}

/** @internal */
export class ArenaParts implements Closing {
  readonly title: string
  readonly openState: OpenState
  readonly extent: Extent
  readonly claims: Claims
  readonly views: MemoryViews
  readonly pages: ArenaPages
  readonly waits: WordWaits
  readonly locator: Locator
  readonly inside: InsideOfArena
  /** The owner of a named arena that was found dead. */
  readonly staleOwner: StaleOwner | undefined
  readonly #intact: () => boolean

  /** Throws `ERR_CORRUPTED` when a directory is in the memory that cannot be right. */
  constructor(origin: ArenaOrigin) {
    const { title, opened, lifetime, openState, windowBytes, exposed = () => false, intact = () => true } = origin
    const { layout, mapping } = opened
    const { byteLength } = layout
    const windows = new Windows(lifetime, 0, byteLength, windowBytes)
    const extent = new Extent(openState, byteLength)
    const bytesAt = (offset: number, length: number): Uint8Array => windows.bytesAt(offset, length)
    const claims = new Claims({
      title,
      layout,
      mapping,
      lifetime,
      exposed,
      bytesAt,
      pinBlock: () => openState.pinBlock(),
    })
    this.title = title
    this.openState = openState
    this.extent = extent
    this.claims = claims
    this.views = new MemoryViews({ title, openState, extent, windows, exposed: claims })
    this.pages = new ArenaPages({ title, mapping, extent, windows, claims })
    this.waits = new WordWaits({ title, mapping, extent, windows, lifetime })
    this.locator = new Locator({ title, opened, openState, lifetime, claims })
    this.inside = new InsideOfArena({ mapping, openState, lifetime, windows, claims, byteLength })
    this.#intact = intact
    this.staleOwner = this.locator.begin()
    openState.onClose(this)
  }

  store(): void {
    if (this.#intact()) this.claims.leaveAll()
  }

  restore(): void {
    this.claims.stay()
  }

  forget(): void {
    this.claims.revokeAll()
    this.waits.revoke()
  }
}

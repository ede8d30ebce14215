/**
 * The part of an arena that depends on where its memory is, beside the memory itself: how other threads and processes come to it. The
 * memory is `Mapping`; this is what `handle()`, `fd`, `path` and `unlink()` ask. One implementation is for memory of the kernel
 * (os-place.ts).
 * @module
 */
import type { Identity } from '../format/header.ts'
import type { MappingOwner } from '../mapping/owner.ts'
import type { ArenaHandle } from './handle.ts'

/** How other threads and processes come to the memory of an arena. */
export interface ArenaPlace {
  /** Whether other processes can have the arena. */
  readonly shared: boolean
  /** The descriptor of its file. */
  readonly fd: number | undefined
  /** A path by which other processes can open it. */
  readonly path: string | undefined
  /** Whether the arena has an owner by name, which this object may become. */
  readonly hasOwner: boolean
  /** The handle; undefined as long as no other thread of the process can have the arena. */
  handle(): ArenaHandle | undefined
  /** Throws unless other threads can be let in. */
  requireInvitable(title: string): void
  /** Lets other threads in. Gives the owner that the mapping has from now on. */
  invite(identity: Identity): MappingOwner
  /** Takes the arena's name away. Whether it was still there. Throws where there is none. */
  unlink(title: string): boolean
}

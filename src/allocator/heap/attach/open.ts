/**
 * How a heap is had: its claim and its role, before anything is built over it.
 *
 *     new Heap      OpenedHeap.make    claims a range
 *     Heap.attach   OpenedHeap.find    the heap that is there (attach.ts)
 *     Heap.open     openHeap           find  ->  none there  ->  make  ->  another is making one: its claim is there, and no heap yet  ->  find again
 *
 * Of several threads or processes that open at the same time, one makes the heap, since a range is claimed once; the others find it. A heap takes
 * some 100 us to make. Where the maker is stopped meanwhile the others give up after a second; where it has died, the next one makes the heap.
 * @module
 */
import { type Arena, insideOf } from '../../../arena/arena.ts'
import { ArenaBusyError, NotFoundError } from '../../../errors.ts'
import { Holder, insideOfArena } from '../../base/lifecycle.ts'
import { type Claimed, claimRange } from '../../facade.ts'
import { heapTables } from '../layout.ts'
import {
  type CheckedAttachOptions,
  type CheckedHeapOptions,
  checkOpen,
  type HeapOpenOptions,
  type HeapRole,
} from '../options.ts'
import { adoptHeap } from './attach.ts'

/** How long one sleep is, in milliseconds, and how many there are before giving up. */
const SLEEP_MS = 5
const SLEEPS = 200

const { wait } = Atomics
const nothing = new Int32Array(new SharedArrayBuffer(4))

/** A heap's claim and role. Only the functions of this file make one, and the class knows it by that. */
export class OpenedHeap {
  readonly #made = true
  readonly claimed: Claimed
  readonly role: HeapRole
  /** Whether the heap was there already. */
  readonly found: boolean
  readonly decayMs: number
  readonly schedule: CheckedHeapOptions['schedule']

  private constructor(
    claimed: Claimed,
    role: HeapRole,
    { decayMs, schedule }: Pick<CheckedHeapOptions, 'decayMs' | 'schedule'>
  ) {
    this.claimed = claimed
    this.role = role
    this.found = claimed.limit === undefined
    this.decayMs = decayMs
    this.schedule = schedule
  }

  static is(value: unknown): value is OpenedHeap {
    return typeof value === 'object' && value !== null && #made in value
  }

  static make(arena: Arena, options: CheckedHeapOptions): OpenedHeap {
    return new OpenedHeap(claimRange(arena, 'Heap', options, heapTables), 'writer', options)
  }

  /** `except`: where no plain heap is, whatever the directory says. */
  static find(arena: Arena, options: CheckedAttachOptions, except: readonly number[] = []): OpenedHeap {
    insideOfArena(arena)
    const holder = new Holder('Heap')
    const { claim, role } = adoptHeap(arena, holder, options, except)
    const { onFull } = options
    const claimed = { arena, holder, claim, layout: heapTables(claim.byteLength), limit: undefined, onFull }
    return new OpenedHeap(claimed, role, role === 'writer' ? options : { ...options, decayMs: -1 })
  }
}

/** How a heap is made, and attached to. */
export interface Ways<H> {
  attach(options: CheckedAttachOptions): H
  make(options: CheckedHeapOptions): H
}

export function openHeap<H>(arena: Arena, options: HeapOpenOptions | undefined, { attach, make }: Ways<H>): H {
  const { create, ...making } = checkOpen(options)
  const { offset, onFull, decayMs, schedule, concurrent } = making
  const role = concurrent ? 'peer' : undefined
  const attaching: CheckedAttachOptions = { offset, onFull, decayMs, schedule, role, takeOver: false }
  for (let sleeps = 0; ; sleeps++) {
    try {
      return attach(attaching)
    } catch (error) {
      if (!(error instanceof NotFoundError && create)) throw error
    }
    try {
      return make(making)
    } catch (error) {
      if (!(error instanceof ArenaBusyError) || sleeps === SLEEPS) throw error
      // Something else has the range. A heap that was there may have gone in between: so one look more, at least.
      if (sleeps > 0 && !isBeingMade(arena, offset)) throw error
    }
    if (sleeps > 0) wait(nothing, 0, 0, SLEEP_MS)
  }
}

function isBeingMade(arena: Arena, offset: number | undefined): boolean {
  return insideOf(arena)
    .claims()
    .some((claim) => claim.kind === 'Heap' && (offset ?? claim.offset) === claim.offset)
}

/**
 * What allocators publish on channels of `node:diagnostics_channel`: pages taken and given back, and requests that did not fit.
 *
 *     sorites:grow    { allocator, byteLength }     bytes that were committed in a step
 *     sorites:purge   { allocator, byteLength }     bytes that were given back to the kernel in a step
 *     sorites:full    { allocator, byteLength, alignment }     a request that did not fit, before `onFull` is asked
 *
 * Messages are published when the step is over (arena/ending.ts), so that a subscriber may do anything with the allocator. What one does
 * that publishes again on its own channel is not published, so there is no loop. Cost without subscribers: a look at a channel where pages
 * are committed or given back, or a request fails; nothing elsewhere.
 * @module
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import { afterwards } from '../../arena/ending.ts'

const grow: Channel = channel('sorites:grow')
const purge: Channel = channel('sorites:purge')
const full: Channel = channel('sorites:full')

/** Channels that are being published on. */
const busy: Set<Channel> = new Set()

/** `hasSubscribers` was true when the message was noted. */
function publish(to: Channel, message: object): void {
  if (busy.has(to)) return
  afterwards(() => {
    busy.add(to)
    try {
      to.publish(message)
    } finally {
      busy.delete(to)
    }
  })
}

/** A request did not fit. */
export function publishFull(allocator: object, byteLength: number, alignment: number): void {
  if (full.hasSubscribers) publish(full, { allocator, byteLength, alignment })
}

/** What happened to the pages of one allocator since it was last published. */
export class PageNews {
  /** Whether there is anything. */
  pending = false
  #grown = 0
  #purged = 0

  /** Bytes were committed. */
  grew(byteLength: number): void {
    if (!grow.hasSubscribers || byteLength === 0) return
    this.#grown += byteLength
    this.pending = true
  }

  /** Bytes were given back. */
  gave(byteLength: number): void {
    if (!purge.hasSubscribers || byteLength === 0) return
    this.#purged += byteLength
    this.pending = true
  }

  /** Publishes it. The last thing that a step does. */
  publish(allocator: object): void {
    const grown = this.#grown
    const purged = this.#purged
    this.#grown = 0
    this.#purged = 0
    this.pending = false
    if (grown > 0) publish(grow, { allocator, byteLength: grown })
    if (purged > 0) publish(purge, { allocator, byteLength: purged })
  }
}

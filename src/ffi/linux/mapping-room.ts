/**
 * Room for mappings. The kernel gives a process so many (`vm.max_map_count`, 65,530 by default) and then refuses; the runtime needs
 * some of them at any time, for its heaps and for each thread, and ends the process when it is refused one. So we stop before:
 *
 *     mappings of the process + what a call may add <= max_map_count - RESERVE
 *
 * Counting them is reading /proc/self/maps, 0.6 ms a hundred. So a thread counts when it makes its first mapping, and again when it has
 * used up a sixteenth of the room that it found then: other threads, V8 and other libraries use the same room, and are not asked.
 * Where the files cannot be read (Node's permission model) nothing is counted, and the kernel alone decides.
 * @module
 */
import { Buffer } from 'node:buffer'
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { ENOMEM, systemError } from '../errno.ts'

/** Left for the runtime, of the most that there can be. */
const RESERVE = 4096
/** Where there are few, a quarter of them. */
const RESERVED_SHARE = 4
/** A thread uses this share of the room, and this many at least, before it counts again: far less than is reserved. */
const SHARE = 16
const LEAST = 16

/** What the kernel says. */
export interface MappingCounts {
  /** Mappings of the process. */
  count(): number
  /** The most there can be. */
  most(): number
}

export class MappingRoom {
  readonly #counts: MappingCounts
  /** How many may be made before it is counted again. */
  #left = 0

  constructor(counts: MappingCounts = { count: countMappings, most: mostMappings }) {
    this.#counts = counts
  }

  /** Throws ENOMEM unless there is room for `mappings` more. */
  require(syscall: string, mappings: number, byteLength?: number): void {
    this.#left -= mappings
    if (this.#left >= 0) return
    const [count, most] = this.#look()
    const room = most - Math.min(RESERVE, Math.floor(most / RESERVED_SHARE)) - count - mappings
    if (room < 0) {
      this.#left = 0
      const reason = `: the process has ${count} mappings, and of the ${most} it can have (vm.max_map_count) the rest is left for the runtime`
      throw systemError(syscall, ENOMEM, { detail: reason, ...(byteLength !== undefined && { length: byteLength }) })
    }
    this.#left = Math.max(LEAST, Math.floor(room / SHARE))
  }

  #look(): [number, number] {
    try {
      return [this.#counts.count(), this.#counts.most()]
    } catch {
      return [0, Infinity]
    }
  }
}

function mostMappings(): number {
  return Number.parseInt(readFileSync('/proc/sys/vm/max_map_count', 'latin1'), 10)
}

/** The lines of /proc/self/maps, a page of text at a time: with many mappings the whole is some MiB. */
function countMappings(): number {
  const fd = openSync('/proc/self/maps', 'r')
  try {
    const text = Buffer.allocUnsafe(65_536)
    let count = 0
    for (;;) {
      const length = readSync(fd, text, 0, text.length, null)
      if (length === 0) return count
      const lines = text.subarray(0, length)
      for (let at = lines.indexOf(10); at >= 0; at = lines.indexOf(10, at + 1)) count++
    }
  } finally {
    closeSync(fd)
  }
}

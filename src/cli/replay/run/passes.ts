/**
 * A trace through an allocator, as the C replayer does it (native/replay-source.ts): a cold pass that writes to every page, warm passes that write to
 * both ends of a block. Two loops, so that the warm one pays for nothing that it does not do, and V8 sees one allocator and one way of
 * writing in each.
 * @module
 */
import type { Arena } from '../../../arena/arena.ts'
import { CALLOC, FREE, MALLOC, MEMALIGN, REALLOC, type Trace } from '../../../trace/trace.ts'

/** The calls that a trace makes. */
export interface Target {
  malloc(byteLength: number): number
  calloc(byteLength: number): number
  realloc(offset: number, byteLength: number): number
  memalign(alignment: number, byteLength: number): number
  free(offset: number): void
}

/** Writes to blocks. */
export interface Toucher {
  /** The first and the last byte. */
  ends(offset: number, byteLength: number): void
  /** One byte of every page's length from `from` on. */
  pages(offset: number, from: number, byteLength: number): void
}

const PAGE = 4096

/** Writes through the arena's windows, which are looked up again only when a block lies in another one than the last. */
export class ArenaToucher implements Toucher {
  readonly #arena: Arena
  #bytes: Uint8Array
  #start = 0

  constructor(arena: Arena) {
    this.#arena = arena
    this.#bytes = new Uint8Array(arena.window(0).buffer)
  }

  ends(offset: number, byteLength: number): void {
    if (byteLength === 0) return
    const at = this.#at(offset)
    this.#bytes[at] = 1
    this.#bytes[at + byteLength - 1] = 1
  }

  pages(offset: number, from: number, byteLength: number): void {
    const at = this.#at(offset)
    if (at + byteLength > this.#bytes.length) {
      this.#pagesBeyond(offset, from, byteLength)
      return
    }
    for (let i = from + PAGE - 1 - ((from + PAGE - 1) % PAGE); i < byteLength; i += PAGE) this.#bytes[at + i] = 1
  }

  /** Of a block that lies in no one window. */
  #pagesBeyond(offset: number, from: number, byteLength: number): void {
    const bytes = this.#arena.view(Uint8Array, offset, byteLength)
    for (let i = from + PAGE - 1 - ((from + PAGE - 1) % PAGE); i < byteLength; i += PAGE) bytes[i] = 1
  }

  #at(offset: number): number {
    const at = offset - this.#start
    return at >= 0 && at < this.#bytes.length ? at : this.#move(offset)
  }

  #move(offset: number): number {
    const { buffer, start } = this.#arena.window(offset)
    this.#bytes = new Uint8Array(buffer)
    this.#start = start
    return offset - start
  }
}

/** Nothing behind the calls, and one small buffer to write to: what the loop itself costs. */
export class Floor implements Target, Toucher {
  readonly #bytes = new Uint8Array(65536)

  malloc(_byteLength: number): number {
    return 8
  }
  calloc(_byteLength: number): number {
    return 8
  }
  realloc(_offset: number, _byteLength: number): number {
    return 8
  }
  memalign(_alignment: number, _byteLength: number): number {
    return 8
  }
  free(_offset: number): void {}

  ends(_offset: number, byteLength: number): void {
    if (byteLength === 0) return
    this.#bytes[0] = 1
    this.#bytes[byteLength < 65536 ? byteLength - 1 : 65535] = 1
  }
  pages(_offset: number, from: number, byteLength: number): void {
    for (let i = from + PAGE - 1 - ((from + PAGE - 1) % PAGE); i < byteLength; i += PAGE) this.#bytes[i & 65535] = 1
  }
}

/** The allocator failed at an event. */
export class PassError extends Error {
  readonly event: number

  constructor(event: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.event = event
  }
}

/** The replayer's own tables, one entry a slot; filled, so that they are resident before anything is measured. */
export interface Tables {
  readonly blocks: Float64Array
  readonly sizes: Int32Array
}

export function tablesFor({ summary }: Trace): Tables {
  return { blocks: new Float64Array(summary.slots).fill(0), sizes: new Int32Array(summary.slots).fill(0) }
}

export function coldPass(trace: Trace, target: Target, toucher: Toucher, { blocks, sizes }: Tables): void {
  const { meta, slot, size } = trace
  let event = 0
  try {
    for (; event < meta.length; event++) {
      const at = slot[event]!
      const bytes = size[event]!
      const op = meta[event]! & 255
      let block: number
      let from = 0
      if (op === MALLOC) block = target.malloc(bytes)
      else if (op === CALLOC) block = target.calloc(bytes)
      else if (op === REALLOC) {
        block = target.realloc(blocks[at]!, bytes)
        from = sizes[at]!
      } else if (op === MEMALIGN) block = target.memalign(1 << ((meta[event]! >>> 8) & 255), bytes)
      else {
        target.free(blocks[at]!)
        continue
      }
      blocks[at] = block
      sizes[at] = bytes
      toucher.ends(block, bytes)
      if (bytes > PAGE) toucher.pages(block, from, bytes)
    }
  } catch (cause) {
    throw new PassError(event, cause)
  }
}

export function warmPass(trace: Trace, target: Target, toucher: Toucher, { blocks }: Tables): void {
  const { meta, slot, size } = trace
  let event = 0
  try {
    for (; event < meta.length; event++) {
      const at = slot[event]!
      const bytes = size[event]!
      let block: number
      switch (meta[event]! & 255) {
        case MALLOC:
          block = target.malloc(bytes)
          break
        case CALLOC:
          block = target.calloc(bytes)
          break
        case REALLOC:
          block = target.realloc(blocks[at]!, bytes)
          break
        case MEMALIGN:
          block = target.memalign(1 << ((meta[event]! >>> 8) & 255), bytes)
          break
        default:
          target.free(blocks[at]!)
          continue
      }
      blocks[at] = block
      toucher.ends(block, bytes)
    }
  } catch (cause) {
    throw new PassError(event, cause)
  }
}

/** The slots whose blocks live after the last event. */
export function slotsLeft({ meta, slot, summary }: Trace): Int32Array {
  const live = new Uint8Array(summary.slots)
  for (let event = 0; event < meta.length; event++) live[slot[event]!] = Number((meta[event]! & 255) !== FREE)
  return Int32Array.from(live.keys()).filter((at) => live[at] !== 0)
}

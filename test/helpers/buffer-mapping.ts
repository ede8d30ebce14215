/**
 * A second kind of memory under an arena: plain ArrayBuffers of JavaScript, one for the data and one for the metadata. It proves that
 * all above `Mapping` needs no kernel and no address, and that claims' metadata may be ranges of one buffer.
 *
 *     data        | one window over all of it                |      buffer(0, byteLength)
 *     metadata    | header, directory | claims' ranges       |      range(offset, byteLength) = { buffer, start, byteLength }
 *
 * A page is resident when it holds a byte that is not zero. A view across the end of a window does not exist here.
 * @module
 */
import { type Arena, arenaOver } from '../../src/arena/arena.ts'
import type { BufferRange } from '../../src/arena/buffer-range.ts'
import { type Layout, layoutOf } from '../../src/arena/format/layout.ts'
import { Lifetime } from '../../src/arena/mapping/lifetime.ts'
import type { Mapping } from '../../src/arena/mapping/mapping.ts'
import { OpenState } from '../../src/arena/mapping/open-state.ts'
import type { Leaving, MappingOwner } from '../../src/arena/mapping/owner.ts'
import type { ArenaPlace } from '../../src/arena/sources/arena-place.ts'
import { LEAST_WINDOW_BYTES } from '../../src/arena/views/windows.ts'
import { UnsupportedOperationError } from '../../src/errors.ts'
import type { Threads } from '../../src/ffi/os-threads.ts'
import { systemOs } from '../../src/ffi/system.ts'

const ZEROS = new Uint8Array(65536)

export class BufferMapping implements Mapping, MappingOwner {
  readonly pageSize: number
  readonly maxViewBytes: number = 2 ** 32
  readonly threads: Threads = systemOs().threads
  owner: MappingOwner = this
  /** How often pages were given back, and how many bytes. */
  readonly purges = { calls: 0, bytes: 0 }
  readonly #layout: Layout
  #data: ArrayBuffer
  #metadata: ArrayBuffer

  constructor(layout: Layout, pageSize: number) {
    this.pageSize = pageSize
    this.#layout = layout
    this.#data = new ArrayBuffer(layout.byteLength)
    this.#metadata = new ArrayBuffer(layout.metadataBytes)
  }

  buffer(offset: number, byteLength: number): ArrayBuffer {
    if (offset !== 0 || byteLength !== this.#layout.byteLength)
      throw new UnsupportedOperationError('a plain ArrayBuffer has no second one over a part of it')
    // What was moved away by `transfer` is gone with its contents.
    if (this.#data.byteLength === 0) this.#data = new ArrayBuffer(byteLength)
    return this.#data
  }

  range(offset: number, byteLength: number): BufferRange {
    const { metadataStart } = this.#layout
    const inData = offset < metadataStart
    return {
      buffer: inData ? this.buffer(0, metadataStart) : this.#metadata,
      start: inData ? offset : offset - metadataStart,
      byteLength,
    }
  }

  word(): never {
    throw new UnsupportedOperationError('a plain ArrayBuffer has no address to sleep on')
  }

  purge(offset: number, byteLength: number): void {
    this.purges.calls++
    this.purges.bytes += byteLength
    this.#bytes(offset, byteLength).fill(0)
  }

  populate(): void {}

  resident(offset: number, byteLength: number): number {
    let resident = 0
    for (let at = offset; at < offset + byteLength; ) {
      const next = Math.min(at - (at % this.pageSize) + this.pageSize, offset + byteLength)
      if (Buffer.compare(this.#bytes(at, next - at), ZEROS.subarray(0, next - at)) !== 0) resident += next - at
      at = next
    }
    return resident
  }

  leave(watched: boolean): Leaving {
    this.empty()
    return watched ? 'emptied' : 'unmapped'
  }

  drained(): void {}

  moved(): void {}

  empty(): void {
    this.#data = new ArrayBuffer(0)
    this.#metadata = new ArrayBuffer(0)
  }

  #bytes(offset: number, byteLength: number): Uint8Array {
    const { buffer, start } = this.range(offset, byteLength)
    return new Uint8Array(buffer, start, byteLength)
  }
}

const nowhere: ArenaPlace = {
  shared: false,
  fd: undefined,
  path: undefined,
  hasOwner: false,
  handle: () => undefined,
  requireInvitable: (title) => {
    throw new UnsupportedOperationError(`${title} has no handle: it lies in plain ArrayBuffers`)
  },
  invite: () => {
    throw new UnsupportedOperationError('no thread can be let in')
  },
  unlink: (title) => {
    throw new UnsupportedOperationError(`${title} has no name`)
  },
}

/** An arena in plain ArrayBuffers, and its mapping. */
export function bufferArena(byteLength: number, pageSize = 4096): { arena: Arena; mapping: BufferMapping } {
  const layout = layoutOf(byteLength, pageSize)
  const mapping = new BufferMapping(layout, pageSize)
  const lifetime = new Lifetime(mapping, layout.mappingBytes)
  const title = 'the arena'
  const opened = {
    layout,
    mapping,
    start: { origin: 'new', reach: 'process' } as const,
    place: nowhere,
    name: undefined,
  }
  const windowBytes = Math.max(LEAST_WINDOW_BYTES, 2 ** Math.ceil(Math.log2(layout.byteLength)))
  const arena = arenaOver({ title, opened, lifetime, openState: new OpenState(title, lifetime), windowBytes })
  return { arena, mapping }
}

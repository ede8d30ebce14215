/**
 * Pictures of an arena over time: the arena is cut into cells, and each frame says of each cell how full it is, whether it is in memory, and
 * which blocks begin there.
 *
 *     cells <= MOST_CELLS, each a power of two of pages: when a block lies beyond the last one, two become one, in all earlier frames too
 *     fullness = live bytes in the cell * 254 / its bytes, rounded up         state = 0 not in memory, 1 in memory and free, 2 has live bytes
 *
 * So a picture has a bounded size, however long the trace and however large the arena. `pack` writes all frames as columns, one after the
 * other, each cell's frames side by side, which changes little from one to the next and compresses well:
 *
 *     fullness u8 | state u8 | label u8 | blocks u16 | largest block: bytes u32 | the event that made it u32         cells x frames each
 * @module
 */
import { gzipSync } from 'node:zlib'
import type { PackedMap } from '../../page/page-data.ts'

export const MOST_CELLS = 2048
const FULL = 254

export const ABSENT = 0
export const FREE_RESIDENT = 1
export const LIVE = 2

/** One picture. */
export interface Frame {
  readonly live: Float64Array
  readonly state: Uint8Array
  readonly label: Uint8Array
  readonly blocks: Uint32Array
  readonly largest: Uint32Array
  readonly madeAt: Uint32Array
}

export class HeapMap {
  readonly #frames: Frame[] = []
  readonly #labels: string[] = ['']
  #cellBytes: number
  #extent = 0
  #frame: Frame = newFrame()

  constructor(pageBytes: number) {
    this.#cellBytes = pageBytes
  }

  get cellBytes(): number {
    return this.#cellBytes
  }

  /** Cells up to the end of the last block that was seen, or to where `reach` has said. */
  get cells(): number {
    return Math.ceil(this.#extent / this.#cellBytes)
  }

  /** The picture goes at least to here: memory may be held where no block lives at the moment of a frame. */
  reach(end: number): void {
    while (end > MOST_CELLS * this.#cellBytes) this.#coarsen()
    if (end > this.#extent) this.#extent = end
  }

  /** A live block of the frame that is being made. */
  block(offset: number, byteLength: number, madeAt: number): void {
    const end = offset + Math.max(1, byteLength)
    this.reach(end)
    const { live, blocks, largest, madeAt: made } = this.#frame
    const bytes = this.#cellBytes
    const first = Math.floor(offset / bytes)
    blocks[first]!++
    for (let cell = first; cell * bytes < end; cell++) {
      live[cell]! += Math.min(end, (cell + 1) * bytes) - Math.max(offset, cell * bytes)
      if (byteLength >= largest[cell]!) {
        largest[cell] = byteLength
        made[cell] = madeAt
      }
    }
  }

  /** Ends the frame; asks of each cell without live bytes whether it is in memory, and of each what it is used for. */
  end(resident: (offset: number, byteLength: number) => boolean, label: (offset: number) => string | undefined): void {
    const { live, state, label: labels } = this.#frame
    for (let cell = 0; cell < this.cells; cell++) {
      const start = cell * this.#cellBytes
      state[cell] = live[cell]! > 0 ? LIVE : resident(start, this.#cellBytes) ? FREE_RESIDENT : ABSENT
      labels[cell] = this.#labelNumber(label(start))
    }
    this.#frames.push(this.#frame)
    this.#frame = newFrame()
  }

  pack(): PackedMap {
    const { cells } = this
    const frames = this.#frames.length
    const count = cells * frames
    const bytes = Buffer.alloc(count * 13)
    this.#frames.forEach((frame, time) => {
      for (let cell = 0; cell < cells; cell++) {
        const at = cell * frames + time
        bytes[at] = Math.min(FULL, Math.ceil((frame.live[cell]! * FULL) / this.#cellBytes))
        bytes[count + at] = frame.state[cell]!
        bytes[2 * count + at] = frame.label[cell]!
        bytes.writeUInt16LE(Math.min(0xffff, frame.blocks[cell]!), 3 * count + 2 * at)
        bytes.writeUInt32LE(frame.largest[cell]!, 5 * count + 4 * at)
        bytes.writeUInt32LE(frame.madeAt[cell]!, 9 * count + 4 * at)
      }
    })
    return {
      cells,
      frames,
      cellBytes: this.#cellBytes,
      labels: this.#labels,
      data: gzipSync(bytes, { level: 6 }).toString('base64'),
    }
  }

  #labelNumber(label: string | undefined): number {
    if (label === undefined) return 0
    const known = this.#labels.indexOf(label)
    if (known >= 0) return known
    if (this.#labels.length > 255) return 0
    return this.#labels.push(label.slice(0, 40)) - 1
  }

  /** Two cells become one. */
  #coarsen(): void {
    for (const frame of [...this.#frames, this.#frame])
      for (let cell = 0; cell < MOST_CELLS; cell++) {
        const [left, right] = [2 * cell, 2 * cell + 1]
        const inside = right < MOST_CELLS
        const winner = inside && frame.largest[right]! > frame.largest[left]! ? right : left
        frame.live[cell] = inside ? frame.live[left]! + frame.live[right]! : 0
        frame.blocks[cell] = inside ? frame.blocks[left]! + frame.blocks[right]! : 0
        frame.state[cell] = inside ? Math.max(frame.state[left]!, frame.state[right]!) : 0
        frame.label[cell] = inside ? frame.label[left]! || frame.label[right]! : 0
        frame.largest[cell] = inside ? frame.largest[winner]! : 0
        frame.madeAt[cell] = inside ? frame.madeAt[winner]! : 0
      }
    this.#cellBytes *= 2
  }
}

function newFrame(): Frame {
  return {
    live: new Float64Array(MOST_CELLS),
    state: new Uint8Array(MOST_CELLS),
    label: new Uint8Array(MOST_CELLS),
    blocks: new Uint32Array(MOST_CELLS),
    largest: new Uint32Array(MOST_CELLS),
    madeAt: new Uint32Array(MOST_CELLS),
  }
}

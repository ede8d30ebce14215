/**
 * How JavaScript sees an arena: through windows, ArrayBuffers of one length side by side, the last one shorter.
 *
 *     arena    | window 0        | window 1        | window 2   |  metadata (seen by none)
 *              0           windowBytes     2 windowBytes     byteLength
 *
 * One buffer over it all would be simpler and is not possible: Node 20 aborts above 4 GiB, and on Node 24 and 26 an index
 * above 2^32 and 2^31 costs 20 to 30 times as much. A window is made at first need, about 1.5 us and no memory.
 *
 * There are two rows of windows over the same bytes. Views come from short ones (`windowBytes`, 16 MiB unless asked otherwise), since
 * `structuredClone` of a view copies its whole buffer and V8 counts that length as external memory. `long` has those of 1 GiB, for code
 * that indexes without making a view for each block. Two ArrayBuffers over the same bytes are two objects to V8, which knows nothing of
 * one from the other.
 *
 *     windowBytes                       1 MiB   4 MiB   16 MiB   64 MiB   256 MiB   1 GiB
 *     structuredClone of a view, ms       1       5        17       90       450    4,800
 *     first views in 1 GiB, ms          150     110        48       16         7        5      collections that V8 does for what it counts
 *
 * A range that one window cannot show gets a buffer of its own, the most recent of which are kept for the next time. A buffer costs
 * some 400 bytes beside what V8 counts for it, its whole length, so they cannot all be kept; no bound may make a buffer that can be
 * alive forgotten, either. So when the bounds are reached, a range is shown in the long window that has all of it; only what crosses
 * the end of a long window goes on to get buffers of its own:
 *
 *     own buffers   64, given again for the same range  ─▶  4,096 of 256 MiB together, kept to be looked at  ─▶  forgotten (lifetime.ts)
 *
 * Foreign code can detach a buffer it was given (byte streams and `transfer` do), which moves the memory to a buffer that
 * the arena does not know. The window is then made anew, and the mapping is never unmapped: see mapping/lifetime.ts. A buffer that was forgotten,
 * and is garbage at the end, may have been moved so, and counts as moved: that mapping's addresses stay taken, without memory.
 * @module
 */
import { OutOfRangeError } from '../../errors.ts'
import { MiB } from '../../units.ts'
import { makeView, type View, type ViewConstructor, viewBuffer, viewByteOffset } from '../../views.ts'
import { WINDOW_BYTES } from '../format/layout.ts'
import type { Lifetime, Seen } from '../mapping/lifetime.ts'

/** Bytes in the windows that views come from, at least and unless asked otherwise; at most WINDOW_BYTES. */
export const LEAST_WINDOW_BYTES: number = MiB
export const USUAL_WINDOW_BYTES: number = 16 * MiB

/** Buffers of their own that are kept for the next view over the same range. */
const KEPT_OWN_BUFFERS = 64
/** Those of them that are kept to be looked at once more, how many and how many bytes long. */
const WATCHED_BUFFERS = 4096
const WATCHED_BYTES = 256 * MiB

/** How many windows an arena of so many bytes has. */
export function windowCount(byteLength: number, windowBytes: number = WINDOW_BYTES): number {
  return Math.ceil(byteLength / windowBytes)
}

/** The window in which a range that starts at `offset` begins. The arena's very end belongs to the last window. */
export function windowIndex(offset: number, byteLength: number, windowBytes: number = WINDOW_BYTES): number {
  return Math.min(Math.floor(offset / windowBytes), windowCount(byteLength, windowBytes) - 1)
}

/**
 * The buffers over one range, an arena's data or a mapped file. They are kept here, and this object is kept by the mapping's lifetime, until it is
 * closed or garbage: only so can a buffer that foreign code has detached be told from one that is not used any more.
 */
export class Windows {
  /** The buffer of each window, undefined until it is made. Emptied by `forget`. */
  readonly buffers: (ArrayBuffer | undefined)[] = []
  /** Bytes over each window: their length tells a detached buffer faster than `buffer.byteLength` does. */
  readonly bytes: Uint8Array[] = []
  /** Bytes in a window, except the last. */
  readonly windowBytes: number
  readonly #lifetime: Lifetime
  /** First byte of the range in the mapping. */
  readonly #start: number
  readonly #byteLength: number
  readonly #own: Map<string, Seen> = new Map()
  readonly #watched: Set<Seen> = new Set()
  #watchedBytes = 0
  #long: Windows | undefined
  #starts: WeakMap<ArrayBufferLike, number> = new WeakMap()
  #recent: ArrayBufferLike | undefined
  #recentStart = 0

  constructor(lifetime: Lifetime, start: number, byteLength: number, windowBytes: number = USUAL_WINDOW_BYTES) {
    this.windowBytes = windowBytes
    this.#lifetime = lifetime
    this.#start = start
    this.#byteLength = byteLength
    lifetime.keep(this)
  }

  /** The long windows over the same range; these ones where they are as long, or show all of it. */
  get long(): Windows {
    if (this.windowBytes === WINDOW_BYTES || this.#byteLength <= this.windowBytes) return this
    this.#long ??= new Windows(this.#lifetime, this.#start, this.#byteLength, WINDOW_BYTES)
    return this.#long
  }

  /** A view of elements that lie in the range: in a window, or across a window's end in a buffer of its own. */
  view(type: ViewConstructor, offset: number, length: number, byteLength: number): View {
    const { windowBytes } = this
    const index = windowIndex(offset, this.#byteLength, windowBytes)
    const start = offset - index * windowBytes
    if (start + byteLength <= windowBytes) return makeView(type, this.window(index), start, length)
    if (this.#ownWouldBeForgotten(offset, byteLength)) {
      const inLong = offset % WINDOW_BYTES
      if (inLong + byteLength <= WINDOW_BYTES && this.long !== this)
        return this.long.view(type, offset, length, byteLength)
    }
    return makeView(type, this.own(offset, byteLength), 0, length)
  }

  /** The buffer of a window, made at first need, and again when foreign code has detached it. */
  window(index: number): ArrayBuffer {
    return this.find(index) ?? this.make(index)
  }

  /** The buffer of a window; undefined when it was not made, or has been detached. */
  find(index: number): ArrayBuffer | undefined {
    const bytes = this.bytes[index]
    return bytes !== undefined && bytes.length !== 0 ? this.buffers[index] : undefined
  }

  /** Bytes that no window's end cuts. */
  bytesAt(offset: number, byteLength: number): Uint8Array {
    const index = windowIndex(offset, this.#byteLength, this.windowBytes)
    return new Uint8Array(this.window(index), offset - index * this.windowBytes, byteLength)
  }

  /** What the 32-bit word at an offset is now. */
  wordAt(offset: number): number {
    const index = windowIndex(offset, this.#byteLength, this.windowBytes)
    return Atomics.load(new Int32Array(this.window(index), offset - index * this.windowBytes, 1), 0)
  }

  /** Makes the buffer of a window, the first time or again. */
  make(index: number): ArrayBuffer {
    const old = this.buffers[index]
    if (old !== undefined) this.#lifetime.memoryMoved()
    const start = index * this.windowBytes
    const { buffer } = this.#view(start, Math.min(this.windowBytes, this.#byteLength - start))
    // Filled from 0 on, so that the arrays stay packed and a look-up stays a plain load.
    while (this.buffers.length <= index) {
      this.buffers.push(undefined)
      this.bytes.push(NO_BYTES)
    }
    this.buffers[index] = buffer
    this.bytes[index] = new Uint8Array(buffer)
    return buffer
  }

  /** A buffer of its own over a range. */
  own(offset: number, byteLength: number): ArrayBuffer {
    const { maxViewBytes } = this.#lifetime
    if (byteLength > maxViewBytes)
      throw new OutOfRangeError(
        'length',
        `at most ${maxViewBytes} bytes in one view, the runtime's limit`,
        `${byteLength} bytes`
      )
    const key = keyOf(offset, byteLength)
    const kept = this.#own.get(key)
    if (kept !== undefined && kept.buffer.byteLength !== 0) return kept.buffer
    if (kept !== undefined) this.#lifetime.memoryMoved()
    const seen = this.#view(offset, byteLength)
    this.#own.delete(key)
    this.#own.set(key, seen)
    if (this.#own.size > KEPT_OWN_BUFFERS) this.#forgetOldest()
    return seen.buffer
  }

  /** The offset in the arena where a buffer starts, or -1 when it is not one of this arena's, or detached. */
  startOf(buffer: ArrayBufferLike): number {
    // Frees come in runs; the map would cost 20 ns each time.
    if (buffer !== this.#recent) {
      const start = this.#starts.get(buffer)
      if (start === undefined) return this.#long === undefined ? -1 : this.#long.startOf(buffer)
      this.#recent = buffer
      this.#recentStart = start
    }
    return buffer.byteLength === 0 ? -1 : this.#recentStart
  }

  /** The offset in the arena where a view starts, or -1 when it is none of this arena's, or detached. */
  offsetOf(view: ArrayBufferView): number {
    const start = this.startOf(viewBuffer(view))
    return start < 0 ? -1 : start + viewByteOffset(view)
  }

  /** Every buffer that is kept. */
  all(): ArrayBuffer[] {
    const own = [...this.#own.values(), ...this.#watched].map(({ buffer }) => buffer)
    return [...this.buffers.filter((buffer) => buffer !== undefined), ...own]
  }

  /** Lets go of every buffer. */
  forget(): void {
    this.buffers.length = 0
    this.bytes.length = 0
    this.#own.clear()
    this.#watched.clear()
    this.#watchedBytes = 0
    this.#recent = undefined
    this.#starts = new WeakMap()
    this.#long = undefined
  }

  /** Whether another buffer of its own would be one more than can be looked at. */
  #ownWouldBeForgotten(offset: number, byteLength: number): boolean {
    if (this.#own.size < KEPT_OWN_BUFFERS || this.#own.has(keyOf(offset, byteLength))) return false
    for (const { buffer } of this.#own.values())
      return this.#watched.size >= WATCHED_BUFFERS || this.#watchedBytes + buffer.byteLength > WATCHED_BYTES
    return false
  }

  #forgetOldest(): void {
    for (const [key, seen] of this.#own) {
      this.#own.delete(key)
      this.#watched.add(seen)
      this.#watchedBytes += seen.buffer.byteLength
      break
    }
    for (const seen of this.#watched) {
      if (this.#watched.size <= WATCHED_BUFFERS && this.#watchedBytes <= WATCHED_BYTES) return
      this.#watched.delete(seen)
      // A buffer that was detached since has length 0 here, so its bytes stay counted: its addresses cannot be saved any more.
      this.#watchedBytes -= seen.buffer.byteLength
      this.#lifetime.forget(seen)
    }
  }

  #view(offset: number, byteLength: number): Seen {
    const seen = this.#lifetime.view(this.#start + offset, byteLength)
    this.#starts.set(seen.buffer, offset)
    return seen
  }
}

function keyOf(offset: number, byteLength: number): string {
  return `${offset} ${byteLength}`
}

const NO_BYTES = new Uint8Array(0)

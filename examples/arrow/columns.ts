/**
 * Apache Arrow columns whose buffers are blocks of a heap: Arrow and the program see the same bytes, and nothing is copied.
 *
 *     heap   | values, 64-aligned | validity | offsets | text |        a block each
 *               └ Float64Array       └────────┴ Arrow's Data ─> Vector ─> Table
 *
 * Calls: `heap.alloc(type, length, { alignment: 64 })`, as Arrow wants its buffers, `allocUnsafe`, `free`. Arrow keeps the typed array that
 * it is given. A column lives until it is freed: the collector frees none, and a table that is used afterwards shows other bytes.
 *
 * Cost: blocks up to 64 bytes longer than the data; some objects a column, whatever its length.
 * @module
 */
import { type Data, Float64, Int32, makeData, makeVector, Utf8, type Vector } from 'apache-arrow'
import type { Heap } from '../../src/index.ts'

const ALIGNED = { alignment: 64 }

export class HeapColumns {
  readonly #heap: Heap
  /** The blocks of each column. Arrow may add buffers of its own, as when a value is set in a column without a validity bitmap. */
  readonly #blocks: Map<Vector, ArrayBufferView[]> = new Map()

  constructor(heap: Heap) {
    this.#heap = heap
  }

  /** A column of numbers, and the view that both write to. */
  float64(length: number): { vector: Vector<Float64>; values: Float64Array } {
    const values = this.#heap.alloc(Float64Array, length, ALIGNED)
    const vector = makeVector(makeData({ type: new Float64(), length, nullCount: 0, data: values }))
    this.#blocks.set(vector, [values])
    return { vector, values }
  }

  /** A column of whole numbers, some of which are absent. */
  int32(numbers: readonly (number | null)[]): Vector<Int32> {
    const { length } = numbers
    const data = this.#heap.alloc(Int32Array, length, ALIGNED)
    const nullBitmap = this.#heap.alloc(Uint8Array, Math.ceil(length / 8), ALIGNED)
    let nullCount = 0
    for (const [at, number] of numbers.entries()) {
      if (number === null) nullCount++
      else {
        data[at] = number
        nullBitmap[at >> 3] = (nullBitmap[at >> 3] as number) | (1 << (at & 7))
      }
    }
    const vector = makeVector(makeData({ type: new Int32(), length, nullCount, nullBitmap, data }))
    this.#blocks.set(vector, [data, nullBitmap])
    return vector
  }

  /** A column of texts: all of them in one block, and where each begins in another. */
  utf8(texts: readonly string[]): Vector<Utf8> {
    const byteLength = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    if (byteLength >= 2 ** 31) throw new RangeError(`texts expected less than 2 GiB, got ${byteLength} bytes`)
    const valueOffsets = this.#heap.alloc(Int32Array, texts.length + 1, ALIGNED)
    const data = this.#heap.allocUnsafe(Buffer, byteLength, ALIGNED)
    let end = 0
    for (const [at, text] of texts.entries()) {
      end += data.write(text, end)
      valueOffsets[at + 1] = end
    }
    const vector = makeVector(makeData({ type: new Utf8(), length: texts.length, nullCount: 0, valueOffsets, data }))
    this.#blocks.set(vector, [valueOffsets, data])
    return vector
  }

  /** Frees the blocks of a column. Nothing may use it afterwards. */
  free(vector: Vector): void {
    for (const block of this.#blocks.get(vector) ?? []) this.#heap.free(block)
    this.#blocks.delete(vector)
  }
}

/** The buffers of a column that have bytes, with what each is. */
export function buffersOf(vector: Vector): { name: string; buffer: ArrayBufferView }[] {
  return vector.data.flatMap(({ values, valueOffsets, nullBitmap }: Data) =>
    Object.entries({ values, offsets: valueOffsets, validity: nullBitmap })
      .filter(([, buffer]) => buffer !== undefined && buffer.byteLength > 0)
      .map(([name, buffer]) => ({ name, buffer }))
  )
}

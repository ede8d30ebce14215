/**
 * The parts of a heap, and how they are put together over its metadata: by the heap itself, and by whoever looks at one.
 *
 *     words, numbers   the metadata, as 32-bit words and as 64-bit floats (heap-layout.ts)
 *     spans, slabs     the code over it; neither keeps anything that the words do not say
 *     source           what both ask of the heap around them
 * @module
 */
import { At, type HeapLayout } from './heap-layout.ts'
import { HugeSpanTable } from './huge-span-table.ts'
import { SlabTable } from './slab-table.ts'
import type { SpanSource } from './span-map.ts'

/** What a heap's parts need to know of each other. */
export interface HeapParts {
  readonly words: Int32Array
  readonly layout: HeapLayout
  readonly spans: HugeSpanTable
  readonly slabs: SlabTable
  readonly source: SpanSource
}

export function heapParts(words: Int32Array, layout: HeapLayout, source: SpanSource): HeapParts {
  const numbers = new Float64Array(words.buffer as ArrayBuffer, words.byteOffset, At.KEPT_END / 2)
  const spans = new HugeSpanTable(words, numbers, layout, source)
  const slabs = new SlabTable(words, spans, layout, source.clearWords)
  return { words, layout, spans, slabs, source }
}

/**
 * The proof of a heap's roots: an entry is free, or has a name of its own, padded with zeros, and an offset that a block of the heap
 * can have. Whether a block is there is its program's affair: one that was freed leaves its root behind. Where the entries end is one word,
 * which nothing else repeats: so the next entries, a page of them, must never have been used. Cost: 1 us an entry.
 * @module
 */

import { TextDecoder } from 'node:util'
import type { HeapLayout, HeapTables } from '../layout.ts'
import { At, Root } from '../words.ts'

/** Where roots are, and in which range they lead. */
export interface RootTables extends Pick<HeapTables, 'words' | 'offset' | 'byteLength'> {
  readonly layout: Pick<HeapLayout, 'roots' | 'rootsEnd'>
}

/** Entries in a page. */
const UNUSED_ENTRIES = 56

/** `counters` must have been proved. */
export function proveRoots({ tables }: { readonly tables: RootTables }, counters: Int32Array): string | undefined {
  const { words, layout } = tables
  const end = tables.offset + tables.byteLength
  const count = (layout.rootsEnd - layout.roots) / Root.WORDS
  const start = words.byteOffset + layout.roots * 4
  const offsets = new Float64Array(words.buffer as ArrayBuffer, start, (count * Root.WORDS) / 2)
  const top = counters[At.ROOT_TOP]
  const names = new Set<string>()
  for (let entry = 0; entry < Math.min(top + UNUSED_ENTRIES, count); entry++) {
    const offset = offsets[(entry * Root.WORDS + Root.NAME_WORDS) / 2] as number
    if (offset === 0) continue
    if (entry >= top) return `there are ${top} roots, and root ${entry} leads to ${offset}`
    if (!(offset >= tables.offset && offset < end) || offset % 8 !== 0) return `root ${entry} leads to ${offset}`
    const bytes = new Uint8Array(words.buffer as ArrayBuffer, start + entry * Root.WORDS * 4, Root.NAME)
    const name = nameIn(bytes)
    if (name === undefined || names.has(name)) return `root ${entry} has no name of its own`
    names.add(name)
  }
  return undefined
}

function nameIn(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0)
  const length = end < 0 ? bytes.length : end
  if (length === 0 || bytes.subarray(length).some((byte) => byte !== 0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length))
  } catch {
    return undefined
  }
}

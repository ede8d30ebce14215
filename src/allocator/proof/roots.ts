/**
 * The proof of a heap's roots: an entry is free, or has a name of its own, padded with zeros, and an offset that a block of the heap
 * can have. Whether a block is there is its program's affair: one that was freed leaves its root behind. Cost: 1 us.
 * @module
 */
import { At, Root } from '../heap-layout.ts'
import type { HeapParts } from '../heap-parts.ts'

export function proveRoots({ words, source }: HeapParts): string | undefined {
  const end = source.offset + source.byteLength
  const offsets = new Float64Array(words.buffer as ArrayBuffer, words.byteOffset + At.ROOTS * 4, Root.COUNT * 4)
  const bytes = new Uint8Array(words.buffer as ArrayBuffer, words.byteOffset + At.ROOTS * 4, Root.COUNT * 32)
  const names = new Set<string>()
  for (let entry = 0; entry < Root.COUNT; entry++) {
    const offset = offsets[entry * 4 + Root.NAME / 8] as number
    if (offset === 0) continue
    if (!(offset >= source.offset && offset < end) || offset % 8 !== 0) return `root ${entry} leads to ${offset}`
    const name = nameIn(bytes.subarray(entry * 32, entry * 32 + Root.NAME))
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

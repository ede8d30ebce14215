/**
 * The arena's header and its directory of open claims, in the arena's own memory, so that whoever else maps it finds who holds
 * what. The figure is in layout.ts.
 *
 * Nothing is written before the first claim: an arena without one has no resident page. Then one page is touched, and another
 * for every 64 claims that are open at the same time. The buffer over it covers what is in use and grows by doubling, because
 * the garbage collector counts a buffer's whole length as memory.
 * @module
 */
import { alignUp } from '../../bits.ts'
import { CorruptedError, OutOfMemoryError } from '../../errors.ts'
import {
  ArenaState,
  ENTRY_BYTES,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HeaderLength,
  HeaderWord,
  KIND_BYTES,
  type Layout,
  layoutHash,
  MAGIC,
  mostClaims,
  VERSION,
} from '../layout.ts'
import { verifyArenaHeader } from './arena-header.ts'

/** What an entry says of a claim. */
export interface DirectoryEntry {
  readonly kind: string
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
  /** The entry of the claim that this one lies in, or -1. */
  readonly around: number
}

export class Directory {
  readonly #layout: Layout
  readonly #pageSize: number
  readonly #view: (byteLength: number) => ArrayBuffer
  readonly #free: number[] = []
  /** Entries that there is room for. */
  readonly #most: number
  #words: Uint32Array = new Uint32Array(0)
  #lengths: Float64Array = new Float64Array(0)

  /** `view` makes a buffer over the first so many bytes of the metadata region. */
  constructor(layout: Layout, pageSize: number, view: (byteLength: number) => ArrayBuffer) {
    this.#layout = layout
    this.#most = mostClaims(layout.directoryBytes)
    this.#pageSize = pageSize
    this.#view = view
  }

  /**
   * Takes a directory up that others have written, and gives the entries that are open, by number. Throws ERR_CORRUPTED or
   * ERR_UNSUPPORTED_OPERATION, naming the field, unless the header is what it should be.
   */
  load(): Map<number, DirectoryEntry> {
    this.#cover(HEADER_BYTES + ENTRY_BYTES)
    verifyArenaHeader(this.#words, this.#lengths, this.#layout, this.#pageSize)
    const entries = this.#words[HeaderWord.entries] as number
    if (entries > 0) this.#cover(HEADER_BYTES + entries * ENTRY_BYTES)
    const open: Map<number, DirectoryEntry> = new Map()
    // From the last to the first, so that the lowest free entry is taken first.
    for (let index = entries - 1; index >= 0; index--) {
      const state = this.#words[wordOf(index) + EntryWord.state] as number
      if (state > 1) throw new CorruptedError(`directory entry ${index}: "state" expected 0 or 1, got ${state}`)
      if (state === 1) open.set(index, this.#read(index))
      else this.#free.push(index)
    }
    return open
  }

  #read(index: number): DirectoryEntry {
    const length = lengthOf(index)
    const word = wordOf(index)
    const kind = new Uint8Array(this.#words.buffer, HEADER_BYTES + index * ENTRY_BYTES + ENTRY_KIND, KIND_BYTES)
    return {
      kind: String.fromCharCode(...kind).replace(/\0+$/, ''),
      offset: this.#lengths[length + EntryLength.offset] as number,
      byteLength: this.#lengths[length + EntryLength.byteLength] as number,
      metadataOffset: this.#lengths[length + EntryLength.metadataOffset] as number,
      metadataLength: this.#lengths[length + EntryLength.metadataLength] as number,
      around: (this.#words[word + EntryWord.around] as number) - 1,
    }
  }

  /** Writes an entry and gives its number. Changes nothing when it throws. */
  add(entry: DirectoryEntry): number {
    if (this.#words.length === 0) this.#writeHeader()
    const words = this.#words
    let index = this.#free.at(-1)
    if (index === undefined) {
      index = words[HeaderWord.entries] as number
      if (index === this.#most) throw new OutOfMemoryError(`the arena holds ${index} claims already, the most it can`)
      this.#cover(HEADER_BYTES + (index + 1) * ENTRY_BYTES)
      this.#setWord(HeaderWord.entries, index + 1)
    } else this.#free.pop()
    this.#write(index, entry)
    this.#change(1)
    return index
  }

  /** Frees an entry. */
  remove(index: number): void {
    this.#setWord(wordOf(index) + EntryWord.state, 0)
    this.#free.push(index)
    this.#change(-1)
  }

  #write(index: number, entry: DirectoryEntry): void {
    const length = lengthOf(index)
    const word = wordOf(index)
    this.#lengths[length + EntryLength.offset] = entry.offset
    this.#lengths[length + EntryLength.byteLength] = entry.byteLength
    this.#lengths[length + EntryLength.metadataOffset] = entry.metadataOffset
    this.#lengths[length + EntryLength.metadataLength] = entry.metadataLength
    this.#setWord(word + EntryWord.around, entry.around + 1)
    this.#setWord(word + EntryWord.uses, (this.#words[word + EntryWord.uses] as number) + 1)
    const kind = new Uint8Array(this.#words.buffer, HEADER_BYTES + index * ENTRY_BYTES + ENTRY_KIND, KIND_BYTES)
    for (let at = 0; at < KIND_BYTES; at++) kind[at] = at < entry.kind.length ? entry.kind.charCodeAt(at) : 0
    this.#setWord(word + EntryWord.state, 1)
  }

  #writeHeader(): void {
    this.#cover(HEADER_BYTES + ENTRY_BYTES)
    this.#setWord(HeaderWord.version, VERSION)
    this.#setWord(HeaderWord.layoutHash, layoutHash())
    this.#setWord(HeaderWord.pageSize, this.#pageSize)
    this.#lengths[HeaderLength.byteLength] = this.#layout.byteLength
    this.#lengths[HeaderLength.metadataBytes] = this.#layout.metadataBytes
    this.#setWord(HeaderWord.state, ArenaState.open)
    // Last: a header that has its magic is complete.
    this.#setWord(HeaderWord.magic, MAGIC)
  }

  /** Sees to it that the buffer covers so many bytes. */
  #cover(byteLength: number): void {
    const covered = this.#words.byteLength
    if (byteLength <= covered) return
    const wanted = Math.min(Math.max(alignUp(byteLength, this.#pageSize), 2 * covered), this.#layout.directoryBytes)
    const buffer = this.#view(wanted)
    this.#words = new Uint32Array(buffer)
    this.#lengths = new Float64Array(buffer)
  }

  #change(claims: number): void {
    this.#setWord(HeaderWord.openClaims, (this.#words[HeaderWord.openClaims] as number) + claims)
    this.#setWord(HeaderWord.generation, (this.#words[HeaderWord.generation] as number) + 1)
  }

  #setWord(index: number, value: number): void {
    this.#words[index] = value
  }
}

/** The index of an entry's first 32-bit word. */
function wordOf(index: number): number {
  return (HEADER_BYTES + index * ENTRY_BYTES) / 4
}

/** The index of an entry's first 64-bit float. */
function lengthOf(index: number): number {
  return (HEADER_BYTES + index * ENTRY_BYTES) / 8
}

/**
 * The arena's header and its directory of open claims, in the arena's own memory, so that whoever else maps it finds who holds
 * what. The figure is in layout.ts.
 *
 * Nothing is written before the first claim, or before the arena is shared: an arena with neither has no resident page. Then one
 * page is touched, and another for every 64 claims that are open at the same time. The buffer over it covers what is in use and
 * grows by doubling, because the garbage collector counts a buffer's whole length as memory.
 *
 * Of an arena that is shared, others write here as well: then every call but `generation` is made under the lock, and what was
 * read before is no longer true. An entry's state is written last when it is added and first when it is freed, so that whoever
 * dies on the way leaves an entry or none.
 * @module
 */
import { alignUp } from '../../bits.ts'
import { CorruptedError, OutOfMemoryError } from '../../errors.ts'
import { readHeader, requireCounts, requireLayout, writeHeader } from '../header.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_HOLDER,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HEADER_LOCK,
  HeaderWord,
  KIND_BYTES,
  type Layout,
  mostClaims,
} from '../layout.ts'

/** What an entry says of a claim. */
export interface DirectoryEntry {
  readonly kind: string
  readonly offset: number
  readonly byteLength: number
  readonly metadataOffset: number
  readonly metadataLength: number
  /** The entry of the claim that this one lies in, or -1. */
  readonly around: number
  /** Whether it outlives its holder. */
  readonly lasting: boolean
  /** The holder's token, or 0: the arena was not shared, or the holder has left it. */
  readonly holder: bigint
}

export class Directory {
  readonly #layout: Layout
  readonly #pageSize: number
  readonly #view: (byteLength: number) => ArrayBuffer
  #free: number[] = []
  #words: Uint32Array = new Uint32Array(0)
  #lengths: Float64Array = new Float64Array(0)
  #holders: BigUint64Array = new BigUint64Array(0)

  /** `view` makes a buffer over the first so many bytes of the metadata region. */
  constructor(layout: Layout, pageSize: number, view: (byteLength: number) => ArrayBuffer) {
    this.#layout = layout
    this.#pageSize = pageSize
    this.#view = view
  }

  /** The header's words. Written at first need. */
  get header(): Uint32Array<ArrayBuffer> {
    if (this.#words.length === 0) {
      this.#cover(HEADER_BYTES + ENTRY_BYTES)
      if (Atomics.load(this.#words, HeaderWord.magic) === 0)
        writeHeader(this.#words.buffer as ArrayBuffer, this.#layout, this.#pageSize)
    }
    return this.#words as Uint32Array<ArrayBuffer>
  }

  /** Whether there is anything of it, as far as this arena has seen. */
  get written(): boolean {
    return this.#words.length > 0
  }

  /**
   * Takes up a directory that others have written. Throws ERR_CORRUPTED or ERR_UNSUPPORTED_OPERATION, naming the field, unless the
   * header is what it should be; nothing is written then.
   */
  open(name: string): void {
    const header = this.#view(HEADER_BYTES)
    requireLayout(readHeader(header, this.#pageSize, name).layout, this.#layout, name)
    requireCounts(new Uint32Array(header, 0, HEADER_BYTES / 4), this.#layout, name)
  }

  /** The word of the lock. */
  get lockWord(): BigUint64Array {
    return new BigUint64Array(this.header.buffer, HEADER_LOCK, 1)
  }

  /** Differs from what it was when anybody has changed the directory. */
  get generation(): number {
    return Atomics.load(this.header, HeaderWord.generation)
  }

  /** Writes an entry and gives its number. Changes nothing when it throws. */
  add(entry: DirectoryEntry): number {
    const { header } = this
    let index = this.#free.at(-1)
    if (index === undefined) {
      const most = mostClaims(this.#layout.directoryBytes)
      index = header[HeaderWord.entries] as number
      if (index === most) throw new OutOfMemoryError(`the arena holds ${most} claims already, the most it can`)
      this.#cover(HEADER_BYTES + (index + 1) * ENTRY_BYTES)
      this.#setWord(HeaderWord.entries, index + 1)
    } else this.#free.pop()
    this.#write(index, entry)
    this.#change(1)
    return index
  }

  /** Frees an entry. */
  remove(index: number): void {
    this.#setWord(wordOf(index) + EntryWord.state, ClaimState.free)
    this.#free.push(index)
    this.#change(-1)
  }

  /** Notes who holds a claim, and whether it outlives him. 0: its holder has left, and not died. */
  hold(index: number, holder: bigint, lasting: boolean): void {
    this.#holders[holderOf(index)] = holder
    Atomics.store(this.#words, wordOf(index) + EntryWord.state, lasting ? ClaimState.lasting : ClaimState.open)
    this.#change(0)
  }

  /** Every open entry, and anew which ones are free: for when others have been here. Throws ERR_CORRUPTED at a state that is none. */
  scan(): Map<number, DirectoryEntry> {
    const count = Math.min(this.header[HeaderWord.entries] as number, mostClaims(this.#layout.directoryBytes))
    this.#cover(HEADER_BYTES + count * ENTRY_BYTES)
    const open = new Map<number, DirectoryEntry>()
    this.#free = []
    // From the last to the first, so that the lowest free entry is taken first.
    for (let index = count - 1; index >= 0; index--) {
      const state = this.#words[wordOf(index) + EntryWord.state] as number
      if (state > ClaimState.lasting)
        throw new CorruptedError(`directory entry ${index}: "state" expected 0, 1 or 2, got ${state}`)
      if (state === ClaimState.free) this.#free.push(index)
      else open.set(index, this.#read(index))
    }
    // Whoever died between an entry and the count of them has left a wrong one.
    this.#setWord(HeaderWord.openClaims, open.size)
    return open
  }

  #read(index: number): DirectoryEntry {
    const length = lengthOf(index)
    const word = wordOf(index)
    const kind = new Uint8Array(this.#words.buffer, HEADER_BYTES + index * ENTRY_BYTES + ENTRY_KIND, KIND_BYTES)
    return {
      kind: String.fromCharCode(...kind).replace(/\0.*$/s, ''),
      offset: this.#lengths[length + EntryLength.offset] as number,
      byteLength: this.#lengths[length + EntryLength.byteLength] as number,
      metadataOffset: this.#lengths[length + EntryLength.metadataOffset] as number,
      metadataLength: this.#lengths[length + EntryLength.metadataLength] as number,
      around: (this.#words[word + EntryWord.around] as number) - 1,
      lasting: this.#words[word + EntryWord.state] === ClaimState.lasting,
      holder: this.#holders[holderOf(index)] as bigint,
    }
  }

  #write(index: number, entry: DirectoryEntry): void {
    const length = lengthOf(index)
    const word = wordOf(index)
    this.#lengths[length + EntryLength.offset] = entry.offset
    this.#lengths[length + EntryLength.byteLength] = entry.byteLength
    this.#lengths[length + EntryLength.metadataOffset] = entry.metadataOffset
    this.#lengths[length + EntryLength.metadataLength] = entry.metadataLength
    this.#holders[holderOf(index)] = entry.holder
    this.#setWord(word + EntryWord.around, entry.around + 1)
    this.#setWord(word + EntryWord.uses, (this.#words[word + EntryWord.uses] as number) + 1)
    const kind = new Uint8Array(this.#words.buffer, HEADER_BYTES + index * ENTRY_BYTES + ENTRY_KIND, KIND_BYTES)
    for (let at = 0; at < KIND_BYTES; at++) kind[at] = at < entry.kind.length ? entry.kind.charCodeAt(at) : 0
    Atomics.store(this.#words, word + EntryWord.state, entry.lasting ? ClaimState.lasting : ClaimState.open)
  }

  /** Sees to it that the buffer covers so many bytes. */
  #cover(byteLength: number): void {
    const covered = this.#words.byteLength
    if (byteLength <= covered) return
    const wanted = Math.min(Math.max(alignUp(byteLength, this.#pageSize), 2 * covered), this.#layout.directoryBytes)
    const buffer = this.#view(wanted)
    this.#words = new Uint32Array(buffer)
    this.#lengths = new Float64Array(buffer)
    this.#holders = new BigUint64Array(buffer)
  }

  #change(claims: number): void {
    this.#setWord(HeaderWord.openClaims, (this.#words[HeaderWord.openClaims] as number) + claims)
    Atomics.add(this.#words, HeaderWord.generation, 1)
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

/** The index of an entry's holder among 64-bit words. */
function holderOf(index: number): number {
  return (HEADER_BYTES + index * ENTRY_BYTES + ENTRY_HOLDER) / 8
}

/**
 * The arena's header and its directory of open claims, in the arena's own memory, so that every process that maps it finds which
 * allocator holds what. The figure is in layout.ts.
 *
 * Nothing is written before the first claim, or before the arena is shared: an arena with neither has no resident page. Then one
 * page is touched, and another for every 64 claims that are open at the same time. The buffer over it covers what is in use and
 * grows by doubling, because the garbage collector counts a buffer's whole length as memory.
 *
 * Others may write here as well, at any moment and anything. So the memory is read once, into a copy (`scan`); the copy is verified
 * and used, and an entry is changed only while it still is what the copy says. Every change is made under the lock.
 *
 *     copy = memory, for all entries in use    or    the next change of the entry throws ERR_CORRUPTED
 *     fresh  =>  only this object has changed the directory since the scan, as far as the count of changes tells
 *
 * An entry's state is `changing` while it is written or cleared, so a writer that dies on the way leaves an entry or none.
 * @module
 */
import { alignUp } from '../../bits.ts'
import { CorruptedError, OutOfMemoryError } from '../../errors.ts'
import { type BufferRange, bigUint64sIn, rangeOf, uint32sIn } from '../buffer-range.ts'
import {
  type DirectoryEntry,
  ENTRY_WORDS,
  holderOf,
  isZero,
  lengthOf,
  readEntries,
  requireOwn,
  type Views,
  viewsOf,
  wordOf,
} from './entry-format.ts'
import { readHeader, requireLayout, writeHeader } from './header.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  HEADER_LOCK,
  HeaderWord,
  KIND_BYTES,
  type Layout,
  mostClaims,
} from './layout.ts'
import { DEAD_THREAD } from './thread-id.ts'

const NONE: Views = viewsOf(rangeOf(new ArrayBuffer(0)))

export class Directory {
  readonly #title: string
  readonly #layout: Layout
  readonly #pageSize: number
  readonly #view: (byteLength: number) => BufferRange
  /** The memory, and what it held when it was read or written last. Both are of one length. */
  #memory: Views = NONE
  #copy: Views = NONE
  /** Entries in use, free ones among them, and which are free. */
  #count = 0
  #free: number[] = []
  /** The count of changes that the copy is true for. */
  #seen = -1

  /** `view` gives the first so many bytes of the metadata region. */
  constructor(title: string, layout: Layout, pageSize: number, view: (byteLength: number) => BufferRange) {
    this.#title = title
    this.#layout = layout
    this.#pageSize = pageSize
    this.#view = view
  }

  /** The header's words. */
  get header(): Uint32Array<ArrayBuffer> {
    return this.#ready().words
  }

  /** The header's memory. */
  get headerRange(): BufferRange {
    return this.#ready().range
  }

  /** The memory, whose header is written at first need, and verified where others have written it. */
  #ready(): Views {
    if (this.#memory.words.length === 0) {
      const header = this.#view(HEADER_BYTES)
      if (Atomics.load(uint32sIn(header), HeaderWord.magic) === 0) writeHeader(header, this.#layout, this.#pageSize)
      else this.#verify(header)
      this.#cover(HEADER_BYTES + ENTRY_BYTES)
    }
    return this.#memory
  }

  /**
   * Takes up a directory that others have written. Throws ERR_CORRUPTED or ERR_UNSUPPORTED_OPERATION, naming the field, unless the
   * header is what it should be; nothing is written then.
   */
  open(): void {
    this.#verify(this.#view(HEADER_BYTES))
  }

  #verify(header: BufferRange): void {
    requireLayout(readHeader(header, this.#pageSize, this.#title).layout, this.#layout, this.#title)
  }

  /** The word of the lock. */
  get lockWord(): BigUint64Array {
    return bigUint64sIn(this.headerRange, HEADER_LOCK, 1)
  }

  /** Whether what was read last is true still. */
  get fresh(): boolean {
    return Atomics.load(this.header, HeaderWord.changeCount) === this.#seen
  }

  /** From now on nothing that was read is true any more. */
  invalidate(): void {
    this.#seen = -1
  }

  /** A holder of the lock died with it: what it had changed counts as a change for every thread that has a copy. */
  noteUnfinishedChange(): void {
    Atomics.add(this.header, HeaderWord.changeCount, 1)
    this.#seen = -1
  }

  /** Writes an entry and gives its number. Changes nothing when it throws. */
  add(entry: DirectoryEntry): number {
    const { header } = this
    const reused = this.#free.at(-1)
    const index = reused ?? this.#count
    const most = mostClaims(this.#layout.directoryBytes)
    if (index === most) throw new OutOfMemoryError(`the arena holds ${most} claims already, the most it can`)
    this.#cover(HEADER_BYTES + (index + 1) * ENTRY_BYTES)
    this.#requireSame(index)
    if (reused === undefined) {
      this.#count++
      header[HeaderWord.entries] = this.#count
    } else this.#free.pop()
    this.#write(index, entry)
    this.#change(1)
    return index
  }

  /** Whether the claim of an open entry is held by this one, and not by another that has taken it over. */
  isHeldBy(index: number, holder: bigint): boolean {
    return this.#copy.holders[holderOf(index)] === holder
  }

  /** Frees an entry. Throws ERR_CORRUPTED, and changes nothing, when others have written over it. */
  remove(index: number): void {
    this.#requireSame(index)
    this.#clear(index)
    this.#free.push(index)
    this.#change(-1)
  }

  /** Notes which thread holds a claim, and whether it outlives its holder. 0: its holder has left, and not died. Throws as `remove` does. */
  hold(index: number, holder: bigint, lasting: boolean): void {
    this.#requireSame(index)
    const state = lasting ? ClaimState.lasting : ClaimState.open
    for (const { words, holders } of [this.#copy, this.#memory]) {
      Atomics.store(holders, holderOf(index), holder)
      Atomics.store(words, wordOf(index) + EntryWord.state, state)
    }
    this.#change(0)
  }

  /** Notes of every holder that is dead that it is, for readers that could not tell. */
  noteDeadHolders(isDead: (holder: bigint) => boolean): void {
    for (let index = 0; index < this.#count; index++) {
      const state = this.#copy.words[wordOf(index) + EntryWord.state]
      const holder = this.#copy.holders[holderOf(index)] as bigint
      if (state !== ClaimState.free && holder !== 0n && isDead(holder))
        this.hold(index, DEAD_THREAD, state === ClaimState.lasting)
    }
  }

  /**
   * Reads the directory anew: for when others have been here. `use` is given every open entry, and throws unless they can all be
   * true. `isOwn`: whether a claim is this arena object's, which no other may have changed. Throws ERR_CORRUPTED, naming the entry.
   */
  scan(isOwn: (entry: number) => boolean, use: (open: Map<number, DirectoryEntry>) => void): void {
    const { header } = this
    this.#seen = -1
    const seen = Atomics.load(header, HeaderWord.changeCount)
    const most = mostClaims(this.#layout.directoryBytes)
    const count = Math.min(Atomics.load(header, HeaderWord.entries), most)
    this.#cover(HEADER_BYTES + Math.min(count + 1, most) * ENTRY_BYTES)
    const before = this.#copy
    const copy = viewsOf(rangeOf(new ArrayBuffer(before.words.byteLength)))
    const used = wordOf(Math.min(count + 1, most))
    copy.words.set(this.#memory.words.subarray(0, used))
    if (count < most && !isZero(copy.words, wordOf(count)))
      throw new CorruptedError(
        `${this.#title}: arena header: "entries" expected more than ${count}: entry ${count} has been in use`
      )
    for (let index = 0; index < count; index++) if (isOwn(index)) requireOwn(index, before, copy)
    const open = readEntries(copy, count)
    use(open.entries)
    this.#copy = copy
    this.#count = count
    // Their writers died, since we have the lock.
    for (const index of open.unfinished) this.#clear(index)
    // From the last to the first, so that the lowest free entry is taken first.
    this.#free = open.free.reverse()
    // A writer that died between an entry and the count of them has left a wrong one.
    if (header[HeaderWord.openClaims] !== open.entries.size) header[HeaderWord.openClaims] = open.entries.size
    this.#seen = seen
  }

  /** Throws unless an entry is what the copy says. */
  #requireSame(index: number): void {
    const { words } = this.#memory
    const copy = this.#copy.words
    const first = wordOf(index)
    for (let at = first; at < first + ENTRY_WORDS; at++)
      if (words[at] !== copy[at]) {
        this.#seen = -1
        throw new CorruptedError(
          `${this.#title}: directory entry ${index}: expected word ${at - first} to be ${copy[at]}, as it was read, got ${words[at]}`
        )
      }
  }

  #write(index: number, entry: DirectoryEntry): void {
    const length = lengthOf(index)
    const word = wordOf(index)
    const { words, lengths, holders, bytes } = this.#copy
    lengths[length + EntryLength.offset] = entry.offset
    lengths[length + EntryLength.byteLength] = entry.byteLength
    lengths[length + EntryLength.metadataOffset] = entry.metadataOffset
    lengths[length + EntryLength.metadataLength] = entry.metadataLength
    holders[holderOf(index)] = entry.holder
    words[word + EntryWord.around] = entry.around + 1
    words[word + EntryWord.uses] = (words[word + EntryWord.uses] as number) + 1
    words[word + EntryWord.state] = entry.lasting ? ClaimState.lasting : ClaimState.open
    const kind = HEADER_BYTES + index * ENTRY_BYTES + ENTRY_KIND
    for (let at = 0; at < KIND_BYTES; at++) bytes[kind + at] = at < entry.kind.length ? entry.kind.charCodeAt(at) : 0
    this.#store(word)
  }

  #clear(index: number): void {
    const word = wordOf(index)
    const { words } = this.#copy
    const uses = words[word + EntryWord.uses] as number
    words.fill(0, word, word + ENTRY_WORDS)
    words[word + EntryWord.uses] = uses
    this.#store(word)
  }

  /** Makes an entry in memory what it is in the copy. */
  #store(word: number): void {
    const copy = this.#copy.words
    const { words } = this.#memory
    const state = word + EntryWord.state
    Atomics.store(words, state, ClaimState.changing)
    for (let at = word; at < word + ENTRY_WORDS; at++) if (at !== state) words[at] = copy[at] as number
    Atomics.store(words, state, copy[state] as number)
  }

  /** Sees to it that memory and copy cover so many bytes. */
  #cover(byteLength: number): void {
    const covered = this.#memory.words.byteLength
    if (byteLength <= covered) return
    const wanted = Math.min(Math.max(alignUp(byteLength, this.#pageSize), 2 * covered), this.#layout.directoryBytes)
    const memory = viewsOf(this.#view(wanted))
    const copy = viewsOf(rangeOf(new ArrayBuffer(wanted)))
    copy.words.set(this.#copy.words)
    this.#memory = memory
    this.#copy = copy
  }

  #change(claims: number): void {
    const { words } = this.#memory
    words[HeaderWord.openClaims] = (words[HeaderWord.openClaims] as number) + claims
    // Where another has changed the directory meanwhile, it is read anew.
    const before = Atomics.add(words, HeaderWord.changeCount, 1)
    this.#seen = before === this.#seen ? (before + 1) >>> 0 : -1
  }
}

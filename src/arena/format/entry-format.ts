/**
 * Entries of the directory as bytes, in a private copy of it: reading them, and what can be said of one by itself. layout.ts has the
 * figure; verify-entries.ts compares them with one another.
 *
 *     free      all zero but the number of times it was used
 *     changing  anything: its writer has died, since the reader has the lock
 *     else      a claim, whose kind is printable
 *
 * A full directory has 65,532 entries, which takes some 100 ms.
 * @module
 */
import { CorruptedError } from '../../errors.ts'
import { type BufferRange, bigUint64sIn, bytesIn, float64sIn, uint32sIn } from '../buffer-range.ts'
import {
  ClaimState,
  ENTRY_BYTES,
  ENTRY_HOLDER,
  ENTRY_KIND,
  EntryLength,
  EntryWord,
  HEADER_BYTES,
  KIND_BYTES,
} from './layout.ts'

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
  /** The holder's packed thread id, or 0: the arena was not shared, or the holder has left it. */
  readonly holder: bigint
}

/** The same bytes as words, lengths and tokens. */
export interface Views {
  readonly range: BufferRange
  readonly words: Uint32Array<ArrayBuffer>
  readonly lengths: Float64Array
  readonly holders: BigUint64Array
  readonly bytes: Uint8Array
}

/** 32-bit words of an entry. */
export const ENTRY_WORDS: number = ENTRY_BYTES / 4
/** The entries of a copy, by what they are. */
export interface EntriesRead {
  readonly entries: Map<number, DirectoryEntry>
  readonly free: number[]
  /** Free as well, once they are cleared. */
  readonly unfinished: number[]
}

export function readEntries(copy: Views, count: number): EntriesRead {
  const read: EntriesRead = { entries: new Map(), free: [], unfinished: [] }
  for (let index = 0; index < count; index++) {
    const word = wordOf(index)
    const state = copy.words[word + EntryWord.state] as number
    if (state > ClaimState.changing)
      throw new CorruptedError(`directory entry ${index}: "state" expected 0 to 3, got ${state}`)
    if (state === ClaimState.open || state === ClaimState.lasting) read.entries.set(index, readEntry(copy, index))
    else {
      read.free.push(index)
      if (state === ClaimState.changing) read.unfinished.push(index)
      else if (!isZero(copy.words, word, word + EntryWord.uses))
        throw new CorruptedError(`directory entry ${index}: "state" expected 1 or 2, that of a claim, got 0`)
    }
  }
  return read
}

function readEntry({ words, lengths, holders, bytes }: Views, index: number): DirectoryEntry {
  const length = lengthOf(index)
  const word = wordOf(index)
  const kind = HEADER_BYTES + index * ENTRY_BYTES + ENTRY_KIND
  return {
    kind: kindOf(index, bytes.subarray(kind, kind + KIND_BYTES)),
    offset: lengths[length + EntryLength.offset] as number,
    byteLength: lengths[length + EntryLength.byteLength] as number,
    metadataOffset: lengths[length + EntryLength.metadataOffset] as number,
    metadataLength: lengths[length + EntryLength.metadataLength] as number,
    around: (words[word + EntryWord.around] as number) - 1,
    lasting: words[word + EntryWord.state] === ClaimState.lasting,
    holder: holders[holderOf(index)] as bigint,
  }
}

/** A kind is shown in messages, so it is printable. */
function kindOf(index: number, bytes: Uint8Array): string {
  const kind = String.fromCharCode(...bytes)
  if (!/^[ -~]*\0*$/.test(kind))
    throw new CorruptedError(`directory entry ${index}: "kind" expected printable characters, padded with zeros`)
  return kind.replace(/\0+$/, '')
}

/** Throws unless a claim of ours is entered as it was. Another may have taken it over, in good faith: then its holder is another. */
export function requireOwn(index: number, before: Views, now: Views): void {
  const first = wordOf(index)
  for (let at = first; at < first + ENTRY_HOLDER / 4; at++) {
    if (now.words[at] === before.words[at] || (at === first + EntryWord.state && now.words[at] !== ClaimState.free))
      continue
    throw new CorruptedError(
      `directory entry ${index}: another has written over a claim that is open here: word ${at - first} expected ` +
        `${before.words[at]}, got ${now.words[at]}`
    )
  }
}

/** Whether words read zero; of an entry the number of times that it was used (`except`) may be another. */
export function isZero(words: Uint32Array, from: number, except = -1): boolean {
  for (let at = from; at < from + ENTRY_WORDS; at++) if (words[at] !== 0 && at !== except) return false
  return true
}

export function viewsOf(range: BufferRange): Views {
  return {
    range,
    words: uint32sIn(range),
    lengths: float64sIn(range),
    holders: bigUint64sIn(range),
    bytes: bytesIn(range),
  }
}

/** The index of an entry's first 32-bit word. */
export function wordOf(index: number): number {
  return (HEADER_BYTES + index * ENTRY_BYTES) / 4
}

/** The index of an entry's first 64-bit float. */
export function lengthOf(index: number): number {
  return (HEADER_BYTES + index * ENTRY_BYTES) / 8
}

/** The index of an entry's holder among 64-bit words. */
export function holderOf(index: number): number {
  return (HEADER_BYTES + index * ENTRY_BYTES + ENTRY_HOLDER) / 8
}

/**
 * A file of records that are sorted by key, searched where it is: the mapping is the index, and nothing is loaded.
 *
 *     header   [ magic | number of records ]                    a double each
 *     record   [ key | value ] [ key | value ] …                a double each; keys rise
 *     place of a record  =  16 * (1 + its number)               length of the file  =  16 * (1 + number of records)
 *
 * Calls: `mapFile(path, { mode: 'read' })`, `file.check`, `file.view`, `file.advise('random')`, `file.close`. A file that is shorter than
 * its header says is refused when it is opened. Let no process shorten it later: a load from a page that is gone ends this process.
 * Replace it by `rename`, which leaves open mappings as they are.
 *
 * Cost: opening takes some system calls, whatever the length. A search reads log2(records) keys and allocates nothing. Resident is what
 * was touched, in the page cache that all processes have in common.
 * @module
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { GiB, type MappedFile, mapFile } from '../../src/index.ts'

const MAGIC = 0x50_52_41_49_4e
const RECORD_BYTES = 16
/** V8 is slower past so many bytes of a view. A longer index wants a view for each part. */
const MOST_BYTES = 2 * GiB

/** Anything that finds the value of a key. */
export interface Index extends Disposable {
  readonly length: number
  find(key: number): number | undefined
}

/** Writes records whose keys are 0, 2, 4, … and whose values are the keys' roots. */
export function writeIndex(path: string, records: number): void {
  const fd = openSync(path, 'w')
  try {
    const part = new Float64Array(2 * Math.min(records + 1, 65_536))
    for (let first = -1; first < records; first += part.length / 2) {
      const count = Math.min(part.length / 2, records - first)
      for (let at = 0; at < count; at++) {
        const record = first + at
        part[2 * at] = record < 0 ? MAGIC : 2 * record
        part[2 * at + 1] = record < 0 ? records : Math.sqrt(2 * record)
      }
      writeAll(fd, new Uint8Array(part.buffer, 0, count * RECORD_BYTES))
    }
  } finally {
    closeSync(fd)
  }
}

/** `writeSync` may write a part. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
}

/** The number of records, from a header of a file of this length. */
function recordsOf(path: string, byteLength: number, magic: number, records: number): number {
  if (magic !== MAGIC) throw new Error(`${path} is not an index`)
  if (byteLength !== RECORD_BYTES * (1 + records))
    throw new Error(`${path} has ${byteLength} bytes, not those of ${records} records`)
  return records
}

/** Reads the keys where they are. */
export class MappedIndex implements Index {
  readonly length: number
  readonly #file: MappedFile
  readonly #doubles: { readonly [index: number]: number }

  constructor(path: string) {
    this.#file = mapFile(path, { mode: 'read' })
    try {
      const { byteLength } = this.#file
      if (byteLength < RECORD_BYTES || byteLength % RECORD_BYTES !== 0) throw new Error(`${path} is not an index`)
      if (byteLength > MOST_BYTES) throw new Error(`${path} has ${byteLength} bytes, more than ${MOST_BYTES}`)
      this.#file.advise('random')
      // Throws ERR_TRUNCATED, and does not fault, when the file was cut since it was mapped.
      this.#file.check(0, RECORD_BYTES)
      this.#doubles = this.#file.view(Float64Array, 0, byteLength / 8)
      this.length = recordsOf(path, byteLength, this.#doubles[0] as number, this.#doubles[1] as number)
    } catch (error) {
      this.#file.close()
      throw error
    }
  }

  find(key: number): number | undefined {
    const doubles = this.#doubles
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((doubles[2 * middle + 2] as number) < key) low = middle + 1
      else high = middle
    }
    return low < this.length && doubles[2 * low + 2] === key ? doubles[2 * low + 3] : undefined
  }

  /** Bytes of the file that are in memory. */
  resident(): number {
    return this.#file.resident()
  }

  [Symbol.dispose](): void {
    this.#file.close()
  }
}

/** Reads every record that it compares by `readSync`. */
export class ReadIndex implements Index {
  readonly length: number
  readonly #fd: number
  readonly #record: Float64Array = new Float64Array(2)
  readonly #bytes: Uint8Array = new Uint8Array(this.#record.buffer)
  readonly #path: string

  constructor(path: string, byteLength: number) {
    this.#path = path
    this.#fd = openSync(path, 'r')
    try {
      this.length = recordsOf(path, byteLength, this.#read(-1), this.#record[1] as number)
    } catch (error) {
      closeSync(this.#fd)
      throw error
    }
  }

  find(key: number): number | undefined {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#read(middle) < key) low = middle + 1
      else high = middle
    }
    return low < this.length && this.#read(low) === key ? this.#record[1] : undefined
  }

  /** The key of a record, which is in `#record` then. */
  #read(record: number): number {
    const length = readSync(this.#fd, this.#bytes, 0, RECORD_BYTES, RECORD_BYTES * (record + 1))
    if (length !== RECORD_BYTES) throw new Error(`${this.#path} ends in record ${record}`)
    return this.#record[0] as number
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}

/**
 * What a mapped file should show, kept in the plainest way: a Buffer for the file, and one for each page that a private mapping has
 * of its own.
 *
 *     disk        | page | page | page | pa|
 *     private            | own  |               a store to a page copies it; the others go on showing the disk
 *
 * @module
 */
import type { MappedFile } from '../../src/arena/file/mapped-file.ts'

/** A mapping that is open. */
export interface Mapped {
  readonly file: MappedFile
  /** First byte of the file that is mapped. */
  readonly offset: number
  byteLength: number
  /** Pages that the mapping has for itself, by their number in the file. */
  readonly own: Map<number, Buffer>
}

export class FileModel {
  readonly path: string
  readonly pageSize: number
  disk: Buffer
  mapped: Mapped | undefined
  /** How often each command has done something. */
  readonly taken: Map<string, number>

  constructor(path: string, pageSize: number, disk: Buffer, taken: Map<string, number>) {
    this.path = path
    this.pageSize = pageSize
    this.disk = disk
    this.taken = taken
  }

  note(path: string): void {
    this.taken.set(path, (this.taken.get(path) ?? 0) + 1)
  }

  /** How many bytes of the mapping the file has. */
  reachable({ offset, byteLength }: Mapped): number {
    return Math.max(0, Math.min(byteLength, this.disk.length - offset))
  }

  /** What bytes `from` to `to` of the mapping should be. */
  expected({ offset, own }: Mapped, from: number, to: number): Buffer {
    const result = Buffer.alloc(to - from)
    for (const [page, start, end] of this.#pages(offset + from, offset + to)) {
      const content = own.get(page) ?? this.#diskPage(page)
      content.copy(result, page * this.pageSize + start - offset - from, start, end)
    }
    return result
  }

  /** A store to the mapping. */
  store({ file, offset, own }: Mapped, at: number, bytes: Buffer): void {
    if (file.mode === 'write') {
      bytes.copy(this.disk, offset + at)
      return
    }
    for (const [page, start, end] of this.#pages(offset + at, offset + at + bytes.length)) {
      const content = own.get(page) ?? this.#diskPage(page)
      bytes.copy(content, start, page * this.pageSize + start - offset - at, page * this.pageSize + end - offset - at)
      own.set(page, content)
    }
  }

  /** A discard: of a page that keeps some of its bytes, these are put back if the file has others. */
  discard({ offset, own }: Mapped, from: number, to: number): void {
    for (const [page, start, end] of this.#pages(offset + from, offset + to)) {
      const mine = own.get(page)
      if (mine === undefined) continue
      const content = this.#diskPage(page)
      mine.copy(content, 0, 0, start)
      mine.copy(content, end, end)
      if (content.equals(this.#diskPage(page))) own.delete(page)
      else own.set(page, content)
    }
  }

  /** The file has another length. Pages beyond its end are gone, those that were copied as well. */
  setLength(length: number): void {
    const disk = Buffer.alloc(length)
    this.disk.copy(disk)
    this.disk = disk
    for (const page of this.mapped?.own.keys() ?? []) if (page * this.pageSize >= length) this.mapped?.own.delete(page)
  }

  #diskPage(page: number): Buffer {
    const content = Buffer.alloc(this.pageSize)
    this.disk.copy(content, 0, page * this.pageSize)
    return content
  }

  /** The pages that a range of the file touches: number, first and last byte in the page. */
  *#pages(from: number, to: number): Generator<[number, number, number]> {
    for (let at = from; at < to; ) {
      const page = Math.floor(at / this.pageSize)
      const end = Math.min(to, (page + 1) * this.pageSize)
      yield [page, at - page * this.pageSize, end - page * this.pageSize]
      at = end
    }
  }
}

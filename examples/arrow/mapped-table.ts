/**
 * An Arrow file, mapped: the table's columns are views of the file, and nothing is read before a column is.
 *
 *     file   [ ARROW1 | schema | buffers of batch 0 | buffers of batch 1 | … | footer | ARROW1 ]
 *                                └ Float64Array over the mapping
 *
 * Calls: `mapFile(path, { mode: 'read' })`, `file.check`, `file.bytes`, `file.close`. Arrow pads buffers to 8 bytes in a file, and a mapping
 * begins on a page, so every number is aligned and Arrow makes views. What it has to change it copies: compressed buffers, files of
 * the other byte order.
 *
 * The table lives as long as the file is open. Cost: to open, the footer and an object for each buffer; to read, the pages that are read,
 * in the page cache that all processes have in common. `file.bytes` is one view of all: 4 GiB at most on Node 20.
 * @module
 */
import { type Table, tableFromIPC } from 'apache-arrow'
import { type MappedFile, mapFile } from '../../src/index.ts'

const MAGIC = 'ARROW1'

export class MappedTable implements Disposable {
  readonly file: MappedFile
  readonly table: Table

  constructor(path: string) {
    this.file = mapFile(path, { mode: 'read' })
    try {
      // Throws ERR_TRUNCATED, and does not fault, when the file was cut since it was mapped.
      this.file.check()
      const { buffer, byteOffset, byteLength } = this.file.bytes
      const bytes = Buffer.from(buffer, byteOffset, byteLength)
      if (bytes.toString('latin1', 0, 6) !== MAGIC || bytes.toString('latin1', byteLength - 6) !== MAGIC)
        throw new Error(`${path} is no Arrow file, or was cut`)
      this.table = tableFromIPC(bytes)
    } catch (error) {
      this.file.close()
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.file.close()
  }
}

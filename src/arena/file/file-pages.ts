/**
 * The pages of a mapped file, as its user may ask for them: written to the disk, brought into memory, kept there, advised, reverted,
 * counted.
 *
 *     range     any bytes; what the kernel does, it does to the whole pages that the range touches
 *     discard   to the byte (discarding.ts), and not where an allocator or the arena's tables are
 *     populate, lock   fault pages in: ERR_TRUNCATED where others have cut the file (truncation.ts)
 *
 * Each range is checked before anything is done. Cost: the kernel's, and the disk's for `sync`.
 * @module
 */
import { boolean, oneOf, optionsObject } from '../../arguments.ts'
import { ArenaBusyError, bytes, UnsupportedOperationError } from '../../errors.ts'
import { ADVICE, type Advice } from '../../ffi/os-pages.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { OpenState } from '../mapping/open-state.ts'
import type { Extent } from '../views/extent.ts'
import type { ArenaInFile } from './arena-in-file.ts'
import { discardChanges } from './discarding.ts'
import type { FileMapping } from './file-mapping.ts'
import { type FileMode, unsupportedIn } from './file-options.ts'
import type { Truncation } from './truncation.ts'

/** Options of `sync` and `syncAsync`. */
export interface SyncOptions {
  /** First byte. @defaultValue 0 */
  readonly offset?: number | undefined
  /** Bytes. @defaultValue to the end */
  readonly byteLength?: number | undefined
}

/** What pages are asked for with. @internal */
export interface PagedFile {
  /** For messages. */
  readonly title: string
  readonly mode: FileMode
  readonly fileMapping: FileMapping
  readonly mapping: Mapping
  readonly openState: OpenState
  readonly extent: Extent
  readonly truncation: Truncation
  readonly arena: ArenaInFile
}

/** @internal */
export class FilePages {
  readonly #file: PagedFile

  constructor(file: PagedFile) {
    this.#file = file
  }

  sync(options: (SyncOptions & { readonly async?: boolean | undefined }) | undefined): void {
    optionsObject('options', options)
    const { async = false } = options ?? {}
    boolean('options.async', async)
    const { mode, fileMapping } = this.#file
    const [offset, byteLength] = this.#syncRange(options)
    if (mode !== 'write' || byteLength === 0) return
    fileMapping.os.sync(...fileMapping.pages(offset, byteLength), async ? 'async' : 'sync')
  }

  async syncAsync(options: SyncOptions | undefined): Promise<void> {
    optionsObject('options', options)
    const { mode, fileMapping, openState } = this.#file
    const [offset, byteLength] = this.#syncRange(options)
    if (mode !== 'write' || byteLength === 0) return
    await openState.use(fileMapping, ({ os }) => os.syncLater(...fileMapping.pages(offset, byteLength)))
  }

  #syncRange(options: SyncOptions | undefined): [number, number] {
    const { extent } = this.#file
    const { offset = 0, byteLength = extent.rest(offset) } = options ?? {}
    extent.requireRange(offset, byteLength, 'options.')
    return [offset, byteLength]
  }

  advise(advice: Advice, offset: number, byteLength?: number): void {
    const { title, mode, fileMapping, extent } = this.#file
    extent.requireOpen()
    oneOf('advice', advice, ADVICE)
    const length = extent.range(offset, byteLength)
    if (advice === 'dontneed' && mode === 'copy')
      throw new UnsupportedOperationError(`${title}: 'dontneed' would drop changes in mode 'copy'; discard() does that`)
    if (length > 0) fileMapping.os.advise(...fileMapping.pages(offset, length), advice)
  }

  discard(offset: number, byteLength?: number): void {
    const { title, mode, fileMapping, extent, arena } = this.#file
    extent.requireOpen()
    if (mode !== 'copy') throw unsupportedIn(title, mode, 'discard')
    const length = extent.range(offset, byteLength)
    if (length === 0) return
    const held = arena.heldIn(offset, length)
    if (held !== undefined)
      throw new ArenaBusyError(`${title}: to discard ${bytes(length)} at offset ${offset} would change ${held}`)
    discardChanges(fileMapping, offset, length)
  }

  resident(offset: number, byteLength?: number): number {
    const { fileMapping, mapping, extent } = this.#file
    const length = extent.range(offset, byteLength)
    return mapping.resident(fileMapping.lead + offset, length)
  }

  populate(offset: number, byteLength?: number): void {
    const { fileMapping, mapping, extent, truncation } = this.#file
    const length = extent.range(offset, byteLength)
    if (length === 0) return
    truncation.faulting(offset, length, () => mapping.populate(fileMapping.lead + offset, length))
  }

  lock(offset: number, byteLength?: number): void {
    const { fileMapping, extent, truncation } = this.#file
    const length = extent.range(offset, byteLength)
    if (length === 0) return
    const { os } = fileMapping
    const [address, pageBytes] = fileMapping.pages(offset, length)
    // In this order, and not with mlock, which would write to private pages and so copy them all.
    os.lock(address, pageBytes)
    try {
      truncation.faulting(offset, length, () => os.populateRead(address, pageBytes))
    } catch (error) {
      os.unlock(address, pageBytes)
      throw error
    }
  }

  unlock(offset: number, byteLength?: number): void {
    const { fileMapping, extent } = this.#file
    const length = extent.range(offset, byteLength)
    if (length > 0) fileMapping.os.unlock(...fileMapping.pages(offset, length))
  }
}

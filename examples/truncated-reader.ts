/**
 * Maps a file, says so, waits until it has been shortened, and reads it in one way. Part of truncated.ts.
 *
 *     node truncated-reader.js plain|check|read PATH
 *
 * @module
 */
import { once } from 'node:events'
import { type MappedFile, mapFile } from '../src/index.ts'

const [way, path] = process.argv.slice(2)

/** The last byte of the file, three ways. */
const WAYS: Record<string, (file: MappedFile<'read'>) => number | undefined> = {
  plain: (file) => file.view(Uint8Array, file.byteLength - 1, 1)[0],
  check: (file) => {
    file.check(file.byteLength - 1, 1)
    return file.view(Uint8Array, file.byteLength - 1, 1)[0]
  },
  read: (file) => file.read(file.byteLength - 1, 1)[0],
}

const file = mapFile(path as string, { mode: 'read' })
const before = WAYS[way as string]?.(file)
process.send?.({ before })
await once(process, 'message')
try {
  process.send?.({ outcome: `${WAYS[way as string]?.(file)}` })
} catch (error) {
  process.send?.({ outcome: (error as { code: string }).code, message: (error as Error).message })
}
process.disconnect?.()

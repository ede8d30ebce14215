/**
 * A folder for the files of one test file, gone when the process ends.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The folder. */
export const scratch: string = mkdtempSync(join(tmpdir(), 'sorites-test-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

let count = 0

/** A path in it that has not been used. */
export function freshPath(name = 'file'): string {
  return join(scratch, `${name}-${count++}`)
}

/** A new file with these bytes, or so many bytes that are all different from their neighbours. */
export function freshFile(content: Uint8Array | string | number): string {
  const path = freshPath()
  writeFileSync(path, typeof content === 'number' ? pattern(content) : content)
  return path
}

/** Bytes by which one can tell where they come from. */
export function pattern(byteLength: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(byteLength)
  for (let at = 0; at < byteLength; at++) bytes[at] = ((at + seed) * 37 + ((at + seed) >>> 8) * 11) & 255
  return bytes
}

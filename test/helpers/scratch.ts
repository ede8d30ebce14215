/**
 * A folder for the files of one test file, gone when the process ends.
 *
 * It lies in the usual place for such files, or, where that has little room, among the compiled files: a disk that holds a clone and
 * what it depends on has room for what the tests write. A store to a hole of a file on a full disk is a signal.
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What two test files at a time may write, many times over. */
const ROOM = 1024 * 1024 * 1024

/** The folder for folders of tests. */
export function roomyFolder(): string {
  const { bavail, bsize } = statfsSync(tmpdir())
  if (bavail * bsize >= ROOM) return tmpdir()
  const folder = fileURLToPath(new URL('../../scratch', import.meta.url))
  mkdirSync(folder, { recursive: true })
  return folder
}

/** The folder. */
export const scratch: string = mkdtempSync(join(roomyFolder(), 'sorites-test-'))
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

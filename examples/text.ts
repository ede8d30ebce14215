/**
 * A text of any length, always the same: made-up words of 1 to 14 letters, most of them short, in lines of some 80 characters.
 * Some 100 MB a second.
 * @module
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { MiB } from '../src/index.ts'

const WORDS = 4096

/** Writes a text of so many bytes to a new file. */
export function writeText(path: string, byteLength: number): void {
  const words = makeWords()
  const fd = openSync(path, 'w')
  try {
    let state = 20261122
    for (let done = 0; done < byteLength; done += MiB) {
      const part = Buffer.allocUnsafe(Math.min(MiB, byteLength - done))
      let line = 0
      for (let at = 0; at < part.length; ) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        const word = words[state >>> 20] as Buffer
        at += word.copy(part, at)
        line += word.length + 1
        if (at < part.length) part[at++] = line > 72 ? 10 : 32
        if (line > 72) line = 0
      }
      writeSync(fd, part)
    }
  } finally {
    closeSync(fd)
  }
}

function makeWords(): Buffer[] {
  let state = 1
  const next = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % below
  }
  return Array.from({ length: WORDS }, () =>
    Buffer.alloc(1 + next(5) + next(10)).map(() => (next(40) === 0 ? 65 : 97) + next(26))
  ) as Buffer[]
}

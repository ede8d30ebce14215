/**
 * Counts the words of a file in one way, in a process of its own, and reports as JSON what that took. Part of word-count.ts.
 *
 *     node word-count-child.js mapping|reads|nothing PATH ascii|any
 *
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { GiB, KiB, mapFile } from '../src/index.ts'
import { WordCounter } from './counting.ts'

/** What a child has to say. */
export interface Counted {
  readonly words: number
  readonly milliseconds: number
  readonly minorFaults: number
  readonly majorFaults: number
}

export type Method = 'mapping' | 'reads' | 'nothing'

/** Through a mapping: the bytes are looked at where they are, window by window. */
function throughMapping(path: string, counter: WordCounter): void {
  const file = mapFile(path, { mode: 'read' })
  file.advise('sequential')
  for (let offset = 0; offset < file.byteLength; offset += GiB)
    counter.add(file.view(Uint8Array, offset, Math.min(GiB, file.byteLength - offset)))
  file.close()
}

/** Through read calls: the bytes are copied to a buffer first, 64 KiB at a time. */
function throughReads(path: string, counter: WordCounter): void {
  const fd = openSync(path, 'r')
  const buffer = new Uint8Array(64 * KiB)
  for (;;) {
    const length = readSync(fd, buffer)
    if (length === 0) break
    counter.add(length === buffer.length ? buffer : buffer.subarray(0, length))
  }
  closeSync(fd)
}

function count(method: Method, path: string, printable: 'ascii' | 'any'): Counted {
  const counter = new WordCounter(printable)
  // The shares of the compiler and of loading the library are the same for all, and not what is asked.
  mapFile(path, { mode: 'read', byteLength: 0 }).close()
  counter.add(new Uint8Array(4_000_000).fill(97))
  counter.add(new Uint8Array([32]))
  counter.words = 0
  const before = process.resourceUsage()
  const start = performance.now()
  if (method === 'mapping') throughMapping(path, counter)
  else if (method === 'reads') throughReads(path, counter)
  const milliseconds = performance.now() - start
  const after = process.resourceUsage()
  return {
    words: counter.words,
    milliseconds,
    minorFaults: after.minorPageFault - before.minorPageFault,
    majorFaults: after.majorPageFault - before.majorPageFault,
  }
}

const [method, path, printable] = process.argv.slice(2)
console.log(JSON.stringify(count(method as Method, path as string, printable as 'ascii' | 'any')))

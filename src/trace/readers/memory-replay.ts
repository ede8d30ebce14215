/**
 * Android's `memory_replay` text, which its malloc debug (`record_allocs`) writes. One line a call; the two times, in nanoseconds, are in
 * newer files only and are not used:
 *
 *     TID: malloc   POINTER SIZE            [START END]
 *     TID: calloc   POINTER COUNT SIZE      [START END]
 *     TID: realloc  POINTER OLD SIZE        [START END]
 *     TID: memalign POINTER ALIGNMENT SIZE  [START END]
 *     TID: free     POINTER                 [START END]
 *     TID: thread_done 0x0                  [END]
 *
 * A pointer of 0 is a call that failed, a free of nothing, or a realloc to 0 bytes; an old pointer of 0 makes a realloc a malloc.
 * Threads get numbers in the order in which they appear, the last one for all beyond 65,536.
 * @module
 */
import { TraceBuilder } from '../builder.ts'
import { FLAG_FETCHED, LARGEST, LARGEST_ALIGN_LOG2 } from '../trace.ts'
import { type Address, Lines } from './lines.ts'
import { LiveBlocks } from './live-blocks.ts'
import type { TextReader } from './reader.ts'

const COLON = 58
const MOST_THREAD = 2 ** 31 - 1
const LAST_THREAD = 0xffff

export const memoryReplay: TextReader = {
  format: 'memory_replay',
  accepts: (line) => /^-?\d+:\s*[a-z_]+\s/.test(line),
  read(bytes) {
    const builder = new TraceBuilder()
    const blocks = new LiveBlocks<Address>(builder)
    const lines = new Lines(bytes)
    const threads = new Map<number, number>()
    while (lines.next()) {
      const thread = lines.decimal('a thread', MOST_THREAD, COLON)
      let number = threads.get(thread)
      if (number === undefined) {
        number = Math.min(threads.size, LAST_THREAD)
        threads.set(thread, number)
      }
      builder.thread = number
      readCall(lines, blocks)
    }
    return { trace: builder.build(FLAG_FETCHED), notes: blocks.notes }
  },
}

function readCall(lines: Lines, blocks: LiveBlocks<Address>): void {
  const call = lines.word()
  const made = call === 'malloc' || call === 'calloc' || call === 'memalign'
  if (!made && call !== 'realloc' && call !== 'free' && call !== 'thread_done') lines.fail(`unknown call "${call}"`)
  const pointer = lines.address('a pointer')
  if (made) readMaking(lines, blocks, call, pointer)
  else if (call === 'realloc') readRealloc(lines, blocks, pointer)
  else if (call === 'free' && pointer !== 0) blocks.free(pointer)
  times(lines, call === 'thread_done')
}

function readMaking(lines: Lines, blocks: LiveBlocks<Address>, call: string, pointer: Address): void {
  const factor = call === 'malloc' ? 1 : lines.decimal(call === 'calloc' ? 'a count' : 'an alignment', Infinity)
  // The size of a call that failed may be anything.
  const size = lines.decimal('a size', Infinity)
  if (pointer === 0) return
  const byteLength = call === 'calloc' ? factor * size : size
  if (byteLength > LARGEST) lines.fail('the size is not below 2^31')
  if (call === 'malloc') blocks.malloc(pointer, byteLength)
  else if (call === 'calloc') blocks.calloc(pointer, byteLength)
  else {
    // As Android does with one that is no power of two.
    const log2 = Math.ceil(Math.log2(Math.max(1, factor)))
    if (log2 > LARGEST_ALIGN_LOG2) lines.fail(`the alignment is above 2^${LARGEST_ALIGN_LOG2}`)
    blocks.memalign(pointer, 2 ** log2, byteLength)
  }
}

function readRealloc(lines: Lines, blocks: LiveBlocks<Address>, pointer: Address): void {
  const old = lines.address('an old pointer')
  const size = lines.decimal('a size', Infinity)
  if (pointer === 0) {
    if (size === 0 && old !== 0) blocks.free(old)
    return
  }
  if (size > LARGEST) lines.fail('the size is not below 2^31')
  if (old === 0) blocks.malloc(pointer, size)
  else blocks.realloc(old, pointer, size)
}

/** Both times or neither; of a thread's end the one or neither. */
function times(lines: Lines, done: boolean): void {
  if (lines.peek() !== 0) {
    lines.signed('a time')
    if (!done) lines.signed('a second time')
  }
  lines.end()
}

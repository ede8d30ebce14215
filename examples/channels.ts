/**
 * Three ways to send records to another process, each with a sending and a receiving half.
 *
 *     ring          a ring buffer in a shared arena (ring.ts)
 *     pipe, 1       a pipe, one write a record
 *     pipe, 64 KiB  a pipe, one write for 1,024 records
 *
 * The pipes are named ones, read and written without the event loop, which is the fastest that Node can do with a pipe; a child's
 * stdin is a socket and slower. The receiver reads up to 64 KiB at a time in both cases.
 * @module
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import type { Arena } from '../src/index.ts'
import { digestOf, RECORD_BYTES, RECORD_LENGTH, verifyRecord, writeRecord } from './records.ts'
import { Consumer, Producer } from './ring.ts'

export const CHANNELS = ['ring', 'pipe, 1 write a record', 'pipe, 64 KiB a write'] as const
export type Channel = (typeof CHANNELS)[number]

const PIPE_BYTES = 65536

/** What has arrived. */
export interface Received {
  readonly digest: number
  /** From the first record to the last. */
  readonly seconds: number
}

export function send(channel: Channel, count: number, arena: Arena, fifo: string): void {
  if (channel === 'ring') sendByRing(count, arena)
  else sendByPipe(count, fifo, channel === 'pipe, 64 KiB a write' ? PIPE_BYTES : RECORD_BYTES)
}

export function receive(channel: Channel, count: number, arena: Arena, fifo: string): Received {
  return channel === 'ring' ? receiveByRing(count, arena) : receiveByPipe(count, fifo)
}

function sendByRing(count: number, arena: Arena): void {
  const ring = new Producer(arena)
  for (let number = 0; number < count; ) {
    const run = ring.next(count - number)
    const { place } = ring
    for (let i = 0; i < run; i++) writeRecord(ring.numbers, place + i * RECORD_LENGTH, number + i)
    ring.advance(run)
    number += run
  }
}

function receiveByRing(count: number, arena: Arena): Received {
  const ring = new Consumer(arena)
  let digest = 0
  let start = 0
  for (let number = 0; number < count; ) {
    const run = ring.next(count - number)
    if (start === 0) start = performance.now()
    const { place } = ring
    for (let i = 0; i < run; i++)
      digest = digestOf(digest, verifyRecord(ring.numbers, place + i * RECORD_LENGTH, number + i))
    ring.advance(run)
    number += run
  }
  return { digest, seconds: (performance.now() - start) / 1000 }
}

function sendByPipe(count: number, fifo: string, batchBytes: number): void {
  const fd = openSync(fifo, 'w')
  const numbers = new Float64Array(batchBytes / 8)
  const batch = batchBytes / RECORD_BYTES
  for (let number = 0; number < count; number += batch) {
    const records = Math.min(batch, count - number)
    for (let i = 0; i < records; i++) writeRecord(numbers, i * RECORD_LENGTH, number + i)
    const bytes = records * RECORD_BYTES
    for (let written = 0; written < bytes; ) written += writeSync(fd, numbers, written, bytes - written)
  }
  closeSync(fd)
}

function receiveByPipe(count: number, fifo: string): Received {
  const fd = openSync(fifo, 'r')
  const bytes = new Uint8Array(PIPE_BYTES)
  const numbers = new Float64Array(bytes.buffer)
  let digest = 0
  let start = 0
  let have = 0
  for (let number = 0; number < count; ) {
    const length = readSync(fd, bytes, have, PIPE_BYTES - have, null)
    if (length === 0) throw new Error(`the pipe ended after ${number} records of ${count}`)
    if (start === 0) start = performance.now()
    have += length
    const whole = Math.floor(have / RECORD_BYTES)
    for (let i = 0; i < whole; i++) digest = digestOf(digest, verifyRecord(numbers, i * RECORD_LENGTH, number + i))
    number += whole
    // A read may end inside a record.
    bytes.copyWithin(0, whole * RECORD_BYTES, have)
    have -= whole * RECORD_BYTES
  }
  closeSync(fd)
  return { digest, seconds: (performance.now() - start) / 1000 }
}

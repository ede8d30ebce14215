/**
 * The temporary buffers of requests: 64 requests are in flight, each has 20 buffers of 64 bytes to 4 KiB, and all of them go when it is over.
 * Each buffer is written at both ends and read back when the request ends.
 *
 * The sides with bumps have a pool of them, one for each request in flight, and `reset` the one that has become free. To make a bump
 * allocator for each request and close it would cost several times as much as the request.
 * @module
 */
import { Arena, Bump, KiB, MiB } from '../../src/index.ts'
import { inBatches, type Job, Numbers, type Outcome, type Scale, type Side } from './job.ts'

const IN_FLIGHT = 64
const REQUESTS = 200_000
const BUFFERS = 20
const LEAST_ORDER = 6
const ORDERS = 6
/** Room for the buffers of one request: at most 20 × 4 KiB. */
const REQUEST_BYTES = 96 * KiB

/** The memory of one request. A buffer of it is an offset, or a view. */
interface Request<T> {
  make(byteLength: number): T
  write(buffer: T, at: number, value: number): void
  read(buffer: T, at: number): number
  end(): void
}

async function run<T>(pool: readonly Request<T>[], { factor }: Scale): Promise<Outcome> {
  const numbers = new Numbers()
  const buffers: T[][] = pool.map(() => [])
  const lengths = pool.map(() => new Int32Array(BUFFERS))
  let checksum = 0
  const count = Math.floor(REQUESTS * factor)
  await inBatches(count, () => {
    const slot = numbers.below(IN_FLIGHT)
    const [request, mine, ends] = [pool[slot]!, buffers[slot]!, lengths[slot]!]
    for (let index = 0; index < mine.length; index++)
      checksum += request.read(mine[index]!, 0) + request.read(mine[index]!, ends[index]! - 1)
    request.end()
    for (let index = 0; index < BUFFERS; index++) {
      const least = 2 ** (LEAST_ORDER + numbers.below(ORDERS))
      const byteLength = least + numbers.below(least)
      const buffer = request.make(byteLength)
      request.write(buffer, 0, index)
      request.write(buffer, byteLength - 1, 1)
      mine[index] = buffer
      ends[index] = byteLength
    }
  })
  return { operations: count, checksum }
}

function bumps(arena: Arena): Bump[] {
  return Array.from(
    { length: IN_FLIGHT },
    (_, index) => new Bump(arena, { offset: index * REQUEST_BYTES, byteLength: REQUEST_BYTES })
  )
}

function byOffset(): Request<number>[] {
  const arena = Arena.reserve(16 * MiB)
  const bytes = Buffer.from(arena.window(0).buffer)
  return bumps(arena).map((bump) => ({
    make: (byteLength) => bump.malloc(byteLength),
    write: (offset, at, value) => {
      bytes[offset + at] = value
    },
    read: (offset, at) => bytes[offset + at]!,
    end: () => bump.reset(),
  }))
}

function byView(make: (byteLength: number) => Uint8Array, end: () => void = () => undefined): Request<Uint8Array> {
  return {
    make,
    write: (buffer, at, value) => {
      buffer[at] = value
    },
    read: (buffer, at) => buffer[at]!,
    end,
  }
}

const viewsOfBumps = (): Request<Uint8Array>[] =>
  bumps(Arena.reserve(16 * MiB)).map((bump) =>
    byView(
      (byteLength) => bump.allocUnsafe(Uint8Array, byteLength),
      () => bump.reset()
    )
  )

const collected = (make: (byteLength: number) => Uint8Array): Request<Uint8Array>[] =>
  Array.from({ length: IN_FLIGHT }, () => byView(make))

const side = <T>(name: string, kind: Side['kind'], front: boolean, pool: () => Request<T>[]): Side => ({
  name,
  kind,
  front,
  run: (scale) => run(pool(), scale),
})

export const requests: Job = {
  name: 'requests',
  title: '200,000 requests with 20 temporary buffers each of 64 bytes to 4 KiB, 64 in flight',
  operation: 'a request',
  sides: [
    side('pool of Bumps, reset; by offset', 'sorites', true, byOffset),
    side('pool of Bumps, reset; by view', 'sorites', false, viewsOfBumps),
    side('Buffer.allocUnsafe', 'Buffer', true, () => collected((byteLength) => Buffer.allocUnsafe(byteLength))),
    side('new Uint8Array (zeroed)', 'Uint8Array', true, () => collected((byteLength) => new Uint8Array(byteLength))),
  ],
}

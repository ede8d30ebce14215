/**
 * A thread of a process as numbers in shared memory, so that another process can read which thread holds something there, and find out
 * whether it is alive. Numbers of processes are used again, so the time of the start goes with them.
 *
 *     record, 32 bytes      0 u32 process      8 f64 start of the thread, ticks      16 u32 boot           24 … free, zero
 *                           4 u32 thread                                             20 u32 namespace
 *
 *     packed, 64 bits       | check 20 bits | process 22 | thread 22 |        for words that are compared and exchanged
 *
 * `boot` differs from one start of the machine to the next, and `namespace` between containers, whose processes cannot see each
 * other: the liveness of a thread in another namespace is unknown. A number that could not be read is 0 (Node's permission model
 * forbids it), and nothing is concluded from it. The check in a packed id is a hash of start and boot, 0 when one of them could not be
 * read. A packed id has no boot and namespace: an arena's header has them for all ids in the arena (`packedLivenessIn`).
 *
 *     liveness  numbers that no thread can have, or another boot: dead.   else another namespace: unknown.   else the kernel decides
 *
 * Making an id costs about 50 us, once a thread; asking for liveness about 30 us.
 * @module
 */
import type { Place, Threads } from '../../ffi/os-threads.ts'
import { PROCESS_ID } from '../../runtime.ts'
import { type BufferRange, float64sIn, uint32sIn } from '../buffer-range.ts'

/** A thread of a process on a machine. */
export interface ThreadId {
  readonly processId: number
  /** The kernel's number of the thread. A main thread's is its process's. */
  readonly threadId: number
  /** When the thread was started, in ticks since the machine was; 0 when unknown. */
  readonly startTime: number
  readonly boot: number
  readonly namespace: number
}

/** The liveness of a thread. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** Bytes of a record. It starts on a multiple of 8. */
export const THREAD_ID_BYTES = 32

/** What knows threads: the kernel, a mapping. */
export interface HasThreads {
  readonly threads: Threads
}

const known: WeakMap<Threads, ThreadId> = new WeakMap()

/** The calling thread. */
export function currentThread({ threads }: HasThreads): ThreadId {
  let thread = known.get(threads)
  if (thread === undefined) {
    const threadId = threads.id()
    thread = {
      processId: PROCESS_ID,
      threadId,
      startTime: threads.startTime(PROCESS_ID, threadId),
      ...threads.place(),
    }
    known.set(threads, thread)
  }
  return thread
}

/**
 * Writes a record; zeros when `thread` is undefined. Not in one step, so a writer holds a lock. The process comes last and goes
 * first: a writer that dies on the way leaves a record of no thread.
 */
export function writeThreadId(range: BufferRange, at: number, thread: ThreadId | undefined): void {
  const words = uint32sIn(range, at, THREAD_ID_BYTES / 4)
  Atomics.store(words, 0, 0)
  words.fill(0)
  if (thread === undefined) return
  words[1] = thread.threadId
  float64sIn(range, at + 8, 1)[0] = thread.startTime
  words.set([thread.boot, thread.namespace], 4)
  Atomics.store(words, 0, thread.processId)
}

/** Reads a record; undefined when it is of no thread. */
export function readThreadId(range: BufferRange, at: number): ThreadId | undefined {
  const [processId = 0, threadId = 0, , , boot = 0, namespace = 0] = uint32sIn(range, at, THREAD_ID_BYTES / 4)
  const [startTime = 0] = float64sIn(range, at + 8, 1)
  return processId === 0 ? undefined : { processId, threadId, startTime, boot, namespace }
}

/** The liveness of a thread. */
export function livenessOf({ threads }: HasThreads, thread: ThreadId): Liveness {
  const here = threads.place()
  if (!possible(thread.processId, thread.threadId)) return 'dead'
  if (thread.boot !== here.boot) return thread.boot === 0 || here.boot === 0 ? 'unknown' : 'dead'
  if (thread.namespace !== here.namespace) return 'unknown'
  if (!threads.isAlive(thread.processId, thread.threadId)) return 'dead'
  const startTime = threads.startTime(thread.processId, thread.threadId)
  return thread.startTime === 0 || startTime === 0 || startTime === thread.startTime ? 'alive' : 'dead'
}

/** Whether a thread that is not dead, as far as can be told, cannot go on: it is stopped, or it runs where this process cannot see. */
export function cannotGoOn(source: HasThreads, thread: ThreadId): boolean {
  const liveness = livenessOf(source, thread)
  return liveness === 'unknown' || (liveness === 'alive' && source.threads.isStopped(thread.processId, thread.threadId))
}

/** Whether two records are of the same thread. */
export function sameThread(one: ThreadId, other: ThreadId): boolean {
  const fields = ['processId', 'threadId', 'startTime', 'boot', 'namespace'] as const
  return fields.every((field) => one[field] === other[field])
}

/** For messages. */
export function describeThread({ processId, threadId }: Pick<ThreadId, 'processId' | 'threadId'>): string {
  return processId === threadId
    ? `the main thread of process ${processId}`
    : `thread ${threadId} of process ${processId}`
}

const NUMBER_BITS = 22n
const NUMBER_MASK = (1n << NUMBER_BITS) - 1n
const CHECK_SHIFT = 2n * NUMBER_BITS
const CHECK_MASK = 2 ** 20 - 1
const NUMBERS_MASK = (1n << CHECK_SHIFT) - 1n

/** The thread as one word. Never 0, which stands for no thread. */
export function packThreadId(thread: ThreadId): bigint {
  const check = BigInt(checkOf(thread.startTime, thread.boot))
  return (check << CHECK_SHIFT) | (BigInt(thread.processId) << NUMBER_BITS) | BigInt(thread.threadId)
}

/** The numbers in a packed id. */
export function unpackNumbers(packed: bigint): { processId: number; threadId: number } {
  return { processId: Number((packed >> NUMBER_BITS) & NUMBER_MASK), threadId: Number(packed & NUMBER_MASK) }
}

/** Whether a packed id has a check, and not only numbers, which a thread in another container may have too. */
export function hasCheck(packed: bigint): boolean {
  return packed >> CHECK_SHIFT !== 0n
}

/** A packed id of no thread: it is dead wherever it is read. */
export const DEAD_THREAD = 1n

/** How often a thread looks at a word that another thread's id locks before it sleeps. */
export const LOOKS = 100

/** Threads that have been looked at, by their numbers in a packed id: the check of the one that has them now, or `GONE`. */
export type ThreadsSeen = Map<bigint, number>
const GONE = -1

/** The liveness of a packed id that was written in this process's namespace and boot. */
export function packedLiveness(source: HasThreads, packed: bigint, seen: ThreadsSeen = new Map()): Liveness {
  const found = checkNow(source, packed, seen)
  if (found === GONE) return 'dead'
  const check = Number(packed >> CHECK_SHIFT)
  return check === 0 || found === 0 || check === found ? 'alive' : 'dead'
}

/** The liveness of a packed id that was written in a certain place. */
export function packedLivenessIn(
  source: HasThreads,
  packed: bigint,
  { boot, namespace }: Place,
  seen: ThreadsSeen = new Map()
): Liveness {
  const { processId, threadId } = unpackNumbers(packed)
  if (!possible(processId, threadId)) return 'dead'
  const here = source.threads.place()
  if (boot !== here.boot && boot !== 0 && here.boot !== 0) {
    // A thread of this boot may have attached and not said so in the header yet. Its check proves it, and nothing else does.
    const check = Number(packed >> CHECK_SHIFT)
    return check !== 0 && check === checkNow(source, packed, seen) ? 'alive' : 'dead'
  }
  return namespace === here.namespace ? packedLiveness(source, packed, seen) : 'unknown'
}

/** The check that the live thread with those numbers has, 0 when it has none, `GONE` when there is no such thread. */
function checkNow({ threads }: HasThreads, packed: bigint, seen: ThreadsSeen): number {
  const numbers = packed & NUMBERS_MASK
  let check = seen.get(numbers)
  if (check === undefined) {
    const { processId, threadId } = unpackNumbers(numbers)
    const alive = possible(processId, threadId) && threads.isAlive(processId, threadId)
    check = alive ? checkOf(threads.startTime(processId, threadId), threads.place().boot) : GONE
    seen.set(numbers, check)
  }
  return check
}

function checkOf(startTime: number, boot: number): number {
  if (startTime === 0 || boot === 0) return 0
  const hash = Math.imul((startTime % 2 ** 32) ^ Math.imul(boot, 0x9e3779b1), 0x85ebca6b)
  return (hash ^ (hash >>> 15)) & CHECK_MASK || 1
}

/** Numbers that a thread can have: what memory holds may be anything. */
function possible(processId: number, threadId: number): boolean {
  return processId > 0 && processId < 2 ** 22 && threadId > 0 && threadId < 2 ** 22
}

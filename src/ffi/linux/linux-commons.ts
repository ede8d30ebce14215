/**
 * `Commons` over Linux's libc.
 *
 *     AT_RANDOM ──hash──▶ candidates for an address ──▶ | mark | 64 MiB of addresses, one mapping, made by the first thread |
 *
 * The kernel gives every process sixteen random bytes when it begins, which each thread finds by `getauxval`. The address of the
 * common memory is a hash of them, so that threads meet there without a variable in common. Between threads that come at the same
 * time the kernel decides: `mmap` with MAP_FIXED_NOREPLACE gives a place to one of them. The mark, a hash as well, says that what
 * is at a place is ours; it is read through the kernel, since a stranger's pages may not be readable.
 *
 * One mapping a process for its whole life; resident are the pages that were written. About 20 us, once a thread.
 * @module
 */
import { createHmac } from 'node:crypto'
import { wholeNumber } from '../../arguments.ts'
import { UnsupportedOperationError } from '../../errors.ts'
import { type Address, GiB } from '../../units.ts'
import { EEXIST, systemError } from '../errno.ts'
import {
  AT_RANDOM,
  MADV_NOHUGEPAGE,
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_FIXED_NOREPLACE,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from '../libc/constants.ts'
import type { Libc } from '../libc/libc.ts'
import { type Commons, PART_BYTES, PARTS } from '../os-commons.ts'
import { copyOwnMemory } from './own-memory.ts'

const BYTES = PARTS * PART_BYTES
const SECRET_BYTES = 16
const MARK_BYTES = 32
/** Part of every hash: raised with each change of what is in the memory, so that two versions of the library do not meet. */
const VERSION = 'sorites commons 1'

/**
 * Where candidates lie: above what kernels give out and below what programs are loaded at, with 47 bits of addresses; and a place
 * for kernels with 39.
 */
const REGIONS = [
  { from: 2 ** 46, step: GiB, steps: 16_384 },
  { from: 2 ** 37, step: 2 * BYTES, steps: 512 },
] as const
/** Candidates in each. */
const CANDIDATES = 4

/** How often, and how many milliseconds each time, to wait for a thread that has the memory and has not marked it yet. */
const WAITS = 1000
const never = new Int32Array(new SharedArrayBuffer(4))

export class LinuxCommons implements Commons {
  readonly #libc: Libc
  #secret: Uint8Array | undefined
  #base: Address | undefined
  readonly #parts: (ArrayBuffer | undefined)[] = []

  constructor(bindings: Libc) {
    this.#libc = bindings
  }

  get secret(): Uint8Array {
    this.#secret ??= readSecret(this.#libc)
    return this.#secret
  }

  part(index: number): ArrayBuffer {
    wholeNumber('index', index, 0, PARTS - 1)
    let part = this.#parts[index]
    if (part === undefined) {
      this.#base ??= this.#find()
      part = this.#libc.view((this.#base + index * PART_BYTES) as Address, PART_BYTES)
      this.#parts[index] = part
    }
    return part
  }

  #find(): Address {
    const mark = this.#hash('mark')
    let errno = EEXIST
    for (const [region, { from, step, steps }] of REGIONS.entries())
      for (let candidate = 0; candidate < CANDIDATES; candidate++) {
        const place = this.#hash(`place ${region} ${candidate}`).readUInt32LE() % steps
        const address = (from + place * step) as Address
        const found = this.#take(address, mark)
        if (found === 'ours') return address
        if (found !== 'theirs') errno = found
      }
    throw systemError('mmap', errno, { length: BYTES })
  }

  /** The memory at an address: made, or found; `'theirs'` when something else is there; else why it cannot be had. */
  #take(address: Address, mark: Uint8Array): 'ours' | 'theirs' | number {
    for (let wait = 0; wait < WAITS; wait++) {
      const there = new Uint8Array(MARK_BYTES)
      if (copyOwnMemory(this.#libc, address, MARK_BYTES, there) === 0) {
        const errno = this.#make(address, mark)
        if (errno === 0) return 'ours'
        // Pages that may not be read, or another thread's, since the look above.
        if (errno !== EEXIST || wait > 0) return errno === EEXIST ? 'theirs' : errno
        continue
      }
      if (there.every((byte, at) => byte === mark[at])) return 'ours'
      if (there.some((byte) => byte !== 0)) return 'theirs'
      Atomics.wait(never, 0, 0, 1)
    }
    return 'theirs'
  }

  /** Gives an errno, or 0. No function of JavaScript is called between `mmap` and the mark: a worker can be terminated there. */
  #make(address: Address, mark: Uint8Array): number {
    const { mmap, copyTo } = this.#bound()
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE
    const got = mmap(address, BYTES, PROT_READ | PROT_WRITE, flags, -1, 0)
    if (got === address) {
      copyTo(address, mark, MARK_BYTES)
      this.#libc.madvise(address, BYTES, MADV_NOHUGEPAGE)
      return 0
    }
    if (got === MAP_FAILED) return this.#libc.errno()
    // An older kernel, which took the address for a wish.
    this.#libc.munmap(got as Address, BYTES)
    return EEXIST
  }

  /** `mmap` and `copyTo` after their first call, which binds them. */
  #bound(): Pick<Libc, 'mmap' | 'copyTo'> {
    const byte = new Uint8Array(1)
    this.#libc.copyTo(Number(this.#libc.addressOf(byte)), byte, 1)
    this.#libc.mmap(0, 0, 0, 0, -1, 0)
    const { mmap, copyTo } = this.#libc
    return { mmap, copyTo }
  }

  #hash(what: string): Buffer {
    return createHmac('sha256', this.secret).update(`${VERSION} ${what}`).digest()
  }
}

function readSecret(libc: Libc): Uint8Array {
  const address = libc.getauxval(AT_RANDOM)
  if (address === 0)
    throw new UnsupportedOperationError('this system gives a process no random bytes (AT_RANDOM): no handles')
  const secret = new Uint8Array(SECRET_BYTES)
  libc.copyFrom(secret, address, SECRET_BYTES)
  return secret
}

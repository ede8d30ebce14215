/**
 * The system's kernel with a switch: the nth call of any kind fails, once, with an errno that the kernel may give for that call.
 *
 *     const os = failingOs()
 *     os.arm(3)                the third call from now fails
 *     …                        a call of the library
 *     os.disarm()              what has failed: 'purge EINVAL'; undefined when fewer calls were made
 *
 * It is a proxy, so that a call that is added to the interface is passed on without a change here; it fails only when it is in the
 * table below. Calls that the interface says are never refused are not in it.
 * @module
 */
import { constants } from 'node:os'
import { errnoName, fileError } from '../src/ffi/errno.ts'
import type { Os } from '../src/ffi/os.ts'
import { systemOs } from '../src/ffi/system.ts'

type ErrnoName = keyof typeof constants.errno

/** What each call may be refused with, by the comments in src/ffi/os*.ts. */
const REFUSALS: Readonly<Record<string, readonly ErrnoName[]>> = {
  reserve: ['ENOMEM', 'EAGAIN'],
  release: ['ENOMEM'],
  adopt: ['ENOMEM'],
  mapFile: ['ENOMEM', 'EACCES', 'ENODEV', 'EPERM', 'EAGAIN'],
  replace: ['ENOMEM', 'EPERM'],
  populate: ['ENOMEM', 'EFAULT'],
  populateRead: ['ENOMEM', 'EFAULT'],
  purge: ['EINVAL'],
  removePages: ['EINVAL', 'EACCES'],
  advise: ['EINVAL'],
  adviseHugePages: ['ENOMEM'],
  keepFromDumps: ['ENOMEM', 'EINVAL'],
  lock: ['ENOMEM', 'EPERM', 'EAGAIN'],
  unlock: ['ENOMEM'],
  sync: ['EIO', 'ENOSPC'],
  residency: ['EAGAIN'],
  open: ['EMFILE', 'ENFILE', 'EACCES'],
  create: ['ENOSPC', 'EMFILE', 'EACCES'],
  createInMemory: ['EMFILE', 'ENFILE', 'ENOMEM'],
  duplicate: ['EMFILE'],
  status: ['EIO'],
  isSealed: ['EBADF'],
  truncate: ['EIO', 'EFBIG'],
  allocate: ['ENOSPC', 'EFBIG', 'EIO'],
  read: ['EIO'],
  write: ['ENOSPC', 'EIO'],
  link: ['EACCES', 'EPERM'],
  remove: ['EACCES'],
}

export interface FailingOs extends Os {
  /** Makes the nth call from now fail. `choice` picks its errno. */
  arm(nth: number, choice: number): void
  /** Takes that back; says what has failed. */
  disarm(): string | undefined
  /** Ends the process with SIGKILL at the nth call from now. */
  doom(nth: number): void
  /** The mappings that this one has on record: address to length. */
  readonly live: ReadonlyMap<number, number>
  /** How many calls of the table were made. */
  readonly count: number
}

export function failingOs(real: Os = systemOs()): FailingOs {
  const fuse = new Fuse()
  const live: Map<number, number> = new Map()
  const files = watched(real.files, fuse)
  const threads = watched(real.threads, fuse)
  const own: Record<string, unknown> = {
    files,
    threads,
    live,
    arm: (nth: number, choice: number) => fuse.arm(nth, choice),
    disarm: () => fuse.disarm(),
    doom: (nth: number) => fuse.doom(nth),
    reserve: (byteLength: number, alignment: number) => {
      fuse.pass('reserve')
      const address = real.reserve(byteLength, alignment)
      live.set(address, byteLength)
      return address
    },
  }
  for (const [name, ends] of [
    ['adopt', false],
    ['release', true],
    ['disown', true],
  ] as const)
    own[name] = (address: Parameters<Os['adopt']>[0], byteLength: number) => {
      if (name in REFUSALS) fuse.pass(name)
      real[name](address, byteLength)
      if (ends) live.delete(address)
      else live.set(address, byteLength)
    }
  return watched(real, fuse, own) as FailingOs
}

/** Counts down to the call that fails. */
class Fuse {
  count = 0
  #left = 0
  #choice = 0
  #failed: string | undefined
  #doomed = 0

  arm(nth: number, choice: number): void {
    this.#left = nth
    this.#choice = choice
    this.#failed = undefined
  }

  disarm(): string | undefined {
    this.#left = 0
    return this.#failed
  }

  doom(nth: number): void {
    this.#doomed = nth
  }

  pass(call: string): void {
    this.count++
    if (this.#doomed > 0 && --this.#doomed === 0) process.kill(process.pid, 'SIGKILL')
    if (this.#left === 0 || --this.#left > 0) return
    const choices = REFUSALS[call] as readonly ErrnoName[]
    const errno = constants.errno[choices[this.#choice % choices.length] as ErrnoName]
    this.#failed = `${call} ${errnoName(errno)}`
    throw fileError(call, errno, undefined)
  }
}

/** An object whose calls go through the fuse first. Calls keep their `this`: the real object has private fields. */
function watched<T extends object>(real: T, fuse: Fuse, own: Record<string, unknown> = {}): T {
  return new Proxy(real, {
    get(target, name) {
      if (name === 'count') return fuse.count
      if (typeof name === 'string' && Object.hasOwn(own, name)) return own[name]
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      const call = value.bind(target) as (...given: unknown[]) => unknown
      const guarded =
        typeof name === 'string' && name in REFUSALS
          ? (...given: unknown[]) => {
              fuse.pass(name)
              return call(...given)
            }
          : call
      if (typeof name === 'string') own[name] = guarded
      return guarded
    },
  })
}

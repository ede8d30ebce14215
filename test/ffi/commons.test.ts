/** What the threads of a process have in common: where it is, and what is done where that cannot be had. Also reading through a pipe. */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Libc, libc } from '../../src/ffi/libc/libc.ts'
import { LinuxOs } from '../../src/ffi/linux/linux.ts'
import { LinuxCommons } from '../../src/ffi/linux/linux-commons.ts'
import { copyThroughPipe } from '../../src/ffi/linux/own-memory.ts'
import { PART_BYTES, PARTS } from '../../src/ffi/os-commons.ts'
import type { Address } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'

const { ENOMEM } = constants.errno

/** A process with a secret of its own, whose mappings of the common memory are noted. */
function processOf(secret: Uint8Array, change: Partial<Libc> = {}): { bindings: Libc; taken: number[] } {
  const real = libc()
  const taken: number[] = []
  const bindings: Libc = {
    ...real,
    copyFrom: (target) => void target.set(secret),
    mmap: (address, ...rest) => {
      const got = real.mmap(address, ...rest)
      if (address > 0 && got === address) taken.push(address)
      return got
    },
    ...change,
  }
  return { bindings, taken }
}

function unmap(taken: number[]): void {
  for (const address of taken) libc().munmap(address as Address, PARTS * PART_BYTES)
}

test('the first one makes it, all others find it, and each part is made once', () => {
  const { bindings, taken } = processOf(randomBytes(16))
  const [first, second] = [new LinuxCommons(bindings), new LinuxCommons(bindings)]
  assert.equal(first.secret, second.secret)
  new Uint8Array(first.part(0))[5000] = 7
  new Uint8Array(second.part(PARTS - 1)).fill(9)
  assert.is(new Uint8Array(second.part(0))[5000], 7)
  assert.is(new Uint8Array(first.part(PARTS - 1))[PART_BYTES - 1], 9)
  assert.is(first.part(0), first.part(0))
  assert.is(taken.length, 1)
  for (const bad of [-1, PARTS, 0.5]) throwsCode(() => first.part(bad), 'ERR_OUT_OF_RANGE', '"index"')
  assert.is(taken.length, 1)
})

test('another secret, another place', () => {
  const places = new Set<number>()
  for (let round = 0; round < 10; round++) {
    const { bindings, taken } = processOf(randomBytes(16))
    new LinuxCommons(bindings).part(0)
    places.add(taken[0] as number)
  }
  assert.is(places.size, 10)
})

test('where something else is, whatever it is, the next place is taken', () => {
  for (const [protection, fill] of [
    [3, 1],
    [3, 0],
    [0, 0],
  ] as const) {
    const secret = randomBytes(16)
    const before = processOf(secret)
    new LinuxCommons(before.bindings).part(0)
    const [place] = before.taken as [number]
    unmap(before.taken)
    // Private, anonymous, at this place: a stranger's.
    assert.is(libc().mmap(place, PARTS * PART_BYTES, protection, 0x4032, -1, 0), place)
    if (fill !== 0) libc().copyTo(place, new Uint8Array(16).fill(fill), 16)
    const { bindings, taken } = processOf(secret)
    new Uint8Array(new LinuxCommons(bindings).part(0))[4096] = 5
    assert.is.not(taken[0], place)
    assert.is(new Uint8Array(new LinuxCommons(bindings).part(0))[4096], 5)
    unmap([place, ...taken])
  }
})

test('no addresses: what the kernel says; an older kernel, which gives others: they are given back', () => {
  const real = libc()
  const refusing = processOf(randomBytes(16), { mmap: () => -1, errno: () => ENOMEM })
  throwsCode(() => new LinuxCommons(refusing.bindings).part(0), 'ENOMEM')
  let given = 0
  const older = processOf(randomBytes(16), {
    mmap: (_address, length, protection) => {
      given += length === 0 ? 0 : 1
      return real.mmap(0, length, protection, 0x4022, -1, 0)
    },
    munmap: (address, length) => {
      given--
      return real.munmap(address, length)
    },
  })
  throwsCode(() => new LinuxCommons(older.bindings).part(0), 'EEXIST')
  assert.is(given, 0)
})

test('a system that gives a process no random bytes', () => {
  const { bindings } = processOf(randomBytes(16), { getauxval: () => 0 })
  throwsCode(() => new LinuxCommons(bindings).secret, 'ERR_UNSUPPORTED_OPERATION', 'AT_RANDOM')
  throwsCode(() => new LinuxCommons(bindings).part(0), 'ERR_UNSUPPORTED_OPERATION')
})

test('reading through a pipe: up to the first page that cannot be had, and no descriptor is left', () => {
  const os = new LinuxOs()
  const real = libc()
  const { pageSize } = os
  const address = os.reserve(4 * pageSize, pageSize)
  const bytes = new Uint8Array(os.view(address, 2 * pageSize))
  for (let at = 0; at < bytes.length; at++) bytes[at] = at % 251
  const open = readdirSync('/proc/self/fd').length
  const target = new Uint8Array(2 * pageSize)
  assert.is(copyThroughPipe(real, address, target), 2 * pageSize)
  assert.equal(target, bytes)
  const odd = new Uint8Array(100)
  assert.is(copyThroughPipe(real, (address + 4050) as Address, odd), 100)
  assert.equal(odd, bytes.subarray(4050, 4150))
  // No access from the third page on.
  assert.is(real.mmap(address + 2 * pageSize, 2 * pageSize, 0, 0x4032, -1, 0), address + 2 * pageSize)
  const long = new Uint8Array(3 * pageSize)
  assert.is(copyThroughPipe(real, (address + 8) as Address, long), 2 * pageSize - 8)
  assert.is(copyThroughPipe(real, 65_536 as Address, odd), 0)
  assert.is(readdirSync('/proc/self/fd').length, open)
})

test.run()

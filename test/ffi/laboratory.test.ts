/** What only experiments want of the kernel. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { laboratoryOs } from '../../src/ffi/laboratory.ts'
import type { Address } from '../../src/units.ts'

test('lazy purges keep to mappings of its own, in whole pages', () => {
  const os = laboratoryOs()
  const bytes = 16 * os.pageSize
  const address = os.reserve(bytes, os.pageSize)
  os.populate(address, bytes)
  os.purgeLazily(address, bytes)
  const outside: [number, number][] = [
    [address + bytes, os.pageSize],
    [address, bytes + os.pageSize],
    [address + 1, os.pageSize],
    [address, 1],
    [0, os.pageSize],
    [Number.NaN, os.pageSize],
  ]
  for (const [at, length] of outside)
    assert.throws(
      () => os.purgeLazily(at as Address, length),
      (error: Error) => 'code' in error && error.code === 'ERR_OUT_OF_RANGE'
    )
  os.release(address, bytes)
  assert.throws(() => os.purgeLazily(address, bytes))
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Mappings } from '../../src/ffi/linux/mappings.ts'
import type { Address } from '../../src/units.ts'
import { throwsCode } from '../helpers/errors.ts'

const page = 4096
const at = (value: number): Address => value as Address

function three(): Mappings {
  const mappings = new Mappings()
  mappings.add(at(0x300000), 4 * page)
  mappings.add(at(0x100000), 2 * page)
  mappings.add(at(0x102000), page)
  return mappings
}

test('a range inside one mapping passes', () => {
  const mappings = three()
  for (const [address, length] of [
    [0x100000, page],
    [0x101000, page],
    [0x100000, 2 * page],
    [0x102000, page],
    [0x301000, 3 * page],
  ])
    mappings.require(at(address as number), length as number, page)
})

test('a range that leaves its mapping is refused, even into the next one', () => {
  const mappings = three()
  for (const [address, length] of [
    [0xff000, page],
    [0xff000, 2 * page],
    [0x101000, 2 * page],
    [0x102000, 2 * page],
    [0x103000, page],
    [0x200000, page],
    [0x300000, 5 * page],
    [0x304000, page],
    [0x400000, page],
  ])
    throwsCode(
      () => mappings.require(at(address as number), length as number, page),
      'ERR_OUT_OF_RANGE',
      'inside a live mapping'
    )
})

test('numbers that are no addresses and no lengths are refused', () => {
  const mappings = three()
  for (const bad of [0, -1, 1, 65535, NaN, Infinity, -Infinity, 0x100000 + 0.5, 2 ** 53, -page])
    throwsCode(() => mappings.require(at(bad), page, page), 'ERR_OUT_OF_RANGE', '"address"')
  for (const bad of [undefined, null, '1048576', 1048576n, {}, [], true, Symbol.iterator])
    throwsCode(() => mappings.require(bad as Address, page, page), 'ERR_INVALID_ARG_TYPE', '"address"')
  for (const bad of [0, -page, NaN, Infinity, page + 0.5, 2 ** 53])
    throwsCode(() => mappings.require(at(0x100000), bad, page), 'ERR_OUT_OF_RANGE', '"byteLength"')
  for (const bad of [undefined, null, '4096', 4096n, {}])
    throwsCode(() => mappings.require(at(0x100000), bad as number, page), 'ERR_INVALID_ARG_TYPE', '"byteLength"')
})

test('what is not whole granules is refused', () => {
  const mappings = three()
  throwsCode(() => mappings.require(at(0x100008), page, page), 'ERR_OUT_OF_RANGE', 'multiple of 4096')
  throwsCode(() => mappings.require(at(0x100000), 100, page), 'ERR_OUT_OF_RANGE', 'multiple of 4096')
  mappings.requireInside(at(0x100001), 100)
})

test('only a whole mapping can be given back, and only once', () => {
  const mappings = three()
  throwsCode(() => mappings.requireWhole(at(0x300000), page), 'ERR_OUT_OF_RANGE', 'start of a live mapping')
  throwsCode(() => mappings.requireWhole(at(0x301000), 3 * page), 'ERR_OUT_OF_RANGE', 'start of a live mapping')
  throwsCode(() => mappings.requireWhole(at(0x100000), 3 * page), 'ERR_OUT_OF_RANGE', 'start of a live mapping')
  mappings.requireWhole(at(0x300000), 4 * page)
  mappings.remove(at(0x300000))
  throwsCode(() => mappings.requireWhole(at(0x300000), 4 * page), 'ERR_OUT_OF_RANGE', 'start of a live mapping')
  throwsCode(() => mappings.requireInside(at(0x300000), page), 'ERR_OUT_OF_RANGE', 'inside a live mapping')
  assert.is(mappings.count, 2)
})

test('a range that is to be put on record may touch none that is', () => {
  const mappings = three()
  for (const [address, length] of [
    [0x100000, page],
    [0xff000, 2 * page],
    [0xff000, 64 * page],
    [0x102000, 8 * page],
    [0x301000, page],
    [0x2ff000, 6 * page],
  ])
    throwsCode(
      () => mappings.requireFree(at(address as number), length as number, page),
      'ERR_OUT_OF_RANGE',
      'no live mapping in it'
    )
  for (const [address, length] of [
    [0xff000, page],
    [0x103000, page],
    [0x200000, 256 * page],
    [0x304000, page],
  ])
    mappings.requireFree(at(address as number), length as number, page)
  throwsCode(() => mappings.requireFree(at(0x200008), page, page), 'ERR_OUT_OF_RANGE', 'multiple of 4096')
  throwsCode(() => mappings.requireFree(at(NaN), page, page), 'ERR_OUT_OF_RANGE', '"address"')
})

test('an empty record refuses everything', () => {
  throwsCode(() => new Mappings().require(at(0x100000), page, page), 'ERR_OUT_OF_RANGE')
  throwsCode(() => new Mappings().requireWhole(at(0x100000), page), 'ERR_OUT_OF_RANGE')
})

test.run()

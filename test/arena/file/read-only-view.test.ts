/** What the type checker lets one do with a file, by mode. The lines that must not compile are marked; the compiler checks the marks. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FileView, type MappedFile, mapFile, type ReadOnlyView } from '../../../src/index.ts'
import { freshFile, pattern } from '../../helpers/scratch.ts'

test('read: everything that looks, nothing that changes', () => {
  using file = mapFile(freshFile(64), { mode: 'read' })
  const { bytes } = file
  const first: number = bytes[0] as number
  const big: bigint = file.view(BigUint64Array, 8, 1)[0] as bigint
  assert.equal([first, big === Buffer.from(pattern(64)).readBigUInt64LE(8)], [pattern(1)[0], true])
  assert.equal([...bytes.subarray(2, 4)], [...pattern(4).subarray(2)])
  assert.is(
    bytes.reduce((sum, byte) => sum + byte),
    pattern(64).reduce((sum, byte) => sum + byte)
  )
  for (const [index, byte] of bytes.entries()) assert.is(byte, pattern(64)[index])
  const copy: Uint8Array = bytes.slice(0, 4).fill(1)
  const sorted: Uint8Array = bytes.toSorted()
  const numbers: Float64Array = file.view(Float64Array, 0, 2).map((number) => number * 2)
  assert.equal([copy.length, sorted.length, numbers.length], [4, 64, 2])
  assert.is(new DataView(bytes.buffer, bytes.byteOffset).getUint8(1), pattern(2)[1])
  assert.is(file.offsetOf(bytes.subarray(5)), 5)
  const forbidden = (): void => {
    // @ts-expect-error read-only
    bytes[0] = 1
    // @ts-expect-error read-only
    bytes.fill(1)
    // @ts-expect-error read-only
    bytes.set([1])
    // @ts-expect-error read-only
    bytes.sort()
    // @ts-expect-error read-only
    bytes.reverse()
    // @ts-expect-error read-only
    bytes.copyWithin(0, 1)
    // @ts-expect-error read-only
    bytes.subarray(1)[0] = 1
    // @ts-expect-error read-only
    file.view(Float64Array, 0, 1)[0] = 1
    // @ts-expect-error not to be had where a writable array is wanted
    const writable: Uint8Array = bytes
    assert.ok(writable)
  }
  assert.type(forbidden, 'function')
})

test('copy and write: ordinary typed arrays', () => {
  for (const mode of ['copy', 'write'] as const) {
    using file = mapFile(freshFile(64), { mode })
    const bytes: Uint8Array = file.bytes
    bytes[0] = 1
    const numbers: Float64Array = file.view(Float64Array, 8, 2)
    numbers.fill(2)
    assert.equal([file.bytes[0], numbers[1]], [1, 2])
  }
})

test('of unknown mode: looking is all that all modes have', () => {
  const sum = (file: MappedFile): number => {
    const bytes = file.bytes
    const forbidden = (): void => {
      // @ts-expect-error read-only in one of the modes
      bytes[0] = 1
    }
    assert.type(forbidden, 'function')
    return bytes[0] + bytes.length
  }
  const path = freshFile(64)
  for (const mode of ['read', 'copy', 'write'] as const) {
    using file = mapFile(path, { mode })
    assert.is(sum(file), (pattern(1)[0] as number) + 64)
  }
  const ordinary: ReadOnlyView<Uint8Array> = new Uint8Array([5])
  const either: FileView<'read' | 'write', Uint8Array> = ordinary
  assert.is(either[0], 5)
})

test.run()

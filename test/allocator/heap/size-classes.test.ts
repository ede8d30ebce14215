import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  CLASS_COUNT,
  CLASS_INVERSE,
  CLASS_OF,
  CLASS_SHIFT,
  CLASS_SIZE,
  Size,
} from '../../../src/allocator/heap/size-classes.ts'
import { slotOf } from '../../../src/allocator/heap/slabs.ts'
import { SlabWord } from '../../../src/allocator/heap/words.ts'

/** The record of a slab whose slot 0 is at `base`. */
function recordOf(sizeClass: number, base: number): Int32Array {
  const record = new Int32Array(SlabWord.WORDS)
  record[SlabWord.BASE] = base | 0
  record[SlabWord.INVERSE] = CLASS_INVERSE[sizeClass] as number
  // With what else is in the word.
  record[SlabWord.COUNTS] =
    (7 << SlabWord.COUNTDOWN_BITS) | (256 << SlabWord.KNOWN_BITS) | (CLASS_SHIFT[sizeClass] as number)
  return record
}

test('a request gets the smallest class that fits', () => {
  for (let byteLength = 0; byteLength <= Size.SMALL_MAX; byteLength++) {
    const sizeClass = CLASS_OF[(byteLength + 7) >>> 3] as number
    assert.ok((CLASS_SIZE[sizeClass] as number) >= byteLength)
    assert.ok(sizeClass === 0 || (CLASS_SIZE[sizeClass - 1] as number) < byteLength)
  }
})

test('every distance within a slab, and around it, is a slot where one starts, and above all slots elsewhere', () => {
  for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
    const size = CLASS_SIZE[sizeClass] as number
    // Of the first window, of others, and where the low 32 bits of offsets pass zero.
    for (const base of [8, 4096 + 40, 0x3fffe000, 0x7fffc000, 0xffffd008]) {
      const record = recordOf(sizeClass, base)
      for (let distance = -Size.SLAB_MAX; distance <= Size.SLAB_MAX; distance++) {
        const slot = slotOf(record, 0, base + distance)
        if (distance >= 0 && distance % size === 0) assert.is(slot, distance / size)
        else if (slot <= Size.SLAB_SLOTS) assert.unreachable(`${size} bytes: slot ${slot} at distance ${distance}`)
      }
    }
  }
})

test('no distance of 32 bits but those of slots is one', () => {
  for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
    const size = CLASS_SIZE[sizeClass] as number
    const record = recordOf(sizeClass, 0)
    // Each distance has its own number, so those below the count of slots are the slots' own: a step that meets all residues.
    for (let at = 0, distance = 0; at < 20_000; at++, distance = (distance + 0x9e3779b1) >>> 0) {
      const slot = slotOf(record, 0, distance)
      assert.ok(distance % size === 0 ? slot === distance / size : slot > (2 ** 32 - 1) / size)
    }
  }
})

test.run()

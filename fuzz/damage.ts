/**
 * One word changed to another: to what is near, to what is extreme, to what is meant for another place.
 * @module
 */
import type { Random } from './random.ts'

/** A table: where its words are, and how far from one another its records. */
export interface Table {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly record: number
}

export interface Damage {
  readonly at: number
  readonly word: number
  readonly name: string
}

/** A change to a word of one of the tables; `read` gives a word as it is. */
export function damage(random: Random, tables: readonly Table[], read: (at: number) => number): Damage {
  const table = random.pick(tables)
  const at = table.start + random.below(table.end - table.start)
  const old = read(at)
  let word = changed(random, old, tables, read)
  while (word === old) word = random.word()
  return { at, word, name: `${table.name} ${at} (${(at - table.start) % table.record}): ${old} -> ${word}` }
}

function changed(random: Random, old: number, tables: readonly Table[], read: (at: number) => number): number {
  const table = random.pick(tables)
  const record = random.below((table.end - table.start) / table.record) * table.record
  switch (random.below(14)) {
    case 0:
      return (old + 1) | 0
    case 1:
      return (old - 1) | 0
    case 2:
      return (old - 8) | 0
    case 3:
      return (old + 64) | 0
    case 4:
      return 0
    case 5:
      return -1
    case 6:
      return random.word()
    case 7:
    case 8:
      return old ^ (1 << random.below(32))
    case 9:
      return random.below(64) * 8
    case 10:
      // The index of a record, and minus it, as tiles have it.
      return (table.start + record) * (random.below(2) === 0 ? 1 : -1)
    case 11:
      return -old | 0
    case 12:
      return read(table.start + random.below(table.end - table.start))
    default:
      return random.below(2) === 0 ? -2147483648 : 2147483647
  }
}

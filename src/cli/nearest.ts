/**
 * The name that was probably meant: least edits (insert, remove, replace, swap neighbours), at most a third of the letters.
 * @module
 */

export function nearest(word: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map((name) => ({ name, edits: name.startsWith(word) && word.length > 1 ? 0 : edits(word, name) }))
    .sort((one, other) => one.edits - other.edits)
  const best = ranked[0]
  if (best === undefined) return undefined
  return best.edits <= Math.max(1, Math.floor(Math.max(word.length, best.name.length) / 3)) ? best.name : undefined
}

/** The Damerau-Levenshtein distance, by optimal string alignment. */
export function edits(one: string, other: string): number {
  const rows = Array.from({ length: one.length + 1 }, (_, i) => [i, ...new Array<number>(other.length).fill(0)])
  for (let j = 0; j <= other.length; j++) rows[0]![j] = j
  for (let i = 1; i <= one.length; i++)
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1]
      let least = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      rows[i]![j] = least
    }
  return rows[one.length]![other.length]!
}

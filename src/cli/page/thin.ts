/**
 * Fewer points that draw the same line: of every group of neighbours, the lowest and the highest stay, and both ends.
 * @module
 */

export function thin(points: readonly (readonly [number, number])[], most: number): (readonly [number, number])[] {
  if (points.length <= most) return [...points]
  const groups = Math.max(1, Math.floor((most - 2) / 2))
  const kept: (readonly [number, number])[] = [points[0]!]
  for (let group = 0; group < groups; group++) {
    const from = 1 + Math.floor((group * (points.length - 2)) / groups)
    const to = 1 + Math.floor(((group + 1) * (points.length - 2)) / groups)
    let [low, high] = [from, from]
    for (let at = from; at < to; at++) {
      if (points[at]![1] < points[low]![1]) low = at
      if (points[at]![1] > points[high]![1]) high = at
    }
    if (low === high) kept.push(points[low]!)
    else kept.push(points[Math.min(low, high)]!, points[Math.max(low, high)]!)
  }
  return [...kept, points.at(-1)!]
}

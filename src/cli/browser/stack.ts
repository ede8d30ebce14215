/**
 * The columns that uPlot draws: x first, then the series in the order in which they are painted.
 *
 * An area is painted from its upper edge down to zero, so the uppermost comes first and the lower ones cover its foot:
 *
 *     column of area i  =  sum of the shown areas 0..i        painted: last area … first area, then the lines
 * @module
 */
import type { FigureData, FigureSeries } from '../page/page-data.ts'

/** Indices of the series in the order of painting. */
export function paintOrder({ stacked, series }: FigureData): number[] {
  const indices = series.map((_, index) => index)
  if (!stacked) return indices
  const isArea = (index: number): boolean => !series[index]!.line
  return [...indices.filter(isArea).reverse(), ...indices.filter((index) => !isArea(index))]
}

/** Columns for `paintOrder`. Hidden areas add nothing to those above them. */
export function columns(data: FigureData, shown: readonly boolean[]): [number[], ...(number | null)[][]] {
  const { moments, series, stacked } = data
  const edges = stacked ? upperEdges(series, shown) : undefined
  const column = (index: number): (number | null)[] => edges?.get(index) ?? [...series[index]!.values]
  return [[...moments], ...paintOrder(data).map(column)]
}

function upperEdges(series: readonly FigureSeries[], shown: readonly boolean[]): Map<number, (number | null)[]> {
  const sums: number[] = []
  const edges = new Map<number, (number | null)[]>()
  series.forEach(({ line, values }, index) => {
    if (line) return
    const edge = values.map((value, at) => {
      if (value === null) return null
      const sum = (sums[at] ?? 0) + (shown[index] ? value : 0)
      sums[at] = sum
      return sum
    })
    edges.set(index, edge)
  })
  return edges
}

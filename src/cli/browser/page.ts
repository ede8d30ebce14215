/**
 * The script of every page, bundled with uPlot by scripts/bundle-page.mjs: draws its charts, and the heaps over time.
 * @module
 */
import { Figure } from './figure.ts'
import { HeapOverTime } from './heap-over-time.ts'

const all = <T extends HTMLElement>(root: ParentNode, selector: string): T[] => [...root.querySelectorAll<T>(selector)]
const figures = all(document, 'figure.chart').map((element) => new Figure(element))

for (const section of all(document, 'section.trace')) {
  const charts = figures.filter(({ element }) => section.contains(element))
  Figure.link(charts)
  const maps = all(section, 'figure.heapmap')
  if (maps.length > 0) new HeapOverTime(section, maps, charts)
}

/**
 * The script of a page with figures (chart.ts), as text: legend buttons hide and show series (areas are stacked anew), and the
 * cross-hair reads values, led by the mouse or by the arrow keys, Home and End.
 *
 * Written for browsers, without imports: the page has no build step.
 * @module
 */

export const FIGURE_SCRIPT = `'use strict'
for (const figure of document.querySelectorAll('figure.chart')) {
  const { frame, kinds, stacked, series } = JSON.parse(figure.querySelector('script').textContent)
  const svg = figure.querySelector('svg'), cross = figure.querySelector('.cross'), out = figure.querySelector('output')
  const shown = series.map(() => true)
  const moments = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b)
  let at = -1
  const px = (x) => frame.left + ((x - frame.x[0]) / (frame.x[1] - frame.x[0])) * frame.width
  const py = (y) => frame.top + (1 - y / frame.y[1]) * frame.height
  const text = (value, kind) => {
    if (kind === 'bytes') {
      const unit = Math.max(0, Math.min(5, Math.floor(Math.log2(Math.max(1, Math.abs(value))) / 10)))
      return +(value / 1024 ** unit).toPrecision(4) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]
    }
    if (kind === 'share') return +(value * 100).toPrecision(3) + ' %'
    if (kind === 'time') return value < 1 ? +(value * 1000).toPrecision(4) + ' µs' : value < 1000 ? +value.toPrecision(4) + ' ms' : +(value / 1000).toPrecision(4) + ' s'
    return value.toLocaleString('en-US')
  }
  const valueAt = (points, x) => {
    let low = 0, high = points.length - 1
    while (low < high) { const middle = (low + high + 1) >> 1; if (points[middle][0] <= x) low = middle; else high = middle - 1 }
    return points.length > 0 && points[low][0] <= x ? points[low][1] : undefined
  }
  const read = (index) => {
    if (moments.length === 0) return
    at = Math.max(0, Math.min(moments.length - 1, index))
    const x = moments[at]
    cross.setAttribute('x1', px(x)); cross.setAttribute('x2', px(x)); cross.setAttribute('visibility', 'visible')
    const values = series.map(({ name, points }, i) => [name, shown[i] ? valueAt(points, x) : undefined]).filter(([, value]) => value !== undefined)
    out.textContent = text(x, kinds.x) + ': ' + values.map(([name, value]) => name + ' ' + text(value, kinds.y)).join(', ')
  }
  const restack = () => {
    const base = []
    series.forEach(({ points, line }, i) => {
      const shape = svg.querySelector('[data-series="' + i + '"]')
      shape.style.display = shown[i] ? '' : 'none'
      if (!stacked || line || !shown[i]) return
      const lower = points.map(([x], k) => px(x) + ',' + py(base[k] || 0))
      const upper = points.map(([x, y], k) => px(x) + ',' + py((base[k] = (base[k] || 0) + y)))
      shape.setAttribute('points', [...upper, ...lower.reverse()].join(' '))
    })
    if (at >= 0) read(at)
  }
  for (const button of figure.querySelectorAll('.legend button'))
    button.addEventListener('click', () => {
      const index = Number(button.dataset.series)
      shown[index] = !shown[index]
      button.setAttribute('aria-pressed', String(shown[index]))
      restack()
    })
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect()
    const wanted = frame.x[0] + (((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width - frame.left) / frame.width * (frame.x[1] - frame.x[0])
    let best = 0, low = 0, high = moments.length
    while (low < high) { const middle = (low + high) >> 1; if (moments[middle] < wanted) low = middle + 1; else high = middle }
    best = low > 0 && (low === moments.length || wanted - moments[low - 1] < moments[low] - wanted) ? low - 1 : low
    read(best)
  })
  svg.addEventListener('keydown', (event) => {
    const step = event.shiftKey ? 10 : 1
    const next = { ArrowRight: at + step, ArrowLeft: (at < 0 ? moments.length : at) - step, Home: 0, End: moments.length - 1 }[event.key]
    if (next === undefined) return
    event.preventDefault()
    read(next)
  })
}
`

/**
 * A chart on a page, drawn by uPlot: lines, or stacked areas with lines over them, and marks for events.
 *
 *     mouse       reads values (the line of text below), drags over a stretch to enlarge it, double-clicks for the whole
 *     keyboard    arrows, Home and End read; + and − enlarge and reduce around what is read; 0 or Escape shows the whole
 *     buttons     hide and show a series; areas are stacked anew
 *
 * Charts of one group share what is read and what is enlarged.
 * @module
 */
import uPlot from 'uplot'
import type { FigureData } from '../page/page-data.ts'
import { roundTicks, type TickKind, tickText } from '../page/ticks.ts'
import { columns, paintOrder } from './stack.ts'
import { colour, countText, onSchemeChange, valueText } from './units.ts'

const HEIGHT = 340
const DIGIT_WIDTH = 7
const FONT = '12px system-ui,sans-serif'
/** A mark is named when it is so near to what is read, as a share of what is shown. */
const NEAR_MARK = 0.006
const ZOOM_STEP = 2

export class Figure {
  readonly element: HTMLElement
  readonly data: FigureData
  readonly #plot: uPlot
  readonly #host: HTMLElement
  readonly #out: HTMLOutputElement
  readonly #shown: boolean[]
  /** Charts that follow this one, and are followed by it. */
  #group: readonly Figure[] = []
  #at = -1

  constructor(element: HTMLElement) {
    this.element = element
    this.data = JSON.parse(element.querySelector('script')!.textContent!)
    this.#host = element.querySelector<HTMLElement>('.plot')!
    this.#out = element.querySelector('output')!
    this.#shown = this.data.series.map(() => true)
    this.#plot = new uPlot(this.#options(), columns(this.data, this.#shown), this.#host)
    this.#listen()
    element.dataset.ready = 'true'
  }

  /** Makes charts read and enlarge together. */
  static link(figures: readonly Figure[]): void {
    for (const figure of figures) figure.#group = figures.filter((other) => other !== figure)
  }

  /** Runs when a place in the chart is clicked. */
  onClick(run: (x: number) => void): void {
    const { over } = this.#plot
    let pressedAt = Number.NaN
    over.addEventListener('pointerdown', (event) => {
      pressedAt = event.clientX
    })
    over.addEventListener('click', (event) => {
      // A click ends a drag as well.
      if (Math.abs(event.clientX - pressedAt) < 4)
        run(this.#plot.posToVal(event.clientX - over.getBoundingClientRect().left, 'x'))
    })
  }

  /** Reads the values at a moment, and shows where it is. */
  read(x: number): void {
    this.#readIndex(nearest(this.data.moments, x))
  }

  #options(): uPlot.Options {
    const { kinds, series, stacked } = this.data
    const ink = (): string => colour('--faint')
    const grid = { stroke: () => colour('--grid'), width: 1 }
    const axis = (kind: TickKind, side: 'width' | 'height', pixels: number): uPlot.Axis => ({
      stroke: ink,
      font: FONT,
      ticks: { ...grid, size: 5 },
      splits: (plot, _, low, high) => {
        const wanted = Math.max(2, Math.floor(plot[side] / pixels))
        return roundTicks(low, high, wanted, kind).filter((tick) => tick >= low && tick <= high)
      },
      values: (_, splits) => splits.map((tick) => tickText(tick, kind, splits.at(-1)!)),
    })
    return {
      width: this.#host.clientWidth,
      height: HEIGHT,
      padding: [12, 24, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
      scales: {
        x: { time: false },
        y: { range: (_, __, most) => [0, roundTicks(0, most > 0 ? most : 1, 5, kinds.y).at(-1)!] },
      },
      axes: [
        { ...axis(kinds.x, 'width', 100), grid: { show: false }, size: 32 },
        {
          ...axis(kinds.y, 'height', 56),
          grid,
          size: (_, values) => 20 + DIGIT_WIDTH * Math.max(4, ...lengthsOf(values)),
        },
      ],
      series: [
        {},
        ...paintOrder(this.data).map((index): uPlot.Series => {
          const { name, colour: number, line, values } = series[index]!
          const paint = (): string => colour(`--c${number}`)
          const area = stacked && !line
          return {
            label: name,
            stroke: paint,
            width: area ? 0.5 : 2,
            spanGaps: true,
            // One value makes no line.
            points: { show: values.filter((value) => value !== null).length === 1, size: 7 },
            ...(area ? { fill: paint } : {}),
          }
        }),
      ],
      hooks: {
        draw: [() => this.#drawMarks()],
        setCursor: [() => this.#followMouse()],
        setScale: [(_, key) => key === 'x' && this.#shareZoom()],
      },
    }
  }

  #listen(): void {
    const { element } = this
    for (const button of element.querySelectorAll<HTMLButtonElement>('.legend button'))
      button.addEventListener('click', () => this.#toggle(button))
    this.#host.addEventListener('keydown', (event) => this.#key(event))
    new ResizeObserver(() => {
      if (this.#host.clientWidth > 0) this.#plot.setSize({ width: this.#host.clientWidth, height: HEIGHT })
    }).observe(this.#host)
    onSchemeChange(() => this.#plot.redraw())
  }

  #toggle(button: HTMLButtonElement): void {
    const index = Number(button.dataset.series)
    const shown = (this.#shown[index] = !this.#shown[index])
    button.setAttribute('aria-pressed', String(shown))
    const { min = null, max = null } = this.#plot.scales.x!
    this.#plot.batch(() => {
      this.#plot.setSeries(1 + paintOrder(this.data).indexOf(index), { show: shown })
      this.#plot.setData(columns(this.data, this.#shown), true)
      if (min !== null && max !== null) this.#plot.setScale('x', { min, max })
    })
    if (this.#at >= 0) this.#say()
  }

  #key(event: KeyboardEvent): void {
    const last = this.data.moments.length - 1
    const step = event.shiftKey ? 10 : 1
    const next = {
      ArrowRight: this.#at + step,
      ArrowLeft: (this.#at < 0 ? last + 1 : this.#at) - step,
      Home: 0,
      End: last,
    }[event.key]
    if (next !== undefined) this.#readIndex(Math.max(0, Math.min(last, next)), true)
    else if (event.key === '+' || event.key === '=') this.#zoom(1 / ZOOM_STEP)
    else if (event.key === '-') this.#zoom(ZOOM_STEP)
    else if (event.key === '0' || event.key === 'Escape') this.#zoom(Infinity)
    else return
    event.preventDefault()
  }

  /** Shows a stretch that is so many times as long, around what is read. */
  #zoom(factor: number): void {
    const { moments } = this.data
    const [first, last] = [moments[0] ?? 0, moments.at(-1) ?? 1]
    const { min = first, max = last } = this.#plot.scales.x! as { min?: number; max?: number }
    const length = Math.min(last - first, (max - min) * factor)
    const middle = this.#at < 0 ? (min + max) / 2 : moments[this.#at]!
    const low = Math.max(first, Math.min(last - length, middle - length / 2))
    if (length > 0) this.#plot.setScale('x', { min: low, max: low + length })
  }

  #shareZoom(): void {
    const { min, max } = this.#plot.scales.x!
    if (min == null || max == null) return
    for (const other of this.#group) {
      const scale = other.#plot.scales.x!
      if (scale.min !== min || scale.max !== max) other.#plot.setScale('x', { min, max })
    }
  }

  #followMouse(): void {
    const { idx, left } = this.#plot.cursor
    if (idx == null || left == null || left < 0 || idx === this.#at) return
    this.#at = idx
    this.#say()
    for (const other of this.#group) other.read(this.data.moments[idx]!)
  }

  #readIndex(index: number, led = false): void {
    const x = this.data.moments[index]
    if (x === undefined) return
    const { min, max } = this.#plot.scales.x!
    if (min != null && max != null && (x < min || x > max)) this.#zoom(Infinity)
    this.#at = index
    this.#plot.setCursor({ left: this.#plot.valToPos(x, 'x'), top: 10 }, false)
    this.#say()
    if (led) for (const other of this.#group) other.read(x)
  }

  /** Writes the values that are read as text, which screen readers speak. */
  #say(): void {
    const { moments, series, kinds } = this.data
    const x = moments[this.#at]!
    const values = series.flatMap(({ name, values: all }, index) => {
      const value = this.#shown[index] ? lastValue(all, this.#at) : undefined
      return value === undefined ? [] : [`${name} ${valueText(value, kinds.y)}`]
    })
    const mark = this.#markAt(x)
    const head = kinds.x === 'count' ? countText(x) : valueText(x, kinds.x)
    this.#out.textContent = `${head}: ${values.join(', ')}${mark === undefined ? '' : `; ${mark}`}`
  }

  #markAt(x: number): string | undefined {
    const { min, max } = this.#plot.scales.x!
    const near = this.data.marks.filter((mark) => Math.abs(mark.x - x) <= NEAR_MARK * ((max ?? 0) - (min ?? 0)))
    return near.sort((one, other) => Math.abs(one.x - x) - Math.abs(other.x - x))[0]?.label
  }

  /** Names take turns on three lines, so that neighbours do not cover each other. */
  #drawMarks(): void {
    const { ctx, bbox } = this.#plot
    const ratio = devicePixelRatio
    ctx.save()
    ctx.beginPath()
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
    ctx.clip()
    ctx.lineWidth = ratio
    ctx.setLineDash([2 * ratio, 3 * ratio])
    ctx.strokeStyle = colour('--ink')
    ctx.fillStyle = colour('--ink')
    // Marks without names, such as collections, may be many.
    ctx.globalAlpha = this.data.named ? 0.6 : 0.25
    ctx.font = `${12 * ratio}px system-ui,sans-serif`
    this.data.marks.forEach(({ x, label }, index) => {
      const at = this.#plot.valToPos(x, 'x', true)
      ctx.beginPath()
      ctx.moveTo(at, bbox.top)
      ctx.lineTo(at, bbox.top + bbox.height)
      ctx.stroke()
      if (!this.data.named) return
      const room = at - bbox.left > ctx.measureText(label).width + 8 * ratio
      ctx.textAlign = room ? 'right' : 'left'
      ctx.fillText(label, at + (room ? -4 : 4) * ratio, bbox.top + (12 + 14 * (index % 3)) * ratio)
    })
    ctx.restore()
  }
}

function lengthsOf(values: readonly string[] | null): number[] {
  return (values ?? []).map((value) => value.length)
}

/** The last value up to a moment. */
function lastValue(values: readonly (number | null)[], index: number): number | undefined {
  for (let at = index; at >= 0; at--) if (values[at] != null) return values[at]!
  return undefined
}

/** The index of the moment nearest to x. */
function nearest(moments: readonly number[], x: number): number {
  let [low, high] = [0, moments.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (moments[middle]! < x) low = middle + 1
    else high = middle
  }
  return low > 0 && (low === moments.length || x - moments[low - 1]! < moments[low]! - x) ? low - 1 : low
}

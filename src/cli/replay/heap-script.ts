/**
 * The script and style of the heap maps on a page, as text: it unpacks the pictures (heap-map.ts), draws them, and links slider, charts and
 * maps of a trace.
 *
 *     slider, Play, a click in a chart        ->  the frame of all maps, and the cross-hair of all charts
 *     mouse or arrow keys over a map          ->  what is in a cell
 *     mouse or arrow keys over a chart        ->  the cross-hair of the others
 *
 * Written for browsers, without imports: the page has no build step.
 * @module
 */

export const HEAP_STYLE = `.bars{margin:1rem 0}.bars svg{width:100%;height:auto;display:block}.bars figcaption{font-weight:600}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
.controls{display:flex;gap:.75rem;align-items:center;position:sticky;top:0;background:var(--paper);padding:.4rem 0;z-index:1}
.controls input{flex:1}.controls button{font:inherit;min-width:5rem;color:var(--ink);background:none;border:1px solid var(--grid);border-radius:.4rem;padding:.2rem .6rem;cursor:pointer}
.controls output{font-variant-numeric:tabular-nums;min-width:12rem}
.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem}
.heapmap{margin:0}.heapmap figcaption{font-weight:600}.heapmap canvas{width:100%;image-rendering:pixelated;border:1px solid var(--grid);display:block}
.heapmap output{display:block;font-size:.8125rem;min-height:1.4em;font-variant-numeric:tabular-nums}.heapmap .cell{min-height:2.8em}
.key i{display:inline-block;width:.9em;height:.9em;margin:0 .3em 0 .8em;border:1px solid var(--grid);vertical-align:-.1em}
.key .live{background:var(--c0)}.key .free{background:var(--c1)}.key .absent{background:var(--paper)}`

export const HEAP_SCRIPT = `'use strict'
const COLUMNS = 64
const number = (value) => value.toLocaleString('en-US')
const size = (value) => {
  const unit = Math.max(0, Math.min(5, Math.floor(Math.log2(Math.max(1, value)) / 10)))
  return unit === 0 ? value + ' bytes' : +(value / 1024 ** unit).toPrecision(3) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]
}
const rgb = (name) => {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16))
}
const mix = (from, to, share) => from.map((value, at) => Math.round(value + (to[at] - value) * share))
const unpack = async (data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
class HeapMap {
  constructor(figure) {
    this.figure = figure
    this.canvas = figure.querySelector('canvas')
    this.data = JSON.parse(figure.querySelector('script').textContent)
    this.cell = -1
    this.frame = this.data.frames - 1
    this.rows = Math.max(1, Math.ceil(this.data.cells / COLUMNS))
    this.canvas.width = COLUMNS
    this.canvas.height = this.rows
    this.canvas.style.aspectRatio = COLUMNS + ' / ' + this.rows
    this.canvas.addEventListener('pointermove', (event) => this.point(event))
    this.canvas.addEventListener('pointerleave', () => this.show(-1))
    this.canvas.addEventListener('keydown', (event) => this.key(event))
  }
  async load() {
    const bytes = await unpack(this.data.data)
    const count = this.data.cells * this.data.frames
    const view = new DataView(bytes.buffer)
    this.full = bytes.subarray(0, count)
    this.state = bytes.subarray(count, 2 * count)
    this.label = bytes.subarray(2 * count, 3 * count)
    this.blocks = (at) => view.getUint16(3 * count + 2 * at, true)
    this.largest = (at) => view.getUint32(5 * count + 4 * at, true)
    this.madeAt = (at) => view.getUint32(9 * count + 4 * at, true)
    this.figure.dataset.ready = 'true'
  }
  draw(frame) {
    if (!this.full) return
    this.frame = frame
    const { cells, frames, samples } = this.data
    const paper = rgb('--paper'), live = rgb('--c0'), free = rgb('--c1'), faint = rgb('--grid')
    const kinds = this.data.labels.map((_, at) => (at === 0 ? live : rgb('--c' + [0, 2, 3, 4, 5, 6, 7][(at - 1) % 7])))
    const context = this.canvas.getContext('2d')
    const image = context.createImageData(COLUMNS, this.rows)
    for (let cell = 0; cell < COLUMNS * this.rows; cell++) {
      const at = cell * frames + frame
      const state = cell < cells ? this.state[at] : -1
      const colour = state === 2 ? mix(paper, kinds[this.label[at]], 0.3 + 0.7 * this.full[at] / 254) : state === 1 ? free : state === 0 ? paper : faint
      image.data.set(cell === this.cell ? rgb('--ink') : colour, cell * 4)
      image.data[cell * 4 + 3] = 255
    }
    context.putImageData(image, 0, 0)
    const now = samples[frame]
    this.figure.querySelector('.state').textContent = number(now.liveCount) + ' blocks, ' + size(now.liveBytes) + ' live, ' + size(now.heldBytes) + ' held, ' + size(now.residentBytes) + ' in memory'
    this.tell()
  }
  tell() {
    const out = this.figure.querySelector('.cell')
    if (this.cell < 0) { out.textContent = '\\u00a0'; return }
    const at = this.cell * this.data.frames + this.frame
    const start = this.cell * this.data.cellBytes
    const where = 'From ' + number(start) + ', ' + size(this.data.cellBytes) + ': '
    const label = this.data.labels[this.label[at]]
    const use = label ? label + ', ' : ''
    const begin = this.blocks(at)
    const largest = ', ' + (begin === 1 ? 'it has ' : 'the largest here has ') + size(this.largest(at)) + ', made by event ' + number(this.madeAt(at))
    out.textContent = where + use + (this.state[at] === 0 ? 'not in memory' : this.state[at] === 1 ? 'free, in memory'
      : Math.round(this.full[at] / 2.54) + ' % full, ' + (begin === 1 ? '1 block begins' : number(begin) + ' blocks begin') + ' here' + largest)
  }
  show(cell) {
    this.cell = cell >= 0 && cell < this.data.cells ? cell : -1
    this.draw(this.frame)
  }
  point(event) {
    const box = this.canvas.getBoundingClientRect()
    const column = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS)
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.rows)
    const cell = row * COLUMNS + Math.max(0, Math.min(COLUMNS - 1, column))
    if (cell !== this.cell) this.show(cell)
  }
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key]
    if (step === undefined) return
    event.preventDefault()
    this.show(Math.max(0, Math.min(this.data.cells - 1, this.cell + step)))
  }
}
for (const section of document.querySelectorAll('section.trace')) {
  const charts = [...section.querySelectorAll('figure.chart')].map((figure) => ({
    svg: figure.querySelector('svg'),
    frame: JSON.parse(figure.querySelector('script').textContent).frame,
  }))
  const others = (svg) => charts.filter((chart) => chart.svg !== svg)
  const valueAt = ({ svg, frame }, clientX) => {
    const box = svg.getBoundingClientRect()
    const at = ((clientX - box.left) / box.width) * svg.viewBox.baseVal.width
    return frame.x[0] + ((at - frame.left) / frame.width) * (frame.x[1] - frame.x[0])
  }
  const cross = ({ svg, frame }, x) => {
    const box = svg.getBoundingClientRect()
    const at = frame.left + ((x - frame.x[0]) / (frame.x[1] - frame.x[0])) * frame.width
    svg.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + (at / svg.viewBox.baseVal.width) * box.width }))
  }
  for (const { svg, frame } of charts)
    for (const type of ['pointermove', 'keydown'])
      svg.addEventListener(type, (event) => {
        if (!event.isTrusted) return
        for (const other of others(svg)) {
          if (type === 'keydown') other.svg.dispatchEvent(new KeyboardEvent(type, { key: event.key, shiftKey: event.shiftKey }))
          else cross(other, valueAt({ svg, frame }, event.clientX))
        }
      })
  const maps = [...section.querySelectorAll('figure.heapmap')].map((figure) => new HeapMap(figure))
  if (maps.length === 0) continue
  const slider = section.querySelector('.controls input'), play = section.querySelector('.play'), time = section.querySelector('.time')
  const events = Number(section.dataset.events)
  const samples = maps[0].data.samples
  const draw = () => {
    const frame = Number(slider.value)
    for (const map of maps) map.draw(frame)
    time.textContent = 'event ' + number(samples[frame].event) + ' of ' + number(events)
    slider.setAttribute('aria-valuetext', time.textContent)
  }
  const lead = () => {
    for (const chart of charts) cross(chart, samples[Number(slider.value)].event)
  }
  slider.addEventListener('input', () => { draw(); lead() })
  for (const { svg, frame } of charts)
    svg.addEventListener('click', (event) => {
      const x = valueAt({ svg, frame }, event.clientX)
      const next = samples.findIndex((sample) => sample.event >= x)
      slider.value = String(next < 0 ? samples.length - 1 : next)
      draw()
    })
  let timer
  const stop = () => {
    clearInterval(timer)
    timer = undefined
    play.textContent = 'Play'
    play.setAttribute('aria-pressed', 'false')
  }
  play.addEventListener('click', () => {
    if (timer !== undefined) return stop()
    if (Number(slider.value) >= Number(slider.max)) slider.value = '0'
    play.textContent = 'Pause'
    play.setAttribute('aria-pressed', 'true')
    draw()
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1)
      draw()
      lead()
      if (Number(slider.value) >= Number(slider.max)) stop()
    }, 100)
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  Promise.all(maps.map((map) => map.load())).then(draw)
}
`

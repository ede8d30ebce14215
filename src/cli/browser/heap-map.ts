/**
 * The pictures of an arena over time (replay/run/heap-map.ts), on a canvas of a pixel a cell. The mouse and the arrow keys ask a cell what is
 * in it.
 * @module
 */
import type { HeapMapData } from '../page/page-data.ts'
import { bytesText, colour, countText } from './units.ts'

const COLUMNS = 64
const FULL = 254
const [FREE_RESIDENT, LIVE] = [1, 2]
/** Colours for cells with a label, which keep off that of free memory. */
const LABEL_COLOURS = [0, 2, 3, 4, 5, 6, 7]

type Rgb = readonly [number, number, number]

/** The columns of the packed data. */
interface Columns {
  readonly full: Uint8Array
  readonly state: Uint8Array
  readonly label: Uint8Array
  readonly view: DataView
}

export class HeapMap {
  readonly data: HeapMapData
  readonly #figure: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #rows: number
  #columns: Columns | undefined
  #cell = -1
  #frame: number

  constructor(figure: HTMLElement) {
    this.#figure = figure
    this.#canvas = figure.querySelector('canvas')!
    this.data = JSON.parse(figure.querySelector('script')!.textContent!)
    this.#frame = this.data.frames - 1
    this.#rows = Math.max(1, Math.ceil(this.data.cells / COLUMNS))
    const canvas = this.#canvas
    canvas.width = COLUMNS
    canvas.height = this.#rows
    canvas.style.aspectRatio = `${COLUMNS} / ${this.#rows}`
    canvas.addEventListener('pointermove', (event) => this.#point(event))
    canvas.addEventListener('pointerleave', () => this.#show(-1))
    canvas.addEventListener('keydown', (event) => this.#key(event))
  }

  async load(): Promise<void> {
    const bytes = await unpack(this.data.data)
    const count = this.data.cells * this.data.frames
    this.#columns = {
      full: bytes.subarray(0, count),
      state: bytes.subarray(count, 2 * count),
      label: bytes.subarray(2 * count, 3 * count),
      view: new DataView(bytes.buffer, bytes.byteOffset + 3 * count),
    }
    this.#figure.dataset.ready = 'true'
  }

  draw(frame: number): void {
    if (this.#columns === undefined) return
    this.#frame = frame
    const context = this.#canvas.getContext('2d')!
    const image = context.createImageData(COLUMNS, this.#rows)
    const paint = this.#painter(this.#columns)
    const ink = rgb('--ink')
    for (let cell = 0; cell < COLUMNS * this.#rows; cell++) {
      image.data.set(cell === this.#cell ? ink : paint(cell), cell * 4)
      image.data[cell * 4 + 3] = 255
    }
    context.putImageData(image, 0, 0)
    const now = this.data.samples[frame]!
    this.#figure.querySelector('.state')!.textContent =
      `${countText(now.liveCount)} blocks, ${bytesText(now.liveBytes, 3)} live, ${bytesText(now.heldBytes, 3)} held, ${bytesText(now.residentBytes, 3)} in memory`
    this.#tell(this.#columns)
  }

  /** The colour of a cell in the present frame. */
  #painter({ full, state, label }: Columns): (cell: number) => Rgb {
    const { cells, frames, labels } = this.data
    const [paper, live, free, outside] = ['--paper', '--c0', '--c1', '--grid'].map(rgb) as [Rgb, Rgb, Rgb, Rgb]
    const kinds = labels.map((_, at) => (at === 0 ? live : rgb(`--c${LABEL_COLOURS[(at - 1) % LABEL_COLOURS.length]}`)))
    return (cell) => {
      if (cell >= cells) return outside
      const at = cell * frames + this.#frame
      if (state[at] === LIVE) return mix(paper, kinds[label[at]!]!, 0.3 + (0.7 * full[at]!) / FULL)
      return state[at] === FREE_RESIDENT ? free : paper
    }
  }

  #tell({ full, state, label, view }: Columns): void {
    const out = this.#figure.querySelector('.cell')!
    const { cells, frames, cellBytes, labels } = this.data
    if (this.#cell < 0) {
      out.textContent = '\u00a0'
      return
    }
    const at = this.#cell * frames + this.#frame
    const use = labels[label[at]!]
    const head = `From ${countText(this.#cell * cellBytes)}, ${bytesText(cellBytes, 3)}: ${use ? `${use}, ` : ''}`
    if (state[at] !== LIVE) {
      out.textContent = head + (state[at] === FREE_RESIDENT ? 'free, in memory' : 'not in memory')
      return
    }
    const count = cells * frames
    const begin = view.getUint16(2 * at, true)
    const largest = view.getUint32(2 * count + 4 * at, true)
    const madeAt = view.getUint32(6 * count + 4 * at, true)
    const blocks =
      begin === 1 ? '1 block begins here, it has' : `${countText(begin)} blocks begin here, the largest has`
    out.textContent = `${head}${Math.round((100 * full[at]!) / FULL)} % full, ${blocks} ${bytesText(largest, 3)}, made by event ${countText(madeAt)}`
  }

  #show(cell: number): void {
    this.#cell = cell >= 0 && cell < this.data.cells ? cell : -1
    this.draw(this.#frame)
  }

  #point(event: PointerEvent): void {
    const box = this.#canvas.getBoundingClientRect()
    const column = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS)
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.#rows)
    const cell = row * COLUMNS + Math.max(0, Math.min(COLUMNS - 1, column))
    if (cell !== this.#cell) this.#show(cell)
  }

  #key(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key]
    if (step === undefined) return
    event.preventDefault()
    this.#show(Math.max(0, Math.min(this.data.cells - 1, this.#cell + step)))
  }
}

function rgb(name: string): Rgb {
  const text = colour(name)
  return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16)) as unknown as Rgb
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  return from.map((value, at) => Math.round(value + (to[at]! - value) * share)) as unknown as Rgb
}

async function unpack(data: string): Promise<Uint8Array> {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

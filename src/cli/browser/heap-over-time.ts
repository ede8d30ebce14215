/**
 * The slider of a trace, and what follows it.
 *
 *     slider, Play              ->  the frame of all maps, and what all charts read
 *     a click in a chart        ->  the slider
 * @module
 */
import type { Figure } from './figure.ts'
import { HeapMap } from './heap-map.ts'
import { countText, onSchemeChange } from './units.ts'

const FRAME_MS = 100

export class HeapOverTime {
  readonly #maps: readonly HeapMap[]
  readonly #charts: readonly Figure[]
  readonly #slider: HTMLInputElement
  readonly #play: HTMLButtonElement
  readonly #time: Element
  readonly #events: number
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(section: HTMLElement, figures: readonly HTMLElement[], charts: readonly Figure[]) {
    this.#maps = figures.map((figure) => new HeapMap(figure))
    this.#charts = charts
    this.#slider = section.querySelector('.controls input')!
    this.#play = section.querySelector('.play')!
    this.#time = section.querySelector('.time')!
    this.#events = Number(section.dataset.events)
    this.#slider.addEventListener('input', () => this.#go(this.#frame))
    this.#play.addEventListener('click', () => (this.#timer === undefined ? this.#start() : this.#stop()))
    for (const chart of charts) chart.onClick((x) => this.#goTo(x))
    onSchemeChange(() => this.#draw())
    void Promise.all(this.#maps.map((map) => map.load())).then(() => this.#draw())
  }

  get #frame(): number {
    return Number(this.#slider.value)
  }

  get #samples(): HeapMap['data']['samples'] {
    return this.#maps[0]!.data.samples
  }

  #goTo(event: number): void {
    const next = this.#samples.findIndex((sample) => sample.event >= event)
    this.#slider.value = String(next < 0 ? this.#samples.length - 1 : next)
    this.#draw()
  }

  #go(frame: number): void {
    this.#slider.value = String(frame)
    this.#draw()
    for (const chart of this.#charts) chart.read(this.#samples[frame]!.event)
  }

  #draw(): void {
    for (const map of this.#maps) map.draw(this.#frame)
    const text = `event ${countText(this.#samples[this.#frame]!.event)} of ${countText(this.#events)}`
    this.#time.textContent = text
    this.#slider.setAttribute('aria-valuetext', text)
  }

  #start(): void {
    if (this.#frame >= Number(this.#slider.max)) this.#go(0)
    this.#play.textContent = 'Pause'
    this.#play.setAttribute('aria-pressed', 'true')
    this.#timer = setInterval(() => {
      this.#go(this.#frame + 1)
      if (this.#frame >= Number(this.#slider.max)) this.#stop()
    }, FRAME_MS)
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#play.textContent = 'Play'
    this.#play.setAttribute('aria-pressed', 'false')
  }
}

/**
 * The lines of the preloaded module, read as they come. A line that is none is left out: the program may have closed or reused the
 * descriptor.
 * @module
 */
import type { Readable } from 'node:stream'

export interface V8Reading {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  readonly arrayBuffers: number
}

export interface Collection {
  readonly time: number
  readonly kind: string
  readonly milliseconds: number
}

const MOST = 100_000

export class V8Figures {
  readonly readings: V8Reading[] = []
  readonly collections: Collection[] = []
  /** Milliseconds that the module has taken. */
  costMs = 0
  /** Milliseconds from the program's start to the last line. */
  upMs = 0
  #rest = ''

  follow(stream: Readable): void {
    stream.on('error', () => undefined)
    stream.setEncoding('utf8').on('data', (text: string) => this.add(text))
  }

  add(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n')
    this.#rest = (lines.pop() as string).slice(-MOST)
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    const found = parse(line)
    if (found === undefined) return
    if (isNumber(found.costMs)) this.costMs = Math.max(this.costMs, found.costMs)
    if (isNumber(found.upMs)) this.upMs = Math.max(this.upMs, found.upMs)
    if (!isNumber(found.time)) return
    const { time, heapUsed, heapTotal, external, arrayBuffers, gc, ms } = found
    if (typeof gc === 'string' && isNumber(ms)) push(this.collections, { time, kind: gc, milliseconds: ms })
    else if (isNumber(heapUsed) && isNumber(heapTotal) && isNumber(external) && isNumber(arrayBuffers))
      push(this.readings, { time, heapUsed, heapTotal, external, arrayBuffers })
  }
}

function push<T>(list: T[], item: T): void {
  list.push(item)
  if (list.length > MOST) list.splice(0, list.length - MOST / 2)
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line) as unknown
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

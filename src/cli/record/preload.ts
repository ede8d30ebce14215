/**
 * Loaded into a Node program before its own code (`node --import`): writes down each Buffer, ArrayBuffer and typed array that the program
 * makes, and when the collector finds that it is garbage.
 *
 *     Buffer.alloc, allocUnsafe, allocUnsafeSlow, from, concat     wrapped
 *     ArrayBuffer, SharedArrayBuffer, the typed arrays             replaced by proxies, whose `construct` calls the real one
 *     a view over memory that is there                             is no block, and is not written down
 *
 * A block is freed when its memory is: the ArrayBuffer of a large view, the view itself where it is a part of Node's pool or lies in V8's
 * heap (64 bytes and less). Costs about 2 µs a block, twice that with sites. It must never fail the program: what cannot be written ends the
 * recording.
 * @module
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { CALLOC, FREE, MALLOC } from '../../trace/trace.ts'
import { END, EVENT_BYTES, FAULT } from './events.ts'

type AnyFunction = (...values: never[]) => unknown
type Constructor = new (...values: never[]) => object

const FOLDER = process.env.SORITES_RECORD_FOLDER
const WITH_SITES = process.env.SORITES_RECORD_SITES === '1'
/** Longest view that V8 keeps in its own heap. */
const IN_HEAP_BYTES = 64
const BUFFERED_EVENTS = 4096
const FLUSH_MS = 200
const TYPED_ARRAYS = [
  'Uint8Array',
  'Int8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const

interface Site {
  blocks: number
  bytes: number
  freed: number
}

class Recording {
  readonly #fd: number
  readonly #sitesPath: string
  readonly #bytes = new DataView(new ArrayBuffer(BUFFERED_EVENTS * EVENT_BYTES))
  readonly #freed: FinalizationRegistry<{ readonly id: number; readonly site: Site | undefined }>
  readonly #sites = new Map<string, Site>()
  #filled = 0
  #ids = 0
  /** Calls that were entered: what they call in turn belongs to them. */
  #depth = 0
  #failed = false

  constructor(folder: string) {
    const name = `${process.pid}-${threadId}`
    this.#fd = openSync(join(folder, `${name}.events`), 'w')
    this.#sitesPath = join(folder, `${name}.sites.json`)
    this.#freed = new FinalizationRegistry(({ id, site }) => {
      if (site !== undefined) site.freed++
      this.#event(FREE, id, 0)
    })
    setInterval(() => this.#flush(), FLUSH_MS).unref()
    process.on('exit', () => {
      this.#event(END, 0, 0)
      this.#flush()
      if (WITH_SITES) this.#attempt(() => writeFileSync(this.#sitesPath, JSON.stringify([...this.#sites])))
    })
  }

  /** Runs a call of the program, and writes down what it made unless another call made it. */
  made<T>(run: () => T, what: number, isBlock: (made: T) => boolean): T {
    this.#depth++
    let made: T
    try {
      made = run()
    } finally {
      this.#depth--
    }
    if (this.#depth === 0 && !this.#failed && isBlock(made)) this.#block(made as object, what)
    return made
  }

  #block(made: object, what: number): void {
    this.#depth++
    try {
      const { byteLength } = made as ArrayBufferView
      const site = WITH_SITES ? this.#siteOf(byteLength) : undefined
      const id = ++this.#ids
      this.#freed.register(ownerOf(made), { id, site })
      this.#event(what, id, byteLength)
    } catch {
      this.#failed = true
    } finally {
      this.#depth--
    }
  }

  #siteOf(byteLength: number): Site {
    const place = placeOf(new Error().stack ?? '')
    let site = this.#sites.get(place)
    if (site === undefined) {
      site = { blocks: 0, bytes: 0, freed: 0 }
      this.#sites.set(place, site)
    }
    site.blocks++
    site.bytes += byteLength
    return site
  }

  #event(what: number, id: number, byteLength: number): void {
    if (this.#filled === BUFFERED_EVENTS) this.#flush()
    const at = this.#filled++ * EVENT_BYTES
    this.#bytes.setUint32(at, what, true)
    this.#bytes.setUint32(at + 4, id, true)
    this.#bytes.setUint32(at + 8, Math.min(byteLength, 2 ** 32 - 1), true)
  }

  #flush(): void {
    const length = this.#filled * EVENT_BYTES
    this.#filled = 0
    this.#attempt(() => {
      for (let done = 0; done < length; ) done += writeSync(this.#fd, this.#bytes, done, length - done)
    })
  }

  #attempt(write: () => void): void {
    if (this.#failed) return
    try {
      write()
    } catch (error) {
      this.#failed = true
      noteFault(error)
    }
  }
}

/** For the tool, which reads it when the program has ended. */
function noteFault(error: unknown): void {
  try {
    const fd = openSync(join(FOLDER as string, FAULT), 'r+')
    writeSync(fd, (error as NodeJS.ErrnoException).code ?? 'unknown')
    closeSync(fd)
  } catch {
    // The folder is gone: nothing waits for the recording any more.
  }
}

/** The object with which the memory goes. */
function ownerOf(made: object): object {
  if (!ArrayBuffer.isView(made) || made.byteLength <= IN_HEAP_BYTES) return made
  const { buffer } = made
  return buffer.byteLength === made.byteLength ? buffer : made
}

/** The first place of a stack that is not this file's and not Node's. */
function placeOf(stack: string): string {
  for (const line of stack.split('\n').slice(1)) {
    if (line.includes(import.meta.url) || /\(node:|at node:|\(internal\//.test(line)) continue
    return line.replace(/^\s*at /, '')
  }
  return '(Node itself)'
}

function record(recording: Recording): void {
  const isMemory = (value: unknown): boolean => value instanceof RealArrayBuffer || value instanceof RealShared
  const [RealArrayBuffer, RealShared] = [ArrayBuffer, SharedArrayBuffer]
  const calls: [name: 'alloc' | 'allocUnsafe' | 'allocUnsafeSlow' | 'from' | 'concat', what: number][] = [
    ['alloc', CALLOC],
    ['allocUnsafe', MALLOC],
    ['allocUnsafeSlow', MALLOC],
    ['from', MALLOC],
    ['concat', MALLOC],
  ]
  for (const [name, what] of calls) {
    const real = Buffer[name] as AnyFunction
    const wrapped = function (this: unknown, ...values: never[]): unknown {
      const own = name !== 'from' || !isMemory(values[0])
      return recording.made(
        () => Reflect.apply(real, this, values),
        what,
        () => own
      )
    }
    Object.defineProperty(wrapped, 'name', { value: name })
    Object.defineProperty(wrapped, 'length', { value: real.length })
    Object.defineProperty(Buffer, name, { value: wrapped, configurable: true, writable: true, enumerable: true })
  }
  for (const name of ['ArrayBuffer', 'SharedArrayBuffer', ...TYPED_ARRAYS]) {
    const real = Reflect.get(globalThis, name) as Constructor
    const proxy = new Proxy(real, {
      construct: (target, values, newTarget) => {
        const own = !isMemory(values[0])
        const what = typeof values[0] === 'object' && values[0] !== null ? MALLOC : CALLOC
        return recording.made(
          () => Reflect.construct(target, values, newTarget) as object,
          what,
          () => own
        )
      },
    })
    Object.defineProperty(globalThis, name, { value: proxy, configurable: true, writable: true, enumerable: false })
    // Programs compare `view.constructor` with the global one.
    Object.defineProperty(real.prototype, 'constructor', { value: proxy, configurable: true, writable: true })
  }
}

if (FOLDER !== undefined) {
  try {
    record(new Recording(FOLDER))
  } catch (error) {
    // The program runs as if it were not recorded; the command says why nothing was.
    noteFault(error)
  }
}

/**
 * A concurrent heap whose tables are damaged between two peers.
 *
 *     left      no peer has it: what the next one finds is proved, so a program of two peers runs as the model says, or attaching is refused
 *     died      the same, of peers that have died with shards, kept spans and remote bits
 *     joined    a peer has it, and another comes: what is in use is not proved, so every call ends, and every error has a code
 *
 * One kind of damage cannot be told from the truth: an entry of the table of peers that names a thread of another container. Then the heap is
 * as one that is in use. A case puts back the pages of the metadata that it has changed; it takes some milliseconds.
 * @module
 */
import { Common, type ConcurrentLayout, concurrentLayout } from '../src/allocator/concurrent/words.ts'
import { Arena, type FreeingAllocator, Heap } from '../src/index.ts'
import { concurrentTables } from './concurrent-tables.ts'
import { damage, type Table } from './damage.ts'
import { attempt, codeOf, Finding, type Subject, type Verdict } from './finding.ts'
import { arenaFor, type Shape } from './heap-shapes.ts'
import { Image } from './image.ts'
import { Program } from './program.ts'
import type { Random } from './random.ts'

const HEAP = 4
const STEPS = 120
/** The number of a process that none can have. */
const NO_PROCESS = -1

type Mode = 'left' | 'died' | 'joined'

export class ConcurrentSubject implements Subject {
  readonly kind = 'Concurrent'
  readonly #shape: Shape
  readonly #arena: Arena
  readonly #other: Arena
  readonly #layout: ConcurrentLayout
  readonly #image: Image
  readonly #left: Int32Array
  readonly #died: Int32Array
  readonly #tables: { readonly left: readonly Table[]; readonly died: readonly Table[] }
  readonly #low: number
  readonly #high: number

  constructor(shape: Shape, random: Random) {
    const { arena, offset, byteLength } = arenaFor(shape)
    const heap = new Heap(arena, { ...shape.range, decayMs: -1, concurrent: true })
    this.#shape = shape
    this.#arena = arena
    this.#other = Arena.attach(arena.handle())
    this.#low = offset
    this.#high = offset + byteLength
    this.#layout = concurrentLayout(offset, byteLength, arena.pageSize)
    this.#image = new Image(arena, HEAP)
    const peer = Heap.attach(this.#other, { offset, decayMs: -1 })
    shape.fill(heap as Heap, random)
    freeSome(heap as Heap, peer, random)
    const pins = [...heap.blocks()].slice(0, shape.pins ?? 0).map(({ offset: block }) => peer.pin(block))
    this.#died = this.#read()
    for (const pin of pins) pin[Symbol.dispose]()
    for (let entry = 0; entry < Common.PEERS_MOST; entry++) {
      const at = Common.PEERS + entry * Common.PEER_WORDS
      if (this.#died[at] !== 0) this.#died[at] = NO_PROCESS
    }
    peer.close()
    heap.close()
    this.#left = this.#read()
    this.#tables = {
      left: concurrentTables(this.#layout, this.#left),
      died: concurrentTables(this.#layout, this.#died),
    }
  }

  dispose(): void {
    this.#other.close()
    this.#arena.close()
  }

  run(random: Random, say: (what: string) => void): Verdict {
    const mode = random.pick<Mode>(['left', 'left', 'died', 'died', 'joined'])
    this.#restore(mode === 'died' ? this.#died : this.#left)
    if (mode === 'joined') return this.#join(random, say)
    const inUse = this.#damage(random, mode, say)
    return this.#use(random, inUse)
  }

  /** Damages a word or some; whether the heap may look as one that is in use. */
  #damage(random: Random, mode: Mode, say: (what: string) => void): boolean {
    const tables = this.#tables[mode === 'died' ? 'died' : 'left']
    const count = random.below(4) === 0 ? 2 + random.below(3) : 1
    const names: string[] = []
    let inUse = false
    for (let i = 0; i < count; i++) {
      const { at, word, name } = damage(random, tables, (index) => this.#image.read(index, 1)[0] as number)
      this.#image.set(at, word)
      names.push(name)
      inUse ||= name.startsWith('peers')
    }
    say(`${this.#shape.name}, ${mode}: ${names.join('; ')}`)
    return inUse
  }

  /** The heap has no peer: it is refused, or everything is as the model says. */
  #use(random: Random, lenient: boolean): Verdict {
    const heap = this.#attach(this.#arena)
    if (heap === undefined) return 'refused'
    try {
      const first = attempt(() => heap.check())
      if (!lenient && first !== undefined) throw new Finding(`attached, and check gave ${first}`)
      const peer = this.#attach(this.#other)
      if (peer === undefined) {
        if (lenient) return 'refused'
        throw new Finding('a second peer was refused, and the first was not')
      }
      const program = this.#program([heap, peer], random, lenient)
      try {
        this.#steps(program, lenient)
      } finally {
        peer.close()
      }
      const code = attempt(() => heap.check())
      if (!lenient && code !== undefined) throw new Finding(`at the end check gave ${code}`)
      return 'harmless'
    } finally {
      heap.close()
    }
  }

  /** While a peer has it another one comes. */
  #join(random: Random, say: (what: string) => void): Verdict {
    const heap = this.#attach(this.#arena)
    if (heap === undefined) throw new Finding('a sound heap was refused')
    let peer: Heap | undefined
    try {
      const before = this.#program([heap], random, false)
      before.adopt()
      for (let step = 0; step < 20; step++) before.step()
      this.#damage(random, 'joined', say)
      const refused = attempt(() => {
        peer = Heap.attach(this.#other, { offset: this.#low, decayMs: -1 })
      })
      const heaps = peer === undefined ? [heap] : [heap, peer]
      this.#steps(this.#program(heaps, random, true), true)
      return refused === undefined ? 'harmless' : 'refused'
    } finally {
      peer?.close()
      heap.close()
    }
  }

  #attach(arena: Arena): Heap | undefined {
    try {
      return Heap.attach(arena, { offset: this.#low, decayMs: -1 })
    } catch (error) {
      if (codeOf(error) === 'ERR_CORRUPTED') return undefined
      throw new Finding(`attach: ${(error as Error).stack}`)
    }
  }

  #steps(program: Program, lenient: boolean): void {
    if (lenient) attempt(() => program.adopt())
    else program.adopt()
    for (let step = 0; step < STEPS; step++) program.step()
    program.end()
  }

  /** A program whose calls go to any of some peers. */
  #program(heaps: readonly Heap[], random: Random, lenient: boolean): Program {
    let last = 0
    const any = new Proxy({} as FreeingAllocator, {
      get:
        (_, name: string) =>
        (...args: unknown[]): unknown => {
          last = random.below(heaps.length)
          const heap = heaps[last] as unknown as Record<string, (...args: unknown[]) => unknown>
          return (heap[name] as (...args: unknown[]) => unknown).apply(heap, args)
        },
    })
    return new Program(any, random, {
      low: this.#low,
      high: this.#high,
      most: this.#shape.most,
      frees: true,
      offsetOf: (view) => (last === 0 ? this.#arena : this.#other).offsetOf(view),
      alignments: [8, 64, 4096, 65536],
      shared: heaps.length > 1,
      lenient,
    })
  }

  #read(): Int32Array {
    return this.#image.read(0, this.#layout.byteLength / 4)
  }

  /** Writes the pages that differ. */
  #restore(words: Int32Array): void {
    const page = this.#arena.pageSize / 4
    const now = this.#read()
    for (let at = 0; at < words.length; at += page) {
      const wanted = words.subarray(at, at + page)
      if (Buffer.compare(bytesOf(wanted), bytesOf(now.subarray(at, at + page))) !== 0) this.#image.write(at, wanted)
    }
  }
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

/** A part of the blocks is freed by another peer, which takes some of its own. */
function freeSome(heap: Heap, peer: Heap, random: Random): void {
  const blocks = [...heap.blocks()]
  for (const { offset } of blocks) if (random.below(5) === 0 && heap.root('one') !== offset) peer.free(offset)
  for (let i = 0; i < 40; i++) peer.tryMalloc(random.below(3000))
}

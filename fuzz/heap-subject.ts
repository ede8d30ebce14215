/**
 * A heap that was closed, whose tables are damaged before it is attached to.
 *
 *     closed    a word differs from what the last writer sealed: refused, or a word that is not read
 *     forged    the same, and the seal is right again: the proofs are alone
 *     taken     its writer seems to have died: rebuilt, or refused
 *     read      the heap is only read
 *
 * A shape is made once; the tables are saved and put back for every case, so a case takes a fraction of a millisecond.
 * @module
 */
import { OWN_WORD, STATE_WORD, State } from '../src/allocator/base/header.ts'
import { sealTables } from '../src/allocator/heap/attach/seal.ts'
import { type HeapLayout, heapLayout, heapMetadataBytes } from '../src/allocator/heap/layout.ts'
import { At, Root, SlabWord, SpanWord } from '../src/allocator/heap/words.ts'
import { type Arena, Heap } from '../src/index.ts'
import { damage, type Table } from './damage.ts'
import { attempt, codeOf, Finding, type Subject, type Verdict } from './finding.ts'
import { arenaFor, type Shape } from './heap-shapes.ts'
import { Image } from './image.ts'
import { Program } from './program.ts'
import type { Random } from './random.ts'

const HEAP = 4
const STEPS = 120
/** Tables that a case has made longer are put back by writing zeros: so many words at most. */
const MOST_GROWTH = 2 ** 22

type Mode = 'closed' | 'forged' | 'taken' | 'read'

export class HeapSubject implements Subject {
  readonly kind = 'Heap'
  readonly #shape: Shape
  readonly #arena: Arena
  readonly #layout: HeapLayout
  readonly #image: Image
  /** The whole metadata, as it should be; long tables of it are never touched. */
  readonly #words: Int32Array
  readonly #tables: readonly Table[]
  readonly #blocks: readonly string[]
  readonly #low: number
  readonly #high: number

  constructor(shape: Shape, random: Random) {
    const { arena, offset, byteLength } = arenaFor(shape)
    const heap = new Heap(arena, { ...shape.range, decayMs: -1 })
    shape.fill(heap, random)
    this.#blocks = listOf(heap)
    heap.close()
    this.#shape = shape
    this.#arena = arena
    this.#low = offset
    this.#high = offset + byteLength
    this.#layout = heapLayout(offset, byteLength, arena.pageSize)
    this.#image = new Image(arena, HEAP)
    this.#words = new Int32Array(heapMetadataBytes(byteLength) / 4)
    this.#words.set(this.#image.read(0, At.TILES))
    this.#tables = this.#tablesOf(this.#words)
    for (const [from, to] of this.#used(this.#words)) this.#words.set(this.#image.read(from, to - from), from)
  }

  dispose(): void {
    this.#arena.close()
  }

  run(random: Random, say: (what: string) => void): Verdict {
    const mode = random.pick<Mode>(['closed', 'forged', 'forged', 'taken', 'taken', 'read'])
    const undo = this.#damage(random, mode, say)
    try {
      return mode === 'read' ? this.#look(random) : this.#use(random, mode)
    } finally {
      undo()
    }
  }

  /** Damages a word or some; the answer puts everything back. */
  #damage(random: Random, mode: Mode, say: (what: string) => void): () => void {
    const words = this.#words
    const old = new Map<number, number>()
    const set = (at: number, word: number) => {
      if (!old.has(at)) old.set(at, words[at] as number)
      words[at] = word
    }
    const count = random.below(4) === 0 ? 2 + random.below(3) : 1
    const names: string[] = []
    for (let i = 0; i < count; i++) {
      const { at, word, name } = damage(random, this.#tables, (index) => words[index] as number)
      set(at, word)
      names.push(name)
    }
    if (mode === 'taken' || (mode === 'read' && random.below(2) === 0)) set(STATE_WORD, State.taken)
    if (mode === 'forged' && this.#topsAreSound()) {
      for (const at of [OWN_WORD + 8, OWN_WORD + 9]) set(at, words[at] as number)
      sealTables(words, this.#layout)
    }
    for (const at of old.keys()) this.#image.set(at, words[at] as number)
    say(`${this.#shape.name}, ${mode}: ${names.join('; ')}`)
    return () => this.#restore(old)
  }

  #topsAreSound(): boolean {
    const { spans, spansEnd, slabs, slabsEnd, roots, rootsEnd, tileCount, pageCount } = this.#layout
    const w = this.#words
    const inside = (at: number, low: number, high: number) => (w[at] as number) >= low && (w[at] as number) <= high
    return (
      inside(At.SPAN_TOP, spans, spansEnd) &&
      inside(At.SLAB_TOP, slabs, slabsEnd) &&
      inside(At.TILE_TOP, 0, tileCount) &&
      inside(At.PAGE_TOP, 0, pageCount) &&
      inside(At.ROOT_TOP, 0, (rootsEnd - roots) / Root.WORDS)
    )
  }

  #use(random: Random, mode: Mode): Verdict {
    let heap: Heap
    try {
      heap = Heap.attach(this.#arena, { offset: this.#low, decayMs: -1 })
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ERR_CORRUPTED') return 'refused'
      throw new Finding(`attach: ${(error as Error).stack}`)
    }
    try {
      if (mode === 'closed' && listOf(heap).join() !== this.#blocks.join())
        throw new Finding('attached, and its blocks are others')
      const program = new Program(heap as never, random, {
        low: this.#low,
        high: this.#high,
        most: this.#shape.most,
        frees: true,
        offsetOf: (view) => this.#arena.offsetOf(view),
        alignments: [8, 64, 4096, 65536],
      })
      program.adopt()
      for (let step = 0; step < STEPS; step++) program.step()
      program.end()
    } finally {
      heap.close()
    }
    return 'harmless'
  }

  /** Everything that a reader may call, whatever it finds. */
  #look(random: Random): Verdict {
    let heap: Heap | undefined
    const refused = attempt(() => {
      heap = Heap.attach(this.#arena, { offset: this.#low, role: 'reader' })
    })
    if (heap === undefined) {
      if (refused === 'ERR_CORRUPTED') return 'refused'
      throw new Finding(`a reader's attach gave ${refused}`)
    }
    const { root, stats, check } = { root: heap.root, stats: heap.stats, check: heap.check }
    attempt(() => root.call(heap, 'one'))
    attempt(() => stats.call(heap, { classes: true }))
    attempt(() => check.call(heap))
    attempt(() => listOf(heap as Heap))
    for (let i = 0; i < 20; i++) {
      const offset = this.#low + random.below((this.#high - this.#low) / 8) * 8
      attempt(() => heap?.usableSize(offset))
    }
    for (const block of this.#blocks.slice(0, 40)) attempt(() => heap?.usableSize(Number.parseInt(block, 10)))
    heap.close()
    return 'harmless'
  }

  /** Puts the words back that were changed, and the tables as far as they are in use now. */
  #restore(old: ReadonlyMap<number, number>): void {
    const words = this.#words
    const now = this.#image.read(0, At.TILES)
    for (const [at, word] of old) words[at] = word
    for (const [from, to] of this.#used(words)) this.#image.write(from, words.subarray(from, to))
    const { spansEnd, slabsEnd, roots, rootsEnd, tileCount, pageCount, pageBits } = this.#layout
    const tops = [
      [At.TILES + (words[At.TILE_TOP] as number), At.TILES + (now[At.TILE_TOP] as number), At.TILES + tileCount],
      [
        pageBits + Math.ceil((words[At.PAGE_TOP] as number) / 32),
        pageBits + Math.ceil((now[At.PAGE_TOP] as number) / 32),
        pageBits + Math.ceil(pageCount / 32),
      ],
      [words[At.SPAN_TOP] as number, now[At.SPAN_TOP] as number, spansEnd],
      [words[At.SLAB_TOP] as number, now[At.SLAB_TOP] as number, slabsEnd],
      [
        roots + (words[At.ROOT_TOP] as number) * Root.WORDS,
        roots + (now[At.ROOT_TOP] as number) * Root.WORDS,
        rootsEnd,
      ],
    ] as const
    for (const [from, to, end] of tops) {
      // Damaged words of tables that are not in use lie within a page behind them.
      const until = Math.min(end, Math.max(from + 64, to <= end ? to : from))
      // More than any program uses: the top was damaged, and refused.
      this.#image.write(from, new Int32Array(until - from > MOST_GROWTH ? 64 : until - from))
    }
  }

  /** The ranges of words in use. */
  #used(words: Int32Array): [number, number][] {
    const { pageBits, spans, slabs, roots } = this.#layout
    return [
      [0, At.TILES + (words[At.TILE_TOP] as number)],
      [pageBits, pageBits + Math.ceil((words[At.PAGE_TOP] as number) / 32)],
      [spans, words[At.SPAN_TOP] as number],
      [slabs, words[At.SLAB_TOP] as number],
      [roots, roots + (words[At.ROOT_TOP] as number) * Root.WORDS],
    ]
  }

  /** What is damaged: each table as often as any other, and a few words behind those that grow. */
  #tablesOf(words: Int32Array): Table[] {
    const [[, tiles], [pageBits, pageBitsEnd], [spans, spansEnd], [slabs, slabsEnd], [roots, rootsEnd]] = this.#used(
      words
    ) as [[number, number], [number, number], [number, number], [number, number], [number, number]]
    const record = { record: 1 }
    return [
      { name: 'header', start: 0, end: At.ZERO, ...record },
      { name: 'counters', start: At.ZERO, end: At.ROOT_TOP + 1, ...record },
      { name: 'classes', start: At.CLASSES, end: At.CLASSES_END, record: 8 },
      { name: 'bins', start: At.BIN_TOP_MAP, end: At.BINS_END, ...record },
      { name: 'kept', start: At.KEPT_MAP, end: At.KEPT_END, ...record },
      { name: 'roots', start: roots, end: rootsEnd + Root.WORDS, record: Root.WORDS },
      { name: 'tiles', start: At.TILES, end: tiles + 8, ...record },
      { name: 'pages', start: pageBits, end: pageBitsEnd + 4, ...record },
      { name: 'spans', start: spans, end: spansEnd + SpanWord.WORDS, record: SpanWord.WORDS },
      { name: 'spans', start: spans, end: spansEnd + SpanWord.WORDS, record: SpanWord.WORDS },
      ...(slabsEnd > slabs
        ? [{ name: 'slabs', start: slabs, end: slabsEnd + SlabWord.WORDS, record: SlabWord.WORDS }]
        : []),
    ]
  }
}

function listOf(heap: Heap): string[] {
  const list: string[] = []
  for (const { offset, byteLength } of heap.blocks()) list.push(`${offset} ${byteLength}`)
  return list
}

/**
 * What the explorer tries: a record or two, a few threads on it, and what must hold. Each is named with the faults that it finds, as
 * replacements in the text of the steps.
 *
 * The ghost follows the lives of blocks: a life begins when the owner decides to hand a block out, and ends with the free that is accepted. A
 * free of an offset that has been issued again counts as one of its new life: nothing tells them apart.
 *
 * Longer than other files: one list of scenarios, each short; a fault is named beside the scenario that finds it.
 * @module
 */

import type * as Steps from '../../../src/allocator/concurrent/steps.ts'
import { CLASS_INVERSE, CLASS_SHIFT } from '../../../src/allocator/heap/size-classes.ts'
import { SlabWord, SpanTag, SpanWord } from '../../../src/allocator/heap/words.ts'
import type { Access, Memory, Scenario, Thread } from './explorer.ts'

type StepsModule = typeof Steps

/** A scenario, made for one version of the steps. */
export interface Named {
  readonly name: string
  /** Whether a death may come at every step. */
  readonly dying: boolean
  /** So many threads. */
  readonly size: number
  make(steps: StepsModule): Scenario
}

// ---- slots: one slab, of which two slots of 64 bytes come and go ----

const TILE = 1
const SLAB = 16
const REMOTE = 32
const SLABS = { slabs: SLAB, slabsEnd: SLAB + SlabWord.WORDS, remote: REMOTE }
const BITS = SLAB + SlabWord.BITS
const UPPER_REMOTE = BITS + REMOTE - SlabWord.BITS
const HERE = 4096
const CLASS_64 = 6
const CLASS_32 = 2

/** Which half of a word of bits the two slots are in: the first one's number, their word of remote bits, and what that is made of. */
interface Half {
  readonly name: string
  readonly first: number
  readonly remote: number
  readonly mask: number
  generation(word: number): number
}

const UPPER: Half = {
  name: '',
  first: 0,
  remote: UPPER_REMOTE,
  mask: -0x10000,
  generation: (word) => word & 0xffff,
}
const LOWER: Half = {
  name: ', in the lower half',
  first: 16,
  remote: UPPER_REMOTE + 8,
  mask: 0xffff,
  generation: (word) => word >>> 16,
}
const HALVES: readonly [Half, Half] = [UPPER, LOWER]

/** The steps, for slots of a half. */
interface On {
  readonly steps: StepsModule
  readonly half: Half
}

const startOf = ({ first }: Half): number => HERE + first * 64

interface Slots {
  /** The half's index: a ghost is copied. */
  half: 0 | 1
  /** The life that each slot is in, whether it lives, and in which life another's free was accepted. */
  life: number[]
  live: boolean[]
  freedIn: number[]
  /** The generation of the record's life, and where its slots are. */
  generation: number
  where: number[]
  /** The slot that the owner has decided to hand out, or -1. */
  begun: number
  /** Whether the record is being written for its next life: what is marked in it until then is undone. */
  rewriting: boolean
  /** Of each thread that is inside a free: whether its block was seen to live at some moment of the call. */
  met: (boolean | null)[]
}

function slotMemory({ first }: Half): number[] {
  const memory = new Array(80).fill(0)
  memory[TILE] = SLAB
  memory[SLAB + SlabWord.BASE] = HERE
  memory[SLAB + SlabWord.INVERSE] = CLASS_INVERSE[CLASS_64] as number
  memory[SLAB + SlabWord.COUNTS] = CLASS_SHIFT[CLASS_64] as number
  memory[SLAB + SlabWord.SLOTS] = first + 2
  memory[BITS] = 0
  memory[UPPER.remote] = 1
  memory[LOWER.remote] = 0x10000
  return memory
}

const slotBit = ({ first }: Half, slot: number): number => SlabWord.FIRST_BIT >>> (first + slot)

function slotGhost(half: Half): Slots {
  return {
    half: half === UPPER ? 0 : 1,
    life: [1, 1],
    live: [true, true],
    freedIn: [0, 0],
    generation: 1,
    where: [startOf(half), startOf(half) + 64],
    begun: -1,
    rewriting: false,
    met: [null, null, null],
  }
}

function begin(ghost: Slots, slot: number): void {
  if (ghost.live[slot]) throw new Error(`slot ${slot} is handed out twice`)
  ghost.live[slot] = true
  ;(ghost.life[slot] as number)++
  ghost.met = ghost.met.map((met) => (met === null ? null : true))
}

type Seen = (at: number) => number

function isFree(seen: Seen, half: Half, slot: number): boolean {
  return ((seen(BITS) | seen(half.remote)) & slotBit(half, slot)) !== 0
}

function observeSlots(ghost: Slots, thread: number, call: string, access: Access, answer: number, seen: Seen): void {
  const { kind, at, value, expected } = access
  const half = HALVES[ghost.half]
  if (call.startsWith('remote')) {
    const offset = Number(call.slice(7))
    const its = ghost.where.indexOf(offset)
    ghost.met[thread] ??= its >= 0 && (ghost.live[its] === true || !isFree(seen, half, its))
    if ((kind !== 'cas' && kind !== 'or') || (kind === 'cas' && answer !== expected)) return
    // The owner has begun the record's next life, and its store is on the way: that will undo this.
    if (half.generation(answer) !== ghost.generation || ghost.rewriting) return
    const slot = (value & ~answer & slotBit(half, 0)) !== 0 ? 0 : 1
    if (slot !== its) throw new Error(`a free of ${offset} frees the block at ${ghost.where[slot]}`)
    if (!ghost.met[thread]) throw new Error(`a free of ${offset}, which was free all along, is accepted`)
    ghost.freedIn[slot] = ghost.life[slot] as number
    ghost.live[slot] = false
  }
  // The owner decides when it has seen that no other has freed the slot.
  const lowest = Math.clz32(seen(BITS)) - half.first
  if (call === 'take' && at === half.remote && kind === 'read' && (answer & slotBit(half, lowest)) === 0) {
    begin(ghost, lowest)
    ghost.begun = lowest
  }
  if (call === 'take' && at === BITS && kind === 'write') {
    if (ghost.begun !== lowest) begin(ghost, lowest)
    ghost.begun = -1
  }
  if (call.startsWith('free') && kind === 'write' && at === BITS) ghost.live[Number(call.slice(5))] = false
  if (call === 'recycle' && kind === 'write' && at === TILE && value === 0) ghost.rewriting = true
  if (call === 'recycle' && (kind === 'write' || kind === 'store') && at === half.remote) {
    ghost.generation = half.generation(value)
    ghost.rewriting = false
    ghost.where = [startOf(half) + 64, startOf(half) + 96]
    ghost.met = ghost.met.map((met) => (met === null ? null : false))
  }
  if (call !== 'collect' || kind !== 'write' || at !== BITS) return
  for (const slot of [0, 1])
    if ((value & ~seen(BITS) & slotBit(half, slot)) !== 0 && ghost.freedIn[slot] !== ghost.life[slot])
      throw new Error(`a free of life ${ghost.freedIn[slot]} of slot ${slot} ends its life ${ghost.life[slot]}`)
}

function judgeSlots(memory: readonly number[], ghost: Slots, dead: number): string | undefined {
  for (const slot of [0, 1]) {
    const free = isFree((at) => memory[at] as number, HALVES[ghost.half], slot)
    if (!ghost.live[slot] && !free) return `slot ${slot} was freed, and is lost`
    if (ghost.live[slot] && free && dead === 0) return `slot ${slot} lives, and is free`
  }
  return undefined
}

const remote = ({ steps, half }: On, slot: number): Thread['calls'][number] => [
  `remote ${startOf(half) + slot * 64}`,
  ({ words }) => void steps.freeSlot(words, TILE, startOf(half) + slot * 64, SLABS),
]
const take = ({ steps }: On): Thread['calls'][number] => ['take', ({ words }) => steps.takeSlot(words, BITS, REMOTE)]
const free = ({ steps, half }: On, slot: number): Thread['calls'][number] => [
  `free ${slot}`,
  ({ words }) => void steps.freeOwnSlot(words, SLAB, half.first + slot, REMOTE),
]
const collect = ({ steps, half }: On): Thread['calls'][number] => [
  'collect',
  ({ words }) => void steps.collectHalf(words, half.remote, BITS, half.mask),
]
/** The slab is given up and its record becomes that of slots of 32 bytes, in the same tile: as release and make do it (slabs.ts). */
const recycle = ({ steps, half }: On): Thread['calls'][number] => [
  'recycle',
  ({ words }) => {
    const both = slotBit(half, 0) | slotBit(half, 1)
    if (((words[BITS] as number) & both) !== both) return false
    words[TILE] = 0
    words[SLAB + SlabWord.BASE] = startOf(half) + 64 - half.first * 32
    words[SLAB + SlabWord.INVERSE] = CLASS_INVERSE[CLASS_32] as number
    words[SLAB + SlabWord.COUNTS] = CLASS_SHIFT[CLASS_32] as number
    words[SLAB + SlabWord.SLOTS] = half.first + 2
    words[BITS] = both
    steps.renewSlab(words, UPPER.remote, half.first + 2)
    words[TILE] = SLAB
    return true
  },
]

function slots(
  half: Half,
  name: string,
  threads: (on: On) => readonly (readonly Thread['calls'][number][])[],
  options: { dying?: boolean; recycled?: boolean } = {}
): Named {
  const { dying = false, recycled = false } = options
  return {
    name: name + half.name,
    dying,
    size: threads({ steps: {} as StepsModule, half }).length,
    make: (steps) => ({
      memory: slotMemory(half),
      ghost: slotGhost(half),
      shared: new Set([
        BITS,
        UPPER.remote,
        LOWER.remote,
        ...(recycled
          ? [TILE, SLAB + SlabWord.BASE, SLAB + SlabWord.INVERSE, SLAB + SlabWord.COUNTS, SLAB + SlabWord.SLOTS]
          : []),
      ]),
      threads: threads({ steps, half }).map((calls) => ({ calls })),
      observe: observeSlots as Scenario['observe'] & object,
      judge: judgeSlots as Scenario['judge'],
    }),
  }
}

// ---- spans: one record that stands for a block, is kept, and stands for another ----

const SPAN = 16
const SPAN_TILE = 2
const SPAN_REM = SPAN + 7
const SPANS = { spans: SPAN, spansEnd: SPAN + SpanWord.WORDS }
const LIVE = SpanTag.LIVE

interface SpanGhost {
  /** Where the block is that lives now, -1 for none. */
  live: number
  life: number
  freedIn: number
  generation: number
  /** Whether the record is being written for its next life: what is marked in it until then is undone. */
  rewriting: boolean
  begun: boolean
  met: (boolean | null)[]
}

function spanMemory(): number[] {
  const memory = new Array(48).fill(0)
  memory[SPAN_TILE] = -SPAN
  memory[SPAN + SpanWord.START] = 64
  memory[SPAN + SpanWord.SIZE] = 2048
  memory[SPAN + SpanWord.TAG] = LIVE
  memory[SPAN_REM] = 2
  return memory
}

const spanRemote = (steps: StepsModule, start: number): Thread['calls'][number] => [
  `remote ${start}`,
  ({ words }) => void steps.freeSpan(words, SPAN_TILE, 0, start, SPANS),
]
const spanFree = (steps: StepsModule): Thread['calls'][number] => [
  'free',
  ({ words }) => ((words[SPAN + SpanWord.TAG] as number) & SpanTag.KIND) === LIVE && steps.freeOwnSpan(words, SPAN),
]
const spanTake = (steps: StepsModule): Thread['calls'][number] => [
  'take',
  ({ words }) => {
    if (((words[SPAN + SpanWord.TAG] as number) & SpanTag.KIND) !== SpanTag.KEPT) return false
    steps.takeKept(words, SPAN)
    return true
  },
]
const spanCollect = (steps: StepsModule): Thread['calls'][number] => [
  'collect',
  ({ words }) => void steps.collectSpan(words, SPAN),
]
/** The span is joined, and its record cut anew for another place that starts in the same tile: as free-spans.ts and Shard.cut do it. */
const spanReuse = (steps: StepsModule): Thread['calls'][number] => [
  'reuse',
  ({ words, note }) => {
    if (((words[SPAN + SpanWord.TAG] as number) & SpanTag.KIND) !== SpanTag.KEPT) return false
    words[SPAN_TILE] = 0
    words[SPAN + SpanWord.TAG] = 0
    words[SPAN + SpanWord.START] = 128
    words[SPAN_TILE] = -SPAN
    words[SPAN + SpanWord.TAG] = LIVE
    steps.renewSpan(words, SPAN)
    note((ghost: SpanGhost) => {
      if (ghost.live >= 0) throw new Error('the block is handed out while another lives there')
      ghost.live = 128
      return ++ghost.life
    })
    return true
  },
]

function isLiveSpan(seen: Seen): boolean {
  return (seen(SPAN + SpanWord.TAG) & SpanTag.KIND) === LIVE && (seen(SPAN_REM) & 1) === 0
}

function observeSpan(ghost: SpanGhost, thread: number, call: string, access: Access, answer: number, seen: Seen): void {
  const { kind, at, value, expected } = access
  if (call.startsWith('remote')) {
    const start = Number(call.slice(7))
    ghost.met[thread] ??= ghost.live === start || isLiveSpan(seen)
    if (kind !== 'cas' || answer !== expected || expected >>> 1 !== ghost.generation || ghost.rewriting) return
    if (ghost.live !== start && ghost.live >= 0)
      throw new Error(`a free of the block at ${start} frees the one at ${ghost.live}`)
    if (!ghost.met[thread]) throw new Error('a free of a span that was free all along is accepted')
    ghost.live = -1
    ghost.freedIn = ghost.life
  }
  if (call === 'free' && kind === 'write' && at === SPAN + SpanWord.TAG) ghost.live = -1
  if (call === 'reuse' && kind === 'write' && at === SPAN + SpanWord.TAG && value === 0) ghost.rewriting = true
  if (call === 'reuse' && (kind === 'write' || kind === 'store') && at === SPAN_REM) {
    ghost.generation = value >>> 1
    ghost.rewriting = false
  }
  // The owner decides when it has seen that no other has freed it, or when it has undone that.
  const decides = at === SPAN_REM && (kind === 'and' || (kind === 'read' && (answer & 1) === 0))
  if (call === 'take' && (decides || (at === SPAN + SpanWord.TAG && kind === 'write' && !ghost.begun))) {
    if (ghost.live >= 0) throw new Error('the block is handed out twice')
    ghost.live = seen(SPAN + SpanWord.START)
    ghost.life++
    ghost.begun = true
    ghost.met = ghost.met.map((met) => (met === null ? null : true))
  }
  if (call === 'take' && at === SPAN + SpanWord.TAG && kind === 'write') ghost.begun = false
  if (call === 'collect' && kind === 'write' && at === SPAN + SpanWord.TAG && ghost.freedIn !== ghost.life)
    throw new Error(`a free of life ${ghost.freedIn} ends life ${ghost.life}`)
}

function spans(
  name: string,
  threads: (steps: StepsModule) => readonly (readonly Thread['calls'][number][])[],
  options: { dying?: boolean } = {}
): Named {
  const { dying = false } = options
  return {
    name,
    dying,
    size: threads({} as StepsModule).length,
    make: (steps) => ({
      memory: spanMemory(),
      ghost: { live: 64, life: 1, freedIn: 0, generation: 1, rewriting: false, begun: false, met: [null, null, null] },
      shared: new Set([SPAN_TILE, SPAN + SpanWord.START, SPAN + SpanWord.TAG, SPAN_REM]),
      threads: threads(steps).map((calls) => ({ calls })),
      observe: observeSpan as Scenario['observe'] & object,
      judge: (memory, ghost: SpanGhost, dead) => {
        const live = isLiveSpan((at) => memory[at] as number)
        if (ghost.live < 0 && live) return 'the block was freed, and is lost'
        if (ghost.live >= 0 && !live && dead === 0) return 'the block lives, and is free'
        return undefined
      },
    }),
  }
}

// ---- locks, owners, shards ----

const LOCK = 1
const OWNER = 2
const REBUILD = 3
const STATE = 4
const A = 5
const B = 6

interface LockGhost {
  inside: number
  /** Peers that have died, and what they held. */
  dead: number[]
  done: number
  owners: number[]
  /** Whether the dead thread was inside. */
  broken: boolean
}

/** Inside the lock two words are made the same. The next holder after a death finds them different, and is told so. */
function critical(memory: Memory, peer: number): void {
  const { words, note } = memory
  note((ghost: LockGhost) => {
    if (ghost.inside !== 0 && !ghost.dead.includes(ghost.inside)) throw new Error('two are inside the lock')
    ghost.inside = peer
    return 0
  })
  const broken = words[REBUILD] !== 0
  if (!broken && words[A] !== words[B]) memory.note(() => raise('what a dead one left half-done is not said to be'))
  if (broken) {
    words[B] = words[A] as number
    words[REBUILD] = 0
  }
  words[A] = (words[A] as number) + 1
  words[B] = (words[B] as number) + 1
  note((ghost: LockGhost) => {
    if (ghost.inside === peer) ghost.inside = 0
    return ++ghost.done
  })
}

function raise(what: string): never {
  throw new Error(what)
}

function locking(steps: StepsModule, peer: number): readonly Thread['calls'][number][] {
  return [
    [
      'lock',
      (memory) => {
        const { words, note } = memory
        if (!steps.tryLock(words, LOCK, peer)) {
          const holder = Atomics.load(words, LOCK)
          if (holder === 0) return
          if (note((ghost: LockGhost) => (ghost.dead.includes(holder) ? 1 : 0)) === 0) return
          if (!steps.takeOver(words, LOCK, holder, peer, REBUILD)) return
        }
        critical(memory, peer)
        steps.unlock(words, LOCK)
      },
    ],
  ]
}

/** A peer's owner dies: two bury it, and one of them, or a third, adopts the shard. */
function adopting(steps: StepsModule, peer: number, dead: number): readonly Thread['calls'][number][] {
  return [
    [
      'adopt',
      ({ words, note }) => {
        if (note((ghost: LockGhost) => (ghost.dead.includes(dead) ? 1 : 0)) === 1)
          steps.orphan(words, OWNER, REBUILD, dead)
        if (!steps.tryLock(words, LOCK, peer)) return
        if (steps.adopt(words, OWNER, peer)) {
          const rebuild = words[REBUILD] as number
          note((ghost: LockGhost) => {
            if (rebuild === 0) throw new Error('a dead owner is followed, and nothing is said to be rebuilt')
            for (const other of ghost.owners) if (!ghost.dead.includes(other)) throw new Error('a shard has two owners')
            ghost.owners.push(peer)
            return 0
          })
          words[REBUILD] = 0
        }
        steps.unlock(words, LOCK)
      },
    ],
  ]
}

/** The holder of the heap's lock takes the shard if it is free. */
function handing(steps: StepsModule, peer: number): readonly Thread['calls'][number][] {
  return [
    [
      'hand out',
      ({ words, note }) => {
        if (!steps.tryLock(words, LOCK, peer)) {
          const holder = Atomics.load(words, LOCK)
          if (holder === 0 || note((ghost: LockGhost) => (ghost.dead.includes(holder) ? 1 : 0)) === 0) return
          if (!steps.takeOver(words, LOCK, holder, peer, 0)) return
        }
        if (words[STATE] === 0) {
          // The tables are made.
          words[A] = peer
          words[B] = peer
          steps.handOut(words, OWNER, STATE, peer, 1)
          note((ghost: LockGhost) => {
            for (const other of ghost.owners)
              if (!ghost.dead.includes(other)) throw new Error('a shard is handed out twice')
            return ghost.owners.push(peer)
          })
        } else if (words[OWNER] === 0 || words[A] !== words[B])
          note(() => raise('a shard in use has no owner, or half-made tables'))
        steps.unlock(words, LOCK)
      },
    ],
  ]
}

function locks(
  name: string,
  threads: (steps: StepsModule) => readonly (readonly Thread['calls'][number][])[],
  options: {
    dying: boolean
    memory?: readonly (readonly [number, number])[]
    dead?: readonly number[]
    owners?: readonly number[]
  }
): Named {
  return {
    name,
    dying: options.dying,
    size: threads({} as StepsModule).length,
    make: (steps) => {
      const memory = new Array(16).fill(0)
      for (const [at, value] of options.memory ?? []) memory[at] = value
      return {
        memory,
        ghost: {
          inside: 0,
          dead: [...(options.dead ?? [])],
          done: 0,
          owners: [...(options.owners ?? [])],
          broken: false,
        },
        shared: new Set([LOCK, OWNER, REBUILD, STATE, A, B]),
        threads: threads(steps).map((calls) => ({ calls })),
        died: (ghost: LockGhost, thread) => void ghost.dead.push(thread + 1),
        judge: (words, ghost: LockGhost) => {
          const holder = words[LOCK] as number
          if (holder !== 0 && !ghost.dead.includes(holder)) return 'the lock is held, and has no holder'
          if (holder === 0 && words[REBUILD] === 0 && words[A] !== words[B])
            return 'what was left half-done is not said to be'
          return undefined
        },
      }
    },
  }
}

const onSlots = (half: Half): readonly Named[] => [
  slots(half, 'two others free two slots, the owner takes', (on) => [
    [collect(on), take(on), collect(on)],
    [remote(on, 0)],
    [remote(on, 1)],
  ]),
  slots(half, 'two others free the same slot', (on) => [[collect(on)], [remote(on, 1)], [remote(on, 1)]]),
  slots(half, 'owner and another free the same slot, the owner takes it', (on) => [
    [free(on, 0), take(on), collect(on)],
    [remote(on, 0)],
  ]),
  slots(half, 'the same, and a third frees the other slot', (on) => [
    [free(on, 0), take(on), collect(on)],
    [remote(on, 0)],
    [remote(on, 1)],
  ]),
  slots(
    half,
    'a record becomes that of another slab while stale frees are under way',
    (on) => [
      [free(on, 0), collect(on), recycle(on), take(on), take(on), collect(on)],
      [remote(on, 1)],
      [remote(on, 1)],
    ],
    { recycled: true }
  ),
  slots(
    half,
    'the same with one stale free',
    (on) => [[free(on, 0), free(on, 1), recycle(on), take(on), take(on), collect(on)], [remote(on, 1)]],
    { recycled: true }
  ),
  slots(
    half,
    'any one dies: two free, the owner collects and takes',
    (on) => [[collect(on), take(on), collect(on)], [remote(on, 0)], [remote(on, 1)]],
    { dying: true }
  ),
  slots(half, 'any one dies: owner and another free', (on) => [[free(on, 0), take(on), collect(on)], [remote(on, 0)]], {
    dying: true,
  }),
  slots(
    half,
    'any one dies: a record becomes that of another slab',
    (on) => [[free(on, 0), collect(on), recycle(on), take(on)], [remote(on, 1)]],
    { dying: true, recycled: true }
  ),
]

export const scenarios: readonly Named[] = [
  ...HALVES.flatMap(onSlots),
  spans('two others free the same span', (s) => [[spanCollect(s)], [spanRemote(s, 64)], [spanRemote(s, 64)]]),
  spans('owner and another free the same span, the owner takes it', (s) => [
    [spanFree(s), spanTake(s), spanCollect(s)],
    [spanRemote(s, 64)],
  ]),
  spans('a span is collected and taken, and freed again', (s) => [
    [spanCollect(s), spanTake(s), spanCollect(s)],
    [spanRemote(s, 64)],
    [spanRemote(s, 64)],
  ]),
  spans('a record becomes that of another span while a stale free is under way', (s) => [
    [spanFree(s), spanReuse(s), spanCollect(s)],
    [spanRemote(s, 64)],
  ]),
  spans('the same, and another frees the new one', (s) => [
    [spanCollect(s), spanReuse(s), spanCollect(s)],
    [spanRemote(s, 64)],
    [spanRemote(s, 64)],
  ]),
  spans(
    'any one dies: spans',
    (s) => [[spanCollect(s), spanTake(s), spanCollect(s)], [spanRemote(s, 64)], [spanRemote(s, 64)]],
    { dying: true }
  ),
  locks(
    'two take a lock, and again',
    (s) => [
      [...locking(s, 1), ...locking(s, 1)],
      [...locking(s, 2), ...locking(s, 2)],
    ],
    { dying: false }
  ),
  locks('any one dies: three take a lock', (s) => [locking(s, 1), locking(s, 2), locking(s, 3)], { dying: true }),
  locks(
    'any one dies: two take a lock, and again',
    (s) => [
      [...locking(s, 1), ...locking(s, 1)],
      [...locking(s, 2), ...locking(s, 2)],
    ],
    { dying: true }
  ),
  locks('an owner has died: two bury it and adopt', (s) => [adopting(s, 1, 4), adopting(s, 2, 4)], {
    dying: true,
    memory: [[OWNER, 4]],
    dead: [4],
    owners: [4],
  }),
  locks('the same by three', (s) => [adopting(s, 1, 4), adopting(s, 2, 4), adopting(s, 3, 4)], {
    dying: false,
    memory: [[OWNER, 4]],
    dead: [4],
    owners: [4],
  }),
  locks('any one dies: three are handed the same shard', (s) => [handing(s, 1), handing(s, 2), handing(s, 3)], {
    dying: true,
  }),
]

/** Faults in the text of the compiled steps, and a scenario that finds each. */
export const mutants: readonly { name: string; from: string; to: string; found: string; model?: 'pso' }[] = [
  {
    name: 'take does not look at the remote bit',
    from: 'if ((m[at] & bit) === 0) {\n            m[word]',
    to: 'if (m[at] !== 0.5) {\n            m[word]',
    found: 'owner and another free the same slot, the owner takes it',
  },
  {
    name: 'collect takes before it keeps',
    from: '        m[word] = before | got;\n        got = Atomics.and(m, at, ~got) & half & ~got;',
    to: '        const taken = Atomics.and(m, at, ~got) & half & ~got;\n        m[word] = before | got;\n        got = taken;',
    found: 'any one dies: two free, the owner collects and takes',
  },
  {
    name: 'collect does not look again',
    from: 'got = Atomics.and(m, at, ~got) & half & ~got',
    to: 'Atomics.and(m, at, ~half), got = 0',
    found: 'two others free two slots, the owner takes',
  },
  {
    name: 'a new life keeps the generation of a slab',
    from: '(m[upper] + 1) & ~-65536 /* Half.UPPER */',
    to: 'm[upper] & ~-65536',
    found: 'the same with one stale free',
  },
  {
    name: 'a new life keeps the generation of the lower half',
    from: '(m[upper + HALF] & ~65535 /* Half.LOWER */) + 0x10000',
    to: '(m[upper + HALF] & ~65535)',
    found: 'the same with one stale free, in the lower half',
  },
  {
    name: 'the place is not read again after the load',
    from: 'if (slotOf(m, slab, low) !== slot || ',
    to: 'if (',
    found: 'the same with one stale free',
  },
  {
    name: 'a free by another does not look at the bit',
    from: '(seen & bit) !== 0 || (m[word] &',
    to: '(seen & bit) !== 0 || (0 &',
    found: 'owner and another free the same slot, the owner takes it',
  },
  {
    name: 'a free by another is no exchange but an or',
    from: 'if (Atomics.compareExchange(m, at, seen, seen | bit) === seen)',
    to: 'if (Atomics.or(m, at, bit) !== 0.5)',
    found: 'the same with one stale free',
  },
  {
    name: 'a new life keeps the generation of a span',
    from: '(before & ~1) + 2',
    to: '(before & ~1)',
    found: 'a record becomes that of another span while a stale free is under way',
  },
  {
    name: 'the start is not read again after the load',
    from: ' || m[span + 0 /* SpanWord.START */] !== start)\n',
    to: ')\n',
    found: 'a record becomes that of another span while a stale free is under way',
  },
  {
    name: 'a kept span is taken without a look at its bit',
    from: 'const late = (m[span + SPAN_REMOTE] & 1) !== 0;',
    to: 'const late = m[span + SPAN_REMOTE] === 0.5;',
    found: 'owner and another free the same span, the owner takes it',
  },
  {
    name: 'a span is taken there before it is free here',
    from: '    if (live)\n        m[span + 2 /* SpanWord.TAG */] += 6 /* SpanTag.KEPT */ - 2 /* SpanTag.LIVE */;\n    Atomics.and(m, span + SPAN_REMOTE, ~1);\n    return live;',
    to: '    Atomics.and(m, span + SPAN_REMOTE, ~1);\n    if (live) m[span + 2] += 4;\n    return live;',
    found: 'any one dies: spans',
  },
  {
    name: 'a lock is taken over by a store',
    from: 'return Atomics.compareExchange(m, at, dead, peer) === dead;',
    to: 'Atomics.store(m, at, peer); return true;',
    found: 'any one dies: three take a lock',
  },
  {
    name: 'a lock is taken over without a word',
    from: '    if (rebuild !== 0)\n        Atomics.store(m, rebuild, 1);',
    to: '',
    found: 'any one dies: three take a lock',
  },
  {
    name: 'a lock is taken by a store',
    from: 'return Atomics.compareExchange(m, at, 0, peer) === 0;\n}\n/** Gives',
    to: 'if (Atomics.load(m, at) !== 0) return false; Atomics.store(m, at, peer); return true;\n}\n/** Gives',
    found: 'two take a lock, and again',
  },
  {
    name: 'a dead owner goes before it is said',
    from: '    Atomics.store(m, rebuild, 1);\n    Atomics.compareExchange(m, ownerAt, dead, 0);',
    to: '    Atomics.compareExchange(m, ownerAt, dead, 0);\n    Atomics.store(m, rebuild, 1);',
    found: 'an owner has died: two bury it and adopt',
  },
  {
    name: 'a shard is in use before it has an owner',
    from: '    Atomics.store(m, ownerAt, peer);\n    Atomics.store(m, stateAt, used);',
    to: '    Atomics.store(m, stateAt, used);\n    Atomics.store(m, ownerAt, peer);',
    found: 'any one dies: three are handed the same shard',
  },
  {
    name: 'plain stores where the processor does not keep their order',
    from: 'const TOTAL = false',
    to: 'const TOTAL = true',
    found: 'two take a lock, and again',
    model: 'pso',
  },
]

/**
 * The state of one program: the model, the hands, and the rule by which every call is judged.
 *
 *     act(hand, order, allowed)     the call must give a value, or one of these codes; every error must have a code
 *     with a failure of the kernel  an error of the kernel is allowed as well, and then nothing may have changed
 *
 * A call that does something else ends the program with a `StormFailure`, which says what was asked, what came and what was expected.
 * @module
 */
import { rmSync } from 'node:fs'
import { type Asked, here } from './hand/elsewhere.ts'
import { type Answer, NO_CODE, type Order } from './hand/tools.ts'
import {
  type Claim,
  type Closed,
  type FileState,
  type Memory,
  type Party,
  type Reader,
  unhold,
  type Wait,
  withInner,
} from './model.ts'
import type { Random } from './random.ts'

export class StormFailure extends Error {}

/** How the kernel fails: never, at the nth call of each step, or at a random one. */
export type Failing = undefined | number | 'random'

export interface WorldOptions {
  /** A folder for the program's files. */
  readonly folder: string
  readonly random: Random
  readonly failing: Failing
  /** Told of every call. */
  readonly trace?: ((text: string) => void) | undefined
}

/** Errors that mean that the library is at fault, whatever was asked. */
const NEVER = [NO_CODE, 'ERR_CORRUPTED']

export class World {
  readonly folder: string
  readonly memories: Memory[] = []
  readonly files: FileState[] = []
  readonly readers: Reader[] = []
  readonly closed: Closed[] = []
  readonly waits: Wait[] = []
  readonly hands: Asked[] = [here()]
  /** Memories that are gone, whose kept views must show nothing. */
  readonly gone: { hand: Asked; arena: number }[] = []
  /** Mappings, with a descriptor each, that threads have left to the process when they were terminated. */
  abandoned = 0
  /** Mappings whose end the kernel refused: their addresses may stay taken (src/arena/mapping/lifetime.ts). */
  unreleased = 0
  calls = 0
  /** How many calls to the kernel were made to fail. */
  failures = 0
  /** How often each outcome came. */
  readonly tally: Map<string, number> = new Map()
  readonly #random: Random
  readonly #trace: ((text: string) => void) | undefined
  #failing: Failing
  #number = 1

  constructor(options: WorldOptions) {
    this.folder = options.folder
    this.#random = options.random
    this.#failing = options.failing
    this.#trace = options.trace
  }

  /** The hand of this thread. */
  get here(): Asked {
    return this.hands[0] as Asked
  }

  /** A number that nothing else has. */
  number(): number {
    return this.#number++
  }

  seed(): number {
    return this.#random.below(2 ** 30)
  }

  /** Makes a call; gives its answer when it was a value, undefined when it was refused as it may be. */
  async act(hand: Asked, order: Order, allowed: readonly string[] = []): Promise<Answer | undefined> {
    const answer = await this.ask(hand, order)
    this.calls++
    this.#count(`${order.do} ${answer.code ?? 'ok'}`)
    if (answer.code === undefined) {
      if (allowed.length > 0 && !allowed.includes('ok')) throw this.failure(order, answer, allowed)
      return answer
    }
    if (NEVER.includes(answer.code) && !allowed.includes(answer.code)) throw this.failure(order, answer, allowed)
    if (allowed.includes(answer.code)) return undefined
    if (answer.failed === undefined) throw this.failure(order, answer, allowed)
    return undefined
  }

  /** The call and nothing else. */
  async ask(hand: Asked, order: Order): Promise<Answer> {
    const fail = hand.where === 'here' ? this.#failure() : undefined
    const answer = await hand.ask(fail === undefined ? order : { ...order, fail })
    this.#trace?.(`${hand.where} ${show(order)} -> ${text(answer)}`)
    if (answer.failed !== undefined) this.failures++
    if (answer.failed?.startsWith('release ')) this.unreleased++
    return answer
  }

  /** The call must give a value, for which the kernel is left alone. */
  async must(hand: Asked, order: Order): Promise<Answer['value']> {
    const answer = await hand.ask(order)
    this.#trace?.(`${hand.where} ${show(order)} -> ${text(answer)}`)
    this.calls++
    this.#count(`${order.do} ${answer.code ?? 'ok'}`)
    if (answer.code !== undefined) throw this.failure(order, answer, ['ok'])
    return answer.value
  }

  require(holds: boolean, text: () => string): void {
    if (!holds) throw new StormFailure(text())
  }

  failure(order: Order, answer: Answer, allowed: readonly string[]): StormFailure {
    const came =
      answer.code === undefined ? `gave ${JSON.stringify(answer.value)}` : `threw ${answer.code}: ${answer.message}`
    const wanted = allowed.length === 0 ? 'a value' : allowed.join(' or ')
    const failed = answer.failed === undefined ? '' : ` (the kernel was made to fail: ${answer.failed})`
    return new StormFailure(`${show(order)} ${came}${failed}; expected ${wanted}`)
  }

  /** A claim is no more, nor what is inside it. `closed`: whether its allocator objects say so. */
  drop(claim: Claim, closed = true): void {
    for (const one of withInner(claim)) {
      if (one.party !== undefined && closed)
        this.closed.push({ hand: one.party.hand, what: 'allocator', id: one.id, kind: one.kind })
      one.party = undefined
    }
    const { claims } = claim.memory
    const level = claim.around === undefined ? claims : claim.around.block.inner
    const index = level.indexOf(claim)
    if (index >= 0) level.splice(index, 1)
    for (let at = this.readers.length - 1; at >= 0; at--)
      if ((this.readers[at] as Reader).claim === claim) this.readers.splice(at, 1)
  }

  /** A claim is left for others, with its blocks; what is inside them is no more. */
  leave(claim: Claim, closed: boolean): void {
    for (const block of claim.blocks.values()) for (const inner of [...block.inner]) this.drop(inner, closed)
    if (claim.party !== undefined && closed)
      this.closed.push({ hand: claim.party.hand, what: 'allocator', id: claim.id, kind: 'Heap' })
    claim.party = undefined
  }

  /** A party is no more. `died`: it did not close. */
  part(party: Party, died: boolean): void {
    const { memory, hand } = party
    memory.parties.splice(memory.parties.indexOf(party), 1)
    if (died) memory.bereft = true
    for (const held of [...party.uses, ...party.blockPins]) unhold(held)
    for (let at = this.readers.length - 1; at >= 0; at--) {
      const reader = this.readers[at] as Reader
      if (reader.party !== party) continue
      this.readers.splice(at, 1)
      if (!died) this.closed.push({ hand, what: 'allocator', id: reader.id, kind: 'Heap' })
    }
    for (const claim of [...memory.claims]) {
      if (claim.party !== party) continue
      if (claim.kind === 'Heap' && memory.common) {
        this.leave(claim, !died)
        claim.died = died
      } else this.drop(claim, !died)
    }
    for (const wait of this.waits) if (wait.party === party) wait.may.add('ERR_ARENA_CLOSED')
    if (!died) {
      this.closed.push({ hand, what: 'arena', id: party.id })
      if (!party.mappingShared) this.gone.push({ hand, arena: party.id })
    }
    // What a thread has opened for itself stays when it is terminated (src/arena/mapping/lifetime.ts).
    if (died && hand.where === 'worker' && !party.mappingShared) this.abandoned++
    const lasts = (memory.kind === 'named' && !memory.unlinked) || memory.kind === 'fileWrite'
    if (memory.parties.length === 0 && !lasts) this.memories.splice(this.memories.indexOf(memory), 1)
  }

  /** From now on the kernel is left alone. */
  calm(): void {
    this.#failing = undefined
  }

  /** The hands elsewhere, ended; files taken away. */
  async end(): Promise<void> {
    for (const hand of this.hands.slice(1)) await hand.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #failure(): [number, number] | undefined {
    if (this.#failing === undefined) return undefined
    const nth = this.#failing === 'random' ? (this.#random.chance(60) ? 1 + this.#random.below(6) : 0) : this.#failing
    return nth === 0 ? undefined : [nth, this.#random.below(8)]
  }

  #count(key: string): void {
    this.tally.set(key, (this.tally.get(key) ?? 0) + 1)
  }
}

/** An order as text. */
export function show(order: Order): string {
  const { do: call, ...rest } = order
  const given = Object.entries(rest).map(([name, value]) => `${name} ${text(value)}`)
  return `${call}(${given.join(', ')})`
}

function text(value: unknown): string {
  try {
    return typeof value === 'object' ? (JSON.stringify(value) ?? 'undefined') : String(value)
  } catch {
    return '…'
  }
}

/**
 * Commands to the parties, with what must come of them: bytes as a plain Buffer has them, claims as a list of ranges.
 *
 *     places    0 … 64 KiB                1 GiB - 32 KiB … 1 GiB + 32 KiB              across the end of a window
 *     model     0 … 64 KiB                64 KiB … 128 KiB
 * @module
 */
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { GiB, KiB } from '../../src/units.ts'
import { digest, pattern, type Request } from './party.ts'

/** Bytes of one place, and of the arena. */
export const PLACE: number = 64 * KiB
export const ARENA: number = GiB + PLACE / 2
const PLACES = [0, GiB - PLACE / 2]

/** A party in this thread or elsewhere. */
export type Ask = (request: Request) => Promise<string>

export class Model {
  readonly bytes: Buffer = Buffer.alloc(PLACES.length * PLACE)
  readonly claims: Map<number, { party: number; start: number; end: number }> = new Map()
  readonly taken: Map<string, number>
  #next = 0

  constructor(taken: Map<string, number>) {
    this.taken = taken
  }

  /** A name for a claim. */
  name(): number {
    return this.#next++ % 200
  }

  took(path: string): void {
    this.taken.set(path, (this.taken.get(path) ?? 0) + 1)
  }
}

/** A range in one place: its start in the model, and where that is in the arena. */
interface Span {
  readonly start: number
  readonly byteLength: number
  readonly offset: number
}

const span: fc.Arbitrary<Span> = fc
  .tuple(fc.nat(PLACES.length - 1), fc.nat(PLACE - 1), fc.oneof(fc.nat(64), fc.nat(PLACE)))
  .map(([place, at, length]) => ({
    start: place * PLACE + at,
    byteLength: Math.min(length, PLACE - at),
    offset: (PLACES[place] as number) + at,
  }))

/** The same in whole 8 bytes, and not empty. */
const cells: fc.Arbitrary<Span> = span.map(({ start, byteLength, offset }) => {
  const skew = start % 8
  return { start: start - skew, offset: offset - skew, byteLength: Math.max(8, Math.floor(byteLength / 8) * 8) }
})

abstract class Command implements fc.AsyncCommand<Model, readonly Ask[]> {
  protected readonly party: number

  constructor(party: number) {
    this.party = party
  }

  check(): boolean {
    return true
  }

  abstract run(model: Model, parties: readonly Ask[]): Promise<void>

  toString(): string {
    return `${this.constructor.name}(${JSON.stringify(Object.values(this)).slice(1, -1)})`
  }
}

class Fill extends Command {
  readonly span: Span
  readonly seed: number
  constructor(party: number, range: Span, seed: number) {
    super(party)
    this.span = range
    this.seed = seed
  }
  async run(model: Model, parties: readonly Ask[]): Promise<void> {
    const { start, byteLength, offset } = this.span
    await (parties[this.party] as Ask)({ do: 'fill', offset, byteLength, seed: this.seed })
    pattern(model.bytes.subarray(start, start + byteLength), offset, this.seed)
    model.took('filled')
    await verify(model, parties, this.span)
  }
}

class Purge extends Command {
  readonly span: Span
  constructor(party: number, range: Span) {
    super(party)
    this.span = range
  }
  async run(model: Model, parties: readonly Ask[]): Promise<void> {
    const { start, byteLength, offset } = this.span
    const answer = await (parties[this.party] as Ask)({ do: 'purge', offset, byteLength })
    const held =
      byteLength > 0 &&
      [...model.claims.values()].some((claim) => claim.start < start + byteLength && claim.end > start)
    assert.is(answer, held ? 'ERR_ARENA_BUSY' : 'done')
    if (!held) model.bytes.fill(0, start, start + byteLength)
    model.took(held ? 'purge refused' : 'purged')
    await verify(model, parties, this.span)
  }
}

/** All at the same time on one word: none is lost. */
class Add extends Command {
  readonly span: Span
  readonly times: number
  constructor(party: number, range: Span, times: number) {
    super(party)
    this.span = range
    this.times = times
  }
  async run(model: Model, parties: readonly Ask[]): Promise<void> {
    const { start, offset } = this.span
    await Promise.all(parties.map((ask) => ask({ do: 'add', offset, times: this.times })))
    model.bytes.writeInt32LE((model.bytes.readInt32LE(start) + parties.length * this.times) | 0, start)
    model.took('added')
    await verify(model, parties, { start, offset, byteLength: 8 })
  }
}

class Claim extends Command {
  readonly span: Span
  constructor(party: number, range: Span) {
    super(party)
    this.span = range
  }
  async run(model: Model, parties: readonly Ask[]): Promise<void> {
    const { start, byteLength, offset } = this.span
    const name = model.name()
    if (model.claims.has(name)) return
    const answer = await (parties[this.party] as Ask)({ do: 'claim', name, offset, byteLength })
    const free = ![...model.claims.values()].some((claim) => claim.start < start + byteLength && claim.end > start)
    assert.is(answer, free ? 'granted' : 'ERR_ARENA_BUSY')
    if (free) model.claims.set(name, { party: this.party, start, end: start + byteLength })
    model.took(free ? 'claimed' : 'claim refused')
  }
}

/** Gives back a claim, whichever party has it; its data reads zero for all. */
class Release extends Command {
  async run(model: Model, parties: readonly Ask[]): Promise<void> {
    const [name, claim] = [...model.claims][this.party] ?? []
    if (name === undefined || claim === undefined) return
    await (parties[claim.party] as Ask)({ do: 'release', name })
    model.claims.delete(name)
    model.bytes.fill(0, claim.start, claim.end)
    model.took('released')
    const place = Math.floor(claim.start / PLACE)
    const offset = (PLACES[place] as number) + (claim.start % PLACE)
    await verify(model, parties, { start: claim.start, offset, byteLength: claim.end - claim.start })
  }
}

/** A party closes its arena and attaches anew: its claims are dropped, the data stays. */
class Reopen extends Command {
  async run(model: Model, parties: readonly Ask[]): Promise<void> {
    assert.is(await (parties[this.party] as Ask)({ do: 'reopen' }), 'done')
    for (const [name, claim] of model.claims) if (claim.party === this.party) model.claims.delete(name)
    model.took('reopened')
  }
}

/** Every party reads the range, and a little around it, as the model has it. */
async function verify(model: Model, parties: readonly Ask[], { start, byteLength }: Span): Promise<void> {
  const place = Math.floor(start / PLACE)
  const first = Math.max(place * PLACE, start - 8)
  const last = Math.min((place + 1) * PLACE, start + byteLength + 8)
  const offset = (PLACES[place] as number) + (first % PLACE)
  const expected = digest(model.bytes.subarray(first, last))
  const answers = await Promise.all(parties.map((ask) => ask({ do: 'read', offset, byteLength: last - first })))
  answers.forEach((answer, party) => {
    assert.ok(answer === expected, `party ${party} reads other bytes from ${offset} on`)
  })
}

/** Every party reads everything as the model has it. */
export async function verifyAll(model: Model, parties: readonly Ask[]): Promise<void> {
  for (const [place, offset] of PLACES.entries())
    await verify(model, parties, { start: place * PLACE, byteLength: PLACE, offset })
}

/** Commands to so many parties. Party 0 keeps the arena open, so it is never told to reopen. */
export function commands(parties: number): fc.Arbitrary<fc.AsyncCommand<Model, readonly Ask[]>>[] {
  const party = fc.nat(parties - 1)
  return [
    fc.tuple(party, span, fc.nat(255)).map(([who, range, seed]) => new Fill(who, range, seed)),
    fc.tuple(party, span).map(([who, range]) => new Purge(who, range)),
    fc.tuple(party, cells, fc.integer({ min: 1, max: 50 })).map(([who, range, times]) => new Add(who, range, times)),
    fc.tuple(party, cells).map(([who, range]) => new Claim(who, range)),
    party.map((who) => new Release(who)),
    fc.integer({ min: 1, max: parties - 1 }).map((who) => new Reopen(who)),
  ]
}

/**
 * Coming to arenas in all ways, what users do to pages without a claim, pins, and the end.
 *
 * Longer than other files: one command a function, in one table of weights.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { GiB, KiB, MiB } from '../../src/units.ts'
import type { Asked } from '../hand/elsewhere.ts'
import {
  blocksAround,
  heldArena,
  hold,
  type Memory,
  type MemoryKind,
  overlapping,
  type Party,
  unhold,
  WORDS,
  WORDS_BYTES,
} from '../model.ts'
import type { World } from '../world.ts'
import { type Command, type Commands, cells, parties, pick } from './picks.ts'

const LENGTHS = [64 * KiB, 64 * KiB, 128 * KiB, 256 * KiB, MiB, 4 * MiB]
/** More would make programs wander. */
const MOST_MEMORIES = 5
export const MOST_PARTIES = 4

export function newMemory(
  world: World,
  kind: MemoryKind,
  byteLength: number,
  words: boolean,
  more: Partial<Memory> = {}
): Memory {
  const memory: Memory = {
    id: world.number(),
    kind,
    byteLength,
    wordsAt: words && byteLength > 2 * WORDS_BYTES ? byteLength - WORDS_BYTES : 0,
    words: new Int32Array(WORDS),
    common: kind !== 'private' && kind !== 'fileCopy',
    bereft: false,
    unlinked: false,
    parties: [],
    claims: [],
    raw: [],
    ...more,
  }
  world.memories.push(memory)
  return memory
}

export function joinMemory(memory: Memory, hand: Asked, id: number): Party {
  const party: Party = { id, hand, memory, pins: [], uses: [], blockPins: [], mappingShared: false, byName: false }
  memory.parties.push(party)
  return party
}

async function reserve(world: World, { a, b, c }: Command): Promise<void> {
  if (world.memories.length >= MOST_MEMORIES) return
  const byteLength = pick(LENGTHS, a) as number
  const id = world.number()
  const kind = b % 2 === 0 ? 'private' : 'shared'
  const options = {
    shared: kind === 'shared',
    ...(c % 5 === 0 && { name: `storm ${id}` }),
    ...(c % 11 === 0 && { populate: true }),
  }
  const made = await world.act(world.here, { do: 'reserve', arena: id, byteLength, options })
  if (made === undefined) return
  world.require(
    made.value.byteLength === byteLength && made.value.shared === (kind === 'shared'),
    () => `reserve gave ${JSON.stringify(made.value)}`
  )
  joinMemory(newMemory(world, kind, byteLength, c % 4 !== 0), world.here, id)
}

/** Longer than a window. */
async function reserveVast(world: World, { a, c }: Command): Promise<void> {
  if (world.memories.length >= MOST_MEMORIES) return
  const id = world.number()
  const byteLength = GiB + 64 * KiB + (a % 2) * GiB
  const shared = c % 3 === 0
  if ((await world.act(world.here, { do: 'reserve', arena: id, byteLength, options: { shared } })) === undefined) return
  joinMemory(newMemory(world, shared ? 'shared' : 'private', byteLength, true), world.here, id)
}

async function openNamed(world: World, { a, b }: Command): Promise<void> {
  const there = world.memories.filter(({ kind, unlinked }) => kind === 'named' && !unlinked)
  const known = b % 3 === 0 ? undefined : pick(there, b)
  if (known === undefined && world.memories.length >= MOST_MEMORIES) return
  if (known !== undefined && known.parties.length >= MOST_PARTIES) return
  const id = world.number()
  const path = known?.path ?? join(world.folder, `arena-${id}`)
  const byteLength = known?.byteLength ?? (pick(LENGTHS, a % 4) as number)
  const options = known === undefined || b % 2 === 0 ? { create: true, byteLength } : {}
  const made = await world.act(world.here, { do: 'open', arena: id, path, options })
  if (made === undefined) {
    world.require(known !== undefined || !existsSync(path), () => `open of ${path} failed and left the file`)
    return
  }
  world.require(
    made.value.byteLength === byteLength && (made.value.staleOwner === undefined || known?.bereft === true),
    () => `open gave ${JSON.stringify(made.value)}`
  )
  const memory = known ?? newMemory(world, 'named', byteLength, a % 4 !== 0, { path })
  joinMemory(memory, world.here, id).byName = true
}

/** Another arena object of this thread on the same memory. */
async function attach(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined || party.memory.parties.length >= MOST_PARTIES || party.hand !== world.here) return
  const source = await sourceOf(world, party, b)
  if (source === undefined) return
  const id = world.number()
  const made = await world.act(world.here, { do: 'attach', arena: id, source: source.source })
  if (made === undefined) return
  world.require(made.value.byteLength === party.memory.byteLength, () => `attach gave ${JSON.stringify(made.value)}`)
  const next = joinMemory(party.memory, world.here, id)
  next.mappingShared = source.mappingShared
  if (source.mappingShared) party.mappingShared = true
}

/** A way to a party's memory for others of this process: handle, descriptor or path. */
export async function sourceOf(
  world: World,
  party: Party,
  choice: number,
  other = false
): Promise<{ source: object; mappingShared: boolean } | undefined> {
  const { memory } = party
  if (memory.kind === 'fileCopy' || memory.kind === 'fileWrite') {
    await world.act(party.hand, { do: 'handle', arena: party.id }, ['ERR_UNSUPPORTED_OPERATION'])
    return undefined
  }
  if (choice % 2 === 0 && !other) {
    const handle = await world.act(party.hand, { do: 'handle', arena: party.id })
    if (handle === undefined) return undefined
    memory.common = true
    return { source: handle.value, mappingShared: true }
  }
  const described = await world.must(party.hand, { do: 'describeArena', arena: party.id })
  if (memory.kind === 'private') {
    world.require(described.fd === undefined && described.path === undefined, () => 'a private arena has a path')
    return undefined
  }
  if (memory.unlinked) return { source: { fd: described.fd }, mappingShared: false }
  return { source: choice % 4 === 1 && !other ? { fd: described.fd } : { path: described.path }, mappingShared: false }
}

async function closeArena(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined || party.memory.file !== undefined) return
  await closeParty(world, party, b)
}

export async function closeParty(world: World, party: Party, b: number): Promise<boolean> {
  const detach = [undefined, true, false][b % 3]
  const held = heldArena(party)
  const order = { do: 'closeArena', arena: party.id, detach }
  const made = await world.act(party.hand, order, held)
  if (made === undefined) {
    if (held.length === 0) await afterRefusal(world, party)
    return false
  }
  world.part(party, false)
  world.require(
    (await world.must(party.hand, { do: 'describeArena', arena: party.id })).closed,
    () => 'closed arena says it is open'
  )
  await world.must(party.hand, order)
  return true
}

/** The kernel would not let it close: it is open. Of an arena that others can have the allocators may be closed by then. */
async function afterRefusal(world: World, party: Party): Promise<void> {
  const { closed } = await world.must(party.hand, { do: 'describeArena', arena: party.id })
  world.require(!closed, () => 'close threw, and the arena says it is closed')
  for (const claim of [...party.memory.claims]) {
    if (claim.party !== party) continue
    const answer = await party.hand.ask({ do: 'stats', allocator: claim.id })
    if (answer.code === undefined) continue
    world.require(
      answer.code === 'ERR_ARENA_CLOSED',
      () => `after a refused close stats threw ${answer.code}: ${answer.message}`
    )
    if (claim.kind === 'Heap' && party.memory.common) world.leave(claim, true)
    else world.drop(claim)
  }
}

async function writeRaw(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const { memory } = party
  const range = cells(memory, b, c)
  range.byteLength = Math.min(range.byteLength, 65536)
  if (overlapping(memory.claims, range.offset, range.byteLength).length > 0) return
  const seed = world.seed()
  if ((await world.act(party.hand, { do: 'fill', arena: party.id, ...range, seed })) === undefined) return
  forgetRaw(memory, range.offset, range.byteLength)
  memory.raw.push({ ...range, seed })
  if (memory.raw.length > 8) memory.raw.shift()
}

/** What others wrote is what a party reads. */
async function readRaw(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  const raw = party && pick(party.memory.raw, b)
  if (party === undefined || raw === undefined) return
  const wrong = await world.act(party.hand, { do: 'firstWrong', arena: party.id, ...raw })
  if (wrong !== undefined)
    world.require(
      wrong.value === -1,
      () => `byte ${wrong.value} of ${JSON.stringify(raw)}, which has no claim, has changed`
    )
}

export function forgetRaw(memory: Memory, offset: number, byteLength: number): void {
  memory.raw = memory.raw.filter((raw) => raw.offset + raw.byteLength <= offset || raw.offset >= offset + byteLength)
}

async function purgeRange(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const { memory } = party
  const range = cells(memory, b, c)
  const claimed = overlapping(memory.claims, range.offset, range.byteLength).length > 0
  const made = await world.act(
    party.hand,
    { do: 'purgeRange', arena: party.id, ...range },
    claimed ? ['ERR_ARENA_BUSY'] : []
  )
  if (claimed) return
  forgetRaw(memory, range.offset, range.byteLength)
  if (made === undefined) return
  const found = await world.act(party.hand, { do: 'firstNotZero', arena: party.id, ...range })
  if (found !== undefined)
    world.require(found.value === -1, () => `after a purge of ${JSON.stringify(range)} byte ${found.value} is not zero`)
}

async function pages(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const range = cells(party.memory, b, c)
  range.byteLength = Math.min(range.byteLength, 2 * MiB)
  const call = c % 2 === 0 ? 'populate' : 'resident'
  const made = await world.act(party.hand, { do: call, arena: party.id, ...range })
  if (made === undefined || call === 'populate') return
  world.require(
    made.value >= 0 && made.value <= range.byteLength,
    () => `resident says ${made.value} of ${range.byteLength}`
  )
}

async function pin(world: World, { a }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined || party.pins.length > 2) return
  const name = world.number()
  if ((await world.act(party.hand, { do: 'pin', arena: party.id, name })) !== undefined) party.pins.push(name)
}

async function unpin(world: World, { a }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ pins }) => pins.length > 0),
    a
  )
  if (party !== undefined) await world.act(party.hand, { do: 'unpin', name: party.pins.pop() as number })
}

async function use(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined || party.uses.length > 1) return
  const name = world.number()
  const offset = b % party.memory.byteLength
  if ((await world.act(party.hand, { do: 'use', arena: party.id, offset, name })) !== undefined)
    party.uses.push(hold(name, blocksAround(party, offset)))
}

async function endUse(world: World, { a }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ uses }) => uses.length > 0),
    a
  )
  if (party === undefined) return
  const ended = party.uses.pop() as Party['uses'][number]
  const made = await world.act(party.hand, { do: 'endUse', name: ended.name })
  unhold(ended)
  world.require(made?.value === 'used', () => `use gave ${made?.value}`)
}

async function unlink(world: World, { a }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const { memory } = party
  const made = await world.act(
    party.hand,
    { do: 'unlink', arena: party.id },
    memory.kind !== 'named' ? ['ERR_UNSUPPORTED_OPERATION'] : party.byName ? [] : ['ok', 'ERR_UNSUPPORTED_OPERATION']
  )
  if (made === undefined) return
  // By another path than its name it may not find it.
  world.require(made.value === !memory.unlinked || !party.byName, () => `unlink gave ${made.value}`)
  memory.unlinked ||= made.value
}

/** Lengths and ranges that are none. */
async function badRange(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const end = party.memory.byteLength
  const [offset, byteLength] = [
    [-1, 8],
    [end, 8],
    [0, end + 1],
    [0.5, 8],
    [8, -8],
    [Number.NaN, 8],
    [2 ** 53, 8],
  ][b % 7] as [number, number]
  const call = ['purgeRange', 'populate', 'resident', 'keepView'][(b >>> 4) % 4] as string
  await world.act(party.hand, { do: call, arena: party.id, offset, byteLength }, ['ERR_OUT_OF_RANGE'])
}

async function badReserve(world: World, { a }: Command): Promise<void> {
  const byteLength = [0, -1, 0.5, 2 ** 48, Number.NaN, 2 ** 53][a % 6] as number
  await world.act(world.here, { do: 'reserve', arena: world.number(), byteLength }, ['ERR_OUT_OF_RANGE'])
}

/** Sources that lead nowhere. */
async function badAttach(world: World, { a }: Command): Promise<void> {
  const sources: readonly [unknown, string][] = [
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{ fd: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ fd: 9999 }, 'EBADF'],
    [{ path: join(world.folder, 'none') }, 'ENOENT'],
    [{ path: '/dev/null' }, 'ERR_CORRUPTED'],
    [{ path: world.folder }, 'EISDIR'],
    [{ byteLength: 65536, generation: '0000000000000000', control: new SharedArrayBuffer(4096) }, 'ERR_OUT_OF_RANGE'],
  ]
  const [source, code] = pick(sources, a) as (typeof sources)[number]
  // Which of the codes for what is no arena: that is the library's to say.
  const also = ['ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE', 'ERR_UNSUPPORTED_OPERATION']
  await world.act(world.here, { do: 'attach', arena: -1, source }, [code, ...also])
}

export const arenaCommands: Commands = {
  reserve: [12, reserve],
  reserveVast: [3, reserveVast],
  openNamed: [6, openNamed],
  attach: [10, attach],
  closeArena: [8, closeArena],
  writeRaw: [8, writeRaw],
  readRaw: [8, readRaw],
  purgeRange: [8, purgeRange],
  pages: [4, pages],
  pin: [3, pin],
  unpin: [4, unpin],
  use: [3, use],
  endUse: [4, endUse],
  unlink: [2, unlink],
  badRange: [3, badRange],
  badReserve: [1, badReserve],
  badAttach: [1, badAttach],
}

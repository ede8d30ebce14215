/**
 * Allocators come, are found again, and end.
 *
 * Longer than other files: one command a function, in one table of weights.
 * @module
 */

import { MANNERS, type Manner } from '../hand/timers.ts'
import { type Claim, type Kind, overlapping, type Party, type Reader, refusals } from '../model.ts'
import type { World } from '../world.ts'
import { forgetRaw } from './arenas.ts'
import { type Command, type Commands, cells, claims, parties, pick } from './picks.ts'

const KINDS: readonly Kind[] = ['Heap', 'Heap', 'Bump', 'Slab', 'Buddy']
const SLOTS = [8, 16, 24, 48, 64, 100, 256, 1000, 4096, 10000]

interface Wanted {
  readonly kind: Kind
  readonly options: Record<string, unknown>
  readonly limited: boolean
  readonly slotSize: number
  readonly manner: Manner | undefined
}

function wanted(c: number, byteLength: number): Wanted {
  const kind = pick(KINDS, c) as Kind
  const options: Record<string, unknown> = {}
  const limited = (c >>> 4) % 6 === 0
  if (limited) options.limit = Math.floor((byteLength * (1 + ((c >>> 7) % 8))) / 8)
  const slotSize = pick(SLOTS, c >>> 8) as number
  if (kind === 'Slab') options.slotSize = slotSize
  if (kind === 'Buddy' && (c >>> 12) % 2 === 0) options.minBlock = 2 ** (4 + ((c >>> 13) % 6))
  let manner: Manner | undefined
  if (kind === 'Heap') {
    options.decayMs = [1000, 0, -1, 10][(c >>> 12) % 4]
    manner = (c >>> 16) % 4 === 0 ? undefined : pick(MANNERS, c >>> 18)
  }
  return { kind, options, limited, slotSize: Math.ceil(slotSize / 8) * 8, manner }
}

async function make(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const range = (c >>> 24) % 3 === 0 ? wide(party, b) : cells(party.memory, b, c >>> 6)
  if (party.memory.byteLength > 2 ** 28) range.byteLength = Math.min(range.byteLength, 2 ** 24)
  await makeAt(world, party, range, c)
}

/** Most of the memory, or a quarter of it: claims in which there is room. */
function wide({ memory }: Party, b: number): { offset: number; byteLength: number } {
  const end = memory.wordsAt === 0 ? memory.byteLength : memory.wordsAt
  const share = [1, 2, 4][b % 3] as number
  const byteLength = Math.floor(end / share / 8) * 8
  return { offset: ((b >>> 4) % share) * byteLength, byteLength }
}

async function makeAt(
  world: World,
  party: Party,
  range: { offset: number; byteLength: number },
  c: number
): Promise<void> {
  const { memory, hand } = party
  const spec = wanted(c, range.byteLength)
  const around = innermost(party, range)
  const id = world.number()
  const options = { ...spec.options, ...range }
  const order = { do: 'make', allocator: id, arena: party.id, kind: spec.kind, manner: spec.manner, options }
  // A claim may be too short for a slot, and its tables for what is left of the metadata, but not in an arena without claims.
  const alone = memory.claims.length === 0 && range.byteLength >= 65536
  const allowed = around === 'busy' ? ['ERR_ARENA_BUSY'] : alone ? [] : ['ok', 'ERR_OUT_OF_RANGE', 'ERR_OUT_OF_MEMORY']
  const also = around === 'busy' ? ['ERR_OUT_OF_RANGE', 'ERR_OUT_OF_MEMORY'] : []
  const made = await world.act(hand, order, [...allowed, ...also])
  if (made === undefined || around === 'busy') return
  const claim: Claim = {
    kind: spec.kind,
    memory,
    ...range,
    limited: spec.limited,
    slotSize: spec.slotSize,
    around,
    party,
    id,
    manner: spec.manner,
    blocks: new Map(),
    freed: [],
    marks: [],
    roots: new Map(),
    died: false,
  }
  ;(around === undefined ? memory.claims : around.block.inner).push(claim)
  // What lies in the block is the allocator's from now on.
  if (around !== undefined) around.block.byteLength = 0
  if (around === undefined) forgetRaw(memory, range.offset, range.byteLength)
}

/** Where a claim would be: at the top level (undefined), in a live block, or in the way of another. */
function innermost(
  party: Party,
  { offset, byteLength }: { offset: number; byteLength: number }
): Claim['around'] | 'busy' {
  let around: Claim['around']
  let level = party.memory.claims
  for (;;) {
    const [other, more] = overlapping(level, offset, byteLength)
    if (other === undefined) return around
    const inside = offset >= other.offset && offset + byteLength <= other.offset + other.byteLength
    if (more !== undefined || !inside || other.party !== party) return 'busy'
    const block = [...other.blocks.values()].find(
      (one) => offset >= one.offset && offset + byteLength <= one.offset + one.usable
    )
    if (block === undefined) return 'busy'
    around = { claim: other, block }
    level = block.inner
  }
}

/** An allocator in a live block. */
async function makeInside(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind, blocks }) => kind !== 'Slab' && blocks.size > 0),
    a
  )
  if (claim?.party === undefined) return
  const blocks = [...claim.blocks.values()].filter(({ usable }) => usable >= 64)
  const block = pick(blocks, b)
  if (block === undefined) return
  const room = Math.floor(block.usable / 8)
  const skip = (c >>> 20) % 2 === 0 ? 0 : (b >>> 8) % Math.max(1, Math.floor(room / 2))
  const range = { offset: block.offset + 8 * skip, byteLength: 8 * (room - skip) }
  const inner = block.inner.length
  await makeAt(world, claim.party, range, c)
  // From now on the bytes are the inner one's.
  if (block.inner.length > inner) block.byteLength = 0
}

/** What ending all blocks of an allocator is refused with: what lies inside them ends with them, unless it is pinned. */
function pinned({ blocks }: Claim): string[] {
  return refusals(blocks.values()).filter((code) => code === 'ERR_BLOCK_PINNED')
}

async function closeAllocator(world: World, { a, b }: Command): Promise<void> {
  const claim = pick(claims(world), a)
  if (claim?.party === undefined) return
  const { party, memory } = claim
  const destroy = claim.kind === 'Heap' && b % 3 === 0
  const order = { do: destroy ? 'destroy' : 'closeAllocator', allocator: claim.id }
  if ((await world.act(party.hand, order, pinned(claim))) === undefined) {
    await world.must(party.hand, { do: 'check', allocator: claim.id })
    return
  }
  await noTimers(world, claim)
  await world.must(party.hand, { do: 'closeAllocator', allocator: claim.id })
  const stays = claim.kind === 'Heap' && memory.common && claim.around === undefined && !destroy
  if (stays) {
    world.leave(claim, true)
    claim.died = false
    return
  }
  const { offset, byteLength, around } = claim
  world.drop(claim)
  if (around !== undefined) return
  const found = await world.must(party.hand, { do: 'firstNotZero', arena: party.id, offset, byteLength })
  world.require(found === -1, () => `${claim.kind} at ${offset} was closed; byte ${found} of ${byteLength} is not zero`)
}

/** Nothing of a closed heap waits. */
async function noTimers(world: World, claim: Claim): Promise<void> {
  if (claim.party === undefined || claim.manner === undefined) return
  const waiting = await world.must(claim.party.hand, { do: 'timers', allocator: claim.id })
  world.require(waiting === 0, () => `${waiting} timers of a closed heap wait`)
}

/** Time passes for an allocator, one that is closed too. */
async function tick(world: World, { a, b }: Command): Promise<void> {
  if (b % 3 === 0) {
    const late = pick(
      world.closed.filter(({ kind }) => kind === 'Heap'),
      a
    )
    if (late !== undefined) await world.act(late.hand, { do: 'tick', allocator: late.id })
    return
  }
  const claim = pick(
    claims(world, ({ kind }) => kind === 'Heap'),
    a
  )
  if (claim?.party !== undefined) await world.act(claim.party.hand, { do: 'tick', allocator: claim.id })
}

async function attachHeap(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined || world.readers.length > 6) return
  const heaps = party.memory.claims
    .filter(({ kind }) => kind === 'Heap')
    .sort((one, other) => one.offset - other.offset)
  const first = b % 3 === 0
  const claim = first ? heaps[0] : pick(heaps, b >>> 2)
  const id = world.number()
  const role = [undefined, 'writer', 'reader'][c % 3]
  const manner = (c >>> 4) % 3 === 0 ? undefined : (pick(MANNERS, c >>> 6) as Manner)
  const options = {
    ...(role !== undefined && { role }),
    ...(!first && { offset: claim?.offset ?? 8 * (b % 100) }),
    ...((c >>> 10) % 4 === 0 && { takeOver: true }),
    decayMs: [1000, 0, -1][(c >>> 12) % 3],
  }
  const order = { do: 'attachHeap', allocator: id, arena: party.id, manner, options }
  if (claim === undefined) return void (await world.act(party.hand, order, ['ERR_NOT_FOUND', 'ERR_OUT_OF_RANGE']))
  const mine = claim.party === undefined && role !== 'reader'
  const made = await world.act(party.hand, order, !mine && role === 'writer' ? ['ERR_ARENA_BUSY'] : [])
  if (made === undefined) return
  const expected = { role: mine ? 'writer' : 'reader', recovered: mine && claim.died }
  world.require(
    JSON.stringify(made.value) === JSON.stringify(expected),
    () => `attach to ${claim.offset} gave ${JSON.stringify(made.value)}, expected ${JSON.stringify(expected)}`
  )
  if (!mine) {
    world.readers.push({ claim, party, id })
    return
  }
  claim.party = party
  claim.id = id
  claim.manner = manner
  claim.died = false
  await compare(world, claim, party, id)
}

/** A heap's blocks, by what it says itself, and their bytes. */
async function compare(world: World, claim: Claim, party: Party, id: number): Promise<void> {
  await world.must(party.hand, { do: 'check', allocator: id })
  const said = ((await world.must(party.hand, { do: 'blocks', allocator: id })) as number[]).sort(
    (one, other) => one - other
  )
  const known = [...claim.blocks.keys()].sort((one, other) => one - other)
  world.require(String(said) === String(known), () => `blocks at ${said}, expected at ${known}`)
  for (const { offset, byteLength, seed, inner } of claim.blocks.values()) {
    // An allocator in the block has it to write in.
    if (inner.length > 0) continue
    const wrong = await world.must(party.hand, { do: 'firstWrong', arena: party.id, offset, byteLength, seed })
    world.require(wrong === -1, () => `byte ${wrong} of the block at ${offset} has changed`)
  }
}

async function readAsReader(world: World, { a, b }: Command): Promise<void> {
  const reader = pick(world.readers, a)
  if (reader === undefined) return
  const { claim, party, id } = reader
  if (b % 4 === 0) return endReading(world, reader)
  if (b % 4 === 1) {
    const call = pick(['purge', 'reset', 'allocate', 'destroy'], b >>> 2) as string
    await world.act(party.hand, { do: call, allocator: id, how: 'malloc', byteLength: 8 }, ['ERR_ARENA_BUSY'])
  }
  // After a writer has died nothing is true before the next one has rebuilt it.
  if (!claim.died) await compare(world, claim, party, id)
}

async function endReading(world: World, reader: Reader): Promise<void> {
  if ((await world.act(reader.party.hand, { do: 'closeAllocator', allocator: reader.id })) === undefined) return
  world.readers.splice(world.readers.indexOf(reader), 1)
  world.closed.push({ hand: reader.party.hand, what: 'allocator', id: reader.id, kind: 'Heap' })
}

async function reset(world: World, { a }: Command): Promise<void> {
  const claim = pick(claims(world), a)
  if (claim?.party === undefined) return
  if ((await world.act(claim.party.hand, { do: 'reset', allocator: claim.id }, pinned(claim))) === undefined) return
  for (const block of claim.blocks.values()) for (const inner of [...block.inner]) world.drop(inner)
  claim.blocks.clear()
  claim.freed = []
  claim.marks = []
  claim.roots.clear()
}

async function purge(world: World, { a }: Command): Promise<void> {
  const claim = pick(claims(world), a)
  if (claim?.party === undefined) return
  const made = await world.act(claim.party.hand, { do: 'purge', allocator: claim.id })
  if (made !== undefined) world.require(made.value >= 0, () => `purge gave ${made.value}`)
}

async function check(world: World, { a, b }: Command): Promise<void> {
  const claim = pick(claims(world), a)
  if (claim?.party === undefined) return
  const { hand } = claim.party
  await world.must(hand, { do: 'check', allocator: claim.id })
  const options = { classes: b % 2 === 0, resident: b % 3 === 0 }
  const stats = (await world.act(hand, { do: 'stats', allocator: claim.id, options }))?.value
  if (stats === undefined) return
  const sum = stats.usedBytes + stats.freeSlotBytes + stats.freeDirtyBytes + stats.metadataBytes
  world.require(stats.committedBytes === sum, () => `committed ${stats.committedBytes}, the parts ${sum}`)
  world.require(
    stats.usedCount === claim.blocks.size || claim.kind === 'Bump',
    () => `usedCount ${stats.usedCount}, ${claim.blocks.size} live`
  )
  if (claim.kind === 'Bump') return
  const said = ((await world.must(hand, { do: 'blocks', allocator: claim.id })) as number[]).sort(
    (one, other) => one - other
  )
  const known = [...claim.blocks.keys()].sort((one, other) => one - other)
  world.require(String(said) === String(known), () => `blocks at ${said}, expected at ${known}`)
}

async function roots(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind }) => kind === 'Heap'),
    a
  )
  if (claim?.party === undefined) return
  const { hand } = claim.party
  const root = ['first', 'second', 'x', 'a name of 64 bytes, full'.padEnd(64, '.')][b % 4] as string
  const found = await world.must(hand, { do: 'root', allocator: claim.id, root })
  world.require(
    found === (claim.roots.get(root) ?? 0),
    () => `root ${root} is ${found}, expected ${claim.roots.get(root) ?? 0}`
  )
  const block = pick([...claim.blocks.values()], c)
  const offset = c % 4 === 0 ? 0 : block?.offset
  if (offset === undefined) return
  // The names take pages: a heap at its limit may have none left.
  const allowed = claim.limited && offset !== 0 ? ['ok', 'ERR_OUT_OF_MEMORY'] : []
  if ((await world.act(hand, { do: 'setRoot', allocator: claim.id, root, offset }, allowed)) === undefined) return
  if (offset === 0) claim.roots.delete(root)
  else claim.roots.set(root, offset)
}

/** An object that was closed refuses everything, and to close it again does nothing. */
async function useClosed(world: World, { a, b }: Command): Promise<void> {
  const closed = pick(world.closed, a)
  if (closed === undefined) return
  const { hand, what, id, kind } = closed
  const allowed = ['ERR_ARENA_CLOSED']
  if (what === 'allocator') {
    if (b % 5 === 0) return void (await world.must(hand, { do: 'closeAllocator', allocator: id }))
    const call = pick(
      [
        'allocate',
        'stats',
        'check',
        'reset',
        'purge',
        kind === 'Bump' ? 'mark' : 'blocks',
        kind === 'Heap' ? 'destroy' : 'check',
      ],
      b
    ) as string
    await world.act(hand, { do: call, allocator: id, how: 'malloc', byteLength: 8 }, allowed)
    return
  }
  const range = { offset: 0, byteLength: 8 }
  if (what === 'file') {
    if (b % 5 === 0) return void (await world.must(hand, { do: 'closeFile', file: id }))
    const call = pick(
      ['loadFile', 'readFile', 'resizeFile', 'syncFile', 'checkFile', 'residentFile', 'fileArena', 'pin'],
      b
    ) as string
    await world.act(
      hand,
      { do: call, file: id, arena: -1, name: -1, ...range },
      call === 'syncFile' ? allowed : allowed
    )
    return
  }
  if (b % 5 === 0) return void (await world.must(hand, { do: 'closeArena', arena: id }))
  const call = pick(
    [
      'keepView',
      'purgeRange',
      'resident',
      'populate',
      'pin',
      'handle',
      'unlink',
      'wake',
      'window',
      'make',
      'attachHeap',
    ],
    b
  ) as string
  await world.act(hand, { do: call, arena: id, allocator: -1, kind: 'Heap', name: -1, ...range }, allowed)
}

export const allocatorCommands: Commands = {
  make: [22, make],
  makeInside: [10, makeInside],
  closeAllocator: [8, closeAllocator],
  attachHeap: [10, attachHeap],
  readAsReader: [6, readAsReader],
  tick: [6, tick],
  reset: [2, reset],
  purge: [4, purge],
  check: [14, check],
  roots: [3, roots],
  useClosed: [8, useClosed],
}

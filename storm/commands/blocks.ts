/**
 * Blocks come, change and go; and everything that must be refused about them.
 *
 * Longer than other files: one command a function, in one table of weights.
 * @module
 */
import { GiB } from '../../src/units.ts'
import { type Block, blocksAround, type Claim, colliding, hold, refusals, unhold } from '../model.ts'
import type { World } from '../world.ts'
import { blockLength, type Command, type Commands, claims, parties, pick } from './picks.ts'

const MOST_BLOCKS = 300
const RAW = ['malloc', 'malloc', 'tryMalloc', 'calloc', 'memalign', 'alloc', 'allocUnsafe']
/** Of a claim that has no blocks and no limit, a block up to this share must be had. */
const SURE_SHARE = 4
const SURE_LEAST = 65536

async function allocate(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(claims(world), a)
  if (claim?.party === undefined || claim.blocks.size > MOST_BLOCKS) return
  const how = pick(RAW, b) as string
  const byteLength = blockLength(c, claim.kind === 'Slab' ? claim.slotSize : claim.byteLength)
  if (byteLength > claim.slotSize && claim.kind === 'Slab') return
  const alignment = how === 'memalign' ? 2 ** ((b >>> 8) % 14) : 8
  const order = { do: 'allocate', allocator: claim.id, how, byteLength, alignment, choice: b >>> 4 }
  const sure = isSure(claim, byteLength, alignment)
  const slab = claim.kind === 'Slab' && alignment > 8 ? ['ERR_UNSUPPORTED_OPERATION'] : []
  const made = await world.act(
    claim.party.hand,
    order,
    sure && slab.length === 0 ? [] : ['ok', 'ERR_OUT_OF_MEMORY', ...slab]
  )
  if (made === undefined) return
  if (made.value.offset === 0) {
    world.require(how === 'tryMalloc' && !sure, () => `${how}(${byteLength}) gave 0`)
    return
  }
  await enter(world, claim, made.value, alignment)
}

/** Whether there must be room. */
function isSure({ blocks, limited, byteLength: claimed, kind }: Claim, byteLength: number, alignment: number): boolean {
  if (blocks.size > 0 || limited || claimed < SURE_LEAST || alignment > 8) return false
  // A bump allocator does not take the blocks back that were moved.
  return kind !== 'Bump' && byteLength <= claimed / SURE_SHARE
}

interface Made {
  readonly offset: number
  readonly byteLength: number
  readonly usable: number
  readonly notZero: number
}

/** What must be true of a new block; then it is the model's, and written. */
async function enter(world: World, claim: Claim, made: Made, alignment: number): Promise<void> {
  const { offset, byteLength, notZero } = made
  const usable = made.usable < 0 ? Math.max(8, Math.ceil(byteLength / 8) * 8) : made.usable
  const where = (): string =>
    `${usable} bytes at ${offset} for ${byteLength}, of ${claim.kind} from ${claim.offset}, ${claim.byteLength} bytes long`
  world.require(
    offset >= claim.offset && offset + usable <= claim.offset + claim.byteLength && offset > 0,
    () => `outside: ${where()}`
  )
  world.require(
    usable >= byteLength && offset % Math.max(8, alignment) === 0,
    () => `length or alignment ${alignment}: ${where()}`
  )
  world.require(
    byteLength > GiB || Math.floor(offset / GiB) === Math.floor((offset + usable - 1) / GiB),
    () => `across a window's end: ${where()}`
  )
  const other = colliding(claim, offset, usable)
  world.require(
    other === undefined,
    () => `${where()} overlaps the block of ${other?.usable} bytes at ${other?.offset}`
  )
  world.require(notZero === -1, () => `byte ${notZero} is not zero: ${where()}`)
  const block: Block = { offset, byteLength, usable, seed: world.seed(), inner: [], pins: 0 }
  claim.blocks.set(offset, block)
  await write(world, claim, block)
}

async function write(world: World, claim: Claim, block: Block): Promise<void> {
  const { offset, byteLength, seed } = block
  if (claim.party !== undefined)
    await world.must(claim.party.hand, { do: 'fillBlock', allocator: claim.id, offset, byteLength, seed })
}

/** A live block of a claim that is open. */
function anyBlock(
  world: World,
  { a, b }: Command,
  wanted: (claim: Claim) => boolean = () => true
): [Claim, Block] | undefined {
  const claim = pick(
    claims(world, (one) => one.blocks.size > 0 && wanted(one)),
    a
  )
  const block = claim && pick([...claim.blocks.values()], b)
  return claim === undefined || block === undefined ? undefined : [claim, block]
}

async function verify(world: World, command: Command): Promise<void> {
  const found = anyBlock(world, command)
  if (found !== undefined) await intact(world, ...found)
}

async function intact(world: World, claim: Claim, { offset, byteLength, seed, inner }: Block): Promise<void> {
  if (claim.party === undefined || inner.length > 0) return
  const wrong = await world.must(claim.party.hand, { do: 'blockWrong', allocator: claim.id, offset, byteLength, seed })
  world.require(wrong === -1, () => `byte ${wrong} of the block of ${byteLength} bytes at ${offset} has changed`)
}

function gone(claim: Claim, block: Block): void {
  claim.blocks.delete(block.offset)
  claim.freed.push(block.offset)
  if (claim.freed.length > 20) claim.freed.shift()
}

async function free(world: World, command: Command): Promise<void> {
  const found = anyBlock(world, command, ({ kind }) => kind !== 'Bump')
  if (found === undefined) return
  const [claim, block] = found
  if (claim.party === undefined) return
  await intact(world, claim, block)
  const order = {
    do: 'free',
    allocator: claim.id,
    offset: block.offset,
    by: command.c % 3 === 0 ? 'view' : 'offset',
    choice: command.c >>> 2,
  }
  const made = await world.act(claim.party.hand, order, refusals([block]))
  if (made !== undefined) gone(claim, block)
  else await intact(world, claim, block)
}

async function freeMany(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind }) => kind !== 'Bump'),
    a
  )
  if (claim?.party === undefined) return
  const step = 1 + (b % 3)
  const blocks = [...claim.blocks.values()].sort((one, other) => one.offset - other.offset)
  for (let index = c % 8, left = 40; index < blocks.length && left > 0; index += step, left--) {
    const block = blocks[index] as Block
    if (refusals([block]).length > 0) continue
    await intact(world, claim, block)
    if ((await world.act(claim.party.hand, { do: 'free', allocator: claim.id, offset: block.offset })) !== undefined)
      gone(claim, block)
  }
}

async function realloc(world: World, command: Command): Promise<void> {
  const found = anyBlock(world, command)
  if (found === undefined) return
  const [claim, block] = found
  if (claim.party === undefined) return
  const last = Math.max(...claim.blocks.keys())
  const byteLength = blockLength(
    command.c,
    claim.kind === 'Slab' ? claim.slotSize : Math.min(claim.byteLength, 2 ** 22)
  )
  if (claim.kind === 'Slab' && byteLength > claim.slotSize) return
  const { offset, byteLength: old, seed } = block
  const held = refusals([block])
  const allowed = held.length > 0 ? held : ['ok', 'ERR_OUT_OF_MEMORY']
  if (claim.kind === 'Bump' && offset !== last) allowed.splice(0, 3, 'ERR_UNSUPPORTED_OPERATION', ...held)
  const order = { do: 'realloc', allocator: claim.id, offset, byteLength, old, seed }
  const made = await world.act(claim.party.hand, order, allowed)
  if (made === undefined) return intact(world, claim, block)
  const { wrong } = made.value
  world.require(
    wrong === -1,
    () => `realloc of ${offset} to ${made.value.offset}, ${byteLength} bytes, lost byte ${wrong}`
  )
  claim.blocks.delete(offset)
  // A bump allocator leaves a block that moved where it is; what is in it is not known.
  if (claim.kind !== 'Bump' && made.value.offset !== offset) claim.freed.push(offset)
  claim.marks = claim.marks.filter(({ mark }) => mark <= offset)
  if (claim.kind === 'Bump' && made.value.offset !== offset) claim.blocks.set(offset, { ...block, byteLength: 0 })
  await enter(world, claim, made.value, 8)
}

/** Frees of what is no live block. */
async function badFree(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind }) => kind !== 'Bump'),
    a
  )
  if (claim?.party === undefined) return
  const block = pick([...claim.blocks.values()], c)
  const places = [
    claim.freed.at(-1),
    pick(claim.freed, c),
    block && block.offset + 8,
    block && block.offset + 4,
    block && block.offset + 2 ** 30,
    claim.offset - 8,
    claim.offset + claim.byteLength,
    [0, -8, 0.5, Number.NaN, Infinity, 2 ** 53, -(2 ** 40)][c % 7],
  ]
  const offset = pick(places, b)
  if (offset === undefined || claim.blocks.has(offset)) return
  const call = pick(['free', 'realloc', 'usableSize'], b >>> 4) as string
  await world.act(claim.party.hand, { do: call, allocator: claim.id, offset, byteLength: 24 }, [
    'ERR_DOUBLE_FREE',
    'ERR_INVALID_FREE',
  ])
  await world.must(claim.party.hand, { do: 'check', allocator: claim.id })
}

/** A block that was freed just now, again. */
async function freeTwice(world: World, command: Command): Promise<void> {
  const found = anyBlock(world, command, ({ kind }) => kind !== 'Bump')
  if (found === undefined) return
  const [claim, block] = found
  if (claim.party === undefined || refusals([block]).length > 0) return
  const order = { do: 'free', allocator: claim.id, offset: block.offset }
  if ((await world.act(claim.party.hand, order)) === undefined) return
  gone(claim, block)
  // Its \`schedule\` allocates, which may give the memory another use before the second call.
  const reused = claim.manner === 'hostile' ? ['ERR_INVALID_FREE'] : []
  await world.act(claim.party.hand, order, ['ERR_DOUBLE_FREE', ...reused])
}

async function usableSize(world: World, command: Command): Promise<void> {
  const found = anyBlock(world, command, ({ kind }) => kind !== 'Bump')
  if (found === undefined) return
  const [claim, block] = found
  if (claim.party === undefined) return
  const made = await world.act(claim.party.hand, { do: 'usableSize', allocator: claim.id, offset: block.offset })
  if (made !== undefined)
    world.require(
      made.value === block.usable,
      () => `usableSize of ${block.offset} is ${made.value}, was ${block.usable}`
    )
}

async function misuse(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(claims(world), a)
  if (claim?.party === undefined) return
  const method = pick(['malloc', 'tryMalloc', 'calloc', 'memalign', 'alloc', 'allocUnsafe', 'realloc'], b) as string
  const block = pick([...claim.blocks.values()], c)
  if (method === 'realloc' && (block === undefined || refusals([block]).length > 0 || claim.kind === 'Bump')) return
  const allowed = ['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', ...(method === 'realloc' ? ['ERR_INVALID_FREE'] : [])]
  await world.act(
    claim.party.hand,
    { do: 'misuse', allocator: claim.id, method, choice: c, offset: block?.offset ?? 0 },
    allowed
  )
}

async function mark(world: World, { a }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind }) => kind === 'Bump'),
    a
  )
  if (claim?.party === undefined) return
  const made = await world.act(claim.party.hand, { do: 'mark', allocator: claim.id })
  if (made !== undefined) claim.marks.push({ mark: made.value, count: claim.blocks.size })
}

async function release(world: World, { a, b }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind, marks }) => kind === 'Bump' && marks.length > 0),
    a
  )
  const chosen = claim && pick(claim.marks, b)
  if (claim?.party === undefined || chosen === undefined) return
  const dropped = [...claim.blocks.values()].filter(({ offset }) => offset >= chosen.mark)
  const made = await world.act(
    claim.party.hand,
    { do: 'release', allocator: claim.id, mark: chosen.mark },
    refusals(dropped)
  )
  if (made === undefined) return
  for (const block of dropped) claim.blocks.delete(block.offset)
  claim.marks = claim.marks.filter(({ mark: at }) => at <= chosen.mark)
}

async function badMark(world: World, { a, b }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind }) => kind === 'Bump'),
    a
  )
  if (claim?.party === undefined) return
  const bad = [-8, Number.NaN, claim.offset + claim.byteLength + 8, 2 ** 53, 0.5][b % 5] as number
  await world.act(claim.party.hand, { do: 'release', allocator: claim.id, mark: bad }, ['ERR_OUT_OF_RANGE'])
}

async function pinBlock(world: World, command: Command): Promise<void> {
  const found = anyBlock(world, command)
  if (found === undefined) return
  const [claim, block] = found
  const { party } = claim
  if (party === undefined || party.blockPins.length > 2) return
  const name = world.number()
  const by = command.c % 2 === 0 ? 'view' : 'offset'
  const order = { do: 'pinBlock', allocator: claim.id, offset: block.offset, name, by, choice: command.c >>> 2 }
  if ((await world.act(party.hand, order)) === undefined) return
  // A view names the innermost block there, an offset this one.
  const blocks = by === 'view' ? blocksAround(party, block.offset) : [block]
  if (by === 'offset')
    for (let { around } = claim; around !== undefined; around = around.claim.around) blocks.push(around.block)
  party.blockPins.push(hold(name, blocks))
}

async function unpinBlock(world: World, { a }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ blockPins }) => blockPins.length > 0),
    a
  )
  const ended = party?.blockPins.pop()
  if (party === undefined || ended === undefined) return
  await world.act(party.hand, { do: 'unpin', name: ended.name })
  unhold(ended)
}

/** Many at once: as many as fit. */
async function mallocMany(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind }) => kind !== 'Bump'),
    a
  )
  if (claim?.party === undefined || claim.blocks.size > MOST_BLOCKS) return
  const byteLength = blockLength(c, claim.kind === 'Slab' ? claim.slotSize : Math.min(claim.byteLength, 65536))
  if (byteLength > claim.slotSize && claim.kind === 'Slab') return
  const made = await world.act(claim.party.hand, {
    do: 'mallocMany',
    allocator: claim.id,
    byteLength,
    count: b % 40,
  })
  for (const { offset, usable } of (made?.value ?? []) as { offset: number; usable: number }[])
    await enter(world, claim, { offset, byteLength, usable, notZero: -1 }, 8)
}

/** Many at once: all of them, or none when one may not be freed. */
async function freeAll(world: World, { a, b, c }: Command): Promise<void> {
  const claim = pick(
    claims(world, ({ kind, blocks }) => kind !== 'Bump' && blocks.size > 0),
    a
  )
  if (claim?.party === undefined) return
  const blocks = [...claim.blocks.values()].filter((_, index) => index % (1 + (b % 4)) === 0).slice(0, 40)
  for (const block of blocks) await intact(world, claim, block)
  const offsets = blocks.map(({ offset }) => offset)
  const freed = claim.freed.filter((offset) => !claim.blocks.has(offset)).slice(-1)
  const wrong = [[], [], [offsets[0] as number], [claim.offset - 8], freed][c % 5] as number[]
  offsets.splice((c >>> 4) % (offsets.length + 1), 0, ...wrong)
  const allowed = [...(wrong.length > 0 ? ['ERR_DOUBLE_FREE', 'ERR_INVALID_FREE'] : []), ...refusals(blocks)]
  const order = { do: 'freeMany', allocator: claim.id, offsets }
  if ((await world.act(claim.party.hand, order, allowed)) !== undefined) for (const block of blocks) gone(claim, block)
  else for (const block of blocks) await intact(world, claim, block)
}

export const blockCommands: Commands = {
  allocate: [60, allocate],
  verify: [8, verify],
  free: [24, free],
  freeMany: [4, freeMany],
  realloc: [16, realloc],
  badFree: [8, badFree],
  freeTwice: [4, freeTwice],
  usableSize: [2, usableSize],
  misuse: [6, misuse],
  mark: [3, mark],
  release: [3, release],
  badMark: [1, badMark],
  pinBlock: [3, pinBlock],
  unpinBlock: [4, unpinBlock],
  mallocMany: [6, mallocMany],
  freeAll: [4, freeAll],
}

/**
 * Other threads and processes come to a memory, and end: by closing, or where they are.
 *
 * Once there, they are parties like others: the commands of the other files do not ask where a party's hand is.
 * @module
 */
import { startProcess, startWorker } from '../hand/elsewhere.ts'
import type { Party } from '../model.ts'
import type { World } from '../world.ts'
import { joinMemory, MOST_PARTIES, sourceOf } from './arenas.ts'
import { type Command, type Commands, parties, pick } from './picks.ts'

const MOST_HANDS = 3

function host(world: World, a: number): Party | undefined {
  if (world.hands.length >= MOST_HANDS) return undefined
  const party = pick(
    parties(world).filter(({ hand, memory }) => hand === world.here && memory.file === undefined && !memory.unlinked),
    a
  )
  return party === undefined || party.memory.parties.length >= MOST_PARTIES ? undefined : party
}

async function worker(world: World, { a, b }: Command): Promise<void> {
  const party = host(world, a)
  const source = party && (await sourceOf(world, party, b))
  if (party === undefined || source === undefined) return
  const hand = await startWorker()
  world.hands.push(hand)
  const id = world.number()
  const made = await world.must(hand, { do: 'attach', arena: id, source: source.source })
  world.require(made.byteLength === party.memory.byteLength, () => `attach in a worker gave ${JSON.stringify(made)}`)
  const next = joinMemory(party.memory, hand, id)
  next.mappingShared = source.mappingShared
  if (source.mappingShared) party.mappingShared = true
}

async function otherProcess(world: World, { a, b }: Command): Promise<void> {
  const party = host(world, a)
  if (party === undefined || party.memory.kind === 'private') return
  const described = await world.must(party.hand, { do: 'describeArena', arena: party.id })
  const inherited = b % 2 === 0
  const hand = await startProcess(inherited ? described.fd : undefined)
  world.hands.push(hand)
  const id = world.number()
  const source = inherited ? { fd: 3 } : { path: described.path }
  const made = await world.must(hand, { do: 'attach', arena: id, source })
  world.require(
    made.byteLength === party.memory.byteLength && made.shared,
    () => `attach in a process gave ${JSON.stringify(made)}`
  )
  joinMemory(party.memory, hand, id)
}

/** It ends where it is: what it had is free for others, and its heaps can be taken over. */
async function kill(world: World, { a }: Command): Promise<void> {
  const hand = pick(world.hands.slice(1), a)
  if (hand === undefined) return
  await hand.kill()
  world.hands.splice(world.hands.indexOf(hand), 1)
  for (const party of parties(world)) if (party.hand === hand) world.part(party, true)
  for (let at = world.closed.length - 1; at >= 0; at--) if (world.closed[at]?.hand === hand) world.closed.splice(at, 1)
  for (let at = world.gone.length - 1; at >= 0; at--) if (world.gone[at]?.hand === hand) world.gone.splice(at, 1)
  for (let at = world.waits.length - 1; at >= 0; at--)
    if (world.waits[at]?.party.hand === hand) world.waits.splice(at, 1)
}

export const elsewhereCommands: Commands = {
  worker: [2, worker],
  process: [1, otherProcess],
  kill: [3, kill],
}

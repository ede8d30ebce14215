/**
 * Views that are kept, windows that are taken away, and the garbage collector in between.
 * @module
 */
import { GiB } from '../../src/units.ts'
import type { World } from '../world.ts'
import { type Command, type Commands, parties, pick } from './picks.ts'

async function keepView(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const offset = b % party.memory.byteLength
  const byteLength = Math.min(c % 5000, party.memory.byteLength - offset)
  const made = await world.act(party.hand, { do: 'keepView', arena: party.id, offset, byteLength })
  if (made !== undefined)
    world.require(made.value === offset, () => `offsetOf gave ${made.value}, the view is at ${offset}`)
}

async function window(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const offset = b % party.memory.byteLength
  const made = await world.act(party.hand, { do: 'window', arena: party.id, offset })
  if (made !== undefined)
    world.require(
      made.value.start <= offset && offset < made.value.start + made.value.byteLength,
      () => `window of ${offset}: ${JSON.stringify(made.value)}`
    )
}

async function takeWindow(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const made = await world.act(party.hand, {
    do: 'takeWindow',
    arena: party.id,
    offset: b % party.memory.byteLength,
    choice: c,
  })
  if (made !== undefined) world.require(made.value === true, () => 'the window was not taken')
}

/** Often more than the library remembers of them. */
async function takeCrossing(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ memory }) => memory.byteLength > GiB),
    a
  )
  if (party === undefined) return
  await world.act(party.hand, { do: 'takeCrossing', arena: party.id, offset: GiB, count: 1 + (b % 100), choice: c })
}

/** What was kept of memory that is gone shows nothing, whatever was mapped since. */
async function showing(world: World, { a }: Command): Promise<void> {
  const gone = pick(world.gone, a)
  if (gone === undefined) return
  const made = await world.act(gone.hand, { do: 'showing', arena: gone.arena })
  if (made !== undefined)
    world.require(
      made.value.kept === 0 && made.value.moved === 0,
      () => `memory that is gone shows something: ${JSON.stringify(made.value)}`
    )
}

async function foreignView(world: World, { a }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party !== undefined) await world.act(party.hand, { do: 'foreignView', arena: party.id }, ['ERR_OUT_OF_RANGE'])
}

async function dropViews(world: World, { a }: Command): Promise<void> {
  const gone = pick(world.gone, a)
  if (gone !== undefined) await world.act(gone.hand, { do: 'dropViews', arena: gone.arena })
}

async function collect(world: World, { a }: Command): Promise<void> {
  const hand = pick(world.hands, a)
  if (hand !== undefined) await world.act(hand, { do: 'collect' })
}

export const viewCommands: Commands = {
  keepView: [6, keepView],
  window: [2, window],
  takeWindow: [5, takeWindow],
  takeCrossing: [6, takeCrossing],
  showing: [6, showing],
  foreignView: [1, foreignView],
  dropViews: [2, dropViews],
  collect: [2, collect],
}

/**
 * Sleeping on words, waking, giving up.
 *
 * A sleep that nothing has ended is given up before its end is asked for; one that closing, a change, a wake or the time may have ended
 * must end by itself.
 * @module
 */
import { type Wait, WORDS } from '../model.ts'
import type { World } from '../world.ts'
import { type Command, type Commands, parties, pick } from './picks.ts'

const MOST_WAITS = 6

async function setWord(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ memory }) => memory.wordsAt > 0),
    a
  )
  if (party === undefined) return
  const { memory } = party
  const word = b % WORDS
  if (
    (await world.act(party.hand, {
      do: 'setWord',
      arena: party.id,
      offset: memory.wordsAt + 4 * word,
      word: c % 3,
    })) === undefined
  )
    return
  if (memory.words[word] !== c % 3)
    for (const wait of sleepers(world, party.memory.id, word)) wait.may.add('ok').add('not-equal')
  memory.words[word] = c % 3
}

function sleepers(world: World, memory: number, word: number): Wait[] {
  return world.waits.filter((wait) => wait.party.memory.id === memory && wait.word === word)
}

async function readWord(world: World, { a, b }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ memory }) => memory.wordsAt > 0),
    a
  )
  if (party === undefined) return
  const word = b % WORDS
  const made = await world.act(party.hand, { do: 'word', arena: party.id, offset: party.memory.wordsAt + 4 * word })
  if (made !== undefined)
    world.require(
      made.value === party.memory.words[word],
      () => `word ${word} is ${made.value}, expected ${party.memory.words[word]}`
    )
}

async function wait(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ memory }) => memory.wordsAt > 0),
    a
  )
  if (party === undefined) return
  const word = b % WORDS
  const made = await world.act(party.hand, {
    do: 'wait',
    arena: party.id,
    offset: party.memory.wordsAt + 4 * word,
    word: c % 3,
  })
  if (made === undefined) return
  const same = party.memory.words[word] === c % 3
  world.require(
    same ? made.value === 'timed-out' || made.value === 'ok' : made.value === 'not-equal',
    () => `wait gave ${made.value}`
  )
}

async function waitAsync(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ memory }) => memory.wordsAt > 0),
    a
  )
  if (party === undefined || world.waits.length >= MOST_WAITS) return
  const word = b % WORDS
  const expected = c % 3
  const name = world.number()
  const timed = (c >>> 4) % 3 === 0
  const offset = party.memory.wordsAt + 4 * word
  const order = { do: 'waitAsync', arena: party.id, offset, word: expected, name, ...(timed && { timeoutMs: 1 }) }
  const made = await world.act(party.hand, order)
  if (made === undefined) return
  const may = new Set<string>()
  // The promise is rejected with what the kernel refused.
  if (made.failed !== undefined) may.add(made.failed.split(' ')[1] as string)
  if (party.memory.words[word] !== expected) may.add('not-equal')
  if (timed) may.add('timed-out')
  world.waits.push({ name, party, word, expected, may })
}

async function abort(world: World, { a }: Command): Promise<void> {
  const found = pick(world.waits, a)
  if (found !== undefined) await giveUp(world, found)
}

async function giveUp(world: World, { party, name, may }: Wait): Promise<void> {
  await world.act(party.hand, { do: 'abort', name })
  may.add('AbortError')
}

async function settle(world: World, { a }: Command): Promise<void> {
  const found = pick(world.waits, a)
  if (found !== undefined) await settled(world, found)
}

export async function settled(world: World, found: Wait): Promise<void> {
  world.waits.splice(world.waits.indexOf(found), 1)
  const { party, name, may } = found
  if (!world.hands.includes(party.hand)) return
  if (may.size === 0 || (may.size === 1 && may.has('not-equal') && party.memory.words[found.word] === found.expected))
    await giveUp(world, found)
  const made = await world.act(party.hand, { do: 'settled', name })
  const end = made?.value
  const came = end?.code ?? end?.value
  const allowed = new Set([...may, 'ok'])
  world.require(
    allowed.has(came),
    () => `the wait ended with ${came}: ${end?.message ?? ''}; expected one of ${[...allowed]}`
  )
}

async function wake(world: World, { a, b, c }: Command): Promise<void> {
  const party = pick(
    parties(world).filter(({ memory }) => memory.wordsAt > 0),
    a
  )
  if (party === undefined) return
  const word = b % WORDS
  const count = [undefined, 0, 1, 5][c % 4]
  const made = await world.act(party.hand, {
    do: 'wake',
    arena: party.id,
    offset: party.memory.wordsAt + 4 * word,
    count,
  })
  if (made === undefined) return
  world.require(made.value >= 0 && made.value <= MOST_WAITS, () => `wake says ${made.value}`)
  if (made.value > 0) for (const one of sleepers(world, party.memory.id, word)) one.may.add('ok')
}

async function badWait(world: World, { a, b }: Command): Promise<void> {
  const party = pick(parties(world), a)
  if (party === undefined) return
  const offset = [2, -4, party.memory.byteLength, Number.NaN, 0.5][b % 5] as number
  await world.act(party.hand, { do: pick(['wait', 'wake'], b >>> 3) as string, arena: party.id, offset, word: 0 }, [
    'ERR_OUT_OF_RANGE',
  ])
}

export const waitCommands: Commands = {
  setWord: [5, setWord],
  readWord: [3, readWord],
  wait: [1, wait],
  waitAsync: [3, waitAsync],
  abort: [1, abort],
  settle: [3, settle],
  wake: [4, wake],
  badWait: [2, badWait],
}

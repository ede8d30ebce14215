/**
 * One program from beginning to end, in this process. At the end everything is closed, and what was taken must have come back:
 * descriptors, mappings, timers, files.
 * @module
 */
import { mkdtempSync, readdirSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recheckNow } from '../src/arena/mapping/recheck.ts'
import { closeParty } from './commands/arenas.ts'
import { closeMapping } from './commands/files.ts'
import { type Command, parties } from './commands/picks.ts'
import { settled } from './commands/waits.ts'
import type { FailingOs } from './failing-os.ts'
import { unhold } from './model.ts'
import { COMMANDS } from './program.ts'
import { Random } from './random.ts'
import { type Failing, StormFailure, World } from './world.ts'

export interface Outcome {
  readonly calls: number
  readonly failures: number
  readonly tally: readonly (readonly [string, number])[]
  /** What went wrong; undefined when all is well. */
  readonly wrong?: string
  /** At which command. */
  readonly at?: number
}

export async function runProgram(
  commands: readonly Command[],
  seed: number,
  failing: Failing,
  trace?: (text: string) => void
): Promise<Outcome> {
  const before = openFiles().length
  const folder = mkdtempSync(join(tmpdir(), 'sorites-storm-'))
  const world = new World({ folder, random: new Random(seed ^ 0x5bd1e995), failing, trace })
  let at = 0
  let wrong: string | undefined
  try {
    for (; at < commands.length; at++) {
      const command = commands[at] as Command
      const run = COMMANDS[command.name]?.[1]
      trace?.(`-- ${at} ${command.name}`)
      await run?.(world, command)
    }
    world.calm()
    await finish(world, before)
  } catch (error) {
    wrong = error instanceof StormFailure ? error.message : `uncaught: ${(error as Error)?.stack ?? error}`
  }
  await world.end()
  const { calls, failures, tally } = world
  return { calls, failures, tally: [...tally], ...(wrong !== undefined && { wrong, at }) }
}

/** Closes everything and looks at what is left. */
async function finish(world: World, before: number): Promise<void> {
  for (const wait of [...world.waits]) await settled(world, wait)
  for (const party of parties(world)) await letGo(world, party)
  for (const file of world.files)
    for (const mapping of [...file.mappings]) {
      for (const name of mapping.pins.splice(0)) await world.must(mapping.hand, { do: 'unpin', name })
      await closeMapping(world, mapping, 0)
    }
  for (const party of parties(world)) await closeParty(world, party, 0)
  world.require(parties(world).length === 0, () => 'something would not close')
  for (const { hand, arena } of world.gone) {
    const { kept, moved } = await world.must(hand, { do: 'showing', arena })
    world.require(
      kept === 0 && moved === 0,
      () => `at the end ${kept} views and ${moved} moved buffers of closed memory show something`
    )
  }
  for (const hand of world.hands.slice(1)) await hand.kill()
  world.hands.length = 1
  await account(world, before)
}

async function letGo(world: World, party: ReturnType<typeof parties>[number]): Promise<void> {
  for (const name of party.pins.splice(0)) await world.must(party.hand, { do: 'unpin', name })
  for (const held of party.blockPins.splice(0)) {
    await world.must(party.hand, { do: 'unpin', name: held.name })
    unhold(held)
  }
  for (const held of party.uses.splice(0)) {
    await world.must(party.hand, { do: 'endUse', name: held.name })
    unhold(held)
  }
}

/** Descriptors, `before` of which were open, and mappings are back; of memory whose buffer was taken, the addresses may stay. */
async function account(world: World, before: number): Promise<void> {
  const { os, taken: robbed } = (await world.must(world.here, { do: 'account' })) as { os: FailingOs; taken: number }
  const may = before + world.abandoned
  const taken = robbed + world.unreleased
  let open = openFiles()
  for (let round = 0; (os.live.size > taken || open.length > may) && round < 50; round++) {
    ;(globalThis as { gc?: () => void }).gc?.()
    await new Promise((resolve) => (round < 5 ? setImmediate(resolve) : setTimeout(resolve, 1)))
    // A thread that was terminated says nothing: the library looks now and then.
    recheckNow(true)
    open = openFiles()
  }
  world.require(open.length <= may, () => `descriptors are left open: ${open}; ${may} may be`)
  world.require(os.live.size <= taken, () => `${os.live.size} mappings are left, ${taken} may be`)
  const strangers = readdirSync(world.folder).filter((name) => name.startsWith('.'))
  world.require(strangers.length === 0, () => `files are left: ${strangers}`)
}

function openFiles(): string[] {
  const link = (fd: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  }
  return readdirSync('/proc/self/fd')
    .map(link)
    .filter((path) => path.includes('memfd:sorites') || path.includes('sorites-storm-'))
}

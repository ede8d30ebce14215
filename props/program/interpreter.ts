/**
 * Runs a program: makes its arenas and allocators, steps through its commands, looks after each at all that must be true, and at the
 * end takes everything down again.
 * @module
 */
import { Arena } from '../../src/arena/arena.ts'
import { FakeOs, type OsCall } from '../../test/helpers/fake-os.ts'
import type { Command, CommandName, Program } from '../commands.ts'
import { allocateRaw, allocateView } from './allocation.ts'
import { Contents } from './contents.ts'
import { restore } from './ending.ts'
import { free, freeComb, freeRun, freeView, pass, purge, realloc, reopen, reset } from './freeing.ts'
import { type Ground, Lane } from './lane.ts'
import { badArgument, badFree, freeTwice, tooMuch } from './misuse.ts'
import { mark, nest, release } from './nesting.ts'
import { show } from './outcome.ts'
import { pin, unpin } from './pinning.ts'
import { type Tally, Violation } from './sentences.ts'

/** Steps between looks at every block. */
const LOOK_EVERY = 64

const STEPS: Record<CommandName, (lane: Lane, command: Command) => void> = {
  malloc: allocateRaw,
  tryMalloc: allocateRaw,
  calloc: allocateRaw,
  memalign: allocateRaw,
  alloc: allocateView,
  allocUnsafe: allocateView,
  free,
  freeView,
  freeRun,
  freeComb,
  realloc,
  usableSize: askSize,
  mark,
  release,
  verify: (lane) => lane.verifyAll(false),
  purge,
  pass,
  reset,
  reopen,
  badFree,
  badArgument,
  tooMuch,
  nest,
  pin,
  fault: failLater,
}

/** Runs a program to its end, or to the first sentence that does not hold. */
export function runProgram(program: Program, tally: Tally): void {
  const faults = program.commands.some(({ name }) => name === 'fault')
  const grounds = program.scenario.arenas.map((byteLength) => makeGround(byteLength, program.scenario.pageSize))
  if (program.scenario.dirty) for (const ground of grounds) soil(ground)
  const lanes = program.scenario.lanes.map((spec) => new Lane(spec, grounds[spec.arena] as Ground, tally, faults))
  let step = 0
  try {
    for (; step < program.commands.length; step++) runStep(lanes, program.commands[step] as Command, step)
    for (const { os } of grounds) os.heal()
    for (const lane of lanes) restore(lane)
  } catch (error) {
    if (!(error instanceof Violation)) throw new Violation('errors', `step ${step}: ${(error as Error).stack}`)
    error.message = `${error.message} (step ${step} of ${program.commands.length})`
    throw error
  } finally {
    for (const { model } of lanes) unpin(model.live)
    for (const { os, arena } of grounds) {
      os.heal()
      arena.close()
    }
  }
}

function runStep(lanes: Lane[], command: Command, step: number): void {
  const lane = lanes[command.lane % lanes.length] as Lane
  const freed = lane.model.usedCount
  STEPS[command.name](lane, command)
  if (command.name === 'free' && lane.model.usedCount < freed && step % 4 === 0)
    freeTwice(lane, lane.model.freed.at(-1) as number)
  lane.settle()
  if (step % LOOK_EVERY !== LOOK_EVERY - 1) return
  for (const each of lanes) {
    each.settle()
    each.check()
    each.compareBlocks()
    each.verifyAll(true)
  }
}

function makeGround(byteLength: number, pageSize: number): Ground {
  const os = new FakeOs({ pageSize })
  const arena = Arena.reserve(byteLength, { os })
  const base = [...os.live.keys()][0] as number
  return { os, arena, base, contents: new Contents(base, arena.byteLength) }
}

/** Bytes from before: through views, as users write. */
function soil({ arena, contents }: Ground): void {
  const length = Math.min(arena.byteLength, 65536)
  for (const offset of [0, Math.floor(arena.byteLength / 16) * 8, arena.byteLength - length]) {
    const part = Math.min(length, arena.byteLength - offset)
    arena.view(Uint8Array, offset, part)
    contents.soil(offset, part)
  }
}

function askSize(lane: Lane, { a }: Command): void {
  const block = lane.model.pick(a)
  const { freeing, tally } = lane
  if (block === undefined || freeing === undefined) return
  const by = block.view ?? block.offset
  const outcome = lane.call(() => freeing.usableSize(by))
  tally.holds(
    'usable',
    outcome.code === undefined && outcome.value === block.usable,
    () => `${block.usable}: ${show(outcome)}`
  )
}

/** Makes the kernel fail at one of its next calls. */
function failLater(lane: Lane, { a, b }: Command): void {
  const calls: (OsCall | 'any')[] = ['any', 'any', 'purge', 'purge', 'view', 'replace']
  lane.ground.os.fail(calls[a % calls.length] as OsCall, 1 + (b % 3))
}

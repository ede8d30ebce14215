/**
 * Numbers become things: the nth of what there is. So every part of a program is a program, and shrinking leaves commands out.
 * @module
 */
import { type Claim, type Memory, type Party, withInner } from '../model.ts'
import type { World } from '../world.ts'

export interface Command {
  readonly name: string
  readonly a: number
  readonly b: number
  readonly c: number
}

export type Run = (world: World, command: Command) => Promise<void>
export type Commands = Readonly<Record<string, readonly [weight: number, run: Run]>>

export function pick<T>(things: readonly T[], number: number): T | undefined {
  return things[number % things.length]
}

export function parties(world: World): Party[] {
  return world.memories.flatMap(({ parties }) => parties)
}

/** Every claim that has an allocator, at all levels. */
export function claims(world: World, wanted: (claim: Claim) => boolean = () => true): Claim[] {
  const found: Claim[] = []
  for (const memory of world.memories)
    for (const top of memory.claims)
      for (const claim of withInner(top)) if (claim.party !== undefined && wanted(claim)) found.push(claim)
  return found
}

/** A range in whole 8 bytes inside a memory, where allocators may be. */
export function cells(memory: Memory, a: number, b: number): { offset: number; byteLength: number } {
  const end = memory.wordsAt === 0 ? memory.byteLength : memory.wordsAt
  const offset = 8 * (a % (end / 8))
  const most = (end - offset) / 8
  // Each doubling is as likely as the next.
  const scale = 2 ** (b % Math.ceil(Math.log2(most + 1)))
  return { offset, byteLength: 8 * Math.max(1, Math.min(most, scale + ((b >>> 8) % scale))) }
}

/** A length of a block: mostly short, sometimes of the order of the claim. */
export function blockLength(a: number, most: number): number {
  switch (a % 8) {
    case 0:
      return (a >>> 3) % 9
    case 1:
    case 2:
    case 3:
    case 4:
      return (a >>> 3) % 300
    case 5:
    case 6:
      return (a >>> 3) % Math.min(20000, most + 1)
    default:
      return (a >>> 3) % (most + 1)
  }
}

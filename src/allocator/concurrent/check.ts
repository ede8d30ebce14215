/**
 * The proof of a concurrent heap: each shard as a plain heap, by the same proofs (heap/report/check.ts), and the common part: entries of
 * shards, big blocks, roots, the peak.
 *
 * What another peer is using at the moment cannot be proved: its lists change without a lock. Shards of ours and those without an owner are;
 * how many were not is part of the answer.
 * @module
 */
import { checkHeap } from '../heap/report/check.ts'
import { proveRoots } from '../heap/report/roots.ts'
import { At, Root, Window } from '../heap/words.ts'
import type { Shard } from './shard/shard.ts'
import type { Space } from './space/space.ts'
import { ShardState } from './words.ts'

/** The first contradiction, if there is one, and how many shards were not looked at. */
export function proveConcurrent(space: Space): { lie: string | undefined; elsewhere: number } {
  let elsewhere = 0
  let lie = proveCommon(space)
  for (const shard of space.shards.used()) {
    if (lie !== undefined) break
    const ours = shard.owned
    if (!ours && (shard.owner !== 0 || !space.shards.adopt(shard))) {
      elsewhere++
      continue
    }
    const found = proveShard(shard)
    if (!ours) space.shards.leave(shard)
    if (found !== undefined) lie = `the shard at ${shard.layout.offset}: ${found}`
  }
  return { lie, elsewhere }
}

function proveShard(shard: Shard): string | undefined {
  // Before the lock: what is collected is looked at as the owner does.
  shard.collectAll()
  return shard.within(() => checkHeap(shard.space))
}

/** What no shard has alone. */
export function proveCommon(space: Space): string | undefined {
  return space.peers.locked(() => {
    const peak = space.shards.committed.notedPeak
    if (!(peak >= 0 && peak <= space.shards.committed.most)) return `${peak} bytes at the peak`
    return proveEntries(space) ?? proveNames(space)
  })
}

/** States that there are, and big blocks in the claim that end where their parts do. */
function proveEntries(space: Space): string | undefined {
  for (let index = 0; index < space.entries.count; index++) {
    const state = space.entries.state(index)
    if (!(state >= ShardState.FREE && state <= ShardState.PART)) return `shard ${index} has state ${state}`
    const lie =
      state === ShardState.BIG
        ? proveBig(space, index)
        : state === ShardState.FREE
          ? proveFree(space, index)
          : undefined
    if (lie !== undefined) return lie
  }
  return undefined
}

function proveFree(space: Space, index: number): string | undefined {
  const bytes = space.entries.everUsed(index)
  return bytes <= space.entries.shardLayout(index).byteLength ? undefined : `shard ${index} was used for ${bytes} bytes`
}

function proveBig(space: Space, index: number): string | undefined {
  const { offset, byteLength } = space.entries.bigAt(index)
  const end = offset + byteLength
  const last = byteLength > 0 ? space.entries.indexOf(end - 1) : -1
  const crosses =
    byteLength <= Window.BYTES && Math.floor(offset / Window.BYTES) !== Math.floor((end - 1) / Window.BYTES)
  if (
    byteLength % 8 !== 0 ||
    offset % 8 !== 0 ||
    offset < 8 ||
    space.entries.indexOf(offset) !== index ||
    last < index ||
    crosses
  )
    return `the big block in shard ${index} has ${byteLength} bytes at ${offset}`
  for (let part = index + 1; part <= last; part++)
    if (space.entries.state(part) !== ShardState.PART) return `the big block in shard ${index} has no shard ${part}`
  return undefined
}

function proveNames(space: Space): string | undefined {
  const top = space.all[At.ROOT_TOP]
  const count = (space.layout.rootsEnd - space.layout.roots) / Root.WORDS
  if (!(top >= 0 && top <= count)) return `roots: ${top}, expected 0 to ${count}`
  const { offset, byteLength } = space.entries.bounds
  return proveRoots({ tables: { words: space.all, layout: space.layout, offset, byteLength } }, space.all)
}

/**
 * The proof of a concurrent heap: each shard as a plain heap, by the same proofs (heap/report/check.ts), and the common part.
 *
 * What another peer is using at the moment cannot be proved: its lists change without a lock. Shards of ours and those without an owner are;
 * how many were not is part of the answer.
 * @module
 */
import { checkHeap } from '../heap/report/check.ts'
import type { Roots } from '../heap/roots.ts'
import type { Shard } from './shard.ts'
import type { Space } from './space.ts'
import { State } from './words.ts'

/** The first contradiction, if there is one, and how many shards were not looked at. */
export function proveConcurrent(space: Space, roots: Roots): { lie: string | undefined; elsewhere: number } {
  void roots
  let elsewhere = 0
  let lie = proveEntries(space)
  for (const shard of space.used()) {
    if (lie !== undefined) break
    const ours = shard.owned
    if (!ours && (shard.owner !== 0 || !space.adoptShard(shard))) {
      elsewhere++
      continue
    }
    const found = proveShard(shard)
    if (!ours) space.leaveShard(shard)
    if (found !== undefined) lie = `the shard at ${shard.layout.offset}: ${found}`
  }
  return { lie, elsewhere }
}

function proveShard(shard: Shard): string | undefined {
  // Before the lock: what is collected is looked at as the owner does.
  shard.collectAll()
  return shard.within(() => checkHeap(shard.space))
}

/** The entries of the shards: states that there are, and big blocks in the claim that end where their parts do. */
export function proveEntries(space: Space): string | undefined {
  return space.peers.locked(() => {
    for (let index = 0; index < space.count; index++) {
      const state = space.state(index)
      if (!(state >= State.FREE && state <= State.PART)) return `shard ${index} has state ${state}`
      if (state !== State.BIG) continue
      const { offset, byteLength } = space.bigAt(index)
      const last = byteLength > 0 ? space.indexOf(offset + byteLength - 1) : -1
      if (byteLength % 8 !== 0 || offset % 8 !== 0 || space.indexOf(offset) !== index || last < index)
        return `the big block in shard ${index} has ${byteLength} bytes at ${offset}`
      for (let part = index + 1; part <= last; part++)
        if (space.state(part) !== State.PART) return `the big block in shard ${index} has no shard ${part}`
    }
    return undefined
  })
}

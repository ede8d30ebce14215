/**
 * A share of the storm of threads: so many operations and deaths, whatever time they take.
 * @module
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { threadStorm } from '../../storm/threads/campaign.ts'

test('no block is lost or spoilt but what the dead held', async () => {
  const { ops, deaths, byRuntime, wrong } = await threadStorm({
    ops: 60_000,
    deaths: 8,
    roundOps: 30_000,
    kinds: ['threads', 'processes'],
    seed: 11,
    workers: 3,
    log: (text) => console.log(text),
  })
  assert.equal(wrong, [])
  assert.ok(ops >= 60_000 || byRuntime > 0, `${ops} operations, ${deaths} deaths`)
})

test.run()

/**
 * A share of the kills: a few of each kind. What must be true afterwards is in storm/kills/proofs.ts.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { killCampaign } from '../../storm/kills/campaign.ts'
import { KILL_KINDS } from '../../storm/kills/kinds.ts'

const KILLS_A_KIND = 3

test('what the killed leave is whole', async () => {
  const { total, runtime, wrong } = await killCampaign({
    seed: 7,
    count: KILLS_A_KIND * KILL_KINDS.length,
    only: [],
    jobs: 1,
    log: (text) => console.log(text),
  })
  assert.equal(wrong, [])
  assert.ok(total >= KILLS_A_KIND * KILL_KINDS.length, `${total} kills, ${runtime} of them by the runtime`)
})

test.run()

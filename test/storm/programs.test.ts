/**
 * A share of the storm with fixed seeds: so many calls over the whole public surface, each outcome as the model has it, with and without
 * a kernel that fails. Programs that fail are printed, to be run again by `npm run storm -- --seed S --program FILE`.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type CampaignOptions, campaign } from '../../storm/campaign.ts'
import { generate, parseProgram, showProgram } from '../../storm/program.ts'

const SHARE: Omit<CampaignOptions, 'seed' | 'failing'> = {
  calls: 2500,
  minutes: Infinity,
  shape: { length: 250, only: [] },
  jobs: 1,
  timeoutMs: 120_000,
  shrinkMs: 0,
  log: (text) => console.log(text),
}

test('a program is plain data, and the same for the same seed', () => {
  const program = generate(5, SHARE.shape)
  assert.equal(generate(5, SHARE.shape), program)
  assert.equal(parseProgram(showProgram(program)), program)
  assert.not.equal(generate(6, SHARE.shape), program)
  assert.throws(() => parseProgram('no_such_command 1 2 3'), RangeError)
})

test('programs over the whole surface', async () => {
  const { found, calls, tally } = await campaign({ ...SHARE, seed: 1, failing: undefined })
  assert.equal(
    found.map(({ wrong }) => wrong),
    []
  )
  assert.ok(calls >= SHARE.calls, `${calls} calls`)
  assert.ok(tally.size > 80, `${tally.size} kinds of outcomes`)
})

test('programs whose calls to the kernel fail', async () => {
  const { found, failures } = await campaign({ ...SHARE, seed: 1000, failing: 'random' })
  assert.equal(
    found.map(({ wrong }) => wrong),
    []
  )
  assert.ok(failures > 30, `${failures} failures`)
})

test.run()

/**
 * The explorer, as far as a test may go: all scenarios of two threads to the end, those of three as far as 4,000 states, and every mutant.
 * `npm run explore` goes to the end of all.
 * @module
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { exploreAll } from './explore.ts'

test('in every order the steps keep what they promise, and each planted fault is found', async () => {
  let states = 0
  for await (const { name, model, outcome, mutant } of exploreAll(4000)) {
    states += outcome.states
    if (mutant) assert.ok(outcome.wrong !== undefined, `${name} was not found in ${outcome.states} states`)
    else assert.is(outcome.wrong, undefined, `${model} ${name}:\n${outcome.path.join('\n')}`)
    if (!mutant) assert.ok(outcome.complete || outcome.states >= 4000, `${name}: ${outcome.states} states`)
  }
  assert.ok(states > 50_000, `${states} states`)
})

test.run()

/**
 * Forty programs of 700 steps in which allocators of random kinds and ranges come and go in one arena: private, shared, named, and on
 * a kernel that fails. A failure prints the seed: PROPS_SEED=… runs it again.
 */
import { rmSync } from 'node:fs'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../src/arena/arena.ts'
import { FakeOs } from '../test/helpers/fake-os.ts'
import { freshPath } from '../test/helpers/scratch.ts'
import { programs, seed, whole } from './campaign.ts'
import { ARENA, ComingAndGoing, type Step } from './endings/coming-and-going.ts'

const STEPS = 700

/** Where the programs run; `failing`: whether the kernel refuses now and then. */
const PLACES: Record<string, { open: (os: FakeOs) => Arena; share: number; failing?: boolean }> = {
  private: { open: () => Arena.reserve(ARENA), share: 0.4 },
  shared: { open: () => Arena.reserve(ARENA, { shared: true }), share: 0.1 },
  named: { open: () => named(), share: 0.05 },
  'private, and the kernel fails': { open: (os) => Arena.reserve(ARENA, { os }), share: 0.1, failing: true },
  'shared, and the kernel fails': {
    open: (os) => Arena.reserve(ARENA, { os, shared: true }),
    share: 0.1,
    failing: true,
  },
}

function named(): Arena {
  const path = freshPath('arena')
  const arena = Arena.open(path, { create: true, byteLength: ARENA })
  rmSync(path)
  return arena
}

const PATHS = ['open', 'malloc', 'free', 'reset', 'purge', 'close', 'destroy', 'late timer', 'ERR_ARENA_BUSY']

const draw = fc.nat(2 ** 30)
const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(99), draw, draw, draw)
const steps = fc.array(step, { minLength: STEPS, maxLength: STEPS, size: 'max' })

for (const [name, { open, share, failing = false }] of Object.entries(PLACES))
  test(`allocators come and go, ${name}: nothing is written after its end`, () => {
    const taken: Map<string, number> = new Map()
    const property = fc.property(steps, (all) => {
      const os = new FakeOs()
      using arena = open(os)
      new ComingAndGoing(arena, taken, failing ? os : undefined).run(all)
    })
    const numRuns = Math.ceil(programs * share)
    fc.assert(property, { seed, numRuns, includeErrorInReport: true, endOnFailure: true })
    console.log(`${name}: ${numRuns} programs of ${STEPS} steps, seed ${seed}: ${JSON.stringify([...taken])}`)
    const paths = failing ? [...PATHS, 'ENOMEM'] : PATHS
    if (whole)
      assert.equal(
        paths.filter((path) => !taken.has(path)),
        []
      )
  })

test.run()

/**
 * The policies of the house: each keeps its promises on traces with every call, and the same trace gives the same figures, which are written
 * down here for those of this folder.
 */
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { POLICIES } from '../../../src/cli/replay/policies/index.ts'
import type { Policy } from '../../../src/cli/replay/policy.ts'
import { type Observation, observe } from '../../../src/cli/replay/run/observe.ts'
import { PassError } from '../../../src/cli/replay/run/passes.ts'
import { PolicyFullError } from '../../../src/cli/replay/run/policy-allocator.ts'
import { verify } from '../../../src/cli/replay/run/verify.ts'
import { TraceBuilder } from '../../../src/trace/builder.ts'
import { readTrace } from '../../../src/trace/readers/read-trace.ts'
import type { Trace } from '../../../src/trace/trace.ts'
import { GiB, MiB } from '../../../src/units.ts'
import { sampleTrace } from '../../trace/sample.ts'

const gs = readTrace(fileURLToPath(new URL('../../../../traces/gs.mtrc.gz', import.meta.url)))

async function withPolicy<T>(name: string, bytes: number, run: (policy: Policy, arena: Arena) => T): Promise<T> {
  const { create } = await POLICIES[name]!()
  const arena = Arena.reserve(bytes)
  try {
    return run(create(arena), arena)
  } finally {
    arena.close()
  }
}

const observed = (name: string, trace: Trace): Promise<Observation> =>
  withPolicy(name, GiB, (policy, arena) => observe(trace, policy, arena, 5))

/** What does not depend on the kernel. */
const figures = ({ samples, peakHeldBytes, classes }: Observation) => ({
  samples: samples.map(({ residentBytes: _, ...sample }) => sample),
  peakHeldBytes,
  classes,
})

for (const name of Object.keys(POLICIES)) {
  test(`${name}: contents, overlap, alignment and tables hold`, async () => {
    for (const trace of [sampleTrace(6000), sampleTrace(3000, 40_000), sampleTrace(3000, 30)])
      await withPolicy(name, GiB, (policy, arena) => verify(trace, policy, arena))
  })

  test(`${name}: the same trace gives the same figures`, async () => {
    const [first, second] = [await observed(name, gs), await observed(name, gs)]
    assert.equal(figures(first), figures(second))
    const last = first.samples.at(-1)!
    assert.is(last.event, gs.summary.events)
    assert.is(last.liveBytes, gs.summary.endLiveBytes)
    assert.is(last.liveCount, gs.summary.endLiveCount)
    for (const { liveBytes, usedBytes, heldBytes } of first.samples)
      assert.ok(liveBytes <= usedBytes && usedBytes <= heldBytes, `${liveBytes} <= ${usedBytes} <= ${heldBytes}`)
    assert.ok(first.peakHeldBytes >= Math.max(...first.samples.map(({ heldBytes }) => heldBytes)))
  })

  test(`${name}: an arena that is too small is full at an event, and nothing else`, async () => {
    const error = await withPolicy(name, MiB, (policy, arena) => {
      try {
        observe(gs, policy, arena, 2)
      } catch (error) {
        return error
      }
      return undefined
    })
    assert.instance(error, PassError)
    assert.instance((error as PassError).cause, PolicyFullError)
    assert.ok((error as PassError).event > 0)
  })
}

const pages = Arena.reserve(MiB)
const golden = pages.pageSize === 4096 ? test : test.skip
pages.close()

/** Each of them measured, and looked at: first fit is known to waste, bump holds all that was ever asked for. */
const GOLDEN_PEAKS = {
  'best-fit': 18_038_784,
  'segregated-fit': 18_071_552,
  'first-fit': 23_629_824,
  'next-fit': 18_694_144,
  bump: 326_975_488,
}
const GOLDEN_BEST_FIT = [
  [3_722_680, 3_796_992],
  [11_880_096, 12_587_008],
  [13_393_680, 13_623_296],
  [14_677_496, 15_704_064],
  [72_848, 1_794_048],
]

golden('golden: peaks on the trace gs, in pages of 4 KiB', async () => {
  const peaks: Record<string, number> = {}
  for (const name of ['best-fit', 'segregated-fit', 'first-fit', 'next-fit', 'bump'])
    peaks[name] = (await observed(name, gs)).peakHeldBytes
  assert.equal(peaks, GOLDEN_PEAKS)
})

golden('golden: best fit on the trace gs, frame by frame', async () => {
  const { samples } = await observed('best-fit', gs)
  assert.equal(
    samples.map(({ usedBytes, heldBytes }) => [usedBytes, heldBytes]),
    GOLDEN_BEST_FIT
  )
})

test('best fit takes the shortest chunk that is long enough, first fit the one freed last, next fit goes on', async () => {
  const trace = new TraceBuilder()
  const blocks = [400, 8, 200, 8, 300, 8, 250, 8].map((bytes) => trace.malloc(bytes))
  for (const index of [0, 2, 4, 6]) trace.free(blocks[index]!)
  const place = (name: string, wanted: readonly number[]) =>
    withPolicy(name, GiB, (policy) => {
      const offsets = [400, 8, 200, 8, 300, 8, 250, 8].map((bytes) => policy.malloc(bytes))
      for (const index of [0, 2, 4, 6]) policy.free(offsets[index]!)
      return wanted.map((bytes) => offsets.indexOf(policy.malloc(bytes)))
    })
  assert.equal(await place('best-fit', [190, 240, 290, 390]), [2, 6, 4, 0])
  assert.equal(await place('first-fit', [190, 190]), [6, 4])
  assert.equal(await place('next-fit', [190, 190, 190]), [0, 2, 4])
  assert.equal(await place('bump', [190]), [-1])
})

test.run()

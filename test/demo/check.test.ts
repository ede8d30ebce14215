/** The demo's checks, given measurements that must pass and each kind that must not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkReplay, checkTouch } from '../../demo/check.ts'
import type { ReplayRun } from '../../demo/replay-run.ts'
import type { Sample } from '../../demo/sampler.ts'
import type { Reading, TouchRun } from '../../demo/touch-run.ts'
import { MiB } from '../../src/units.ts'

function sample(phase: string, arenaMiB: number, rssMiB: number, usedCount = 0): Sample {
  const residentBytes = arenaMiB * MiB
  const committed = {
    committedBytes: residentBytes + 4096,
    usedBytes: residentBytes,
    freeSlotBytes: 0,
    freeDirtyBytes: 0,
    metadataBytes: 4096,
  }
  const stats = { ...committed, reservedBytes: 2 ** 36, peakCommittedBytes: 2 ** 30, usedCount }
  const base = { phase, seconds: 0, reservedBytes: 2 ** 36, liveBytes: residentBytes, scriptBytes: 10 * MiB }
  return { ...base, residentBytes, stats, rssBytes: rssMiB * MiB }
}

const good: ReplayRun = {
  samples: [
    sample('start', 0, 60),
    sample('reserve', 0, 60),
    sample('heap', 0, 60),
    sample('growth', 50, 110),
    sample('full', 100, 160, 9),
    sample('freed', 100, 160),
    sample('purged', 0, 61),
    sample('closed', 0, 60),
  ],
  blocks: 9,
  views: {},
  verifiedBytes: 1,
  freedAtEnd: 9,
  purgedBytes: 1,
  checksPassed: 3,
  afterClose: 'ERR_ARENA_CLOSED',
  failure: undefined,
}

const failing = (run: ReplayRun) =>
  checkReplay(run, 4 * MiB)
    .filter(({ ok }) => !ok)
    .map(({ name }) => name)

/** The good run with one sample changed. */
function changed(phase: string, change: Partial<Sample>): ReplayRun {
  return { ...good, samples: good.samples.map((s) => (s.phase === phase ? { ...s, ...change } : s)) }
}

test('a good run passes every check', () => {
  assert.equal(failing(good), [])
})

test('each lie fails the check that is about it', () => {
  const stats = sample('growth', 50, 0).stats!
  const cases: [ReplayRun, string][] = [
    [changed('reserve', { rssBytes: 70 * MiB }), 'reserving costs no RSS'],
    [changed('heap', { rssBytes: 63 * MiB }), 'a heap on it costs little'],
    [{ ...good, failure: 'byte 3 has changed' }, 'contents'],
    [changed('growth', { stats: { ...stats, usedBytes: 1 } }), 'the books are exact'],
    [changed('growth', { residentBytes: 60 * MiB }), 'resident <= committed'],
    [changed('full', { rssBytes: 170 * MiB }), 'RSS grew by what we can name'],
    [{ ...good, checksPassed: 2 }, 'check() finds no fault'],
    [changed('freed', { stats: { ...stats, usedCount: 1 } }), 'freed: nothing is used'],
    [changed('purged', { rssBytes: 150 * MiB }), 'RSS fell by what we can name'],
    [changed('purged', { residentBytes: 50 * MiB }), 'purged: pages are gone'],
    [changed('closed', { rssBytes: 160 * MiB }), 'closed: what is left is JS’s'],
    [{ ...good, afterClose: 'no error' }, 'malloc after close'],
  ]
  for (const [run, name] of cases) assert.ok(failing(run).includes(name), name)
})

test('a run that ended early fails', () => {
  assert.equal(failing({ ...good, samples: good.samples.slice(0, 4), failure: 'event 7: …' }), ['contents', 'phases'])
})

test('the one-byte experiment must be exact to the page', () => {
  const reading = (step: string, mappingRssBytes: number): Reading => {
    const zero = { sizeBytes: 0, rssBytes: 0, rssMovedBytes: 0, fileBytes: 0, pageTableBytes: 0, mincoreBytes: 0 }
    return { step, mappingRssBytes, ...zero }
  }
  const touch = (written: number): TouchRun => ({
    pageSize: 4096,
    filledBytes: 8192,
    readings: [
      reading('reserve', 0),
      reading('write', written),
      reading('read', 4096),
      reading('fill', 4096 + 8192),
      reading('purge', 0),
    ],
  })
  assert.ok(checkTouch(touch(4096)).every(({ ok }) => ok))
  const wrong = checkTouch(touch(8192)).filter(({ ok }) => !ok)
  assert.equal(wrong, [{ name: 'one byte written: its RSS', expected: '4 KiB', got: '8 KiB', ok: false }])
  assert.not.ok(checkTouch({ ...touch(4096), readings: [] }).some(({ ok }) => ok))
})

test.run()

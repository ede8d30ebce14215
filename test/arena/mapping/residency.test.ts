import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { GiB, KiB, MiB } from '../../../src/units.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

test('resident is exact to the page, and to the byte at the edges', () => {
  using arena = Arena.reserve(3 * GiB)
  const page = arena.pageSize
  for (const offset of [0, 5 * page, GiB - page, GiB, 2 * GiB + 7 * page, 3 * GiB - page])
    arena.view(Uint8Array, offset, 1)[0] = 1
  assert.is(arena.resident(), 6 * page)
  assert.is(arena.resident(GiB - page, 2 * page), 2 * page)
  assert.is(arena.resident(GiB - 1, 2), 2)
  assert.is(arena.resident(1, page), page - 1)
  assert.is(arena.resident(1, page - 2), page - 2)
  assert.is(arena.resident(page - 1, page + 2), 1)
  assert.is(arena.resident(5 * page - 10, 20), 10)
  assert.is(arena.resident(page, 4 * page), 0)
  assert.is(arena.resident(0, 0), 0)
  assert.is(arena.resident(3 * GiB), 0)
})

test('more pages than one slice of the vector', () => {
  const os = new FakeOs()
  using arena = Arena.reserve(GiB, { os })
  arena.view(Uint8Array, 300 * MiB, 1)[0] = 1
  assert.is(arena.resident(), os.pageSize)
  assert.ok(os.count('residency') > 1)
})

test('ranges outside the arena are refused', () => {
  using arena = Arena.reserve(MiB)
  for (const call of ['resident', 'purge', 'populate'] as const) {
    for (const bad of [-1, NaN, 0.5, MiB + 1, Infinity])
      throwsCode(() => arena[call](bad), 'ERR_OUT_OF_RANGE', '"offset"')
    for (const bad of [-1, NaN, 0.5, MiB, Infinity])
      throwsCode(() => arena[call](8, bad), 'ERR_OUT_OF_RANGE', '"byteLength"')
    throwsCode(() => arena[call]('0' as never), 'ERR_INVALID_ARG_TYPE', '"offset"')
    throwsCode(() => arena[call](0, '1' as never), 'ERR_INVALID_ARG_TYPE', '"byteLength"')
    throwsCode(() => arena[call](null as never, 8), 'ERR_INVALID_ARG_TYPE', '"offset"')
  }
  assert.is(arena.resident(), 0)
})

for (const pageSize of [4, 16, 64])
  test(`purge reads zero to the byte and gives whole pages back, pages of ${pageSize} KiB`, () => {
    using arena = Arena.reserve(2 * GiB, { os: new FakeOs({ pageSize: pageSize * KiB }) })
    const page = arena.pageSize
    for (const base of [0, GiB - 8 * page]) {
      const bytes = arena.view(Uint8Array, base, 16 * page)
      for (const [start, end] of [
        [0, 16 * page],
        [page, 2 * page],
        [1, 2],
        [page - 1, page + 1],
        [1, 4 * page - 1],
        [3 * page + 5, 3 * page + 9],
        [8 * page - 1, 8 * page + 1],
      ] as const) {
        bytes.fill(1)
        arena.purge(base + start, end - start)
        assert.equal([bytes.indexOf(0), bytes.lastIndexOf(0)], [start, end - 1])
        const whole = Math.max(0, Math.floor(end / page) - Math.ceil(start / page))
        bytes.fill(1)
        arena.purge(base + start, end - start)
        assert.is(arena.resident(base, 16 * page), (16 - whole) * page, `${start} ${end}`)
      }
    }
  })

test('populate makes exactly the touched pages resident and keeps contents', () => {
  using arena = Arena.reserve(MiB)
  const page = arena.pageSize
  arena.view(Uint8Array, 2 * page, 1)[0] = 9
  arena.populate(page + 1, 2 * page)
  assert.is(arena.resident(), 3 * page)
  assert.is(arena.resident(page, 3 * page), 3 * page)
  assert.is(arena.view(Uint8Array, 2 * page, 1)[0], 9)
  arena.populate(0, 0)
  arena.populate()
  assert.is(arena.resident(), MiB)
  using eager = Arena.reserve(64 * KiB, { populate: true })
  assert.is(eager.resident(), 64 * KiB)
})

test('populate asks for no more than there is', () => {
  const os = new FakeOs({ available: 64 * KiB })
  using arena = Arena.reserve(MiB, { os })
  const error = throwsCode(() => arena.populate(), 'ENOMEM', `${MiB} bytes wanted and ${64 * KiB} available`)
  assert.equal(
    [(error as unknown as { errno: number }).errno, (error as unknown as { length: number }).length],
    [-12, MiB]
  )
  assert.is(os.count('populate'), 0)
  assert.is(arena.resident(), 0)
  arena.populate(0, 64 * KiB)
  os.available = MiB - 64 * KiB
  arena.populate()
  assert.is(arena.resident(), MiB)
  os.available = 0
  arena.populate()
  throwsCode(() => Arena.reserve(MiB, { os, populate: true }), 'ENOMEM')
  assert.is(os.live.size, 1)
})

for (const node of nodes) {
  const label = `Node ${node.major}`

  test(`${label}: reserving 64 GiB takes next to no memory, 1 TiB can be had`, async () => {
    const child = await runChild(
      `
      Arena.reserve(MiB).close()
      // The rest of the process may grow meanwhile: the least of three counts.
      const arenas = []
      const grown = [1, 2, 3].map(() => {
        const before = rssBytes()
        arenas.push(Arena.reserve(64 * GiB))
        return rssBytes() - before
      })
      const huge = Arena.reserve(TiB)
      report({ grown: Math.min(...grown), length: huge.byteLength, resident: arenas[0].resident() })
      `,
      { node }
    )
    const { report } = child.clean()
    assert.ok(report.grown < 200 * KiB, `${report.grown}`)
    assert.is(report.length, 1024 * GiB)
    assert.is(report.resident, 0)
  })

  test(`${label}: touching pages makes so many pages resident`, async () => {
    const child = await runChild(
      `
      const arena = Arena.reserve(64 * GiB, { windowBytes: GiB })
      const page = arena.pageSize
      const count = 4096
      const touch = () => { for (let i = 0; i < count; i++) arena.window(i * 16 * MiB).buffer && (bytes[Math.floor(i * 16 * MiB / GiB)][i * 16 * MiB % GiB] = 1) }
      const bytes = Array.from({ length: 64 }, (_, i) => new Uint8Array(insideOf(arena).windowBuffer(i)))
      const before = rssBytes()
      touch()
      const touched = rssBytes()
      const resident = arena.resident()
      arena.purge()
      const purged = rssBytes()
      report({ page, count, grown: touched - before, shrunk: touched - purged, resident, left: arena.resident() })
      `,
      { node }
    )
    const { report } = child.clean()
    const bytes = report.count * report.page
    assert.is(report.resident, bytes)
    assert.is(report.left, 0)
    assert.ok(report.grown >= bytes && report.grown < bytes + 8 * MiB, `${report.grown}`)
    assert.ok(report.shrunk > bytes - 8 * MiB, `${report.shrunk}`)
  })
}

test.run()

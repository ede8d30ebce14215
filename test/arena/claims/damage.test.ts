/**
 * Damage to the header and the directory of arenas that others can write: every word, several values, in each kind of memory. Whatever is
 * done with such an arena succeeds or is an error with a code, takes a bounded number of steps, and gives no one holder a range that
 * another has. `DAMAGE_SEED` sets the seed, `DAMAGE_ROUNDS` how often it is done.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compiled, nodes, runChild } from '../../helpers/child.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshPath } from '../../helpers/scratch.ts'

const SEED = Number(process.env.DAMAGE_SEED ?? 1)
const ROUNDS = Number(process.env.DAMAGE_ROUNDS ?? 1)

const IMPORTS = `${MAP_FILE}
import { Slab } from ${JSON.stringify(compiled('src/allocator/slab/slab'))}
import * as damage from ${JSON.stringify(compiled('test/helpers/damage'))}
import * as layouts from ${JSON.stringify(compiled('src/arena/format/layout'))}
import { currentThread, packThreadId } from ${JSON.stringify(compiled('src/arena/format/thread-id'))}
const { HEADER_BYTES, ENTRY_BYTES, ENTRY_HOLDER } = layouts
const holder = (kind, lasting) => ({ kind, lasting, blockAround: (offset, byteLength) => ({ offset, byteLength }), innerClaims() {}, revoked() {} })
const claim = (arena, kind, offset, byteLength) => insideOf(arena).claim({ holder: holder(kind), offset, byteLength, metadataBytes: () => 64 })
/** Runs a step: what it throws must have a code. */
const coded = (run) => {
  try { run(); return 'done' } catch (error) {
    if (typeof error.code !== 'string' || error instanceof TypeError) throw error
    return error.code
  }
}
/** A kernel that does not really sleep, and counts. */
const quick = () => {
  const os = new FakeOs()
  const { threads } = os
  os.sleeps = 0
  threads.futexWait = () => { os.sleeps++; return 'timed-out' }
  return os
}`

/** Makes the arena: a heap that was left, a slab of a dead process with a bump in a block, a slab of a live one. */
const MAKE = `
const ALIVE = 768 * 1024
function fill(arena) {
  const heap = new Heap(arena, { byteLength: 256 * 1024 })
  heap.setRoot('here', heap.malloc(100))
  for (let i = 0; i < 40; i++) heap.malloc(i * 50)
  heap.close()
  claim(arena, 'Slab', 256 * 1024, 65536)
  claim(arena, 'Bump', 256 * 1024, 4096)
  claim(arena, 'Slab', ALIVE, 65536)
}
/** Where the kinds have their header, and how they are opened. */
function make(kind, path) {
  const pageSize = new FakeOs().pageSize
  if (kind === 'mapped') {
    const total = 2 * MiB, layout = layouts.layoutWithin(total, pageSize)
    const file = mapFile(path, { mode: 'write', create: true, byteLength: total })
    fill(file.arena)
    return { fd: fs.openSync(path, 'r+'), at: layout.metadataStart, layout, open: (os) => mapFile(path, { mode: 'write', os }).arena }
  }
  const named = kind === 'named'
  const arena = named ? Arena.open(path, { create: true, byteLength: MiB }) : Arena.reserve(MiB, { shared: true })
  fill(arena)
  const fd = fs.openSync(named ? path : arena.path, 'r+')
  const layout = (named ? layouts.fileLayoutOf : layouts.layoutOf)(MiB, pageSize)
  return { fd, at: 0, layout, keep: arena, open: (os) => named ? Arena.open(path, { os }) : Arena.attach({ fd }, { os }) }
}
/** The holders, as the image is to say. */
function setHolders(image) {
  const tokens = new BigUint64Array(image.buffer, 0, image.length / 8)
  const os = new FakeOs(), parent = process.ppid
  const alive = packThreadId({ ...currentThread(os), processId: parent, threadId: parent, startTime: os.threads.startTime(parent, parent) })
  const dead = packThreadId({ ...currentThread(os), processId: 2 ** 22 - 1, threadId: 2 ** 22 - 1 })
  for (const [entry, token] of [[1, dead], [2, dead], [3, alive]]) tokens[(HEADER_BYTES + entry * ENTRY_BYTES + ENTRY_HOLDER) / 8] = token
}`

for (const kind of ['memory', 'named', 'mapped'])
  for (const node of nodes)
    test(`Node ${node.major}: a ${kind === 'memory' ? 'memory file' : `${kind} file`} with any word of header and directory changed is refused or harmless`, async () => {
      const child = await runChild(
        `${IMPORTS}${MAKE}
        const { fd, at, layout, open } = make(${JSON.stringify(kind)}, ${JSON.stringify(freshPath())})
        const read = (position, length) => { const bytes = new Uint8Array(length); fs.readSync(fd, bytes, 0, length, position); return bytes }
        const image = read(at, 4096), tables = read(at + layout.directoryBytes, 128 * 1024)
        setHolders(image)
        const used = image.subarray(0, HEADER_BYTES + 5 * ENTRY_BYTES)
        const outcomes = {}, wrong = []
        let cases = 0
        function use(os) {
          const arena = open(os)
          try {
            const granted = []
            const steps = [
              () => insideOf(arena).claims(),
              () => { const heap = Heap.attach(arena); heap.check(); heap.free(heap.malloc(500)); heap.close() },
              () => new Slab(arena, { offset: 256 * 1024, byteLength: 65536, slotSize: 64 }).alloc(Uint8Array, 64),
              () => { claim(arena, 'Bump', ALIVE, 4096); granted.push('alive') },
              () => arena.purge(512 * 1024, 8192),
              () => claim(arena, 'Bump', 600 * 1024, 4096).release(),
              () => insideOf(arena).adopt({ holder: holder('Heap', true), readOnly: true })?.leave(),
            ]
            const codes = steps.map(coded)
            return { codes, granted }
          } finally { arena.close() }
        }
        const check = (name, at0, result, os) => {
          for (const code of result.codes ?? [result.code]) outcomes[code] = (outcomes[code] ?? 0) + 1
          // What says where the live claim is, and whether its holder lives, is believed.
          const believed = at0 >= HEADER_BYTES + 3 * ENTRY_BYTES && at0 < HEADER_BYTES + 4 * ENTRY_BYTES
          if (result.granted?.length && !believed) wrong.push(name + ': a range was given twice')
          if (os.count('view') > 200 || os.sleeps > 4000) wrong.push(name + ': ' + os.count('view') + ' views, ' + os.sleeps + ' sleeps')
        }
        for (let round = 0; round < ${ROUNDS}; round++)
          for (const one of [undefined, ...damage.damagesOf(used, damage.randomOf(${SEED} + round))]) {
            if (one) damage.apply(image, one)
            fs.writeSync(fd, image, 0, 4096, at)
            fs.writeSync(fd, tables, 0, tables.length, at + layout.directoryBytes)
            const os = quick()
            let result = {}
            try { const code = coded(() => { result = use(os) }); result.code = code }
            catch (error) { wrong.push((one ? damage.describe(one) : 'intact') + ': ' + error.stack) }
            check(one ? damage.describe(one) : 'intact', one ? one.at : -1, result, os)
            if (one === undefined) report({ intact: result.codes })
            if (one) damage.undo(image, one)
            cases++
          }
        report({ cases, outcomes, wrong: wrong.slice(0, 20), count: wrong.length })`,
        { node }
      )
      const { report } = child.clean()
      assert.equal(report.intact, ['done', 'done', 'done', 'ERR_ARENA_BUSY', 'done', 'done', 'done'])
      assert.equal(report.wrong, [], `seed ${SEED}: ${report.count} of ${report.cases}\n${report.wrong.join('\n')}`)
      assert.ok(report.cases > 1000 * ROUNDS, `${report.cases}`)
      assert.ok(report.outcomes.ERR_CORRUPTED > 0 && report.outcomes.done > 0)
    })

for (const node of nodes)
  test(`Node ${node.major}: another writes over header and directory while claims come and go`, async () => {
    const child = await runChild(
      `${IMPORTS}
      const os = quick()
      const arena = Arena.reserve(MiB, { shared: true, os })
      claim(arena, 'Slab', 0, 4096)
      const scribbler = new Thread(\`
        const fs = require('node:fs')
        const damage = await import(data.helper)
        const fd = fs.openSync(data.path, 'r+')
        const random = damage.randomOf(data.seed)
        const image = new Uint8Array(1024)
        post('here')
        let on = true
        next().then(() => { on = false })
        for (let done = 0; on; done++) {
          if (done % 64 === 0) await new Promise(setImmediate)
          fs.readSync(fd, image, 0, 1024, 0)
          const all = [...damage.damagesAt(image, 4 * (random() % 256), Uint32Array, random)]
          const one = all[random() % all.length]
          fs.writeSync(fd, one.after, 0, 4, one.at)
          // And now and then all is as it should be.
          if (done % 4 === 0) fs.writeSync(fd, data.image, 0, 1024, 0)
        }
        fs.closeSync(fd)
        post('done')\`, { helper: ${JSON.stringify(compiled('test/helpers/damage'))}, path: arena.path, seed: ${SEED}, image: (() => {
          const image = new Uint8Array(1024)
          fs.readSync(arena.fd, image, 0, 1024, 0)
          return image
        })() })
      await scribbler.next()
      const codes = {}
      let sleeps = 0
      for (let round = 0; round < 1500; round++) {
        const before = os.sleeps
        const code = coded(() => {
          const offset = 8192 + (round % 50) * 4096
          const one = claim(arena, 'Slab', offset, 4096)
          if (round % 3 === 0) one.leave()
          else one.release()
          insideOf(arena).adopt({ holder: holder('Slab') })?.release()
          if (round % 7 === 0) Arena.attach({ fd: arena.fd }, { os }).close()
        })
        codes[code] = (codes[code] ?? 0) + 1
        sleeps = Math.max(sleeps, os.sleeps - before)
      }
      scribbler.post('stop')
      await scribbler.next()
      arena.close()
      report({ codes, sleeps })`,
      { node }
    )
    const { report } = child.clean()
    assert.ok(report.codes.ERR_CORRUPTED > 0, JSON.stringify(report))
    // A call takes the lock a few times, and 200 sleeps each time at most.
    assert.ok(report.sleeps <= 3000, JSON.stringify(report))
  })

test.run()

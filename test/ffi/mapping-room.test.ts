/** Room for mappings is left to the runtime: by itself, and in a child that takes all that it can get. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MappingRoom } from '../../src/ffi/mapping-room.ts'
import { compiled, nodes, runChild } from '../helpers/child.ts'
import { throwsCode } from '../helpers/errors.ts'
import { freshFile } from '../helpers/scratch.ts'

test('it is counted at the first call, and when a sixteenth of the room is used', () => {
  let looks = 0
  let mappings = 530
  const count = (): number => {
    looks++
    return mappings
  }
  const room = new MappingRoom({ count, most: () => 65_530 })
  room.require('mmap', 1)
  assert.is(looks, 1)
  // What is left then: (65,530 - 4,096 - 530 - 1) / 16.
  for (let call = 0; call < 3806; call++) room.require('mmap', 1)
  assert.is(looks, 1)
  mappings += 3807
  room.require('mmap', 1)
  assert.is(looks, 2)
})

test('at the limit it is refused, with the reason, and counted each time; below it, there is room again', () => {
  let mappings = 65_530 - 4096
  const room = new MappingRoom({ count: () => mappings, most: () => 65_530 })
  for (let call = 0; call < 3; call++)
    throwsCode(
      () => room.require('mmap', 1, 4096),
      'ENOMEM',
      'the process has 61434 mappings, and of the 65530 it can have'
    )
  mappings--
  room.require('mmap', 1)
  // The next ones are not counted, and are far fewer than what is reserved.
  let more = 0
  mappings++
  try {
    for (;;) {
      room.require('mmap', 1)
      more++
    }
  } catch {
    assert.is(more, 16)
  }
})

test('where there are few, a quarter is left; where nothing can be read, nothing is counted', () => {
  const few = new MappingRoom({ count: () => 750, most: () => 1000 })
  throwsCode(() => few.require('mmap', 1), 'ENOMEM', 'of the 1000')
  const blind = new MappingRoom({
    count: () => {
      throw new Error('forbidden')
    },
    most: () => 1000,
  })
  for (let call = 0; call < 100_000; call++) blind.require('mmap', 2)
})

/** All ways to come to mappings, until one is refused. */
const WAYS = {
  'arenas with a view': 'Arena.reserve(4096).view(Uint8Array, 0, 1)',
  'mapped files': "mapFile(path, { mode: 'read' })",
}

for (const node of nodes) {
  for (const [way, call] of Object.entries(WAYS))
    test(`Node ${node.major}: ${way} until there is no more room: an error, and the process goes on`, async () => {
      const child = await runChild(
        `
        import { mapFile } from ${JSON.stringify(compiled('src/arena/file/map-file'))}
        import { readFileSync } from 'node:fs'
        const path = ${JSON.stringify(freshFile(new Uint8Array(8192)))}
        const kept = []
        const most = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'))
        // More than this machine's memory may be meant for.
        if (most > 100_000) { report({ skipped: true }); process.exit(0) }
        let error
        try { for (;;) kept.push(${call}) } catch (thrown) { error = thrown }
        // The runtime has what it needs: garbage, a thread, modules, a longer heap.
        for (let i = 0; i < 50; i++) kept.push(new Array(100_000).fill(i))
        gc()
        const thread = new Thread('post(1)')
        await thread.next()
        await thread.kill()
        let again
        try { ${call} } catch (thrown) { again = thrown.code }
        report({ code: error.code, message: error.message, again, count: kept.length })
        process.exit(0)`,
        { node }
      )
      const { skipped, code, again, message, count } = child.clean().report
      if (skipped) return
      assert.equal([code, again], ['ENOMEM', 'ENOMEM'], message)
      assert.match(message, /vm\.max_map_count/)
      assert.ok(count > 10_000, `${count}`)
    })

  test(`Node ${node.major}: what was closed is room again`, async () => {
    const child = await runChild(
      `
      import { readFileSync } from 'node:fs'
      if (Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1')) > 100_000) { report({ skipped: true }); process.exit(0) }
      const arenas = []
      try { for (;;) arenas.push(Arena.reserve(4096)) } catch {}
      const most = arenas.length
      for (const arena of arenas.splice(0, 1000)) arena.close()
      try { for (;;) arenas.push(Arena.reserve(4096)) } catch {}
      report({ most, then: arenas.length })
      process.exit(0)`,
      { node }
    )
    const { skipped, most, then } = child.clean().report
    if (!skipped) assert.ok(Math.abs(most - then) < 200, `${most} ${then}`)
  })
}

test.run()

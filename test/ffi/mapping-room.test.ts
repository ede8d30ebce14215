/** Room for mappings is left to the runtime: by itself, and in a child that takes all that it can get. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { MappingRoom } from '../../src/ffi/linux/mapping-room.ts'
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

/** Uses up most of the room by dividing one mapping, which is faster than making many. */
const PROGRAM = `
import { mapFile } from ${JSON.stringify(compiled('src/arena/file/map-file'))}
import { libc } from ${JSON.stringify(compiled('src/ffi/libc/libc'))}
import { systemOs } from ${JSON.stringify(compiled('src/ffi/system'))}
import { readFileSync } from 'node:fs'
const path = ${JSON.stringify(freshFile(new Uint8Array(8192)))}
const most = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'))
const divide = (mappings) => {
  const { madvise } = libc(), { pageSize } = systemOs()
  const base = systemOs().reserve(mappings * pageSize, pageSize)
  for (let page = 1; page < mappings; page += 2) madvise(base + page * pageSize, pageSize, 1)
}
// Where the limit is far away this would take minutes: half a million mappings are a seldom setting.
divide(Math.max(0, most - 6500))
const until = (make) => { const kept = []; try { for (;;) kept.push(make()) } catch (error) { return { kept, error } } }
`

for (const node of nodes) {
  for (const [way, call] of Object.entries(WAYS))
    test(`Node ${node.major}: ${way} until there is no more room: an error, and the process goes on`, async () => {
      const child = await runChild(
        `${PROGRAM}
        const { kept, error } = until(() => ${call})
        // The runtime has what it needs: garbage, a thread, modules, a longer heap.
        for (let i = 0; i < 50; i++) kept.push(new Array(100_000).fill(i))
        gc()
        const thread = new Thread('post(1)')
        await thread.next()
        await thread.kill()
        report({ code: error.code, message: error.message, again: until(() => ${call}).error.code, count: kept.length - 50 })
        process.exit(0)`,
        { node }
      )
      const { code, again, message, count } = child.clean().report
      assert.equal([code, again], ['ENOMEM', 'ENOMEM'], message)
      assert.match(message, /vm\.max_map_count/)
      assert.ok(count > 500 && count < 2500, `${count}`)
    })

  test(`Node ${node.major}: what was closed is room again; threads find the same limit`, async () => {
    const child = await runChild(
      `${PROGRAM}
      const { kept } = until(() => Arena.reserve(4096))
      for (const arena of kept.splice(0, 500)) arena.close()
      const more = until(() => Arena.reserve(4096)).kept.length
      const thread = new Thread(\`
        let count = 0, code
        try { for (;;) { Arena.reserve(4096); count++ } } catch (error) { code = error.code }
        post([count, code])\`)
      const [count, code] = await thread.next()
      await thread.kill()
      report({ more, count, code })
      process.exit(0)`,
      { node }
    )
    const { more, count, code } = child.clean().report
    assert.ok(more > 300 && more < 700, `${more}`)
    assert.is(code, 'ENOMEM')
    assert.ok(count < 100, `${count}`)
  })
}

test.run()

/**
 * A file that others shorten under its mapping. Plain access past its end is a signal, which the children here show; the checked
 * calls are an error, which their siblings show.
 */

import { closeSync, openSync, renameSync, truncateSync, unlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mapFile } from '../../../src/arena/file/map-file.ts'
import { TruncatedError } from '../../../src/errors.ts'
import { nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshFile, pattern } from '../../helpers/scratch.ts'

const { EFAULT, EIO } = constants.errno
const page = new FakeOs().pageSize
const MODES = ['read', 'copy', 'write'] as const

for (const node of nodes)
  for (const mode of MODES)
    for (const left of [page + 5, 0]) {
      const label = `Node ${node.major}, mode '${mode}', shortened to ${left} bytes`
      const start = (path: string): string => `${MAP_FILE}
        const file = mapFile(${JSON.stringify(path)}, { mode: '${mode}' })
        const last = file.view(Uint8Array, ${3 * page} - 1, 1)
        last[0]
        fs.truncateSync(${JSON.stringify(path)}, ${left})
      `

      test(`${label}: plain access ends the process with SIGBUS`, async () => {
        const child = await runChild(`${start(freshFile(3 * page))}\nreport({ read: last[0] })`, { node })
        assert.equal([child.signal, child.report], ['SIGBUS', {}])
      })

      test(`${label}: checked access is ERR_TRUNCATED, and what is left can be read`, async () => {
        const child = await runChild(
          `${start(freshFile(3 * page))}
          const code = (run) => { try { run(); return 'fine' } catch (error) { return error.code } }
          const left = ${left}
          report({
            check: code(() => file.check()),
            checkLast: code(() => file.check(${3 * page} - 1, 1)),
            checkLeft: code(() => file.check(0, left)),
            checkOneMore: code(() => file.check(0, left + 1)),
            read: code(() => file.read(0, ${3 * page})),
            readOneMore: code(() => file.read(left, 1)),
            readLeft: [...file.read(0, left)].join(),
            populate: code(() => file.populate()),
            lock: code(() => file.lock()),
            resident: code(() => file.resident()),
            sync: code(() => file.sync()),
            advise: code(() => file.advise('willneed')),
            discard: code(() => { if (file.mode === 'copy') file.discard() }),
            close: code(() => file.close()),
          })`,
          { node }
        )
        assert.equal(child.clean().report, {
          check: 'ERR_TRUNCATED',
          checkLast: 'ERR_TRUNCATED',
          checkLeft: 'fine',
          checkOneMore: 'ERR_TRUNCATED',
          read: 'ERR_TRUNCATED',
          readOneMore: 'ERR_TRUNCATED',
          readLeft: [...pattern(left)].join(),
          populate: 'ERR_TRUNCATED',
          lock: 'ERR_TRUNCATED',
          resident: 'fine',
          sync: 'fine',
          advise: 'fine',
          discard: 'fine',
          close: 'fine',
        })
      })
    }

for (const node of nodes) {
  test(`Node ${node.major}: a store to a hardened mapping ends the process, to any other read mapping it does not`, async () => {
    for (const hardened of [true, false]) {
      const path = freshFile(page)
      const child = await runChild(
        `${MAP_FILE}
        const file = mapFile(${JSON.stringify(path)}, { mode: 'read', hardened: ${hardened} })
        file.check(), file.populate(), file.lock()
        report({ read: file.bytes[1], cloned: structuredClone(file.bytes).length })
        file.bytes[1] = 0
        report({ stored: file.bytes[1] })`,
        { node }
      )
      const seen = { read: pattern(2)[1], cloned: page }
      if (hardened) assert.equal([child.signal, child.report], ['SIGSEGV', seen])
      else assert.equal(child.clean().report, { ...seen, stored: 0 })
    }
  })

  test(`Node ${node.major}: another shortens and restores the file all the time, and checked reads survive it`, async () => {
    const path = freshFile(64 * page)
    const child = await runChild(
      `${MAP_FILE}
      import { spawn } from 'node:child_process'
      const path = ${JSON.stringify(path)}
      const saw = spawn(process.execPath, ['-e', \`
        const fs = require('node:fs'), path = process.argv[1], parent = process.ppid
        process.stdout.write('x')
        while (process.ppid === parent) { fs.truncateSync(path, 5); fs.truncateSync(path, ${64 * page}) }\`, path], { stdio: ['ignore', 'pipe', 'ignore'] })
      await new Promise((resolve) => saw.stdout.once('data', resolve))
      let whole = 0, truncated = 0, mapped
      while (mapped === undefined) try { mapped = mapFile(path, { mode: 'read', byteLength: ${64 * page} }) } catch (error) { if (error.code !== 'ERR_OUT_OF_RANGE') throw error }
      for (let round = 0; whole < 200 || truncated < 200; round++) {
        if (round % 1000 === 0) await turns(1)
        if (saw.exitCode !== null) throw new Error('the other process has ended')
        try {
          if (round % 2) mapped.check()
          else if (mapped.read(10, ${63 * page}).length !== ${63 * page}) throw new Error('short')
          whole++
        } catch (error) { if (error.code !== 'ERR_TRUNCATED') throw error; truncated++ }
      }
      saw.kill()
      report({ whole, truncated })`,
      { node }
    )
    const { report } = child.clean()
    assert.ok(report.whole >= 200 && report.truncated >= 200, JSON.stringify(report))
  })
}

test('the error says what is left and what was wanted', () => {
  const path = freshFile(3 * page)
  const file = mapFile(path, { mode: 'read', offset: 10 })
  truncateSync(path, page)
  const error = throwsCode(() => file.check(5, 2 * page), 'ERR_TRUNCATED')
  assert.instance(error, TruncatedError)
  assert.is(error.message, `file "${path}" has ${page} bytes now; wanted are bytes 15 to ${15 + 2 * page}`)
  file.close()
})

test('renamed, then shortened: exact to the page, as there is no way back to the file', () => {
  const path = freshFile(3 * page)
  const file = mapFile(path, { mode: 'read' })
  renameSync(path, `${path}-moved`)
  file.check()
  truncateSync(`${path}-moved`, page + 1)
  file.check(0, 2 * page)
  assert.is(file.read(page + 1, 1)[0], 0)
  throwsCode(() => file.check(), 'ERR_TRUNCATED', 'does not have all its pages any more')
  throwsCode(() => file.read(0, 3 * page), 'ERR_TRUNCATED', 'wanted are bytes 0 to')
  file.close()
})

test('given by a descriptor and unlinked, then shortened: exact to the byte', () => {
  const path = freshFile(3 * page)
  const fd = openSync(path, 'r+')
  unlinkSync(path)
  const file = mapFile(fd, { mode: 'read' })
  truncateSync(`/proc/self/fd/${fd}`, 10)
  file.check(0, 10)
  throwsCode(() => file.check(0, 11), 'ERR_TRUNCATED', 'has 10 bytes now')
  file.close()
  closeSync(fd)
})

test('pages that could not be had, of a file that is long enough by now: it was shorter for a moment', () => {
  const os = new FakeOs()
  const file = mapFile(freshFile(3 * page), { mode: 'read', os })
  os.fail('populateRead', 1, EFAULT)
  throwsCode(() => file.check(), 'ERR_TRUNCATED', 'was shorter for a moment')
  const { copyOut } = os
  os.copyOut = () => 5
  throwsCode(() => file.read(0, 10), 'ERR_TRUNCATED', 'was shorter for a moment')
  os.copyOut = copyOut
  file.check()
  file.close()
})

test('pages that cannot be had because the disk has failed: that is what is said', () => {
  const os = new FakeOs()
  const path = freshFile(3 * page)
  const file = mapFile(path, { mode: 'read', os })
  os.fail('populateRead', 1, EIO)
  throwsCode(() => file.check(), 'EIO', 'madvise')
  os.fail('copyOut', 1, EIO)
  throwsCode(() => file.read(0, 1), 'EIO', 'process_vm_readv')
  os.copyOut = (_, byteLength) => Math.min(byteLength, page)
  os.fail('read', 1, EIO)
  throwsCode(() => file.read(0, 2 * page), 'EIO', 'read')
  assert.is(os.files.opened.size, 0)
  os.fail('populateRead', 1, EFAULT)
  os.fail('read', 1, EIO)
  throwsCode(() => file.check(), 'EIO', 'read')
  file.close()
})

test('copy: a page that was changed and cut off is gone with the file', () => {
  const path = freshFile(2 * page)
  const file = mapFile(path, { mode: 'copy' })
  file.bytes.fill(1)
  truncateSync(path, page)
  throwsCode(() => file.check(), 'ERR_TRUNCATED')
  assert.ok(file.read(0, page).every((byte) => byte === 1))
  truncateSync(path, 2 * page)
  file.check()
  assert.ok(file.read(page, page).every((byte) => byte === 0))
  file.close()
})

test('lock: what fails leaves nothing locked', () => {
  const os = new FakeOs()
  const path = freshFile(2 * page)
  const file = mapFile(path, { mode: 'read', os })
  truncateSync(path, 0)
  throwsCode(() => file.lock(), 'ERR_TRUNCATED')
  assert.is(os.count('unlock'), 1)
  file.close()
})

test.run()

/**
 * Files that a process may not read, or not write: in a child that becomes another user where it can, as root may do anything. Modes
 * are such that they forbid the same to an owner other than root.
 *
 * The other user reaches the files from the working folder, which may lie where that user may not go.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes, runChild } from '../../helpers/child.ts'
import { canBecomeAnother, OTHER_USER } from '../../helpers/machine.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshPath, pattern } from '../../helpers/scratch.ts'

/** Root without the right to become another user may do everything. */
const testOfUsers = process.getuid?.() !== 0 || canBecomeAnother() ? test : test.skip

for (const node of nodes)
  testOfUsers(`Node ${node.major}: what may not be done is EACCES, and what may be done is done`, async () => {
    const folder = freshPath()
    mkdirSync(folder)
    const secret = join(folder, 'secret')
    const readable = join(folder, 'readable')
    for (const path of [secret, readable]) writeFileSync(path, pattern(100))
    for (const [path, mode] of [
      [secret, 0],
      [readable, 0o444],
      [folder, 0o555],
    ] as const)
      chmodSync(path, mode)
    const child = await runChild(
      `${MAP_FILE}
      Arena.reserve(MiB).close()
      process.chdir(${JSON.stringify(folder)})
      if (process.getuid() === 0) process.seteuid(${OTHER_USER})
      const code = (run) => { try { return run() ?? 'done' } catch (error) { return error.code + ' ' + error.path } }
      const read = mapFile('readable', { mode: 'read', hardened: true })
      const copy = mapFile('readable', { mode: 'copy' })
      copy.bytes.fill(1)
      report({
        secret: code(() => mapFile('secret', { mode: 'read' }).close()),
        write: code(() => mapFile('readable', { mode: 'write' }).close()),
        create: code(() => mapFile('new', { mode: 'write', create: true }).close()),
        check: code(() => { read.check(), copy.check() }),
        bytes: [...read.read(0, 100)],
      })`,
      { node }
    )
    chmodSync(folder, 0o755)
    assert.equal(child.clean().report, {
      secret: 'EACCES secret',
      write: 'EACCES readable',
      create: 'EACCES new',
      check: 'done',
      bytes: [...pattern(100)],
    })
  })

test.run()

/** Files that a process may not read, or not write: as somebody else than root, in a child. */
import { chmodSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes, runChild } from '../../helpers/child.ts'
import { MAP_FILE } from '../../helpers/map-file.ts'
import { freshFile, pattern, scratch } from '../../helpers/scratch.ts'

for (const node of nodes)
  test(`Node ${node.major}: what may not be done is EACCES, and what may be done is done`, async () => {
    const secret = freshFile(100)
    const readable = freshFile(100)
    chmodSync(scratch, 0o755)
    chmodSync(secret, 0o600)
    chmodSync(readable, 0o644)
    const child = await runChild(
      `${MAP_FILE}
      Arena.reserve(MiB).close()
      try { process.seteuid(65534) } catch { report({ skipped: true }); process.exit(0) }
      const code = (run) => { try { return run() ?? 'done' } catch (error) { return error.code + ' ' + error.path } }
      const read = mapFile(${JSON.stringify(readable)}, { mode: 'read', hardened: true })
      const copy = mapFile(${JSON.stringify(readable)}, { mode: 'copy' })
      copy.bytes.fill(1)
      report({
        secret: code(() => mapFile(${JSON.stringify(secret)}, { mode: 'read' }).close()),
        write: code(() => mapFile(${JSON.stringify(readable)}, { mode: 'write' }).close()),
        create: code(() => mapFile(${JSON.stringify(`${scratch}/new`)}, { mode: 'write', create: true }).close()),
        check: code(() => { read.check(), copy.check() }),
        bytes: [...read.read(0, 100)],
      })`,
      { node }
    )
    const { report } = child.clean()
    if (report.skipped) return console.log('skipped: this process cannot be anybody else')
    assert.equal(report, {
      secret: `EACCES ${secret}`,
      write: `EACCES ${readable}`,
      create: `EACCES ${scratch}/new`,
      check: 'done',
      bytes: [...pattern(100)],
    })
  })

test.run()

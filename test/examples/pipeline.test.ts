/** The pipeline example, on a small input: it verifies itself, and ends with status 0. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes } from '../helpers/child.ts'

const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))

for (const { path, major } of nodes)
  test(`Node ${major}: pipeline counts the same by every way, and frees every block`, () => {
    const args = ['--no-warnings', main, 'pipeline', '--mebibytes', '4', '--rounds', '1']
    const { status, stdout, stderr } = spawnSync(path, args, { encoding: 'utf8' })
    assert.equal([status, stderr], [0, ''], stdout)
    for (const way of ['reference', 'copy', 'transfer']) assert.match(stdout, new RegExp(way))
  })

test.run()

/** The examples of shared arenas, on small inputs: they verify themselves, and end with status 0. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodes } from '../helpers/child.ts'

const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))

function run(node: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(node, ['--no-warnings', main, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
}

for (const { path, major } of nodes) {
  test(`Node ${major}: two-processes sends every record by each channel`, () => {
    const { status, stdout, stderr } = run(
      path,
      'two-processes',
      '--records',
      '20000',
      '--rounds',
      '2',
      '--capacity',
      '256'
    )
    assert.equal([status, stderr], [0, ''])
    for (const channel of ['ring', 'pipe, 1 write a record', 'pipe, 64 KiB a write'])
      assert.match(stdout, new RegExp(`^ ${channel} +\\d+\\.\\d\\d M`, 'm'))
    assert.match(stdout, /Every record was verified/)
  })

  test(`Node ${major}: worker-arena finds every number`, () => {
    const { status, stdout, stderr } = run(path, 'worker-arena', '--mib', '8', '--workers', '3', '--rounds', '2')
    assert.equal([status, stderr], [0, ''])
    assert.match(stdout, /3 workers have filled 8\.0 MiB/)
    assert.match(stdout, /8\.0 MiB by handle/)
  })
}

test('each tells what it does, and refuses what it does not know', () => {
  for (const name of ['two-processes', 'worker-arena']) {
    const help = run(process.execPath, name, '--help')
    assert.equal([help.status, help.stderr], [0, ''])
    assert.match(help.stdout, new RegExp(`^Usage: npm run example -- ${name}`))
    assert.is.not(run(process.execPath, name, '--nonsense').status, 0)
  }
  for (const bad of [
    ['--records', '0'],
    ['--rounds', 'x'],
    ['--capacity', '1.5'],
  ])
    assert.match(run(process.execPath, 'two-processes', ...bad).stderr, /expected a whole number/)
  assert.match(run(process.execPath, 'two-processes', '--capacity', '100').stderr, /power of two/)
  assert.match(run(process.execPath, 'worker-arena', '--workers', '99').stderr, /from 1 to 16/)
})

test('without a name they are listed', () => {
  const { status, stdout } = run(process.execPath)
  assert.is(status, 0)
  const listed = [...stdout.matchAll(/^ {2}(\S+)$/gm)].map(([, name]) => name)
  assert.ok(listed.includes('two-processes') && listed.includes('worker-arena'))
  assert.is(run(process.execPath, 'nonsense').status, 2)
  // Each that is listed has help; parts of examples are not listed.
  for (const name of listed) assert.match(run(process.execPath, name as string, '--help').stdout, /^Usage: /)
  assert.ok(readdirSync(fileURLToPath(new URL('../../examples', import.meta.url))).length > listed.length)
})

test.run()

/** The package is built once for all test files, whichever asks first, and whatever a builder that died has left. */
import { fork, type Serializable } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { copyPackage } from '../helpers/built-package.ts'
import { freshPath } from '../helpers/scratch.ts'
import { processStart } from '../processes.ts'

/** A builder that notes each time it is called. */
function builder(notes: string): (folder: string) => Promise<void> {
  return async (folder) => {
    writeFileSync(notes, 'built\n', { flag: 'a' })
    await new Promise((resolve) => setImmediate(resolve))
    mkdirSync(folder)
    writeFileSync(join(folder, 'index.js'), 'one')
  }
}

const self = fileURLToPath(import.meta.url)
const [, , place, notes, target] = process.argv
if (process.send !== undefined && target !== undefined) {
  await copyPackage(target, place as string, builder(notes as string))
  process.send('done')
  process.disconnect()
} else {
  test('files that ask at the same time get one build', async () => {
    const folder = freshPath()
    mkdirSync(folder)
    const log = join(folder, 'notes')
    const targets = Array.from({ length: 4 }, () => freshPath())
    const done = targets.map((path) => {
      const child = fork(self, [folder, log, path])
      return new Promise<Serializable>((resolve, reject) => {
        child.once('message', resolve)
        child.once('error', reject)
        child.once('exit', (status) => reject(new Error(`exit status ${status}`)))
      })
    })
    assert.equal(await Promise.all(done), ['done', 'done', 'done', 'done'])
    for (const path of targets) assert.is(readFileSync(join(path, 'index.js'), 'utf8'), 'one')
    assert.is(readFileSync(log, 'utf8'), 'built\n')
    assert.equal(readdirSync(folder).sort(), ['notes', 'package'])
  })

  test('a lock whose process is gone is taken away, and so is one whose number another process has', async () => {
    for (const lock of ['4194304 1', `${process.pid} 1`]) {
      const folder = freshPath()
      mkdirSync(folder)
      writeFileSync(join(folder, 'package.lock'), lock)
      const path = freshPath()
      await copyPackage(path, folder, builder(join(folder, 'notes')))
      assert.ok(existsSync(join(path, 'index.js')))
      assert.not(existsSync(join(folder, 'package.lock')))
    }
    assert.is(processStart(4194304), '')
  })

  test('a build that fails leaves nothing, and the next one is made', async () => {
    const folder = freshPath()
    mkdirSync(folder)
    let error: unknown
    await copyPackage(freshPath(), folder, () => Promise.reject(new Error('no room'))).catch((reason) => {
      error = reason
    })
    assert.is((error as Error).message, 'no room')
    assert.equal(readdirSync(folder), [])
    await copyPackage(freshPath(), folder, builder(join(folder, 'notes')))
    assert.equal(readdirSync(folder).sort(), ['notes', 'package'])
  })

  test.run()
}

/** The runner's own judgement: no way for a test process to end badly and be counted as passed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { judge, runFile } from './outcome.ts'

const summary = (total: number, passed: number) => `\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   1\n`

test('counts come from the last summary', () => {
  assert.equal(judge(summary(9, 1) + summary(5, 5), 0, null), { passed: 5, failed: 0, skipped: 1, reason: undefined })
  assert.equal(judge(summary(5, 3), 1, null), { passed: 3, failed: 2, skipped: 1, reason: undefined })
})

test('a bad end is a failure, whatever was counted', () => {
  assert.is(judge(summary(5, 5), null, 'SIGSEGV').failed, 1)
  assert.is(judge(summary(5, 5), 1, null).failed, 1)
  assert.is(judge('', 0, null).failed, 1)
  assert.is(judge('', null, 'SIGABRT').reason, 'ended by SIGABRT')
})

test('a process that dies by a signal, hangs, or says nothing has failed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sorites-runner-'))
  const run = (body: string) => {
    const file = join(folder, `${Math.abs(hash(body))}.mjs`)
    writeFileSync(file, body)
    return runFile(file, { timeoutSeconds: 2 })
  }
  try {
    assert.match((await run('process.kill(process.pid, "SIGSEGV")')).reason!, /SIGSEGV/)
    assert.match((await run('setInterval(() => {}, 1000)')).reason!, /no end after 2 s/)
    assert.match((await run('console.log("hello")')).reason!, /without a summary/)
    assert.is((await run(`console.log(${JSON.stringify(summary(2, 2))})`)).failed, 0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function hash(text: string): number {
  let value = 0
  for (const character of text) value = (Math.imul(value, 31) + character.charCodeAt(0)) | 0
  return value
}

test.run()

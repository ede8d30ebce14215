/** docs/examples.md has every example, with what it printed, and that was a success. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { captureText } from '../../examples/capture.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const page = readFileSync(`${root}docs/examples.md`, 'utf8')
const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))
const listed = [...spawnSync(process.execPath, [main], { encoding: 'utf8' }).stdout.matchAll(/^ {2}(\S+)$/gm)].map(
  ([, name]) => name as string
)

/** A captured run: the line that says where it comes from, and what was printed. */
function captured(name: string): RegExp {
  return new RegExp(`^\\*.*; \`npm run example -- ${name}\`\\*\n\n\`\`\`text\n[\\s\\S]+\n\`\`\`$`)
}

test('the page has a heading, a row and a captured run for each example, and for nothing else', () => {
  assert.ok(listed.length >= 12)
  const headings = [...page.matchAll(/^## (\S+)$/gm)].map(([, name]) => name as string)
  assert.equal(headings.toSorted(), listed.toSorted())
  for (const name of listed) {
    assert.ok(page.includes(`\n| [${name}](#${name}) | `), name)
    const run = page.split(`<!-- ${name} -->\n`)[1]?.split(`\n<!-- /${name} -->`)[0] ?? ''
    assert.match(run, captured(name))
    assert.not.match(run, /FAIL/)
  }
})

test('what --write puts into the page is what the page must have', () => {
  assert.match(captureText('cache', '\n  one line  \nanother\n\n'), captured('cache'))
  assert.ok(captureText('cache', '\n  one line  \nanother\n').endsWith('```text\n  one line\nanother\n```'))
})

test('each recipe begins with what it shows, which calls it makes, and what it costs', () => {
  for (const [, first] of page.matchAll(/\]\(\.\.\/(examples\/\w+\/[\w-]+\.ts)\)/g)) {
    const file = `${root}${first}`
    assert.ok(existsSync(file), first)
    const head = readFileSync(file, 'utf8').split('*/')[0] as string
    for (const word of ['Calls: ', 'Cost: ']) assert.ok(head.includes(word), `${first}: ${word}`)
  }
})

test.run()

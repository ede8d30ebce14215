/**
 * What a figure does in a browser: Chromium opens a page from `file:`, a script clicks and presses keys, and what the page has become is read.
 *
 * `CHROMIUM` names the browser; without it the usual names are tried. Where there is none the tests are skipped, and counted as that.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Chart, FIGURE_STYLE, figure } from '../../src/cli/page/chart.ts'
import { FIGURE_SCRIPT } from '../../src/cli/page/figure-script.ts'
import { htmlPage } from '../../src/cli/page/page.ts'
import { freshFile, freshPath } from '../helpers/scratch.ts'

const MiB = 2 ** 20

function findBrowser(): string | undefined {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome']
  return names.find((name) => name !== undefined && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
}

const browser = findBrowser()
const testInBrowser = browser === undefined ? test.skip : test

const chart: Chart = {
  title: 'Memory',
  x: 'time',
  y: 'bytes',
  stacked: true,
  series: [
    {
      name: 'one',
      points: [
        [0, 4 * MiB],
        [1000, 6 * MiB],
        [2000, 8 * MiB],
      ],
    },
    {
      name: 'two',
      points: [
        [0, 2 * MiB],
        [1000, 2 * MiB],
        [2000, 2 * MiB],
      ],
    },
    {
      name: 'over',
      points: [
        [0, MiB],
        [2000, 3 * MiB],
      ],
      line: true,
    },
  ],
}

/** Runs a script in the page when it is there. What the script returns is the answer. */
function inBrowser(script: string): unknown {
  const driver = `
    const figure = document.querySelector('figure'), svg = figure.querySelector('svg'), out = figure.querySelector('output')
    const shape = (i) => svg.querySelector('[data-series="' + i + '"]')
    const key = (name) => svg.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }))
    const errors = []
    addEventListener('error', (event) => errors.push(event.message))
    let answer
    try { answer = (() => { ${script} })() } catch (error) { errors.push(String(error)) }
    document.body.dataset.answer = encodeURIComponent(JSON.stringify({ answer, errors }))`
  const page = freshFile(
    htmlPage({ title: 't', body: figure(chart), style: FIGURE_STYLE, scripts: [FIGURE_SCRIPT, driver] })
  )
  const profile = freshPath('profile')
  mkdirSync(profile)
  const words = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    `--user-data-dir=${profile}`,
    '--virtual-time-budget=1000',
  ]
  // From a file without an ending Chromium takes the text for text.
  const html = `${page}.html`
  renameSync(page, html)
  const { stdout, stderr } = spawnSync(browser as string, [...words, '--dump-dom', `file://${html}`], {
    encoding: 'utf8',
  })
  const found = /data-answer="([^"]*)"/.exec(stdout)?.[1]
  assert.ok(found !== undefined, `${stdout.slice(0, 2000)}${stderr.slice(-2000)}`)
  const { answer, errors } = JSON.parse(decodeURIComponent(found))
  assert.equal(errors, [])
  return answer
}

testInBrowser('arrow keys, Home and End read the values', () => {
  const read = inBrowser(
    `return ['Home', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'End'].map((name) => { key(name); return out.textContent })`
  )
  const [first, second, third] = [
    '0 µs: one 4 MiB, two 2 MiB, over 1 MiB',
    '1 s: one 6 MiB, two 2 MiB, over 1 MiB',
    '2 s: one 8 MiB, two 2 MiB, over 3 MiB',
  ]
  assert.equal(read, [first, second, third, third, second, third])
})

testInBrowser('a button hides its area, and the areas above come down; again, and they are as before', () => {
  const [before, hidden, display, pressed, after] = inBrowser(`
    const [button] = figure.querySelectorAll('.legend button')
    const before = shape(1).getAttribute('points')
    button.click()
    const hidden = shape(1).getAttribute('points'), display = shape(0).style.display, pressed = button.getAttribute('aria-pressed')
    button.click()
    const lowest = (text) => text.split(' ').map((point) => point.split(',').map(Number)).map(([x, y]) => [Math.round(x), Math.round(y)])
    return [lowest(before), lowest(hidden), display, pressed, lowest(shape(1).getAttribute('points'))]`) as [
    [number, number][],
    [number, number][],
    string,
    string,
    [number, number][],
  ]
  assert.equal(after, before)
  assert.is(display, 'none')
  assert.is(pressed, 'false')
  assert.equal(
    hidden.map(([x]) => x),
    before.map(([x]) => x)
  )
  assert.ok(
    hidden.every(([, y], index) => y > before[index]![1]),
    JSON.stringify({ before, hidden })
  )
})

testInBrowser('the mouse reads the nearest value, and everything can have the focus', () => {
  const [text, focus] = inBrowser(`
    const box = svg.getBoundingClientRect()
    svg.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width * 0.54, clientY: box.top + 10 }))
    const focus = [svg, ...figure.querySelectorAll('button')].every((element) => { element.focus(); return document.activeElement === element })
    return [out.textContent, focus]`) as [string, boolean]
  assert.match(text, /^1 s: one 6 MiB/)
  assert.is(focus, true)
})

testInBrowser('nothing is asked of any network', () => {
  assert.equal(inBrowser(`return performance.getEntriesByType('resource').map(({ name }) => name)`), [])
})

test.run()

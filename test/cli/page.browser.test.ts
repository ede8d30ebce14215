/**
 * A chart in a browser: Chromium opens a page from `file:`, values are read by mouse and by keyboard, series are hidden, stretches are
 * enlarged, the scheme changes. Skipped where no Chromium is installed.
 */
import { renameSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Chart, FIGURE_STYLE, figure } from '../../src/cli/page/chart.ts'
import { htmlPage } from '../../src/cli/page/page.ts'
import { inBrowser, type OpenPage, openPage, pixels, until } from '../helpers/browser.ts'
import { freshFile } from '../helpers/scratch.ts'

const MiB = 2 ** 20

const chart: Chart = {
  title: 'Memory <b>',
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
  marks: [{ x: 1001, label: 'a collection' }],
}

const [first, second, third] = [
  '0 µs: one 4 MiB, two 2 MiB, over 1 MiB',
  '1 s: one 6 MiB, two 2 MiB, over 1 MiB; a collection',
  '2 s: one 8 MiB, two 2 MiB, over 3 MiB',
]

const plain = freshFile(htmlPage({ title: 't', body: figure(chart), style: FIGURE_STYLE }))
// From a file without an ending Chromium takes the text for text.
const file = `${plain}.html`
renameSync(plain, file)

let opened: OpenPage
let page: Page
const canvas = '.uplot canvas'
const read = (): Promise<string | null> => page.textContent('figure output')
const focus = (): Promise<void> => page.focus('.plot')

inBrowser('the page opens from a file', async () => {
  opened = await openPage(file)
  page = opened.page
  await page.waitForSelector('figure[data-ready]')
  assert.is(await page.textContent('figcaption'), 'Memory <b>')
})

inBrowser('arrow keys, Home and End read the values', async () => {
  await focus()
  const texts: (string | null)[] = []
  for (const key of ['Home', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'End']) {
    await page.keyboard.press(key)
    texts.push(await read())
  }
  assert.equal(texts, [first, second, third, third, second, third])
})

inBrowser('the mouse reads the nearest value, and stays with it outside', async () => {
  const box = (await page.locator('.u-over').boundingBox())!
  await page.mouse.move(box.x + box.width * 0.54, box.y + 10)
  assert.is(await read(), second)
  await page.mouse.move(box.x + box.width * 0.97, box.y + 10)
  assert.is(await read(), third)
  await page.mouse.move(1, 1)
  assert.is(await read(), third)
})

inBrowser('a button hides its area, and the areas above come down; again, and all is as before', async () => {
  const before = await pixels(page, canvas)
  const button = page.locator('.legend button').first()
  await button.click()
  assert.is(await button.getAttribute('aria-pressed'), 'false')
  assert.is(await read(), '2 s: two 2 MiB, over 3 MiB')
  assert.is.not(await pixels(page, canvas), before)
  await button.press('Enter')
  assert.is(await button.getAttribute('aria-pressed'), 'true')
  assert.is(await read(), third)
  assert.is(await pixels(page, canvas), before)
})

inBrowser('dragging enlarges, double-click shows the whole; so do plus, minus and 0', async () => {
  const whole = await pixels(page, canvas)
  const box = (await page.locator('.u-over').boundingBox())!
  await page.mouse.move(box.x + box.width * 0.4, box.y + 50)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.7, box.y + 50)
  await page.mouse.up()
  assert.is.not(await pixels(page, canvas), whole)
  await page.mouse.dblclick(box.x + box.width * 0.5, box.y + 50)
  assert.is(await pixels(page, canvas), whole)
  await focus()
  await page.keyboard.press('+')
  const half = await pixels(page, canvas)
  assert.is.not(half, whole)
  await page.keyboard.press('+')
  assert.is.not(await pixels(page, canvas), half)
  await page.keyboard.press('-')
  assert.is(await pixels(page, canvas), half)
  await page.keyboard.press('0')
  assert.is(await pixels(page, canvas), whole)
  // What is read is always in sight.
  await page.keyboard.press('End')
  await page.keyboard.press('+')
  await page.keyboard.press('Home')
  assert.is(await pixels(page, canvas), whole)
})

inBrowser('the keyboard reaches everything', async () => {
  await page.mouse.click(2, 2)
  const reached: string[] = []
  for (let press = 0; press < 4; press++) {
    await page.keyboard.press('Tab')
    reached.push(
      await page.evaluate('document.activeElement.className || document.activeElement.textContent.slice(0, 20)')
    )
  }
  assert.equal(reached, ['plot', 'one', 'two', 'over'])
})

inBrowser('dark is drawn in its own colours; a narrow window has a narrow chart', async () => {
  const light = await pixels(page, canvas)
  await page.emulateMedia({ colorScheme: 'dark' })
  while ((await pixels(page, canvas)) === light) await page.evaluate('0')
  await page.emulateMedia({ colorScheme: 'light' })
  while ((await pixels(page, canvas)) !== light) await page.evaluate('0')
  await page.setViewportSize({ width: 480, height: 700 })
  await until(page, 'document.querySelector(".uplot").clientWidth < 480')
  assert.ok(await page.evaluate('document.documentElement.scrollWidth <= 480'))
})

inBrowser('nothing is asked of any network, and nothing went wrong', () => {
  assert.equal(opened.requests, [pathToFileURL(file).href])
  // Reading pixels back is this test's own.
  assert.equal(
    opened.problems.filter((problem) => !problem.startsWith('Canvas2D')),
    []
  )
})

inBrowser('one value alone is seen', async () => {
  const alone: Chart = { title: 'once', x: 'time', y: 'bytes', series: [{ name: 'one', points: [[0, MiB]] }] }
  const text = freshFile(htmlPage({ title: 't', body: figure(alone), style: FIGURE_STYLE }))
  renameSync(text, `${text}.html`)
  const single = await openPage(`${text}.html`)
  try {
    await single.page.waitForSelector('figure[data-ready]')
    const shown = await pixels(single.page, canvas)
    await single.page.locator('.legend button').first().click()
    assert.is.not(await pixels(single.page, canvas), shown)
  } finally {
    await single.close()
  }
})

test.after(() => opened?.close())

test.run()

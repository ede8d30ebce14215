/**
 * The page of `sorites replay` in a real browser, clicked through: the heap over time by slider, Play, chart and keyboard, what a cell says,
 * light and dark. Skipped where no Chromium is installed.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeTrace } from '../../../src/trace/format.ts'
import { inBrowser, type OpenPage, openPage, pixels, until } from '../../helpers/browser.ts'
import { roomyFolder } from '../../helpers/scratch.ts'
import { sampleTrace } from '../../trace/sample.ts'

const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
const file = join(folder, 'a page.html')
const FRAMES = 12
let opened: OpenPage
let page: Page

inBrowser('the page opens, and its pictures unpack', async () => {
  const trace = join(folder, 'sample.mtrc')
  writeFileSync(trace, encodeTrace(sampleTrace(6000, 6000)))
  const policies = ['-p', 'heap', '-p', 'first-fit']
  const words = ['replay', '--quick', '--frames', String(FRAMES), ...policies, '--html', file, trace]
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  opened = await openPage(file)
  page = opened.page
  await until(page, 'document.querySelectorAll("figure.heapmap[data-ready]").length === 2')
  await until(page, 'document.querySelector("figure.heapmap .state").textContent.includes("blocks")')
})

test.after(async () => {
  await opened?.close()
  rmSync(folder, { recursive: true })
})

const text = (selector: string): Promise<string | null> => page.locator(selector).first().textContent()
const slider = async (): Promise<number> => Number(await page.inputValue('.controls input'))
const map = (index: number): Promise<number> => pixels(page, `.maps figure:nth-child(${index + 1}) canvas`)
const chart = (index: number): Promise<number> => pixels(page, `figure.chart:nth-of-type(${index + 1}) canvas`)
/** What each chart reads. */
const reads = (): Promise<string[]> => page.locator('figure.chart output').allTextContents()

inBrowser('it begins at the end of the trace, with a picture for each policy', async () => {
  assert.is(await slider(), FRAMES - 1)
  assert.match((await text('.controls .time'))!, /^event 6,000 of 6,000$/)
  assert.match((await text('figure.heapmap .state'))!, /^[\d,]+ blocks, .* live, .* held, .* in memory$/)
  assert.is.not(await map(0), await map(1))
})

inBrowser('the mouse asks a cell what is in it, and the arrow keys do', async () => {
  const canvas = page.locator('figure.heapmap canvas').first()
  const { width, height } = (await canvas.boundingBox())!
  await canvas.hover({ position: { x: width * 0.02, y: height * 0.05 } })
  const first = await text('figure.heapmap .cell')
  assert.match(first!, /^From [\d,]+, .*: (\d+ % full, .* here|free, in memory|not in memory)/)
  await canvas.press('ArrowRight')
  const second = await text('figure.heapmap .cell')
  assert.match(second!, /^From [\d,]+/)
  assert.is.not(second, first)
})

inBrowser('the slider moves all pictures, by keyboard too, and what the charts read with them', async () => {
  const before = [await map(0), await map(1)]
  for (let press = 0; press < 6; press++) await page.press('.controls input', 'ArrowLeft')
  assert.is(await slider(), FRAMES - 7)
  assert.match((await text('.controls .time'))!, /^event 3,000 of 6,000$/)
  assert.is.not(await map(0), before[0])
  assert.is.not(await map(1), before[1])
  const read = await reads()
  assert.is(read.length, 3)
  for (const line of read) assert.match(line, /^3,000: heap /)
})

inBrowser('a click in a chart sets the time, and all charts read it', async () => {
  const over = page.locator('figure.chart .u-over').first()
  const { width, height } = (await over.boundingBox())!
  await over.click({ position: { x: width * 0.55, y: height * 0.5 } })
  const at = await slider()
  assert.ok(at > 0 && at < FRAMES - 1, `frame ${at}`)
  const moments = (await reads()).map((line) => line.split(':')[0])
  assert.is(new Set(moments).size, 1, moments.join(' '))
})

inBrowser('a stretch that is enlarged in one chart is enlarged in all, and the slider stays', async () => {
  const before = [await chart(0), await chart(1), await chart(2)]
  const at = await slider()
  const box = (await page.locator('figure.chart .u-over').first().boundingBox())!
  await page.mouse.move(box.x + box.width * 0.3, box.y + 50)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.6, box.y + 50)
  await page.mouse.up()
  const after = [await chart(0), await chart(1), await chart(2)]
  for (const index of [0, 1, 2]) assert.is.not(after[index], before[index], `chart ${index}`)
  assert.is(await slider(), at)
  await page.press('figure.chart:nth-of-type(2) .plot', '0')
  for (const index of [0, 1, 2]) assert.is(await chart(index), before[index], `chart ${index}`)
})

inBrowser('Play runs to the end from the beginning, and can be stopped', async () => {
  await page.fill('.controls input', String(FRAMES - 1))
  await page.click('button.play')
  assert.is(await text('button.play'), 'Pause')
  await until(page, 'Number(document.querySelector(".controls input").value) >= 2')
  await page.click('button.play')
  assert.is(await text('button.play'), 'Play')
  await page.click('button.play')
  await until(page, `Number(document.querySelector(".controls input").value) === ${FRAMES - 1}`)
  await until(page, 'document.querySelector("button.play").textContent === "Play"')
})

inBrowser('dark is drawn anew in its own colours', async () => {
  const light = await map(0)
  await page.emulateMedia({ colorScheme: 'dark' })
  while ((await map(0)) === light) await page.evaluate('0')
  await page.emulateMedia({ colorScheme: 'light' })
})

inBrowser('nothing was asked of a network, and nothing went wrong', async () => {
  // Reading pixels back is this test's own.
  assert.equal(
    opened.problems.filter((problem) => !problem.startsWith('Canvas2D')),
    []
  )
  assert.equal([...new Set(opened.requests)], [pathToFileURL(file).href])
  const kept = process.env.SORITES_SCREENSHOT
  if (kept !== undefined) await page.screenshot({ path: kept, fullPage: true })
})

test.run()

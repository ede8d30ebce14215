/**
 * The page of `sorites replay` in a real browser, clicked through: the heap over time by slider, Play, chart and keyboard, what a cell says,
 * light and dark. Skipped where no Chromium is installed.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeTrace } from '../../../src/trace/format.ts'
import { Browser, browserPath } from '../../helpers/browser.ts'
import { roomyFolder } from '../../helpers/scratch.ts'
import { sampleTrace } from '../../trace/sample.ts'

const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(roomyFolder(), 'sorites-'))
const page = join(folder, 'a page.html')
const FRAMES = 12
let browser: Browser

const inBrowser = browserPath === undefined ? test.skip : test

inBrowser('the page opens, and its pictures unpack', async () => {
  const trace = join(folder, 'sample.mtrc')
  writeFileSync(trace, encodeTrace(sampleTrace(6000, 6000)))
  const words = [
    'replay',
    '--quick',
    '--frames',
    String(FRAMES),
    '-p',
    'heap',
    '-p',
    'first-fit',
    '--html',
    page,
    trace,
  ]
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  browser = await Browser.start()
  await browser.open(pathToFileURL(page).href)
  await browser.until('document.querySelectorAll("figure.heapmap[data-ready]").length === 2')
  await browser.until('document.querySelector("figure.heapmap .state").textContent.includes("blocks")')
})

test.after(async () => {
  await browser?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const text = (selector: string): Promise<string> =>
  browser.value(`document.querySelector(${JSON.stringify(selector)}).textContent`)
const slider = (): Promise<number> => browser.value('Number(document.querySelector(".controls input").value)')
/** A map's pixels, as a number that changes when they do. */
const pixels = (index: number): Promise<number> =>
  browser.value(`(() => {
    const canvas = document.querySelectorAll('figure.heapmap canvas')[${index}]
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    return data.reduce((sum, value, at) => (Math.imul(sum, 31) + value * (at % 7 + 1)) | 0, 0)
  })()`)

inBrowser('it begins at the end of the trace, with a picture for each policy', async () => {
  assert.is(await slider(), FRAMES - 1)
  assert.match(await text('.controls .time'), /^event 6,000 of 6,000$/)
  assert.match(await text('figure.heapmap .state'), /^[\d,]+ blocks, .* live, .* held, .* in memory$/)
  assert.is.not(await pixels(0), await pixels(1))
})

inBrowser('the mouse asks a cell what is in it, and the arrow keys do', async () => {
  await browser.hover('figure.heapmap canvas', 0.02, 0.05)
  const first = await text('figure.heapmap .cell')
  assert.match(first, /^From [\d,]+, .*: (\d+ % full, .* here|free, in memory|not in memory)/)
  await browser.value('document.querySelector("figure.heapmap canvas").focus()')
  await browser.press('ArrowRight', 39)
  const second = await text('figure.heapmap .cell')
  assert.match(second, /^From [\d,]+/)
  assert.is.not(second, first)
})

inBrowser('the slider moves all pictures, by keyboard too, and the cross-hair of the charts with them', async () => {
  const before = [await pixels(0), await pixels(1)]
  await browser.value('document.querySelector(".controls input").focus()')
  for (let press = 0; press < 6; press++) await browser.press('ArrowLeft', 37)
  assert.is(await slider(), FRAMES - 7)
  assert.match(await text('.controls .time'), /^event 3,000 of 6,000$/)
  assert.is.not(await pixels(0), before[0])
  assert.is.not(await pixels(1), before[1])
  const read = await browser.value(
    '[...document.querySelectorAll("figure.chart output")].map((out) => out.textContent)'
  )
  assert.is(read.length, 3)
  for (const line of read) assert.match(line, /^3,000: heap /)
})

inBrowser('a click in a chart sets the time, and its cross-hair shows in the others', async () => {
  await browser.click('figure.chart svg', 0.55, 0.5)
  const at = await slider()
  assert.ok(at > 0 && at < FRAMES - 1, `frame ${at}`)
  const read: string[] = await browser.value(
    '[...document.querySelectorAll("figure.chart output")].map((out) => out.textContent.split(":")[0])'
  )
  assert.is(new Set(read).size, 1, read.join(' '))
})

inBrowser('Play runs to the end from the beginning, and can be stopped', async () => {
  await browser.value('document.querySelector(".controls input").value = "11"')
  await browser.click('button.play')
  assert.is(await text('button.play'), 'Pause')
  await browser.until('Number(document.querySelector(".controls input").value) >= 2')
  await browser.click('button.play')
  assert.is(await text('button.play'), 'Play')
  await browser.click('button.play')
  await browser.until(`Number(document.querySelector(".controls input").value) === ${FRAMES - 1}`)
  await browser.until('document.querySelector("button.play").textContent === "Play"')
})

inBrowser('dark is drawn anew in its own colours', async () => {
  await browser.scheme('light')
  const light = await pixels(0)
  await browser.scheme('dark')
  while ((await pixels(0)) === light) await browser.value('0')
  await browser.scheme('light')
})

inBrowser('nothing was asked of a network, and nothing went wrong', async () => {
  // Reading pixels back is this test's own.
  assert.equal(
    browser.problems.filter((problem) => !problem.startsWith('Canvas2D')),
    []
  )
  assert.equal([...new Set(browser.requests)], [pathToFileURL(page).href])
  const kept = process.env.SORITES_SCREENSHOT
  if (kept !== undefined) writeFileSync(kept, await browser.screenshot())
})

test.run()

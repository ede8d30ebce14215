/**
 * A headless Chromium, driven by playwright-core: for tests that click through a page. `CHROMIUM` names the browser; without it the usual
 * names are tried. Where there is none, `inBrowser` is `test.skip`, and the summary counts what was skipped.
 *
 *     const { page, problems, requests, close } = await openPage(path)
 *
 * Nothing has a deadline: what is waited for comes, or the runner's watchdog says what hangs.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import { test } from 'uvu'

const NAMES = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The browser of this machine, if there is one. */
export const browserPath: string | undefined = NAMES.map(pathOf).find(
  (path) => path !== undefined && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0
)

export const inBrowser: typeof test.skip = browserPath === undefined ? test.skip : test

function pathOf(name: string | undefined): string | undefined {
  if (name === undefined || isAbsolute(name)) return name
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

export interface OpenPage {
  readonly page: Page
  /** What went wrong in the page: errors that nothing caught, and what the console was told. */
  readonly problems: string[]
  /** Addresses that the page asked for. */
  readonly requests: string[]
  close(): Promise<void>
}

/** Opens a file, as a double-click on it does. */
export async function openPage(path: string): Promise<OpenPage> {
  const browser = await chromium.launch({
    executablePath: browserPath as string,
    timeout: 0,
    chromiumSandbox: false,
    args: ['--disable-gpu', '--disable-dev-shm-usage'],
  })
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme: 'light' })
  page.setDefaultTimeout(0)
  const [problems, requests]: string[][] = [[], []]
  page.on('pageerror', (error) => problems!.push(String(error)))
  page.on('console', (message) => problems!.push(message.text()))
  page.on('request', (request) => requests!.push(request.url()))
  await page.goto(pathToFileURL(path).href, { timeout: 0 })
  return { page, problems: problems!, requests: requests!, close: () => browser.close() }
}

/** Asks until an expression in the page is true. (The page's own policy forbids what `page.waitForFunction` does.) */
export async function until(page: Page, condition: string): Promise<void> {
  while (!(await page.evaluate(condition))) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** All pixels of canvases, as a number that changes when they do. */
export function pixels(page: Page, selector: string): Promise<number> {
  return page.evaluate(`(() => {
    let sum = 0
    for (const canvas of document.querySelectorAll(${JSON.stringify(selector)})) {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      data.forEach((value, at) => { sum = (Math.imul(sum, 31) + value * (at % 7 + 1)) | 0 })
    }
    return sum
  })()`)
}

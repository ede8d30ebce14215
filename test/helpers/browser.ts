/**
 * A headless Chromium, driven over its own protocol by a pipe: for tests that click through a page. Undefined where it is not installed.
 *
 *     await using browser = await Browser.start()
 *     await browser.open('file:///…')
 *     await browser.until('document.title === "…"')
 *     await browser.click('button.play')
 *
 * Nothing waits for a time: `until` asks until the answer is true.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { roomyFolder } from './scratch.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The browser of this machine, if there is one. */
export const browserPath: string | undefined = NAMES.find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0
)

interface Message {
  readonly id?: number
  readonly method?: string
  // biome-ignore lint/suspicious/noExplicitAny: the protocol's own shapes
  readonly params?: any
  // biome-ignore lint/suspicious/noExplicitAny: the protocol's own shapes
  readonly result?: any
  readonly error?: { readonly message: string }
}

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #profile: string
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  #ids = 0
  #session: string | undefined
  /** What went wrong in the page: errors that nothing caught, and what the console was told. */
  readonly problems: string[] = []
  /** Addresses that the page asked for. */
  readonly requests: string[] = []

  private constructor(path: string) {
    this.#profile = mkdtempSync(join(roomyFolder(), 'sorites-browser-'))
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      '--window-size=1200,900',
    ]
    this.#child = spawn(
      path,
      [...flags, `--user-data-dir=${this.#profile}`, '--remote-debugging-pipe', 'about:blank'],
      {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      }
    )
    let text = ''
    const answers = this.#child.stdio[4] as Readable
    answers.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0')
      text = parts.pop()!
      for (const part of parts) this.#hear(JSON.parse(part))
    })
    this.#child.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser has ended'))
    })
  }

  static async start(): Promise<Browser> {
    const browser = new Browser(browserPath!)
    try {
      await browser.#attach()
      return browser
    } catch (error) {
      await browser[Symbol.asyncDispose]()
      throw error
    }
  }

  async #attach(): Promise<void> {
    const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.#send('Target.attachToTarget', { targetId, flatten: true })
    this.#session = sessionId
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.#send(`${domain}.enable`)
  }

  async open(url: string): Promise<void> {
    await this.#send('Page.navigate', { url })
    await this.until('document.readyState === "complete"')
  }

  /** The value of an expression in the page; of a promise, what it comes to. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the page has
  async value(expression: string): Promise<any> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    })
    if (exceptionDetails !== undefined)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value
  }

  async until(condition: string): Promise<void> {
    while (!(await this.value(condition))) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** Moves the mouse to a place of an element, in shares of its width and height. */
  async hover(selector: string, x = 0.5, y = 0.5): Promise<{ x: number; y: number }> {
    const box = await this.value(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)})
      element.scrollIntoView({ block: 'center' })
      const { left, top, width, height } = element.getBoundingClientRect()
      return { left, top, width, height }
    })()`)
    const place = { x: box.left + box.width * x, y: box.top + box.height * y }
    await this.#send('Input.dispatchMouseEvent', { type: 'mouseMoved', ...place })
    return place
  }

  async click(selector: string, x = 0.5, y = 0.5): Promise<void> {
    const place = await this.hover(selector, x, y)
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.#send('Input.dispatchMouseEvent', { type, ...place, button: 'left', clickCount: 1 })
  }

  /** Presses a key, such as `ArrowRight` or `Tab`, wherever the focus is. */
  async press(key: string, code: number): Promise<void> {
    for (const type of ['rawKeyDown', 'keyUp'])
      await this.#send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: code })
  }

  /** Types a text, wherever the focus is. */
  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text })
  }

  /** Light or dark, as the reader's setting would be. */
  async scheme(value: 'light' | 'dark'): Promise<void> {
    await this.#send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] })
  }

  /** The whole page as PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send('Page.captureScreenshot', { captureBeyondViewport: true })
    return Buffer.from(data, 'base64')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#child.on('close', resolve))
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL')
      await closed
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20 })
  }

  // biome-ignore lint/suspicious/noExplicitAny: the protocol's own shapes
  #send(method: string, params: object = {}): Promise<any> {
    const id = ++this.#ids
    const message = { id, method, params, ...(this.#session === undefined ? {} : { sessionId: this.#session }) }
    ;(this.#child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #hear({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error !== undefined) waiting?.reject(new Error(error.message))
      else waiting?.resolve(result)
    } else if (method === 'Runtime.exceptionThrown')
      this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text)
    else if (method === 'Log.entryAdded') this.problems.push(params.entry.text)
    else if (method === 'Runtime.consoleAPICalled') this.problems.push(JSON.stringify(params.args))
    else if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url)
  }
}

/**
 * Another process, which maps a file when it is asked to and says what it sees, or writes to it. It ends with its parent.
 *
 *     -> ["read", path]                     <- base64
 *     -> ["write", path, offset, base64]    <- ""
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { compiled } from '../../test/helpers/child.ts'

const PROGRAM = `
import { createInterface } from 'node:readline'
import { mapFile } from ${JSON.stringify(compiled('src/arena/file/map-file'))}
for await (const line of createInterface({ input: process.stdin })) {
  const [what, path, offset, bytes] = JSON.parse(line)
  const file = mapFile(path, { mode: what })
  if (what === 'write') file.bytes.set(Buffer.from(bytes, 'base64'), offset)
  const answer = what === 'read' ? Buffer.from(file.read(0, file.byteLength)).toString('base64') : ''
  file.close()
  process.stdout.write(answer + '\\n')
}
`

export class SecondProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  #text = ''
  #answer: ((line: string) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  constructor() {
    // From a string and not from stdin, which is for questions.
    const program = `data:text/javascript,${encodeURIComponent(PROGRAM)}`
    const starter = `import(${JSON.stringify(program)})`
    this.#child = spawn(process.execPath, ['--input-type=module', '-e', starter], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout.setEncoding('latin1').on('data', (text: string) => this.#receive(text))
    this.#child.on('close', (status, signal) =>
      this.#failed?.(new Error(`the second process ended: ${signal ?? status}`))
    )
  }

  /** All bytes of a file, as seen through a mapping there. */
  async read(path: string): Promise<Buffer> {
    return Buffer.from(await this.#ask(['read', path]), 'base64')
  }

  /** Has bytes stored through a mapping there. */
  async write(path: string, offset: number, bytes: Buffer): Promise<void> {
    await this.#ask(['write', path, offset, bytes.toString('base64')])
  }

  close(): void {
    this.#failed = undefined
    this.#child.stdin.end()
  }

  #ask(question: unknown[]): Promise<string> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`)
    return new Promise((resolve, reject) => {
      this.#answer = resolve
      this.#failed = reject
    })
  }

  #receive(text: string): void {
    this.#text += text
    const end = this.#text.indexOf('\n')
    if (end < 0) return
    const line = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 1)
    this.#answer?.(line)
  }
}

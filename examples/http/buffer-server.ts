/**
 * The same server with Buffers that the collector frees: what the pool is compared with.
 * @module
 */
import { createServer, type Server } from 'node:http'
import { NUMBERS, writeReport } from './report.ts'

export class BufferServer {
  active = 0
  readonly #server: Server
  #idle: () => void = () => undefined

  constructor() {
    this.#server = createServer((request, response) => {
      const [seed, length] = (request.url ?? '').split('/').slice(2).map(Number) as [number, number]
      const body = Buffer.allocUnsafe(length)
      writeReport(body, new Float64Array(NUMBERS), seed)
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length })
      this.active++
      response.once('close', () => {
        if (--this.active === 0) this.#idle()
      })
      response.end(body)
    })
  }

  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port))
    })
  }

  async close(): Promise<void> {
    if (this.active > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    await new Promise<void>((resolve, reject) => {
      this.#server.close((error) => (error === undefined ? resolve() : reject(error)))
    })
  }
}

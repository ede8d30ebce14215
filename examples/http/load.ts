/**
 * Load: clients that ask for reports and verify every byte, in a process of their own.
 *
 *     node load.js PORT CLIENTS REQUESTS LENGTH       prints what came of it, as JSON
 *
 * Of 50 requests one is read slowly, and of 100 one is given up in the middle, as clients do.
 * @module
 */
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { NUMBERS, writeReport } from './report.ts'

export interface Load {
  readonly right: number
  readonly wrong: number
  readonly refused: number
  readonly givenUp: number
  readonly byteLength: number
  readonly seconds: number
  readonly medianMs: number
  readonly slowestMs: number
}

const [port, clients, requests, length] = process.argv.slice(2).map(Number) as [number, number, number, number]
const agent = new Agent({ keepAlive: true, maxSockets: clients })
const numbers = new Float64Array(NUMBERS)
const expected = Buffer.alloc(length)
const times: number[] = []
const counts = { right: 0, wrong: 0, refused: 0, givenUp: 0, byteLength: 0 }

function get(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ agent, port, host: '127.0.0.1', path }, resolve).on('error', reject).end()
  })
}

async function ask(seed: number): Promise<void> {
  const byteLength = Math.ceil(length / 2) + (seed % Math.floor(length / 2 + 1))
  const start = performance.now()
  const response = await get(`/report/${seed}/${byteLength}`)
  if (response.statusCode !== 200) {
    counts.refused++
    response.resume()
    return
  }
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    if (seed % 100 === 99) {
      counts.givenUp++
      return
    }
    if (seed % 50 === 0 && chunks.length === 1) await sleep(20)
  }
  times.push(performance.now() - start)
  const body = expected.subarray(0, byteLength)
  writeReport(body, numbers, seed)
  if (Buffer.concat(chunks).equals(body)) counts.right++
  else counts.wrong++
  counts.byteLength += byteLength
}

let next = 0
async function client(): Promise<void> {
  while (next < requests) await ask(next++)
}

const start = performance.now()
await Promise.all(Array.from({ length: clients }, client))
const seconds = (performance.now() - start) / 1000
agent.destroy()
times.sort((one, other) => one - other)
const load: Load = {
  ...counts,
  seconds,
  medianMs: times[Math.floor(times.length / 2)] ?? 0,
  slowestMs: times[Math.floor(times.length * 0.99)] ?? 0,
}
console.log(JSON.stringify(load))

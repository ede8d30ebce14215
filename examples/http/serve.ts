/**
 * A server in a process of its own, and what serving took. Started by main.ts, with a channel.
 *
 *     node serve.js bumps|buffers COUNT
 *
 *     says its port ─> asked for figures, says what serving took ─> told to close, says how many responses are on their way, and ends
 * @module
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { BufferServer } from './buffer-server.ts'
import { ReportServer } from './server.ts'

export interface Served {
  readonly cpuMs: number
  readonly peakRssBytes: number
  readonly pausesMs: number
  readonly collections: number
}

/** What a server is told, and what it says. */
export type Order = 'figures' | 'close'
export type ServerMessage = { readonly port: number } | { readonly served: Served } | { readonly closing: number }

const pauses: number[] = []
new PerformanceObserver((list) => pauses.push(...list.getEntries().map(({ duration }) => duration))).observe({
  entryTypes: ['gc'],
})
const [kind, count] = process.argv.slice(2)
const server = kind === 'bumps' ? new ReportServer(Number(count)) : new BufferServer()
const say = (message: ServerMessage): void => {
  process.send?.(message)
}

function figures(): Served {
  const { user, system } = process.cpuUsage(before)
  return {
    cpuMs: (user + system) / 1000,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    pausesMs: pauses.reduce((sum, pause) => sum + pause, 0),
    collections: pauses.length,
  }
}

async function close(): Promise<void> {
  const closed = server.close()
  say({ closing: server.active })
  await closed
  // Nothing is left to wait for: the process ends by itself.
  process.disconnect()
}

const port = await server.listen()
const before = process.cpuUsage()
process.on('message', (order: Order) => {
  if (order === 'figures') say({ served: figures() })
  else
    close().catch((error: Error) => {
      console.error(error.message)
      process.exit(1)
    })
})
say({ port })

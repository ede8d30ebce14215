/**
 * A server in a process of its own, and what serving took. Started by main.ts, with a channel.
 *
 *     node serve.js bumps|buffers COUNT       says its port; told to close, says how many responses are on their way, and then what it took
 * @module
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { BufferServer } from './buffer-server.ts'
import { ReportServer } from './server.ts'

export interface Served {
  readonly cpuMs: number
  readonly peakRssBytes: number
  readonly pausesMs: number
  readonly longestPauseMs: number
  readonly collections: number
}

export type ServerMessage = { readonly port: number } | { readonly closing: number } | { readonly served: Served }

const pauses: number[] = []
new PerformanceObserver((list) => pauses.push(...list.getEntries().map(({ duration }) => duration))).observe({
  entryTypes: ['gc'],
})
const [kind, count] = process.argv.slice(2)
const server = kind === 'bumps' ? new ReportServer(Number(count)) : new BufferServer()
const say = (message: ServerMessage): void => {
  process.send?.(message)
}

async function close(): Promise<void> {
  const { user, system } = process.cpuUsage(before)
  const served: Served = {
    cpuMs: (user + system) / 1000,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    pausesMs: pauses.reduce((sum, pause) => sum + pause, 0),
    longestPauseMs: Math.max(0, ...pauses),
    collections: pauses.length,
  }
  const closed = server.close()
  say({ closing: server.active })
  await closed
  say({ served })
  // Nothing is left to wait for: the process ends by itself.
  process.disconnect()
}

const port = await server.listen()
const before = process.cpuUsage()
process.once('message', () => {
  close().catch((error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
})
say({ port })

/**
 * What `sorites watch -- node app.js` loads into the program before it starts: V8's own figures at every interval, and every garbage
 * collection, as lines of JSON on a descriptor.
 *
 *     {"time":…,"heapUsed":…,"heapTotal":…,"external":…,"arrayBuffers":…,"costMs":…,"upMs":…}        time: milliseconds since 1970
 *     {"gc":"minor","time":…,"ms":…,"costMs":…,"upMs":…}
 *
 * It keeps no process alive, adds no handler that the program could notice, and takes itself out of the environment, so that programs
 * which the program starts run without it. `costMs` is the time that it has taken so far, its loading included;
 * `upMs` is how old the program is. When the reader is gone it stops.
 * @module
 */
import { writeSync } from 'node:fs'
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** What it took to load this, and what came with it. */
const LOADING_MS = performance.now() - performance.nodeTiming.bootstrapComplete
const { SORITES_WATCH_FD, SORITES_WATCH_MS, SORITES_WATCH_OPTIONS, SORITES_WATCH_PARENT } = process.env
const KINDS: Readonly<Record<number, string>> = {
  1: 'minor',
  2: 'minor',
  4: 'major',
  8: 'incremental',
  16: 'weak callbacks',
}

const rounded = (milliseconds: number): number => Number(milliseconds.toFixed(3))

function start(fd: number, intervalMs: number): void {
  let costMs = Math.max(0, LOADING_MS)
  let stopped = false
  const timed = (write: () => object): void => {
    if (stopped) return
    const begin = performance.now()
    try {
      const line = write()
      writeSync(fd, `${JSON.stringify({ ...line, costMs: rounded(costMs), upMs: rounded(begin) })}\n`)
    } catch (error) {
      // EAGAIN: the reader is slow, and this line is left out. Else it is gone.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') stop()
    }
    costMs += performance.now() - begin
  }
  const read = (): void =>
    timed(() => {
      const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
      return { time: performance.timeOrigin + performance.now(), heapUsed, heapTotal, external, arrayBuffers }
    })
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      timed(() => {
        const { kind } = (entry as unknown as { detail: { kind: number } }).detail
        return { gc: KINDS[kind] ?? 'other', time: performance.timeOrigin + entry.startTime, ms: entry.duration }
      })
  })
  observer.observe({ entryTypes: ['gc'] })
  const timer = setInterval(read, intervalMs)
  timer.unref()
  const stop = (): void => {
    stopped = true
    clearInterval(timer)
    observer.disconnect()
  }
  read()
}

if (isMainThread && SORITES_WATCH_FD !== undefined) {
  delete process.env.SORITES_WATCH_FD
  delete process.env.SORITES_WATCH_MS
  delete process.env.SORITES_WATCH_OPTIONS
  delete process.env.SORITES_WATCH_PARENT
  // The options as they were before: empty stands for none.
  if (SORITES_WATCH_OPTIONS) process.env.NODE_OPTIONS = SORITES_WATCH_OPTIONS
  else delete process.env.NODE_OPTIONS
  // A program of the program has other memory than that which is watched, and the descriptor may be of something else there.
  if (process.ppid === Number(SORITES_WATCH_PARENT)) start(Number(SORITES_WATCH_FD), Number(SORITES_WATCH_MS))
}

/**
 * A worker of the thread storm: a thread, given a handle, or a process, given a path.
 * @module
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { Arena } from '../../src/index.ts'
import { work } from './work.ts'

if (isMainThread) {
  const { path, seed } = JSON.parse(process.env.STORM_THREADS ?? '{}')
  const arena = Arena.open(path)
  const counts = await work(arena, seed, () => process.send?.({ ready: true }))
  process.send?.({ counts })
  process.disconnect()
} else {
  const { handle, seed } = workerData
  const arena = Arena.attach(handle)
  const counts = await work(arena, seed, () => parentPort?.postMessage({ ready: true }))
  parentPort?.postMessage({ counts })
  arena.close()
}

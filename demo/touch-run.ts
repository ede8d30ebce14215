/**
 * The classic experiment, in a process of its own so that little else moves: map 1 GiB, write one byte, and look at what each
 * of the kernel's counters makes of it.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** One row: every counter after a step. */
export interface Reading {
  readonly step: string
  /** Addresses of the process (statm). */
  readonly sizeBytes: number
  /** RSS of the process (statm), and how far it moved from right before the step to right after. */
  readonly rssBytes: number
  readonly rssMovedBytes: number
  /** Of RSS: pages of files, Node's own code among them (status). */
  readonly fileBytes: number
  /** Page tables: not in RSS (status, VmPTE). */
  readonly pageTableBytes: number
  /** RSS of the arena's own mapping (smaps). */
  readonly mappingRssBytes: number
  /** Pages of the arena that mincore calls resident. */
  readonly mincoreBytes: number
}

export interface TouchRun {
  readonly pageSize: number
  readonly filledBytes: number
  readonly readings: readonly Reading[]
}

/** Runs the experiment in a child process. */
export function runTouch(): TouchRun {
  const body = fileURLToPath(new URL('./touch-body.js', import.meta.url))
  const child = spawnSync(process.execPath, ['--expose-gc', body], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(`the experiment ended with ${child.signal ?? child.status}\n${child.stderr}`)
  return JSON.parse(child.stdout) as TouchRun
}

/**
 * The machine, in one line, for the head of every result.
 * @module
 */
import { availableParallelism, cpus, release } from 'node:os'

/** `2 × AMD EPYC, Linux 6.18.44, Node v20.19.0`. */
export function machineText(): string {
  return `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? process.arch}, Linux ${release()}, Node ${process.version}`
}

/**
 * The experiments that come with the tool, in the order in which they are made and read.
 * @module
 */
import type { Experiment } from './experiment.ts'
import { experiment as buffers } from './experiments/buffers.ts'
import { experiment as fragmentationSlabs } from './experiments/fragmentation-slabs.ts'
import { experiment as fragmentationSpans } from './experiments/fragmentation-spans.ts'
import { experiment as giveBack } from './experiments/give-back.ts'
import { experiment as heapLife } from './experiments/heap-life.ts'
import { experiment as hugePages } from './experiments/huge-pages.ts'
import { experiment as kinds } from './experiments/kinds.ts'
import { experiment as populate } from './experiments/populate.ts'
import { experiment as readWrite } from './experiments/read-write.ts'
import { experiment as reserve } from './experiments/reserve.ts'
import { experiment as stride } from './experiments/stride.ts'
import { experiment as touchPage } from './experiments/touch-page.ts'

/** Each is the export `experiment` of the module with its own name in this folder. */
export const EXPERIMENTS: readonly Experiment[] = [
  reserve,
  touchPage,
  stride,
  readWrite,
  populate,
  giveBack,
  hugePages,
  kinds,
  fragmentationSlabs,
  fragmentationSpans,
  heapLife,
  buffers,
]

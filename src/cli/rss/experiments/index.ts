/**
 * The experiments that come with the tool, in the order in which they are made and read.
 * @module
 */
import type { Experiment } from '../experiment.ts'
import { experiment as buffers } from './buffers.ts'
import { experiment as fragmentationSlabs } from './fragmentation-slabs.ts'
import { experiment as fragmentationSpans } from './fragmentation-spans.ts'
import { experiment as giveBack } from './give-back.ts'
import { experiment as heapLife } from './heap-life.ts'
import { experiment as hugePages } from './huge-pages.ts'
import { experiment as kinds } from './kinds.ts'
import { experiment as populate } from './populate.ts'
import { experiment as readWrite } from './read-write.ts'
import { experiment as reserve } from './reserve.ts'
import { experiment as stride } from './stride.ts'
import { experiment as touchPage } from './touch-page.ts'

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

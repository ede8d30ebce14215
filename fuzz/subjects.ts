/**
 * Everything that is damaged: a list of makers, to which further kinds are added. A case takes one of them by its number.
 * @module
 */
import { CheckedSubject, checkedKinds } from './checked-subject.ts'
import { ConcurrentSubject } from './concurrent-subject.ts'
import type { Subject } from './finding.ts'
import { concurrentShapes, shapes } from './heap-shapes.ts'
import { HeapSubject } from './heap-subject.ts'
import { LiveSubject, liveKinds } from './live-subject.ts'
import type { Random } from './random.ts'

export interface Maker {
  readonly kind: string
  readonly name: string
  make(random: Random): Subject
}

export const makers: readonly Maker[] = [
  ...shapes.map((shape) => ({
    kind: 'Heap',
    name: shape.name,
    make: (random: Random) => new HeapSubject(shape, random),
  })),
  ...concurrentShapes.map((shape) => ({
    kind: 'Concurrent',
    name: `concurrent, ${shape.name}`,
    make: (random: Random) => new ConcurrentSubject(shape, random),
  })),
  ...Object.keys(checkedKinds).map((kind) => ({
    kind,
    name: `${kind}, checked`,
    make: () => new CheckedSubject(kind),
  })),
  ...Object.keys(liveKinds).map((kind) => ({
    kind,
    name: `${kind}, in use`,
    make: (random: Random) => new LiveSubject(kind, random),
  })),
]

/**
 * The contract again, with two peers: the one allocates, and the other frees, resizes and measures. What the other frees the one gets back when it
 * collects, not at once, so views, which the suite expects at the same place again, are freed by the one; and so are blocks where `onFull` is
 * to make room for the other in shards of the one.
 * @module
 */
import { inspect } from 'node:util'
import type { AllocatorOptions, FreeingAllocator } from '../../../src/allocator/contract.ts'
import type { Arena } from '../../../src/arena/arena.ts'
import { Heap } from '../../../src/index.ts'
import { conformance } from '../conformance.ts'

/** Calls that the other peer makes, on blocks of the one. */
const OTHERS: ReadonlySet<PropertyKey> = new Set(['free', 'freeMany', 'realloc', 'usableSize'])
/** Calls for which the other rests, or is away. */
const ALONE: ReadonlySet<PropertyKey> = new Set([
  'reset',
  'close',
  'closeWhenIdle',
  'destroy',
  Symbol.dispose,
  Symbol.asyncDispose,
])

function pair(arena: Arena, options?: AllocatorOptions): FreeingAllocator {
  const one = new Heap(arena, { ...options, concurrent: true })
  const closed = (): boolean => /closed/.test(inspect(one))
  // The other has no `onFull` of its own: what it asks for is part of the same program.
  let other: Heap | undefined
  const attached = (): Heap => {
    other ??= Heap.attach(arena, { offset: options?.offset ?? 0, ...(options?.onFull && { onFull: options.onFull }) })
    other.rest()
    return other
  }
  attached()
  return new Proxy(one, {
    get: (target, key) => {
      const found = Reflect.get(target, key)
      if (typeof found !== 'function') return found
      return (...given: unknown[]) => {
        const asks = key === 'realloc' && options?.onFull !== undefined
        if (
          OTHERS.has(key) &&
          (key === 'freeMany' || typeof given[0] === 'number') &&
          !asks &&
          other !== undefined &&
          !closed()
        )
          try {
            return Reflect.apply(found, other, given)
          } finally {
            // It keeps nothing, so that figures and checks are those of the one.
            if (!closed()) other.rest()
          }
        if (ALONE.has(key)) {
          other?.close()
          other = undefined
        }
        const answer = Reflect.apply(found, target, given)
        if (key === 'reset') attached()
        return answer
      }
    },
  })
}

conformance('Heap, concurrent, blocks of others', pair, { frees: true })

/**
 * A concurrent heap keeps the whole contract, with one peer.
 * @module
 */
import { Heap } from '../../../src/allocator/heap/heap.ts'
import { conformance } from '../conformance.ts'

conformance('Heap, concurrent', (arena, options) => new Heap(arena, { ...options, concurrent: true }), { frees: true })

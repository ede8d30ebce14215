/**
 * Claims without an allocator.
 * @module
 */
import { type Arena, insideOf } from '../../../src/arena/arena.ts'
import type { Claim, ClaimHolder } from '../../../src/arena/claim.ts'

/** A holder whose live blocks are what the test says, and that writes down what it is told. */
export class Holder implements ClaimHolder {
  readonly kind: string
  readonly told: unknown[] = []
  blocks: { offset: number; byteLength: number }[] = []
  constructor(kind: string, ...blocks: [number, number][]) {
    this.kind = kind
    this.blocks = blocks.map(([offset, byteLength]) => ({ offset, byteLength }))
  }
  blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    return this.blocks.find((block) => offset >= block.offset && offset + byteLength <= block.offset + block.byteLength)
  }
  innerClaims(count: number): void {
    this.told.push(count)
  }
  revoked(): void {
    this.told.push('revoked')
  }
}

/** A holder whose claims outlive it. */
export class Lasting extends Holder {
  readonly lasting = true
}

/** Claims a range with a fixed length of metadata. */
export function claim(
  arena: Arena,
  holder: ClaimHolder,
  offset?: number,
  byteLength?: number,
  metadataBytes = 256
): Claim {
  return insideOf(arena).claim({ holder, offset, byteLength, metadataBytes: () => metadataBytes })
}

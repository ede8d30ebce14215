/**
 * A party to a shared arena: it does what it is asked, in this thread, in a worker or in another process, and answers in JSON.
 * Every party has its own arena object; how it came to it is its own affair.
 * @module
 */
import { createHash } from 'node:crypto'
import { Arena, insideOf } from '../../src/arena/arena.ts'
import type { Claim, ClaimHolder } from '../../src/arena/claim.ts'
import type { ArenaSource } from '../../src/arena/sources/handle.ts'

/** What is asked of a party. */
export type Request =
  | { readonly do: 'fill'; readonly offset: number; readonly byteLength: number; readonly seed: number }
  | { readonly do: 'read'; readonly offset: number; readonly byteLength: number }
  | { readonly do: 'add'; readonly offset: number; readonly times: number }
  | { readonly do: 'purge'; readonly offset: number; readonly byteLength: number }
  | { readonly do: 'claim'; readonly name: number; readonly offset: number; readonly byteLength: number }
  | { readonly do: 'release'; readonly name: number }
  | { readonly do: 'reopen' }

/** The bytes that a fill writes: each says where it is, and which party wrote it. */
export function pattern(target: Uint8Array, offset: number, seed: number): void {
  for (let at = 0; at < target.length; at++) target[at] = (Math.imul(offset + at, 31) + seed) & 255
}

/** What stands for bytes in an answer. */
export function digest(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('base64')
}

export class Party {
  readonly #open: () => Arena
  readonly #claims: Map<number, Claim> = new Map()
  #arena: Arena

  constructor(open: () => Arena) {
    this.#open = open
    this.#arena = open()
  }

  /** What was asked for, or the code of the error. */
  answer(request: Request): string {
    try {
      return this.#do(request)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === undefined) throw error
      return code
    }
  }

  close(): void {
    this.#arena.close({ detach: true })
  }

  #do(request: Request): string {
    switch (request.do) {
      case 'fill':
        pattern(this.#bytes(request), request.offset, request.seed)
        return 'done'
      case 'read':
        return digest(this.#bytes(request))
      case 'add': {
        const word = this.#arena.view(Int32Array, request.offset, 1)
        for (let time = 0; time < request.times; time++) Atomics.add(word, 0, 1)
        return 'done'
      }
      case 'purge':
        this.#arena.purge(request.offset, request.byteLength)
        return 'done'
      case 'claim':
        return this.#claim(request)
      case 'release':
        this.#claims.get(request.name)?.release()
        this.#claims.delete(request.name)
        return 'done'
      case 'reopen':
        this.close()
        this.#claims.clear()
        this.#arena = this.#open()
        return 'done'
    }
  }

  #bytes({ offset, byteLength }: { offset: number; byteLength: number }): Uint8Array {
    return this.#arena.view(Uint8Array, offset, byteLength)
  }

  /** Claims a range; its metadata must read zero, and is filled so that the next holder could tell. */
  #claim({ name, offset, byteLength }: Extract<Request, { do: 'claim' }>): string {
    const claim = insideOf(this.#arena).claim({
      holder,
      offset,
      byteLength,
      metadataBytes: () => 64 + (byteLength % 9000),
    })
    const metadata = new Uint8Array(claim.metadata.buffer)
    const zero = metadata.every((byte) => byte === 0)
    metadata.fill(name + 1)
    this.#claims.set(name, claim)
    return zero ? 'granted' : 'metadata of another'
  }
}

const holder: ClaimHolder = {
  kind: 'Slab',
  blockAround: () => undefined,
  innerClaims: () => undefined,
  revoked: () => undefined,
}

/** Answers requests that come as messages, for as long as they come. */
export function serve(
  source: ArenaSource,
  on: (listener: (request: Request) => void) => void,
  answer: (text: string) => void
): void {
  const party = new Party(() => Arena.attach(source))
  on((request) => answer(party.answer(request)))
  answer('here')
}

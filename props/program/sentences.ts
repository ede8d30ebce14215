/**
 * The properties, each a sentence, and the count of how often each has been looked at: a sentence that was never tried proves
 * nothing, and the run says so.
 * @module
 */

export const SENTENCES = {
  overlap: 'no two live blocks overlap',
  inside: 'every block lies inside its claim and is aligned, in offset and in address',
  contents: 'contents survive until free, and through realloc up to the smaller length',
  zero: 'calloc and alloc read zero, after reuse and after purge too',
  stats: "stats are the model's, and committed is exactly used + free slots + free dirty + metadata",
  limit: 'committed bytes never pass the limit',
  blocks: 'blocks() names exactly the live blocks',
  check: 'check() holds after every command',
  full: 'an allocator is full only when no gap would do',
  unchanged: 'out of memory changes nothing',
  refused: 'a bad free throws the right code and changes nothing',
  arguments: 'a bad argument throws the right code and changes nothing',
  usable: 'usableSize is what stats count, by offset and by view, and at least what was asked for',
  purge: 'purge gives back what it says, and no contents',
  empty: 'freeing everything and purging restores the first state, and the largest block fits again',
  errors: 'every call ends in a result or in an error with a code of its own',
  nested: 'a block with an allocator inside is not given back until that is closed',
  pinned: 'what would end, move or resize a pinned block is refused and changes nothing',
  marks: 'release goes back exactly to its mark',
  peak: 'a heap that grows above its peak does not hold much free memory',
  decay: 'memory that lies free for a decay period goes back, and no contents',
  faults: 'a failure of the kernel is a SystemError, changes no block, and the program can go on',
} as const

export type Sentence = keyof typeof SENTENCES

/** A sentence that did not hold. */
export class Violation extends Error {
  readonly sentence: Sentence
  constructor(sentence: Sentence, detail: string, options?: ErrorOptions) {
    super(`${SENTENCES[sentence]}: ${detail}`, options)
    this.sentence = sentence
  }
}

/** What a run has looked at and come across: sentences by how often they were tried, and paths by how often they were taken. */
export class Tally {
  readonly tried: Map<Sentence, number> = new Map()
  readonly taken: Map<string, number> = new Map()

  /** Throws unless the sentence holds here. */
  holds(sentence: Sentence, ok: boolean, detail: () => string): void {
    this.tried.set(sentence, (this.tried.get(sentence) ?? 0) + 1)
    if (!ok) throw new Violation(sentence, detail())
  }

  /** Notes that a path was taken. */
  take(path: string): void {
    this.taken.set(path, (this.taken.get(path) ?? 0) + 1)
  }
}

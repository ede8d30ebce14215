/**
 * A build of the library whose heap trusts every free, for benches only: what the checks cost is the difference to it.
 *
 * It is made from the compiled sources, by replacing the conditions that tell a live block from any other offset. Each replacement must
 * be found exactly once: when the heap changes this fails, and never measures the same code twice. What finds the block stays: a free needs
 * the slab and the slot in any case.
 * @module
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type Library = typeof import('../src/index.ts')

interface Replacement {
  readonly file: string
  /** As compiled, without the comments that the compiler writes behind the numbers of const enums, each condition on one line. */
  readonly checked: string
  readonly trusting: string
}

const REPLACEMENTS: readonly Replacement[] = [
  // A slot: that the offset is a slot's start, that the slot exists and has been handed out …
  {
    file: 'heap/heap.js',
    checked: 'if (slot < ((counts >>> 5) & 511)) {',
    trusting: '{',
  },
  // … and that it is not free already.
  { file: 'heap/heap.js', checked: 'if ((bits & bit) === 0) {', trusting: '{' },
  // A span: that it is live. That one starts at the offset is how it is found.
  {
    file: 'heap/heap.js',
    checked: 'if ((tag & 7) === 2) {',
    trusting: '{',
  },
  // realloc of a slot, written out and called, and of a span.
  {
    file: 'heap/heap.js',
    checked: 'if (slot < (m[entry + 2] & 511) && (m[word] & (-2147483648 >>> slot)) === 0) {',
    trusting: '{',
  },
  {
    file: 'heap/find-block.js',
    checked: 'if (offset % 1 === 0 && slabs.live(slab, slotOf(words, slab, offset)))',
    trusting: '',
  },
  {
    file: 'heap/find-block.js',
    checked: 'if ((kind === 2 || kind === 4) && offset % 1 === 0)',
    trusting: 'if (span !== 0)',
  },
]

const built = new URL('../src/', import.meta.url)
const copy = new URL('../unchecked/', import.meta.url)

/** Writes the build, anew each time. */
export function makeUnchecked(): void {
  rmSync(copy, { recursive: true, force: true })
  cpSync(built, copy, { recursive: true })
  for (const name of new Set(REPLACEMENTS.map(({ file }) => file))) {
    const path = fileURLToPath(new URL(`allocator/${name}`, copy))
    let text = readFileSync(path, 'utf8')
      .replaceAll(/ \/\* \w+\.\w+ \*\//g, '')
      .replaceAll(/&&\n\s+/g, '&& ')
    for (const { checked, trusting } of REPLACEMENTS.filter(({ file }) => file === name)) {
      const parts = text.split(checked)
      if (parts.length !== 2)
        throw new Error(`${name} has "${checked}" ${parts.length - 1} times: see bench/unchecked.ts`)
      text = parts.join(trusting)
    }
    writeFileSync(path, text)
  }
}

/** The build that `makeUnchecked` wrote. */
export function importUnchecked(): Promise<Library> {
  return import(new URL('index.js', copy).href) as Promise<Library>
}

/** The library as it is. */
export function importBuild(): Promise<Library> {
  return import(new URL('index.js', built).href) as Promise<Library>
}

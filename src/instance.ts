/**
 * One instance of the library in a program, however many copies of its code there are: the CommonJS file and the ECMAScript one of a
 * bundler, a copy inside a bundle and one in node_modules. An arena is told by a private field of its class, so two instances would
 * refuse one another's arenas.
 *
 *     globalThis[Symbol.for('sorites@<version>')] = what the first copy of that version exports
 *
 * The first copy that is loaded puts its exports there, and every later copy of the same version exports those. Copies of different
 * versions live side by side: their public objects carry the version under a symbol that all versions know, and the error for an
 * object of another says which it is of. A realm (a vm context, a test file of jest) has a globalThis, and so an instance, of its
 * own. Costs one look-up when the library is loaded.
 * @module
 */
import { version } from './version.ts'

/** Under this symbol the prototypes of public classes have their version. The same in every version. */
const BRAND: unique symbol = Symbol.for('sorites.version') as never

/** The exports of the copy of this version that was loaded first: `own`, when there was none. */
export function oneInstance<T extends object>(own: T): T {
  const key = Symbol.for(`sorites@${version}`)
  const found = (globalThis as Record<symbol, unknown>)[key]
  if (typeof found === 'object' && found !== null) return found as T
  try {
    Object.defineProperty(globalThis, key, { value: own })
  } catch {
    // A frozen global object: each copy is an instance of its own.
  }
  return own
}

/** Marks the objects of a class as this version's. */
export function brand(prototype: object): void {
  Object.defineProperty(prototype, BRAND, { value: version })
}

/** The name of a marked object's class, 'Heap'; undefined where it says none. */
export function classOf(value: object): string | undefined {
  const found = (value as Record<symbol, unknown>)[Symbol.toStringTag]
  return typeof found === 'string' ? found : undefined
}

/**
 * The version of the library that an object is of; undefined when it is of none. For error messages: it must be known already that the
 * object is none of ours.
 */
export function versionOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  try {
    const found = (value as Record<symbol, unknown>)[BRAND]
    return typeof found === 'string' ? found : undefined
  } catch {
    // A proxy may throw anything.
    return undefined
  }
}

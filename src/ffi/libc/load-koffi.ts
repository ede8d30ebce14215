/**
 * Finding koffi, once, at the first call to the kernel.
 *
 * koffi is never a part of a bundle: it finds its binary by its own place. So it is required by a name that no bundler sees, from the
 * first of these places that leads to it:
 *
 *     the file of this code         as CommonJS, or what it was bundled into: `__filename`
 *     the same as a module          `import.meta.url`; a bundler may have put the place of the source in its stead
 *     the program that was started  for bundles that know neither
 *
 * The error says which of the known causes it is, and what to do about it.
 * @module
 */
import * as modules from 'node:module'
import { UnsupportedOperationError } from '../../errors.ts'

/** `createRequire`, by a way that webpack does not see: it takes the call for one of its own, and makes nothing of it. */
const requireAt: (place: string) => NodeJS.Require = Reflect.get(modules, 'createRequire')

export type Koffi = typeof import('koffi')

export function loadKoffi(places: readonly string[] = likelyPlaces()): Koffi {
  for (const place of places) {
    const require = requireFrom(place)
    if (require === undefined || !finds(require, 'koffi')) continue
    try {
      return require('koffi') as Koffi
    } catch (error) {
      throw new UnsupportedOperationError(`koffi cannot be loaded: ${reason(require, error)}`)
    }
  }
  throw new UnsupportedOperationError(
    `koffi is not installed where this program runs: sorites needs it beside it, also when sorites is part of a bundle. Run npm install koffi in the folder of the program, or in one above it (looked from ${places.join(', ')})`
  )
}

function likelyPlaces(): string[] {
  const places = [thisFile(), import.meta.url, process.argv[1]]
  return [...new Set(places.filter((place) => place !== undefined))]
}

/** Undefined in a module. Not by `typeof`, which webpack answers with 'string' for modules too. */
function thisFile(): string | undefined {
  try {
    return __filename
  } catch {
    return undefined
  }
}

/** Undefined where a place is no path: the name of a script that was given on the command line, or of a page. */
function requireFrom(place: string): NodeJS.Require | undefined {
  try {
    return requireAt(place)
  } catch {
    return undefined
  }
}

function finds(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

/** Why koffi does not load. What it says itself is about the last of several places that it tries. */
function reason(require: NodeJS.Require, error: unknown): string {
  const binary = `@koromix/koffi-${process.platform}-${process.arch}`
  const { code, message } = causeOf(requireAt(require.resolve('koffi')), binary) ?? (error as NodeJS.ErrnoException)
  if (code === 'ERR_DLOPEN_DISABLED') return `${message} Start Node with --allow-addons`
  if (code === 'MODULE_NOT_FOUND')
    return `its binary, the package ${binary}, is not installed. It is an optional dependency of koffi: install again without --omit=optional (npm) or --no-optional (pnpm), and on the kind of machine that the program runs on`
  if (/lib(stdc\+\+|gcc_s)\.so/.test(message))
    return `${message}. Install the C++ runtime of the system: apk add libstdc++ on Alpine, apt-get install libstdc++6 on Debian`
  return message
}

/** What stands against loading the binary; undefined when it can be loaded. */
function causeOf(require: NodeJS.Require, binary: string): NodeJS.ErrnoException | undefined {
  try {
    require(binary)
    return undefined
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

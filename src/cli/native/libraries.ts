/**
 * The native allocators that C programs are run with: by preloading a library over malloc. They are found by name, where the dynamic linker
 * knows them (`ldconfig -p`) or in the usual folders; nothing is installed.
 *
 * A preload that fails is only a warning of the linker's, and the program runs on with glibc. So the measuring code asks the program
 * where its malloc came from (`isFrom`).
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface NativeAllocator {
  readonly name: string
  /** The library to preload; undefined for the C library's own malloc. */
  readonly library: string | undefined
}

/** By name: what the library's file is called, and the Debian package that has it. */
const KNOWN: Readonly<Record<string, { readonly file: RegExp; readonly package: string }>> = {
  mimalloc: { file: /^libmimalloc\.so(\.\d+)*$/, package: 'libmimalloc2.0' },
  jemalloc: { file: /^libjemalloc\.so(\.\d+)*$/, package: 'libjemalloc2' },
  tcmalloc: { file: /^libtcmalloc(_minimal)?\.so(\.\d+)*$/, package: 'libtcmalloc-minimal4' },
}

export const NATIVE_NAMES: readonly string[] = ['glibc', ...Object.keys(KNOWN)]

const FOLDERS = [
  `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/lib',
]

/** What the linker has for this architecture, then what the folders have. */
function candidates(): string[] {
  const architecture = process.arch === 'arm64' ? 'AArch64' : 'x86-64'
  const cache = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? ''
  const known = cache
    .split('\n')
    .filter((line) => line.includes(architecture))
    .flatMap((line) => line.split(' => ')[1] ?? [])
  const found = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder).map((name) => join(folder, name))
  )
  return [...known, ...found]
}

/** The allocators there are here, glibc first; `missing` is called for each that is not. */
export function findNatives(missing: (line: string) => void): NativeAllocator[] {
  const paths = candidates()
  const found: NativeAllocator[] = [{ name: 'glibc', library: undefined }]
  for (const [name, { file, package: debian }] of Object.entries(KNOWN)) {
    const path = paths.find((candidate) => file.test(basename(candidate)) && existsSync(candidate))
    if (path === undefined) missing(`${name}: skipped, its library is not installed (Debian: ${debian})`)
    else found.push({ name, library: realpathSync(path) })
  }
  return found
}

/** Whether a program's malloc came from where it should. */
export function isFrom({ library }: NativeAllocator, path: string): boolean {
  if (library === undefined) return /^libc[.-]/.test(basename(path))
  return existsSync(path) && realpathSync(path) === library
}

/** The environment for a C program: nothing in it that tunes or replaces malloc but the library wanted. */
export function environment({ library }: NativeAllocator): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(LD_|GLIBC_TUNABLES|MALLOC|MIMALLOC|JE_|TCMALLOC)/.test(name)
  )
  return { ...Object.fromEntries(kept), ...(library === undefined ? {} : { LD_PRELOAD: library }) }
}

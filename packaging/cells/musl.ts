/**
 * musl instead of glibc, as on Alpine. The registry has no Node for musl, but a Bun that is linked against it: with it koffi's binary for
 * musl is loaded, and every call to the kernel goes through musl.
 *
 * The system gives musl's loader (Debian: musl, musl-dev). Bun and koffi need a `libstdc++.so.6` for it besides, which Alpine has and Debian has not:
 * it is linked here, of the parts that those two ask for, from the archive of position-independent parts (Debian: libstdc++-12-pic).
 * They were compiled for glibc, but use of it only what musl has too, but for the few functions below.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cell, Failure, present, project, Skipped, start, succeed, type Workshop } from './cell.ts'
import { FILES } from './runtimes.ts'

const gnu = process.arch === 'arm64' ? 'aarch64' : 'x86_64'

/** The package that has it, to be installed in the folder `musl` of the workshop. */
export const bunForMusl: string = `@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}-musl`

/** What the parts name and musl 1.2.3 lacks. `-1`: ask dl_iterate_phdr instead. */
const LACKING = `
int getentropy(void *, unsigned long);
int _dl_find_object(void *address, void *result) { return -1; }
char __libc_single_threaded = 0;
unsigned arc4random(void) { unsigned word; getentropy(&word, sizeof word); return word; }
`

/** Names that start so are of the C++ runtime; those that end the list are of the C library. */
const RUNTIME = /^(_ZNK?St|_ZSt|_Zn|_Zd|_ZT|__cxa|__once|__gxx|__dynamic|_Unwind|__(de)?register_frame)/
const C_LIBRARY = /^__cxa_(atexit|finalize|thread_atexit_impl)$/

function run(folder: string, ...command: string[]): string {
  const { status, output } = start(folder, command)
  if (status !== 0) throw new Failure(`${command.join(' ')}\n${output}`)
  return output
}

function namesAskedFor(folder: string, files: readonly string[]): string[] {
  // B: data that a program has a copy of, which the loader fills from the library.
  const names = [...run(folder, 'nm', '-D', ...files).matchAll(/ [UB] ([^@\s]+)/g)].map(([, name]) => name as string)
  return [...new Set(names)].filter((name) => RUNTIME.test(name) && !C_LIBRARY.test(name))
}

/** Links the two libraries that Bun and koffi need into `lib`. */
function linkRuntime(folder: string, names: readonly string[]): string {
  const gccPart = (name: string): string => run(folder, 'gcc', `-print-file-name=${name}`).trim()
  const archive = gccPart('libstdc++_pic.a')
  const musl = `/usr/lib/${gnu}-linux-musl`
  const loader = `/lib/ld-musl-${gnu}.so.1`
  for (const [path, debian] of [
    [archive, 'libstdc++-12-pic'],
    [join(musl, 'libc.so'), 'musl-dev'],
    [loader, 'musl'],
  ] as const)
    if (!path.startsWith('/') || !existsSync(path)) throw new Skipped(`the system has no ${debian}`)
  const lib = join(folder, 'lib')
  mkdirSync(lib)
  writeFileSync(join(folder, 'lacking.c'), LACKING)
  run(folder, 'gcc', '-w', '-fPIC', '-c', 'lacking.c')
  const link = (name: string, ...parts: string[]): void => {
    const start = [join(musl, 'crti.o'), gccPart('crtbeginS.o')]
    const end = [gccPart('libgcc.a'), 'lacking.o', gccPart('crtendS.o'), join(musl, 'crtn.o'), join(musl, 'libc.so')]
    run(folder, 'gcc', '-shared', '-nostdlib', `-Wl,-soname,${name}`, '-o', join(lib, name), ...start, ...parts, ...end)
  }
  link('libstdc++.so.6', ...names.map((name) => `-Wl,-u,${name}`), archive, gccPart('libgcc_eh.a'))
  link('libgcc_s.so.1', '-Wl,--whole-archive', gccPart('libgcc_eh.a'), '-Wl,--no-whole-archive')
  symlinkSync(loader, join(lib, `libc.musl-${gnu}.so.1`))
  return lib
}

/** Says which of koffi's binaries the process has mapped. */
const WHICH = `
import { Arena, MiB } from 'sorites'
import { readFileSync } from 'node:fs'
Arena.reserve(MiB).close()
console.log(readFileSync('/proc/self/maps', 'utf8').match(/\\S+koffi\\.node/)[0])
`

export function muslCells(): Cell[] {
  return [
    {
      name: 'musl, by Bun: import, require, both',
      run(workshop: Workshop) {
        const modules = join(workshop.folder, 'node_modules')
        const program = present(join(workshop.folder, 'musl', 'node_modules', bunForMusl, 'bin', 'bun'), bunForMusl)
        if (start(workshop.folder, ['gcc', '--version']).status !== 0) throw new Skipped('the system has no gcc')
        const folder = project(workshop, 'musl', { ...FILES, 'which.mjs': WHICH })
        const binaries = join(modules, '@koromix', `koffi-linux-${process.arch}`, `musl_${process.arch}`)
        const koffi = readdirSync(binaries).map((name) => join(binaries, name))
        const environment = { LD_LIBRARY_PATH: linkRuntime(folder, namesAskedFor(folder, [program, ...koffi])) }
        succeed(folder, [program, 'which.mjs'], /musl_\w+\/koffi\.node/, environment)
        for (const file of Object.keys(FILES)) succeed(folder, [program, file], 'works', environment)
      },
    },
  ]
}

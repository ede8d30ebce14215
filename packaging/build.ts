/**
 * Makes `dist`, what is published, of the compiled sources in `.build/src`.
 *
 *     library.cjs              all code, as CommonJS: what Node runs, however the library is loaded
 *     library.mjs              the same as a module, for bundlers that take no CommonJS
 *     index.cjs                require: the names of library.cjs
 *     index.mjs                import: the names of index.cjs, so both ways lead to one instance
 *     index.bundle.mjs         import in a bundler: the names of library.mjs
 *     trace.*                  the same four files for `sorites/trace`
 *     types/                   declarations, for both: a class with private fields that was declared twice would be two types
 *     index.d.mts              the same names for `import`
 *     cli/                     the tool `sorites`, as it was compiled
 *     laboratory.cjs           what the tool uses and no entry does; and by module, what it uses of library.cjs
 *     arena/arena.js, …        for each module that the tool imports, a file at the same place, whose names come from laboratory.cjs
 *
 * So each class is in the package once, and a policy that `sorites replay` loads has the tool's own `Arena`.
 * Two files of one code in one program are one instance all the same (src/instance.ts).
 *
 *     node .build/packaging/build.js [folder]      default: dist; what was there is removed
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type GetManualChunk, type ModuleFormat, type OutputOptions, rollup } from 'rollup'
import { ENTRIES, type Entry } from './entries.ts'

const LICENSES = 'THIRD-PARTY-LICENSES.txt'
const compiled = fileURLToPath(new URL('..', import.meta.url))
const root = resolve(compiled, '..')

/** Makes the package's files in a folder. */
export async function build(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'types'), { recursive: true })
  writeDeclarations(join(folder, 'types'))
  const used = copyTool(folder)
  await bundle(folder, used)
  const require = createRequire(import.meta.url)
  const { library } = require(join(folder, 'library.cjs')) as { library: Readonly<Record<Entry, object>> }
  for (const [name, { source }] of Object.entries(ENTRIES) as [Entry, { source: string }][]) {
    const names = Object.keys(library[name]).sort()
    const write = (suffix: string, text: string): void => writeFileSync(join(folder, `${name}.${suffix}`), text)
    write('cjs', commonWrapper(name, names))
    write('mjs', `import entry from './${name}.cjs'\n\n${namesOf('entry', names)}`)
    write('bundle.mjs', `import { library } from './library.mjs'\n\n${namesOf(`library.${name}`, names)}`)
    write('d.mts', `export * from './types/${source}.js'\n`)
  }
  const laboratory = require(join(folder, 'laboratory.cjs')) as Readonly<Record<string, object>>
  for (const path of used) {
    const name = nameOf(path)
    const up = '../'.repeat(path.split('/').length - 1) || './'
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    const text = `import { ${name} } from '${up}laboratory.cjs'\n\n${namesOf(name, Object.keys(laboratory[name] as object))}`
    writeFileSync(join(folder, path), text)
  }
}

/** Copies the tool's files. Returns the paths, in src, of the modules that they import besides themselves. */
function copyTool(folder: string): string[] {
  const source = join(compiled, 'src')
  const used = new Set<string>()
  for (const path of readdirSync(join(source, 'cli'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.(js|txt|css)$/.test(path)) continue
    const text = readFileSync(join(source, 'cli', path), 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '')
    const target = join(folder, 'cli', path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
    if (!path.endsWith('.js')) continue
    for (const [, specifier] of text.matchAll(/\b(?:from |import\()'(\.[^']+)'/g)) {
      const found = relative(source, resolve(source, 'cli', dirname(path), specifier as string))
      if (!found.startsWith('cli/')) used.add(found)
    }
  }
  // What the tool's pages have in them of others (scripts/bundle-page.mjs).
  copyFileSync(join(source, LICENSES), join(folder, LICENSES))
  return [...used].sort()
}

/** A module's name in laboratory.cjs. */
const nameOf = (path: string): string => path.replace(/\.js$/, '').replaceAll(/\W/g, '_')

/** One statement a name: tools find out what a CommonJS file exports without running it. */
function commonWrapper(entry: string, names: readonly string[]): string {
  const lines = names.map((name) => `exports.${name} = ${entry}.${name}\n`)
  return `'use strict'\nconst { ${entry} } = require('./library.cjs').library\n${lines.join('')}`
}

function namesOf(object: string, names: readonly string[]): string {
  return `export const {\n${names.map((name) => `  ${name},\n`).join('')}} = ${object}\n`
}

const LABORATORY = 'laboratory'

async function bundle(folder: string, used: readonly string[]): Promise<void> {
  const library = join(compiled, 'src', 'library.js')
  const exported = used.map(
    (path) => `export * as ${nameOf(path)} from ${JSON.stringify(join(compiled, 'src', path))}\n`
  )
  const make = async (format: ModuleFormat, input: Record<string, string>, options: OutputOptions): Promise<void> => {
    const made = await rollup({
      input,
      external: /^node:/,
      // What laboratory.cjs takes of library.cjs, library.cjs exports besides `library`.
      preserveEntrySignatures: 'allow-extension',
      onLog: (_level, { message }) => {
        throw new Error(message)
      },
      plugins: [
        {
          name: 'laboratory and place',
          resolveId: (id) => (id === LABORATORY ? id : null),
          load: (id) => (id === LABORATORY ? exported.join('') : null),
          // Where the code is, in CommonJS, `__filename` says alone.
          resolveImportMeta: (_property, { format: of }) => (of === 'cjs' ? 'undefined' : null),
        },
      ],
    })
    await made.write({ format, dir: folder, generatedCode: 'es2015', esModule: false, ...options })
    await made.close()
  }
  const both = { library, [LABORATORY]: LABORATORY }
  await make('cjs', both, {
    entryFileNames: '[name].cjs',
    minifyInternalExports: false,
    manualChunks: reachedFrom(library),
  })
  await make('es', { library }, { entryFileNames: '[name].mjs' })
}

/** Puts a module and all that it imports, directly or not, into the file `library`. */
function reachedFrom(start: string): GetManualChunk {
  let reached: Set<string> | undefined
  return (id, { getModuleInfo }) => {
    if (reached === undefined) {
      reached = new Set([start])
      for (const module of reached) for (const next of getModuleInfo(module)?.importedIds ?? []) reached.add(next)
    }
    return reached.has(id) ? 'library' : null
  }
}

/**
 * Declarations as CommonJS, which both kinds of module may import. What they use of the language's libraries, beyond ES2020, they
 * ask for themselves.
 */
function writeDeclarations(folder: string): void {
  const require = createRequire(import.meta.url)
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', folder], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  for (const { source } of Object.values(ENTRIES)) {
    const file = join(folder, `${source}.d.ts`)
    writeFileSync(file, `/// <reference lib="esnext.disposable" />\n${readFileSync(file, 'utf8')}`)
  }
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) await build(resolve(argv[2] ?? join(root, 'dist')))

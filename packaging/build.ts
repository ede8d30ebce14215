/**
 * Makes `dist`, what is published, of the compiled sources in `.build/src`.
 *
 *     library.cjs              all code, as CommonJS: what Node runs, however the library is loaded
 *     library.mjs              the same as a module, for bundlers that take no CommonJS
 *     index.cjs                require: the names of library.cjs
 *     index.mjs                import: the names of index.cjs, so both ways lead to one instance
 *     index.bundle.mjs         import in a bundler: the names of library.mjs
 *     types/                   declarations, for both: a class with private fields that was declared twice would be two types
 *     index.d.mts              the same names for `import`
 *
 * Two files of one code in one program are one instance all the same (src/instance.ts).
 *
 *     node .build/packaging/build.js [folder]      default: dist; what was there is removed
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type ModuleFormat, rollup } from 'rollup'
import { ENTRIES, type Entry } from './entries.ts'

const compiled = fileURLToPath(new URL('..', import.meta.url))
const root = resolve(compiled, '..')

/** Makes the package's files in a folder. */
export async function build(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'types'), { recursive: true })
  writeDeclarations(join(folder, 'types'))
  await bundle(folder)
  const { library } = createRequire(import.meta.url)(join(folder, 'library.cjs')) as {
    library: Readonly<Record<Entry, object>>
  }
  for (const [name, { source }] of Object.entries(ENTRIES) as [Entry, { source: string }][]) {
    const names = Object.keys(library[name]).sort()
    const write = (suffix: string, text: string): void => writeFileSync(join(folder, `${name}.${suffix}`), text)
    write('cjs', commonWrapper(name, names))
    write('mjs', `import entry from './${name}.cjs'\n\n${namesOf('entry', names)}`)
    write('bundle.mjs', `import { library } from './library.mjs'\n\n${namesOf(`library.${name}`, names)}`)
    write('d.mts', `export * from './types/${source}.js'\n`)
  }
}

/** One statement a name: tools find out what a CommonJS file exports without running it. */
function commonWrapper(entry: string, names: readonly string[]): string {
  const lines = names.map((name) => `exports.${name} = ${entry}.${name}\n`)
  return `'use strict'\nconst { ${entry} } = require('./library.cjs').library\n${lines.join('')}`
}

function namesOf(object: string, names: readonly string[]): string {
  return `export const {\n${names.map((name) => `  ${name},\n`).join('')}} = ${object}\n`
}

async function bundle(folder: string): Promise<void> {
  const made = await rollup({
    input: join(compiled, 'src', 'library.js'),
    external: /^node:/,
    onLog: (_level, { message }) => {
      throw new Error(message)
    },
    plugins: [
      {
        name: 'place',
        // Where the code is, in CommonJS, `__filename` says alone.
        resolveImportMeta: (_property, { format }) => (format === 'cjs' ? 'undefined' : null),
      },
    ],
  })
  const formats: [ModuleFormat, string][] = [
    ['cjs', 'library.cjs'],
    ['es', 'library.mjs'],
  ]
  for (const [format, name] of formats)
    await made.write({ format, file: join(folder, name), generatedCode: 'es2015', esModule: false })
  await made.close()
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

/**
 * What can be imported from the package: one line an entry. The build (build.ts) makes the files of each, and package.json must say
 * where they are, as `exportsOf` puts it: a test compares.
 * @module
 */

/** The name of an entry: of its files in dist, and of its part in src/library.ts. */
export type Entry = 'index' | 'trace'

/** By entry: what stands behind `sorites` in an import, and its source in src, without the suffix. */
export const ENTRIES: Readonly<Record<Entry, { readonly path: string; readonly source: string }>> = {
  index: { path: '.', source: 'index' },
  trace: { path: './trace', source: 'trace/index' },
}

/** The part of package.json that says what can be imported. */
export function exportsOf(): Record<string, unknown> {
  const paths = Object.entries(ENTRIES).map(([name, { path, source }]) => [
    path,
    {
      // First, for bundlers: Node never asks for it.
      module: `./dist/${name}.bundle.mjs`,
      import: { types: `./dist/${name}.d.mts`, default: `./dist/${name}.mjs` },
      require: { types: `./dist/types/${source}.d.ts`, default: `./dist/${name}.cjs` },
    },
  ])
  return { ...Object.fromEntries(paths), './package.json': './package.json' }
}

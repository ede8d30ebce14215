/**
 * What runs JavaScript: each line of Node, Bun, Deno, and tsx, which runs TypeScript on Node.
 * @module
 */
import {
  BOTH_PROGRAM,
  type Cell,
  CJS_PROGRAM,
  ESM_PROGRAM,
  nodeOf,
  project,
  succeed,
  tool,
  type Workshop,
} from './cell.ts'

export const FILES: Readonly<Record<string, string>> = {
  'main.mjs': ESM_PROGRAM,
  'main.cjs': CJS_PROGRAM,
  'both.mjs': BOTH_PROGRAM,
}

function running(
  name: string,
  command: (workshop: Workshop) => string[],
  files: Readonly<Record<string, string>> = FILES
): Cell {
  return {
    name,
    run(workshop) {
      const folder = project(workshop, name, files)
      for (const file of Object.keys(files)) succeed(folder, [...command(workshop), file], 'works')
    },
  }
}

export function runtimeCells(): Cell[] {
  const own = Number.parseInt(process.versions.node, 10)
  const others = [22, 24, 26].filter((major) => major !== own)
  const typed = { 'main.ts': CJS_PROGRAM.replaceAll(/const (.*) = require\(('.*')\)/g, 'import $1 from $2') }
  const typescript = { ...typed, 'main.cts': typed['main.ts'], 'main.mts': typed['main.ts'] }
  return [
    running(`Node ${process.versions.node}: import, require, both`, () => [process.execPath]),
    ...others.map((major) => running(`Node ${major}: import, require, both`, (workshop) => [nodeOf(workshop, major)])),
    running('Bun: import, require, both', (workshop) => [tool(workshop, 'bun')]),
    running('Deno: import, require, both', (workshop) => [
      ...[tool(workshop, 'deno'), 'run', '--allow-all', '--node-modules-dir=manual'],
    ]),
    running('tsx: .ts, .cts, .mts', (workshop) => [process.execPath, tool(workshop, 'tsx')], typescript),
  ]
}

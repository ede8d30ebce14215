/**
 * TypeScript: three compilers, each way of finding a module that it has, with Node's types and without, with the browser's library
 * and without. Every declaration is checked (`skipLibCheck false`). What the first compiler makes is run.
 * @module
 */
import { join } from 'node:path'
import { type Cell, present, project, succeed, tool, type Workshop } from './cell.ts'

const PROGRAM = `
import { Arena, Heap, mapFile, type HeapOptions, type ReadOnlyView, type ViewRef } from 'sorites'
import { TraceBuilder, type Trace } from 'sorites/trace'
export const trace: Trace = new TraceBuilder().build()
const arena: Arena = Arena.reserve(2 ** 20)
const options: HeapOptions = { decayMs: -1 }
const heap = new Heap(arena, options)
const view: Float64Array = heap.alloc(Float64Array, 8)
export const ref: ViewRef<'Float64Array'> = arena.refOf(view)
export const found: Float64Array = arena.viewOf(ref)
heap.free(view)
export function read(path: string): number {
  const file = mapFile(path, { mode: 'write' })
  const bytes: Uint8Array = file.bytes
  const copy: Uint8Array = file.read(0, 8)
  const some: Uint8Array = file.view(Uint8Array, 0, 8)
  const shown: ReadOnlyView<Uint8Array> = mapFile(path, { mode: 'read' }).bytes
  const raw: Uint8Array = arena.bytes(0, 8)
  const text: string = arena.bytes(0, 8).toString('utf8')
  return raw.length + text.length + (bytes[0] ?? 0) + (copy[0] ?? 0) + (some[0] ?? 0) + (shown[0] ?? 0)
}
// @ts-expect-error what is internal is not there
heap.claim
// @ts-expect-error a number is no option
export const wrong = (): Heap => new Heap(arena, 1)
arena.close()
`

/** What the library's views must be good for. */
const BROWSER = `
import { Arena, Heap, mapFile } from 'sorites'
const arena = Arena.reserve(2 ** 20)
const file = mapFile('x', { mode: 'write' })
const made = new Heap(arena).alloc(Uint8Array, 8)
export const sources: BufferSource[] = [file.bytes, file.read(0, 8), file.view(Uint8Array, 0, 8), arena.view(Uint8Array, 0, 8), arena.bytes(0, 8), made]
void arena.waitAsync(0, 0, { signal: new AbortController().signal })
void Arena.open(new URL('file:///x'))
`

const NODE = `
import { Arena, Heap, mapFile } from 'sorites'
const file = mapFile(new URL('file:///x'), { mode: 'write' })
export const buffer: Buffer = new Heap(Arena.reserve(2 ** 20)).alloc(Buffer, 8)
export const number: number = mapFile('x', { mode: 'read' }).view(Buffer, 0, 8).readInt32LE(0)
export const text: string = Buffer.from(file.read(0, 8)).toString()
void Arena.reserve(1).waitAsync(0, 0, { signal: new AbortController().signal })
`

const RESOLUTIONS: readonly (readonly [module: string, resolution: string])[] = [
  ['nodenext', 'nodenext'],
  ['node16', 'node16'],
  ['commonjs', 'node10'],
  ['commonjs', 'bundler'],
  ['preserve', 'bundler'],
  ['esnext', 'bundler'],
]

/** The newest compiler has node10 no more; the earlier ones have no bundler that makes CommonJS. */
const exists = (compiler: string, module: string, resolution: string): boolean =>
  compiler === 'ts7' ? resolution !== 'node10' : module !== 'commonjs' || resolution !== 'bundler'

const COMPILERS: Readonly<Record<string, string>> = {
  ts54: 'TypeScript 5.4',
  ts59: 'TypeScript 5.9',
  ts7: 'TypeScript 7',
}

function compiling(compiler: string, module: string, resolution: string): Cell {
  return {
    name: `${COMPILERS[compiler]}, module ${module}, moduleResolution ${resolution}`,
    run(workshop) {
      const folder = project(workshop, `${compiler}-${module}-${resolution}`, {
        'main.ts': PROGRAM,
        'module.mts': PROGRAM,
        'common.cts': PROGRAM,
        'browser.ts': BROWSER,
        'node.ts': NODE,
        'none/x': '',
      })
      const tsc = (files: string[], ...options: string[]): void => {
        const given = [
          ...['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022'],
          ...['--module', module, '--moduleResolution', resolution, ...options, ...files],
        ]
        succeed(folder, [process.execPath, compilerOf(workshop, compiler), ...ignoring(compiler), ...given])
      }
      const files = ['main.ts', 'module.mts', 'common.cts']
      tsc(files, '--lib', 'es2020', '--typeRoots', 'none')
      tsc([...files, 'browser.ts'], '--lib', 'es2022,dom', '--typeRoots', 'none')
      tsc([...files, 'node.ts'], '--lib', 'es2022', '--types', 'node')
      tsc([...files, 'browser.ts', 'node.ts'], '--lib', 'esnext,dom', '--types', 'node')
    },
  }
}

/** The newest compiler looks for a tsconfig.json even when it is given files. */
const ignoring = (compiler: string): string[] => (compiler === 'ts7' ? ['--ignoreConfig'] : [])

function compilerOf(workshop: Workshop, compiler: string): string {
  return present(join(workshop.folder, 'node_modules', compiler, 'bin', 'tsc'), COMPILERS[compiler] as string)
}

/** What `commonjs` makes of an import, run. */
const emitted: Cell = {
  name: 'TypeScript 5.4 to CommonJS by node10, run',
  run(workshop) {
    const folder = project(workshop, 'ts54-emitted', { 'main.ts': `${PROGRAM}\nconsole.log('works')\n` })
    succeed(folder, [
      ...[process.execPath, compilerOf(workshop, 'ts54'), '--module', 'commonjs', '--moduleResolution', 'node10'],
      ...['--target', 'es2022', '--typeRoots', 'none', '--strict', 'main.ts'],
    ])
    succeed(folder, [process.execPath, 'main.js'], 'works')
  },
}

export function typeCells(): Cell[] {
  const cells = Object.keys(COMPILERS).flatMap((compiler) =>
    RESOLUTIONS.filter(([module, resolution]) => exists(compiler, module, resolution)).map(([module, resolution]) =>
      compiling(compiler, module, resolution)
    )
  )
  return [
    ...cells,
    emitted,
    {
      name: 'publint',
      run(workshop) {
        succeed(
          workshop.folder,
          [process.execPath, tool(workshop, 'publint'), '--strict', workshop.tarball],
          'All good'
        )
      },
    },
    {
      name: 'are the types wrong',
      run(workshop) {
        succeed(
          workshop.folder,
          [process.execPath, tool(workshop, 'attw'), '--no-emoji', workshop.tarball],
          'No problems found'
        )
      },
    },
  ]
}

/**
 * The command-line tool as the package's `bin`, in a project that installed it: its commands start children, load code into programs
 * and read policies, all by their places in the package.
 * @module
 */
import { join } from 'node:path'
import { type Cell, project, succeed, tool } from './cell.ts'

const FILES = {
  // The library of this file and that of the tool must be one: the tool's arena is given to this file's heap.
  'policy.mjs': `
import { Arena, Heap } from 'sorites'
export function create(arena) {
  if (!(arena instanceof Arena)) throw new Error('two instances')
  const heap = new Heap(arena)
  return { malloc: (n) => heap.malloc(n), free: (at) => heap.free(at), usableSize: (at) => heap.usableSize(at), check: () => heap.check() }
}`,
  'trace.mjs': `
import { TraceBuilder, writeTrace } from 'sorites/trace'
const builder = new TraceBuilder()
for (let i = 0; i < 100; i++) builder.free(builder.malloc(i + 1))
writeTrace('made.mtrc', builder.build())`,
  'program.mjs': `
const kept = []
for (let i = 0; i < 50; i++) kept.push(Buffer.alloc(1000))`,
}

export function toolCells(): Cell[] {
  return [
    {
      name: 'the tool: replay with a policy of the user, record, map, watch',
      run(workshop) {
        const folder = project(workshop, 'tool', FILES)
        const sorites = (given: readonly string[], expected: string | RegExp): void => {
          succeed(folder, [process.execPath, tool(workshop, 'sorites'), ...given], expected)
        }
        sorites(['--version'], /^\d+\.\d+\.\d+/)
        succeed(folder, [process.execPath, 'trace.mjs'])
        sorites(['replay', '--quick', '--verify', '-p', './policy.mjs', '-p', 'heap', 'made.mtrc'], 'policy')
        sorites(['record', '-o', join(folder, 'own.mtrc'), '--', process.execPath, 'program.mjs'], '')
        sorites(['replay', '--quick', '-p', './policy.mjs', 'own.mtrc'], 'policy')
        sorites(['map', String(process.pid)], /./)
        sorites(['watch', '--', process.execPath, 'program.mjs'], /./)
      },
    },
  ]
}

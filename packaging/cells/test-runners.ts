/**
 * jest, which loads CommonJS into contexts of its own unless it is told otherwise, and vitest with each of its pools.
 * @module
 */
import { join } from 'node:path'
import { type Cell, EXERCISE, nodeFrom, PATH, project, succeed, tool, type Workshop } from './cell.ts'

const BODY = `
const sum = () => {
  ${PATH}
  ${EXERCISE}
  return 'works'
}
test('sorites', () => { expect(sum()).toBe('works') })
test('an error of the library is an instance of its class', () => {
  const arena = Arena.reserve(MiB)
  arena.close()
  expect(() => arena.resident()).toThrow(ArenaClosedError)
})
`
const NAMES = '{ Arena, ArenaClosedError, Heap, mapFile, MiB }'
const TRACE = '{ decodeTrace, encodeTrace, Replay, TraceBuilder }'
const COMMON = `const ${NAMES} = require('sorites')\nconst ${TRACE} = require('sorites/trace')\n${BODY}`
const MODULE = `import ${NAMES} from 'sorites'\nimport ${TRACE} from 'sorites/trace'\n${BODY}`
const PASSED = /Tests:\s+(2|4) passed/

function jest(name: string, files: Readonly<Record<string, string>>, config: object, ...flags: string[]): Cell {
  return {
    name,
    run(workshop) {
      const folder = project(workshop, name, {
        'package.json': JSON.stringify({ private: true, jest: config }),
        ...files,
      })
      succeed(folder, [process.execPath, ...flags, tool(workshop, 'jest'), '--ci', '--runInBand'], PASSED)
    },
  }
}

function vitest(pool: string): Cell {
  const name = `vitest, pool ${pool}`
  return {
    name,
    run(workshop: Workshop) {
      const config = `export default { test: { pool: '${pool}', watch: false } }`
      const test = `import { expect, test } from 'vitest'\n${MODULE}`
      const folder = project(workshop, name, { 'main.test.mjs': test, 'vitest.config.mjs': config })
      const program = join(workshop.folder, 'node_modules', 'vitest', 'vitest.mjs')
      succeed(folder, [nodeFrom(workshop, 22), program, 'run'], /Tests\s+\S*\s*2 passed/, {
        NO_COLOR: '1',
        FORCE_COLOR: '0',
      })
    },
  }
}

export function testRunnerCells(): Cell[] {
  const files = { 'main.test.js': COMMON }
  return [
    // jest turns `import` into `require` by itself, with the preset that comes with it.
    jest('jest', files, {}),
    jest('jest, two files in one process', { ...files, 'second.test.js': COMMON }, {}),
    jest('jest with jsdom', files, { testEnvironment: 'jsdom' }),
    jest(
      'jest with vm modules',
      { 'main.test.mjs': MODULE },
      { testMatch: ['**/*.test.mjs'], transform: {} },
      '--experimental-vm-modules'
    ),
    ...['threads', 'forks', 'vmThreads', 'vmForks'].map(vitest),
  ]
}

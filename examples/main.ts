/**
 * Runs an example by its name: `npm run example -- word-count --help`. Without one it lists them.
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Files that are parts of examples. */
const PARTS = [
  'channels',
  'counting',
  'main',
  'records',
  'ring',
  'text',
  'truncated-reader',
  'two-processes-reader',
  'verdict',
  'word-count-child',
  'worker-arena-thread',
]

const folder = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -3))
  .filter((name) => !PARTS.includes(name))
const [name = ''] = process.argv.splice(2, 1)
if (names.includes(name) && existsSync(`${folder}${name}.js`)) await import(`./${name}.js`)
else {
  console.log(
    `Usage: npm run example -- NAME [options]\n\n${names.map((each) => `  ${each}`).join('\n')}\n\n--help tells what each does.`
  )
  process.exitCode = name === '' || name === '--help' ? 0 : 2
}

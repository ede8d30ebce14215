/**
 * Runs an example by its name: `npm run example -- word-count --help`. Without one it lists them; `--write` runs them, all or those
 * that are named, and puts what they print into docs/examples.md.
 *
 * An example is a file of this folder, or a folder in it with a `main.ts`.
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Files that are parts of examples. */
const PARTS = [
  'capture',
  'channels',
  'counting',
  'main',
  'records',
  'ring',
  'settings',
  'text',
  'truncated-reader',
  'two-processes-reader',
  'verdict',
  'word-count-child',
  'worker-arena-thread',
]

const folder = fileURLToPath(new URL('.', import.meta.url))

/** The file that each example begins with. */
const examples = new Map(
  readdirSync(folder, { withFileTypes: true })
    .map((entry): [string, string] =>
      entry.isDirectory() ? [entry.name, `${entry.name}/main.js`] : [entry.name.replace(/\.js$/, ''), entry.name]
    )
    .filter(([name, file]) => file.endsWith('.js') && !PARTS.includes(name) && existsSync(`${folder}${file}`))
    .sort(([one], [other]) => (one < other ? -1 : 1))
)

const [name = ''] = process.argv.splice(2, 1)
const file = examples.get(name)
if (file !== undefined) await run(file)
else if (name === '--write') {
  const { capture } = await import('./capture.ts')
  const named = process.argv.slice(2)
  for (const each of examples.keys()) if (named.length === 0 || named.includes(each)) capture(each)
} else {
  const list = [...examples.keys()].map((each) => `  ${each}`).join('\n')
  console.log(`Usage: npm run example -- NAME [options]\n\n${list}\n\n--help tells what each does.`)
  process.exitCode = name === '' || name === '--help' ? 0 : 2
}

/** An error that ends an example is a line, and the exit status 1. */
async function run(file: string): Promise<void> {
  try {
    await import(`./${file}`)
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}

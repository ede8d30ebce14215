/**
 * Runs benches, each in a process of its own, and prints their Markdown.
 *
 *     npm run bench                        all of them: an hour
 *     npm run bench -- raw-alloc gc        some of them
 *     npm run bench -- --quick             three minutes: shows that they work, the figures mean nothing
 *     npm run bench -- --write             puts the results into bench/README.md, with machine and date
 *
 * The traces have a command line of their own: `npm run bench:traces -- --help`.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { originText, writeSection } from './report/page.ts'

const NAMES = ['buffers', 'raw-alloc', 'many', 'views', 'live-blocks', 'windows', 'gc', 'eviction', 'checks', 'traces']
/** Those that put their own results into the pages, with their rows. */
const WRITERS = ['traces', 'buffers']
const OPTIONS = ['--quick', '--write']

const argv = process.argv.slice(2)
const chosen = argv.filter((argument) => NAMES.includes(argument))
const unknown = argv.filter((argument) => !NAMES.includes(argument) && !OPTIONS.includes(argument))
if (argv.includes('--quick') && argv.includes('--write'))
  unknown.push('--quick with --write: those figures mean nothing')
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(' ')}\nbenches: ${NAMES.join(', ')}; options: ${OPTIONS.join(', ')}`)
  process.exit(2)
}

for (const name of chosen.length > 0 ? chosen : NAMES) {
  const file = fileURLToPath(new URL(`./${name}.bench.js`, import.meta.url))
  const writes = WRITERS.includes(name)
  const flags = argv.filter((argument) => argument === '--quick' || (argument === '--write' && writes))
  const args = ['--expose-gc', '--max-old-space-size=4096', file, ...flags]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  console.log(`## ${name}\n\n${child.stdout}`)
  if (child.status !== 0) {
    console.error(`${name} ended with ${child.signal ?? child.status}`)
    process.exitCode = 1
  } else if (argv.includes('--write') && !writes)
    writeSection(name, `${originText(`npm run bench -- ${name} --write`)}\n\n${child.stdout}`)
}

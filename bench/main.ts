/**
 * Runs benches, each in a process of its own, and prints their Markdown.
 *
 *     npm run bench                          all of them, some 15 minutes
 *     npm run bench -- raw-alloc traces      some of them; arguments after `traces` are trace files
 *     npm run bench -- --quick               a minute: shows that they work, the figures mean nothing
 *     npm run bench -- --write               puts the results into bench/README.md, with machine and date
 * @module
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'

const NAMES = ['raw-alloc', 'view-alloc', 'live-blocks', 'traces']
const readme = fileURLToPath(new URL('../../bench/README.md', import.meta.url))

const argv = process.argv.slice(2)
const flags = argv.filter((argument) => argument === '--quick')
const words = argv.filter((argument) => !argument.startsWith('--'))
const chosen = words.filter((word) => NAMES.includes(word))
const files = words.filter((word) => !NAMES.includes(word))
const unknown = argv.filter((argument) => argument.startsWith('--') && !['--quick', '--write'].includes(argument))
if (unknown.length > 0 || (files.length > 0 && !chosen.includes('traces'))) {
  console.error(`unknown: ${[...unknown, ...files].join(' ')}\nbenches: ${NAMES.join(', ')}; options: --quick, --write`)
  process.exit(2)
}

let failed = 0
for (const name of chosen.length > 0 ? chosen : NAMES) {
  const file = fileURLToPath(new URL(`./${name}.bench.js`, import.meta.url))
  const args = ['--expose-gc', '--max-old-space-size=4096', file, ...flags, ...(name === 'traces' ? files : [])]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  console.log(`## ${name}\n\n${child.stdout}`)
  if (child.status !== 0) {
    console.error(`${name} ended with ${child.signal ?? child.status}`)
    failed++
  } else if (argv.includes('--write')) write(name, child.stdout.trim())
}
process.exitCode = failed > 0 ? 1 : 0

/** Replaces what stands between the bench's two markers. */
function write(name: string, text: string): void {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const page = readFileSync(readme, 'utf8')
  const [start, end] = [page.indexOf(open), page.indexOf(close)]
  if (start < 0 || end < start) throw new Error(`README.md has no ${open} … ${close}`)
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`
  const made = `*${machine}; ${new Date().toISOString().slice(0, 10)}; \`npm run bench -- ${name} --write\`*`
  writeFileSync(readme, `${page.slice(0, start)}${open}\n${made}\n\n${text}\n${page.slice(end)}`)
}

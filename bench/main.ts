/**
 * Runs benches, each in a process of its own, and prints their Markdown.
 *
 *     npm run bench                        all of them
 *     npm run bench -- raw-alloc gc        some of them
 *     npm run bench -- --help              which there are, what each asks, and how long it takes
 *
 * The traces have a command line of their own: `npm run bench:traces -- --help`.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { announcement, type Bench, HELP, minutesText, type Options, parseOptions } from './benches.ts'
import { originText, writeSection } from './report/page.ts'

function options(): Options {
  try {
    return parseOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message} (--help tells what there is)`)
    process.exit(2)
  }
}

/** Runs one. `position` is shown beside its progress. */
function run({ name, writes }: Bench, { quick, write }: Options, position: string): void {
  const file = fileURLToPath(new URL(`./${name}.bench.js`, import.meta.url))
  const flags = [...(quick ? ['--quick'] : []), ...(write && writes ? ['--write'] : [])]
  const args = ['--expose-gc', '--max-old-space-size=4096', file, ...flags]
  const env = { ...process.env, BENCH_POSITION: position }
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] })
  console.log(`## ${name}\n\n${child.stdout}`)
  if (child.status !== 0) {
    console.error(`${name} ended with ${child.signal ?? child.status}`)
    process.exitCode = 1
  } else if (write && !writes)
    writeSection(name, `${originText(`npm run bench -- ${name} --write`)}\n\n${child.stdout}`)
}

function runAll(chosen: Options): void {
  const { benches, quick } = chosen
  console.error(announcement(chosen))
  for (const [index, bench] of benches.entries()) {
    const position = `${index + 1} of ${benches.length}, ${bench.name}`
    console.error(`${position}${quick ? '' : `: ${minutesText([bench])}, ${minutesText(benches.slice(index))} to go`}`)
    run(bench, chosen, position)
  }
}

const chosen = options()
if (chosen.help) console.log(HELP)
else runAll(chosen)

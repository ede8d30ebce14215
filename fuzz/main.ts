/**
 * Damages the tables of allocators, and looks whether that is refused or harmless.
 *
 *     npm run fuzz                                 20,000 cases of all kinds, with a new seed
 *     npm run fuzz -- --cases 50000 --seed 7       so many, the same ones again for the same seed
 *     npm run fuzz -- --kind Heap                  of one kind: Heap, Concurrent, Slab, Buddy, Bump
 *     npm run fuzz -- --seed 7 --case 1234         one case, as a failure prints it
 *
 * A case takes milliseconds; what takes `--hang` seconds (300), on however busy a machine, has no end. Cases run in child processes, each some thousands of them. A child that is ended by a signal, or that does not get on with a case for
 * minutes, fails that case, and the next child goes on behind it.
 * @module
 */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const CASES_IN_CHILD = 5000

interface Found {
  readonly index: number
  readonly what: string
  readonly message: string
}

interface Part {
  readonly findings: Found[]
  readonly counts: Record<string, number>
  /** The next case to run. */
  readonly next: number
}

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    kind: { type: 'string', default: 'all' },
    case: { type: 'string' },
    hang: { type: 'string', default: '300' },
  },
})
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
const first = values.case === undefined ? 0 : Number(values.case)
const end = values.case === undefined ? Number(values.cases) : first + 1
const folder = mkdtempSync(join(tmpdir(), 'sorites-fuzz-'))

function run(from: number, to: number): Promise<Part> {
  const file = join(folder, 'progress')
  const program = fileURLToPath(new URL('./child.js', import.meta.url))
  const args = ['--enable-source-maps', program, String(seed), String(from), String(to), values.kind, file]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  let seen = ''
  const watchdog = setInterval(() => {
    const now = progressOf(file)
    if (now === seen) child.kill('SIGKILL')
    seen = now
  }, Number(values.hang) * 1000)
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearInterval(watchdog)
      const lines = stdout.split('\n').filter((line) => line !== '')
      const reports = lines.map((line) => JSON.parse(line) as Found & { counts?: Record<string, number> })
      const findings = reports.filter(({ counts }) => counts === undefined)
      const counts = reports.find((report) => report.counts !== undefined)?.counts
      if (counts !== undefined) resolve({ findings, counts, next: to })
      else {
        const [, number = String(from), what = ''] = /^(\d+) (.*)/s.exec(progressOf(file)) ?? []
        const message = `the process ended by ${signal ?? `status ${status}`}\n${stderr}`
        const index = Number(number)
        resolve({ findings: [...findings, { index, what: what.trimEnd(), message }], counts: {}, next: index + 1 })
      }
    })
  })
}

function progressOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

const counts: Record<string, number> = { refused: 0, harmless: 0, finding: 0 }
const findings: Found[] = []
console.log(`seed ${seed}`)
for (let at = first; at < end; ) {
  const part = await run(at, Math.min(end, at + CASES_IN_CHILD))
  for (const found of part.findings) {
    console.log(
      `\ncase ${found.index} (--seed ${seed} --kind ${values.kind} --case ${found.index}): ${found.what}\n${found.message}`
    )
    findings.push(found)
  }
  for (const [name, count] of Object.entries(part.counts)) counts[name] = (counts[name] ?? 0) + count
  at = part.next
}
rmSync(folder, { recursive: true, force: true })
console.log(
  `${end - first} damaged tables: ${counts.refused} refused, ${counts.harmless} harmless, ${findings.length} wrong (seed ${seed})`
)
process.exitCode = findings.length === 0 ? 0 : 1

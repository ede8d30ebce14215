/**
 * Which benches there are: what each asks, and how long it takes on a machine of two cores with nothing else to do. Each is a file of this
 * folder, `NAME.bench.ts`.
 * @module
 */
export interface Bench {
  readonly name: string
  /** Its question, in one line. */
  readonly asks: string
  readonly minutes: number
  /** Whether it puts its results into the page itself, with `--write`. */
  readonly writes?: true
}

export const BENCHES: readonly Bench[] = [
  {
    name: 'buffers',
    minutes: 10,
    asks: 'jobs against Buffer and new Uint8Array: time, memory, pauses',
    writes: true,
  },
  { name: 'raw-alloc', minutes: 6, asks: 'malloc and free by offset: sizes, orders, numbers of live blocks' },
  { name: 'many', minutes: 3, asks: 'mallocMany and freeMany, against single calls and C' },
  { name: 'threads', minutes: 4, asks: 'a concurrent heap: one thread, several, blocks of others, against C' },
  { name: 'views', minutes: 15, asks: "typed arrays made and given back, against the runtime's" },
  { name: 'live-blocks', minutes: 3, asks: 'whether the cost grows with the number of live blocks' },
  { name: 'windows', minutes: 2, asks: 'whether it costs more when blocks lie in many windows' },
  { name: 'gc', minutes: 3, asks: 'whether the collector notices ten million live blocks' },
  { name: 'eviction', minutes: 1, asks: 'how much memory comes back when nine of ten values are freed' },
  { name: 'checks', minutes: 7, asks: 'what the checks of every free cost' },
  { name: 'traces', minutes: 6, asks: 'traces of real programs, against the allocators of C', writes: true },
]

export const HELP: string = `Usage: npm run bench -- [NAME …] [options]

Runs benches, each in a process of its own, and prints their results as Markdown. How far
they are is shown on stderr. Without a name all of them run: ${minutesText(BENCHES)}.

${BENCHES.map(({ name, minutes, asks }) => `  ${name.padEnd(12)} ${String(minutes).padStart(3)} min   ${asks}`).join('\n')}

  --quick        3 minutes for all: shows that they work; the figures mean nothing
  --write        puts the results into bench/README.md, with machine, command and date
  --help         this text

The traces have options of their own: npm run bench:traces -- --help

Exit status: 0 when all have been measured, 1 when one has failed, 2 for a bad argument.`

export interface Options {
  /** Those to run, in order. */
  readonly benches: readonly Bench[]
  readonly quick: boolean
  readonly write: boolean
  readonly help: boolean
}

/** Throws an error whose message is for the user. */
export function parseOptions(argv: readonly string[]): Options {
  const known = ['--quick', '--write', '--help']
  const names = BENCHES.map(({ name }) => name)
  const unknown = argv.find((argument) => !names.includes(argument) && !known.includes(argument))
  if (unknown !== undefined)
    throw new Error(`expected names of benches (${names.join(', ')}) or ${known.join(', ')}, got "${unknown}"`)
  const [quick, write, help] = known.map((option) => argv.includes(option)) as [boolean, boolean, boolean]
  if (quick && write) throw new Error('--quick with --write: those figures mean nothing')
  const chosen = BENCHES.filter(({ name }) => argv.includes(name))
  return { benches: chosen.length > 0 ? chosen : BENCHES, quick, write, help }
}

/** About how long benches take: `50 minutes`, in steps of five from ten on. */
export function minutesText(benches: readonly Bench[]): string {
  const minutes = benches.reduce((sum, bench) => sum + bench.minutes, 0)
  return `about ${minutes < 10 ? minutes : Math.ceil(minutes / 5) * 5} minutes`
}

/** What is said before they start. */
export function announcement({ benches, quick }: Options): string {
  const names = benches.map(({ name, minutes }) => (quick ? name : `${name} (${minutes})`)).join(', ')
  if (quick) return `Quick runs of ${names}: the figures mean nothing.`
  return `This takes ${minutesText(benches)} on a machine that does nothing else: ${names}. Ctrl-C ends it.`
}

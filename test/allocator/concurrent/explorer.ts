/**
 * Every interleaving of a few threads that run the real steps (src/allocator/concurrent/steps.ts), one access to memory at a time.
 *
 *     state     memory, what is in each thread's store buffer, and all that each thread has read: from that its next access follows
 *     a move    a thread's next access; the oldest store of a buffer becomes visible (of a word, under PSO); a thread dies
 *
 * The steps see a proxy in place of their words, and `Atomics` of ours. A thread is run again from its beginning up to its next access, with the
 * values that it has read: so ordinary functions can be stopped anywhere. Atomic instructions but loads first empty the thread's buffer. A thread
 * that dies takes no further step. Its stores are visible by then: it is the kernel that tells of a death.
 *
 * Words that no thread of a scenario writes are read without a step.
 * @module
 */

export type Model = 'tso' | 'pso'

/** What a thread does to memory. */
export interface Access {
  readonly kind: 'read' | 'write' | 'load' | 'store' | 'cas' | 'and' | 'or' | 'exchange' | 'note'
  readonly at: number
  readonly value: number
  readonly expected: number
  /** Of a note: what it does to the ghost, and answers. */
  readonly note?: ((ghost: Ghost) => number) | undefined
}

/** What a scenario keeps beside memory: plain data. */
// biome-ignore lint/suspicious/noExplicitAny: each scenario has its own
export type Ghost = any

/** What the threads of a scenario run with. */
export interface Memory {
  readonly words: Int32Array
  /** Changes or asks the ghost, as one step. */
  note(run: (ghost: Ghost) => number): number
}

export interface Thread {
  /** Calls by name, one after the other, until one answers false. */
  readonly calls: readonly (readonly [string, (memory: Memory) => unknown])[]
}

export interface Scenario {
  readonly memory: readonly number[]
  readonly ghost: Ghost
  readonly threads: readonly Thread[]
  /** Words that change. */
  readonly shared: ReadonlySet<number>
  /** Told of each access when it is made, with its answer; throws what is wrong. `seen` is memory as the thread saw it before. */
  observe?(
    ghost: Ghost,
    thread: number,
    call: string,
    access: Access,
    answer: number,
    seen: (at: number) => number
  ): void
  /** Told of a death. */
  died?(ghost: Ghost, thread: number): void
  /** What is wrong at an end, where no thread moves any more. */
  judge(memory: readonly number[], ghost: Ghost, dead: number): string | undefined
}

export interface Outcome {
  readonly states: number
  readonly ends: number
  /** Whether every state was looked at. */
  readonly complete: boolean
  readonly wrong: string | undefined
  readonly path: readonly string[]
}

interface State {
  readonly memory: number[]
  readonly buffers: [number, number][][]
  readonly seen: number[][]
  ghost: Ghost
  dead: number
  readonly trail: Trail | undefined
}

interface Trail {
  readonly what: string
  readonly before: Trail | undefined
}

class Pause {
  readonly access: Access
  readonly call: string
  constructor(access: Access, call: string) {
    this.access = access
    this.call = call
  }
}

/** The run that is under way. */
let running:
  | { memory: readonly number[]; seen: readonly number[]; shared: ReadonlySet<number>; at: number; call: string }
  | undefined

function access(kind: Access['kind'], at: number, value = 0, expected = 0, note?: Access['note']): number {
  const run = running as NonNullable<typeof running>
  if (kind === 'read' && !run.shared.has(at)) return run.memory[at] as number
  if (run.at < run.seen.length) return run.seen[run.at++] as number
  throw new Pause({ kind, at, value: value | 0, expected: expected | 0, note }, run.call)
}

const words = new Proxy(new Int32Array(0), {
  get: (_, key) => access('read', Number(key)),
  set: (_, key, value) => {
    access('write', Number(key), value)
    return true
  },
})

const memory: Memory = { words, note: (run) => access('note', -1, 0, 0, run) }

/** `Atomics` for the steps: ours over the proxy, the real one elsewhere. To be in place before the steps are loaded. */
export function installAtomics(): void {
  const real = { ...pick(Atomics, ['load', 'store', 'compareExchange', 'and', 'or', 'exchange']) }
  const atomics = Atomics as unknown as Record<string, (...given: never[]) => number>
  const replace = (name: keyof typeof real, ours: (at: number, one: number, two: number) => number): void => {
    const before = real[name] as unknown as (...given: unknown[]) => number
    atomics[name] = ((m: Int32Array, at: number, one: number, two: number) =>
      m === words ? ours(at, one, two) : before(m, at, one, two)) as never
  }
  replace('load', (at) => access('load', at))
  replace('store', (at, value) => access('store', at, value))
  replace('compareExchange', (at, expected, value) => access('cas', at, value, expected))
  replace('and', (at, value) => access('and', at, value))
  replace('or', (at, value) => access('or', at, value))
  replace('exchange', (at, value) => access('exchange', at, value))
}

function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>
}

/** The next access of a thread; undefined when it is done. */
function nextOf({ calls }: Thread, state: State, thread: number, shared: ReadonlySet<number>): Pause | undefined {
  const run = { memory: state.memory, seen: state.seen[thread] as number[], shared, at: 0, call: '' }
  running = run
  try {
    for (const [name, call] of calls) {
      run.call = name
      if (call(memory) === false) break
    }
    return undefined
  } catch (error) {
    if (error instanceof Pause) return error
    throw error
  } finally {
    running = undefined
  }
}

export function explore(scenario: Scenario, model: Model, dying: boolean, most: number): Outcome {
  const { threads, shared } = scenario
  const known = new Set<string>()
  const stack: State[] = []
  const push = (state: State): void => {
    const key = `${state.memory.join()}|${state.buffers.map((buffer) => buffer.join(';')).join('/')}|${state.seen.map((seen) => seen.join()).join('/')}|${JSON.stringify(state.ghost)}${state.dead}`
    if (known.has(key)) return
    known.add(key)
    stack.push(state)
  }
  push({
    memory: [...scenario.memory],
    buffers: threads.map(() => []),
    seen: threads.map(() => []),
    ghost: structuredClone(scenario.ghost),
    dead: 0,
    trail: undefined,
  })
  let states = 0
  let ends = 0
  for (let state = stack.pop(); state !== undefined && states < most; state = stack.pop()) {
    states++
    const moves: State[] = []
    try {
      for (let thread = 0; thread < threads.length; thread++) {
        moves.push(...drained(state, thread, model))
        if ((state.dead & (1 << thread)) !== 0) continue
        const next = nextOf(threads[thread] as Thread, state, thread, shared)
        if (next === undefined) continue
        if (dying && state.dead === 0 && state.buffers[thread]?.length === 0) moves.push(death(scenario, state, thread))
        const moved = taken(scenario, state, thread, next)
        if (moved !== undefined) moves.push(moved)
      }
      if (moves.length === 0) {
        ends++
        const wrong = scenario.judge(state.memory, state.ghost, state.dead)
        if (wrong !== undefined) throw new Error(wrong)
      }
    } catch (error) {
      return { states, ends, complete: false, wrong: (error as Error).message, path: pathOf(state.trail) }
    }
    for (const move of moves) push(move)
  }
  return { states, ends, complete: stack.length === 0, wrong: undefined, path: [] }
}

function pathOf(trail: Trail | undefined): string[] {
  const path: string[] = []
  for (let at = trail; at !== undefined; at = at.before) path.unshift(at.what)
  return path
}

/** States in which one more store of a thread's buffer is visible. */
function drained(state: State, thread: number, model: Model): State[] {
  const buffer = state.buffers[thread] as [number, number][]
  const found: State[] = []
  const words = new Set<number>()
  for (const [index, [at, value]] of buffer.entries()) {
    if (words.has(at)) continue
    words.add(at)
    const next = copyOf(state, `${thread} … ${at} = ${value}`)
    next.buffers[thread]?.splice(index, 1)
    next.memory[at] = value
    found.push(next)
    if (model === 'tso') break
  }
  return found
}

function death(scenario: Scenario, state: State, thread: number): State {
  const next = copyOf(state, `${thread} dies`)
  next.dead |= 1 << thread
  scenario.died?.(next.ghost, thread)
  return next
}

/** The state after a thread's access; undefined where its buffer must be empty first. */
function taken(scenario: Scenario, state: State, thread: number, { access, call }: Pause): State | undefined {
  const { kind, at, value, expected } = access
  const buffer = state.buffers[thread] as [number, number][]
  if (buffer.length > 0 && kind !== 'read' && kind !== 'write' && kind !== 'load' && kind !== 'note') return undefined
  const next = copyOf(state, '')
  const view = (word: number): number =>
    (buffer.findLast(([buffered]) => buffered === word)?.[1] ?? state.memory[word]) as number
  const before = kind === 'note' ? 0 : view(at)
  let answer = before
  if (kind === 'write') {
    next.buffers[thread]?.push([at, value])
    answer = 0
  } else if (kind === 'store' || kind === 'exchange') next.memory[at] = value
  else if (kind === 'cas') {
    if (before === expected) next.memory[at] = value
  } else if (kind === 'and') next.memory[at] = before & value
  else if (kind === 'or') next.memory[at] = before | value
  else if (kind === 'note') answer = access.note?.(next.ghost) ?? 0
  next.seen[thread]?.push(answer)
  scenario.observe?.(next.ghost, thread, call, access, answer, view)
  ;(next as { trail: Trail | undefined }).trail = {
    what: `${thread} ${call}: ${kind} ${at}${kind === 'read' || kind === 'load' ? '' : ` ${value}`} -> ${answer}`,
    before: state.trail,
  }
  return next
}

function copyOf(state: State, what: string): State {
  return {
    memory: [...state.memory],
    buffers: state.buffers.map((buffer) => [...buffer]),
    seen: state.seen.map((seen) => [...seen]),
    ghost: structuredClone(state.ghost),
    dead: state.dead,
    trail: { what, before: state.trail },
  }
}

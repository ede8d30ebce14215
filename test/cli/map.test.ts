/**
 * `sorites map` against processes whose memory is known: every owner has what was made for it, and the sums are those of smaps.
 *
 * Longer than other files: one process for each owner of memory, and the sums over all of them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FIELDS, figuresOfEntry, type MapFigures, sumByOwner, sumOf } from '../../src/cli/map/figures.ts'
import { type MemoryMap, memoryMap } from '../../src/cli/map/memory-map.ts'
import { assignOwners, type Owned, type Owner } from '../../src/cli/map/owners.ts'
import { mapText } from '../../src/cli/map/text.ts'
import { parseFields, parseSmaps } from '../../src/ffi/procfs.ts'
import { MiB } from '../../src/units.ts'
import { compiled, nodes, runChild } from '../helpers/child.ts'
import { freshFile, freshPath } from '../helpers/scratch.ts'

const main = fileURLToPath(compiled('src/cli/main'))

function map(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, 'map', ...words], {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
}

/** A program in a process of its own that waits until it is told to make its things, says so when they are made, and keeps them. */
class Holder {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown[]>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid as number
    this.#ended = once(child, 'exit')
  }

  /** Resolves when the runtime and the library are loaded. */
  static async start(node: string, program: string): Promise<Holder> {
    const text = `import { once } from 'node:events'
import { Arena, Heap, Slab, mapFile } from ${JSON.stringify(compiled('src/index'))}
const MiB = 2 ** 20
const fill = (bytes) => bytes.fill(1)
const told = once(process.stdin, 'data')
process.stdout.write('loaded')
await told
${program}
process.stdout.write('made')
setInterval(() => keep, 1e6)`
    const child = spawn(node, ['--expose-gc', '--input-type=module', '-e', text], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_V8_COVERAGE: '' },
    })
    const holder = new Holder(child)
    await holder.#says()
    return holder
  }

  async make(): Promise<void> {
    this.#child.stdin!.write('make')
    await this.#says()
  }

  /** What `look` finds while the process is stopped: it changes nothing then, so two readings differ only by what the kernel does. */
  async stopped<T>(look: () => T): Promise<T> {
    this.#child.kill('SIGSTOP')
    while (!/^State:\s*T/m.test(readFileSync(`/proc/${this.pid}/status`, 'latin1'))) await new Promise(setImmediate)
    const found = look()
    this.#child.kill('SIGCONT')
    return found
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async #says(): Promise<void> {
    await Promise.race([
      once(this.#child.stdout!, 'data'),
      this.#ended.then(([status, signal]) => assert.unreachable(`the holder ended by ${status ?? signal}`)),
    ])
  }
}

/** A process that has made its things. */
async function holder(program: string): Promise<Holder> {
  const held = await Holder.start(process.execPath, program)
  await held.make()
  return held
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

function sumsOfSmaps(pid: number): Record<string, number> {
  const text = readFileSync(`/proc/${pid}/smaps`, 'latin1')
  return Object.fromEntries(
    Object.entries(FIELDS).map(([figure, names]) => [
      figure,
      [...text.matchAll(/^(\w+): +(\d+) kB$/gm)].reduce(
        (sum, [, name, kibibytes]) => sum + (names.includes(name!) ? 1024 * Number(kibibytes) : 0),
        0
      ),
    ])
  )
}

/** Figures that other processes have no part in: `shared`, `dirty` and `proportional` change with what others map. */
const OWN_FIGURES = ['reserved', 'resident', 'anonymous', 'huge', 'lazyFree', 'swapped'] as const

function ownFigures(all: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(OWN_FIGURES.map((figure) => [figure, all[figure]!]))
}

/**
 * A map of a stopped process, taken between two readings of smaps that agree. The kernel may write pages to swap or collapse them into
 * huge ones meanwhile; then it is taken again.
 */
function steadyMap(pid: number): { found: MemoryMap; smaps: Record<string, number> } {
  for (;;) {
    const before = ownFigures(sumsOfSmaps(pid))
    const found = memoryMap(pid)
    const smaps = ownFigures(sumsOfSmaps(pid))
    if (OWN_FIGURES.every((figure) => before[figure] === smaps[figure])) return { found, smaps }
  }
}

function explained(found: MemoryMap, text: string): string {
  return `${text}\n${mapText(found, { parts: true, mappings: true })}`
}

/** What an owner has in memory or in swap. */
function heldBytes(found: MemoryMap, owner: Owner): number {
  const one = found.owners.find((sum) => sum.owner === owner)
  return one === undefined ? 0 : one.resident + one.swapped
}

/** Total = sum over owners = sum over their parts, for every figure, and the total is what smaps says. */
function assertSums({ found, smaps }: ReturnType<typeof steadyMap>): void {
  const explain = (text: string) => explained(found, text)
  assert.equal(ownFigures({ ...found.total }), smaps, explain('the total differs from the sums of smaps'))
  const sum = (list: readonly MapFigures[], figure: keyof MapFigures) =>
    list.reduce((total, one) => total + one[figure], 0)
  for (const figure of Object.keys(FIELDS) as (keyof MapFigures)[]) {
    assert.is(sum(found.owners, figure), found.total[figure], explain(`${figure}: the owners differ from the total`))
    for (const one of found.owners)
      assert.is(sum(one.parts, figure), one[figure], explain(`${figure} of ${one.owner}: its parts differ from it`))
  }
  assert.is(
    found.owners.reduce((count, { mappings }) => count + mappings, 0),
    found.mappings.length,
    explain('a mapping has no owner, or two')
  )
}

/** What every process of Node has, by its mappings: how much of it is in memory is up to the kernel. */
function assertRuntime(found: MemoryMap, node: string): void {
  const has = (owner: Owner, what: string, is: (one: Owned) => boolean) =>
    assert.ok(
      found.mappings.some((one) => one.owner === owner && is(one)),
      explained(found, `no mapping of ${owner} is ${what}`)
    )
  has('libraries', "the program's own code", ({ entry }) => entry.name === realpathSync(node))
  has('libraries', 'the C library', ({ entry }) => /\/libc[.-]/.test(entry.name))
  has('stacks', 'the main stack', ({ entry }) => entry.name === '[stack]')
  has('stacks', "a thread's", ({ part }) => part === 'threads')
  has('malloc', 'the main heap', ({ entry }) => entry.name === '[heap]')
  has('v8-code', 'executable', ({ entry }) => entry.permissions.includes('x'))
  has('v8-heap', 'writable', ({ entry }) => entry.permissions.startsWith('rw'))
  // The objects that the runtime itself consists of.
  assert.ok(heldBytes(found, 'v8-heap') > 2 * MiB, explained(found, 'the heap of V8 is not where it is looked for'))
}

/** What the program makes of each kind, and how much more its owner may grow by. */
const KINDS: [owner: Owner, program: string, leastBytes: number, mostBytes: number][] = [
  ['malloc', 'const keep = fill(Buffer.allocUnsafeSlow(40 * MiB))', 40 * MiB, 58 * MiB],
  ['malloc', 'const keep = Array.from({ length: 4096 }, () => fill(Buffer.allocUnsafeSlow(8192)))', 32 * MiB, 50 * MiB],
  [
    'v8-heap',
    'const keep = []; for (let i = 0; i < 64; i++) keep.push(new Array(65536).fill(i + 0.5))',
    32 * MiB,
    90 * MiB,
  ],
  ['sorites', 'const keep = Arena.reserve(512 * MiB); fill(keep.view(Uint8Array, 0, 24 * MiB))', 24 * MiB, 25 * MiB],
  // With huge pages the ends of what is touched are rounded to them.
  [
    'sorites',
    "const keep = Arena.reserve(64 * MiB, { shared: true, name: 'x' }); fill(keep.view(Uint8Array, 0, 24 * MiB))",
    24 * MiB,
    29 * MiB,
  ],
  [
    'sorites',
    "const keep = Arena.reserve(512 * MiB, { hugePages: 'advise' }); fill(keep.view(Uint8Array, 0, 24 * MiB))",
    24 * MiB,
    29 * MiB,
  ],
  [
    'webassembly',
    'const keep = new WebAssembly.Memory({ initial: 320 }); fill(new Uint8Array(keep.buffer))',
    20 * MiB,
    25 * MiB,
  ],
]

/** Owners that may grow by themselves meanwhile: code and files are read from the disk, and given back, as the kernel likes. */
const GROW_BY_THEMSELVES: readonly Owner[] = ['libraries', 'files']

/** What an owner may give back of what it had before. */
const GIVEN_BACK = 4 * MiB

for (const { path, major } of nodes)
  for (const [owner, program, least, most] of KINDS)
    test(`${owner}, Node ${major}: ${program.slice(0, 60)}`, async () => {
      const held = await Holder.start(path, program)
      try {
        const before = await held.stopped(() => memoryMap(held.pid))
        await held.make()
        await held.stopped(() => {
          const steady = steadyMap(held.pid)
          assertSums(steady)
          const { found } = steady
          assertRuntime(found, path)
          const grew = (one: Owner) => heldBytes(found, one) - heldBytes(before, one)
          const said = (one: Owner) => explained(found, `${one} grew by ${grew(one) / MiB} MiB, of ${least / MiB} made`)
          assert.ok(grew(owner) >= least - GIVEN_BACK && grew(owner) <= most, said(owner))
          // The new memory is with its owner, and with no other.
          for (const other of found.owners.map((one) => one.owner))
            if (other !== owner && !GROW_BY_THEMSELVES.includes(other)) assert.ok(grew(other) < least / 2, said(other))
          assert.is(
            memoryMap(held.pid, { inside: false }).pageTableBytes,
            parseFields(readFileSync(`/proc/${held.pid}/status`, 'latin1')).get('VmPTE'),
            'page tables'
          )
        })
      } finally {
        await held.end()
      }
    })

for (const { path, major } of nodes)
  test(`a mapped file, Node ${major}: the owner is files, and the sums are those of smaps`, async () => {
    const file = freshFile(20 * MiB)
    const held = await Holder.start(
      path,
      `const keep = mapFile(${JSON.stringify(file)}, { mode: 'read' }); keep.populate()`
    )
    try {
      await held.make()
      await held.stopped(() => {
        const steady = steadyMap(held.pid)
        assertSums(steady)
        const { found } = steady
        // Pages of files are the kernel's to take back at any moment: what is mapped is certain, what is in memory is as smaps says.
        const mine = found.mappings.filter(({ entry }) => entry.name === realpathSync(file))
        assert.ok(
          mine.every((one) => one.owner === 'files'),
          explained(found, 'the file has another owner')
        )
        const sum = sumOf(mine.map(({ entry }) => figuresOfEntry(entry)))
        assert.is(sum.reserved, 20 * MiB, explained(found, 'the file is not mapped as a whole'))
        assert.ok(sum.resident <= 20 * MiB, explained(found, 'more is in memory than the file has'))
      })
    } finally {
      await held.end()
    }
  })

test('arenas and the allocators in them, anonymous, shared, in files', async () => {
  const [named, mapped] = [freshPath('arena'), freshPath('mapped')]
  const held = await holder(
    `const anonymous = Arena.reserve(200 * MiB)
    const heap = new Heap(anonymous, { byteLength: 100 * MiB }); heap.malloc(5 * MiB)
    const slab = new Slab(anonymous, { offset: 100 * MiB, slotSize: 64 }); for (let i = 0; i < 10; i++) slab.malloc(64)
    const shared = Arena.reserve(64 * MiB, { shared: true, name: 'shm' }); new Heap(shared).malloc(3 * MiB)
    const file = Arena.open(${JSON.stringify(named)}, { create: true, byteLength: 16 * MiB }); new Heap(file).malloc(2 * MiB)
    const mapped = mapFile(${JSON.stringify(mapped)}, { mode: 'write', create: true, byteLength: 24 * MiB })
    new Heap(mapped.arena).malloc(MiB)
    const empty = Arena.reserve(MiB, { shared: true, name: 'empty' })
    const keep = [anonymous, shared, file, mapped, empty]`
  )
  try {
    const found = await held.stopped(() => memoryMap(held.pid))
    const seen = found.arenas.map(({ name, allocators }) => [
      name,
      allocators.map(({ kind, usedBytes, usedCount }) => `${kind} ${usedBytes ?? usedCount}`),
    ])
    const expected = [
      [['Heap 5242880', 'Slab 10'], /./],
      [['Heap 3145728'], /^shm$/],
      [['Heap 2097152'], new RegExp(`${named}|#\\d+`)],
      [['Heap 1048576'], new RegExp(mapped)],
    ] as const
    for (const [allocators, name] of expected)
      assert.ok(
        seen.some(([text, inside]) => name.test(text as string) && String(inside) === String(allocators)),
        `${allocators}: ${JSON.stringify(seen)}`
      )
    const paths = [named, mapped].map((path) => realpathSync(path))
    const ofFiles = found.mappings.filter(({ entry }) => paths.includes(entry.name))
    assert.ok(
      ofFiles.length > 0 && ofFiles.every(({ owner }) => owner === 'sorites'),
      explained(found, 'files that hold arenas are arenas')
    )
  } finally {
    await held.end()
  }
})

test('what malloc keeps although it is free', async () => {
  const held = await holder(
    `let keep = Array.from({ length: 8192 }, () => fill(Buffer.allocUnsafeSlow(4096)))
    keep = keep.filter((_, index) => index % 2 === 0)
    // V8 frees the memory of dead Buffers in another thread.
    while (process.memoryUsage().arrayBuffers > 17 * MiB) { gc(); await new Promise((done) => setTimeout(done, 1)) }`
  )
  try {
    const { malloc } = await held.stopped(() => memoryMap(held.pid))
    const found = JSON.stringify(malloc)
    assert.ok(malloc !== undefined && malloc.heaps >= 1, found)
    assert.ok(malloc.freeBytes >= 15 * MiB && malloc.freeBytes < 26 * MiB, found)
    assert.ok(malloc.usedBytes >= 16 * MiB && malloc.usedBytes < 36 * MiB, found)
  } finally {
    await held.end()
  }
})

test('the sums are those of smaps, field by field, whatever its mappings are', () => {
  const text = readFileSync('/proc/self/smaps', 'latin1')
  const owned = assignOwners(parseSmaps(text), process.execPath)
  for (const [figure, names] of Object.entries(FIELDS)) {
    const sum = [...text.matchAll(/^(\w+): +(\d+) kB$/gm)].reduce(
      (total, [, name, kibibytes]) => total + (names.includes(name!) ? 1024 * Number(kibibytes) : 0),
      0
    )
    assert.is(
      sumByOwner(owned).reduce((total, one) => total + one[figure as keyof MapFigures], 0),
      sum,
      figure
    )
  }
})

test('owners by the way mappings are made, where the kernel has no flags for it', () => {
  // Older kernels show neither `dc` nor `nh`.
  const lines: [string, string, Owner][] = [
    ['00400000-00b6f000 r-xp 00000000 fe:00 260689', '/usr/bin/node', 'libraries'],
    ['00b6f000-00b80000 rw-p 00000000 00:00 0', '', 'libraries'],
    ['0c276000-0c53c000 rw-p 00000000 00:00 0', '[heap]', 'malloc'],
    ['60d1b480000-60d1b4c0000 rw-p 00000000 00:00 0', '', 'v8-heap'],
    ['822b0bc0000-822b0bcd000 r--p 00000000 00:00 0', '', 'v8-heap'],
    ['7f7740000000-7f7744000000 rw-p 00000000 00:00 0', '[anon:cache]', 'malloc'],
    ['7f7744003000-7f774403f000 rwxp 00000000 00:00 0', '', 'v8-code'],
    ['7f774403f000-7f7763e40000 ---p 00000000 00:00 0', '', 'v8-code'],
    ['7f7763e40000-7f7763fd2000 r-xp 014c4000 fe:00 260689', '/usr/bin/node', 'libraries'],
    ['7f7763fd2000-7f7764000000 ---p 00000000 00:00 0', '', 'v8-code'],
    ['7f7764000000-7f7764021000 rw-p 00000000 00:00 0', '', 'malloc'],
    ['7f7764021000-7f7768000000 ---p 00000000 00:00 0', '', 'malloc'],
    ['7f7769a19000-7f7769a1a000 ---p 00000000 00:00 0', '', 'stacks'],
    ['7f7769a1a000-7f776a21a000 rw-p 00000000 00:00 0', '', 'stacks'],
    ['7f776c21e000-7f776c244000 r--p 00000000 fe:00 339380', '/usr/lib/libc.so.6', 'libraries'],
    ['7f776c3f3000-7f776c400000 rw-p 00000000 00:00 0', '', 'malloc'],
    ['7f7771000000-7f7772000000 r--s 00000000 fe:00 339381', '/data/table', 'files'],
    ['7f7773000000-7f7774000000 rw-s 00000000 00:01 1234', '/memfd:other (deleted)', 'shared'],
    ['7f7775000000-7f7776000000 rw-s 00000000 00:01 1235', '/memfd:sorites (deleted)', 'sorites'],
    ['7ffd1a725000-7ffd1a746000 rw-p 00000000 00:00 0', '[stack]', 'stacks'],
    ['7ffd1a7a0000-7ffd1a7a2000 r-xp 00000000 00:00 0', '[vdso]', 'kernel'],
  ]
  const text = lines.map(([line, name]) => `${line} ${name}\nSize: 4 kB\nRss: 4 kB\nVmFlags: rd mr\n`).join('')
  const owned = assignOwners(parseSmaps(text), '/usr/bin/node')
  assert.equal(
    owned.map(({ owner }) => owner),
    lines.map(([, , owner]) => owner)
  )
  assert.is(
    sumByOwner(owned).reduce((sum, one) => sum + one.resident, 0),
    4096 * lines.length
  )
})

test('the command: text, parts, mappings, JSON, this process', () => {
  const text = map('self')
  assert.is(text.status, 0, text.stderr)
  assert.match(text.stdout, /V8 heap/)
  assert.match(map('self', '--parts', '--mappings').stdout, /\[heap\]|main heap/)
  const json = JSON.parse(map(String(process.pid), '--json').stdout)
  assert.is(json.pid, process.pid)
  const sum = (list: { resident: number }[]) => list.reduce((total, { resident: bytes }) => total + bytes, 0)
  assert.is(sum(json.owners), json.total.resident)
  assert.is(sum(json.mappings), json.total.resident)
})

test('no such process, one that has ended, none at all: one line', async () => {
  for (const [words, status, wanted] of [
    [['4194303'], 1, /there is no process 4194303/],
    [['99999999999'], 2, /a process is a number/],
    [['node'], 2, /a process is a number/],
    [['0'], 2, /a process is a number/],
    [[], 2, /expects one process/],
    [['1', '2'], 2, /expects one process/],
  ] as const) {
    const { stderr, stdout, status: found } = map(...words)
    assert.is(found, status, stderr)
    assert.is(stdout, '')
    assert.match(stderr, wanted)
    assert.match(stderr, /^sorites: [^\n]+\n$/)
  }
  // The child ends when the shell has become another program, which does not wait for it.
  const script = `sh -c 'while grep -q "^sh" /proc/'$$'/comm; do :; done' & echo $!; exec sleep 1000`
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const zombie = Number(String((await once(shell.stdout, 'data'))[0]))
    while (!/^State:\s*Z/m.test(readFileSync(`/proc/${zombie}/status`, 'latin1'))) await new Promise(setImmediate)
    assert.match(map(String(zombie)).stderr, /has no memory: it has ended/)
  } finally {
    await end(shell)
  }
})

test('names of files and processes: as they are in JSON, harmless on a terminal', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cli-map-names-')))
  const path = join(folder, 'b\u00fc\n\u001b[35mx.bin')
  writeFileSync(path, new Uint8Array(4096).fill(1))
  const held = await holder(
    `process.title = 'a\\u00fc\\u001b[31m'; const keep = mapFile(${JSON.stringify(path)}, { mode: 'read' }); keep.view(Uint8Array, 0, 1)[0]`
  )
  try {
    const json = JSON.parse(map(String(held.pid), '--json').stdout)
    assert.is(json.command, 'a\u00fc\u001b[31m')
    assert.ok(json.mappings.some(({ name }: { name: string }) => name === path))
    const { stdout } = map(String(held.pid), '--parts', '--mappings')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
    assert.not.match(stdout, /[\u0000-\u0009\u000b-\u001f]/)
    assert.match(stdout, /\(a\u00fc\ufffd\[31m\)/)
  } finally {
    await held.end()
    rmSync(folder, { recursive: true })
  }
})

test('a process of many mappings is read piece by piece', async () => {
  const path = freshFile(new Uint8Array(4096))
  const held = await holder(
    `const keep = Array.from({ length: 3000 }, () => mapFile(${JSON.stringify(path)}, { mode: 'read' }))`
  )
  try {
    await held.stopped(() => {
      const found = memoryMap(held.pid)
      const lines = parseSmaps(readFileSync(`/proc/${held.pid}/smaps`, 'utf8'))
      assert.ok(lines.length > 3000, String(lines.length))
      assert.equal(
        found.mappings.map(({ entry }) => entry.start),
        lines.map(({ start }) => start)
      )
      assert.is(
        found.total.reserved,
        lines.reduce((sum, { fields }) => sum + fields.get('Size')!, 0)
      )
    })
  } finally {
    await held.end()
  }
})

test('a process of another user: no permission', async () => {
  const child = await runChild(`
    const { memoryMap } = await import(${JSON.stringify(compiled('src/cli/map/memory-map'))})
    if (process.getuid() === 0) process.seteuid(65534)
    let message = ''
    try { memoryMap(process.getuid() === 0 ? process.ppid : 1) } catch (error) { message = error.message }
    report({ message })`)
  assert.match(child.clean().report.message, /^no permission to look at process \d+/)
})

test.run()

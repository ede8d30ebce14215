/** `sorites map` against processes whose memory is known: every owner has what was made for it, and the sums are those of smaps. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FIELDS, type MapFigures, sumByOwner } from '../../src/cli/map/figures.ts'
import { type MemoryMap, memoryMap } from '../../src/cli/map/memory-map.ts'
import { assignOwners, type Owner } from '../../src/cli/map/owners.ts'
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

/** A process that makes things, then says so and waits. */
async function holder(node: string, program: string): Promise<ChildProcess> {
  const text = `import { Arena, Heap, Slab, mapFile } from ${JSON.stringify(compiled('src/index'))}
const MiB = 2 ** 20
const fill = (bytes) => bytes.fill(1)
${program}
process.stdout.write('ready')
setInterval(() => keep, 1e6)`
  const child = spawn(node, ['--expose-gc', '--input-type=module', '-e', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
  await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'exit').then(() => assert.unreachable('the holder has ended')),
  ])
  child.kill('SIGSTOP')
  // Stopped, its memory stays as it is: two readings are the same.
  while (!/^State:\s*T/m.test(readFileSync(`/proc/${child.pid}/status`, 'latin1'))) await new Promise(setImmediate)
  return child
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

function resident(found: MemoryMap, owner: Owner): number {
  return found.owners.find((one) => one.owner === owner)?.resident ?? 0
}

/** What the program holds of each kind, less than what its runtime needs besides. */
const KINDS: [owner: Owner, program: string, leastBytes: number, mostBytes: number][] = [
  ['malloc', 'const keep = fill(Buffer.allocUnsafeSlow(40 * MiB))', 40 * MiB, 60 * MiB],
  ['malloc', 'const keep = Array.from({ length: 4096 }, () => fill(Buffer.allocUnsafeSlow(8192)))', 32 * MiB, 52 * MiB],
  [
    'v8-heap',
    'const keep = []; for (let i = 0; i < 64; i++) keep.push(new Array(65536).fill(i + 0.5))',
    32 * MiB,
    90 * MiB,
  ],
  ['sorites', 'const keep = Arena.reserve(512 * MiB); fill(keep.view(Uint8Array, 0, 24 * MiB))', 24 * MiB, 25 * MiB],
  [
    'sorites',
    "const keep = Arena.reserve(64 * MiB, { shared: true, name: 'x' }); fill(keep.view(Uint8Array, 0, 24 * MiB))",
    24 * MiB,
    25 * MiB,
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
    21 * MiB,
  ],
  ['files', "const keep = mapFile(FILE, { mode: 'read' }); keep.populate()", 20 * MiB, 21 * MiB],
]

for (const { path, major } of nodes)
  for (const [owner, program, least, most] of KINDS)
    test(`${owner}, Node ${major}: ${program.slice(0, 60)}`, async () => {
      const child = await holder(
        path,
        program.replace('FILE', () => JSON.stringify(freshFile(20 * MiB)))
      )
      try {
        const found = memoryMap(child.pid!)
        // What other processes map changes by the moment.
        const { shared, dirty, proportional, ...own } = found.total
        const { shared: s, dirty: d, proportional: p, ...sums } = sumsOfSmaps(child.pid!)
        assert.equal(own, sums)
        assert.ok(shared >= 0 && dirty >= 0 && proportional >= 0 && s! >= 0 && d! >= 0 && p! >= 0)
        for (const figure of Object.keys(FIELDS) as (keyof MapFigures)[]) {
          assert.is(
            found.owners.reduce((sum, one) => sum + one[figure], 0),
            found.total[figure],
            figure
          )
          for (const one of found.owners)
            assert.is(
              one.parts.reduce((sum, part) => sum + part[figure], 0),
              one[figure],
              `${one.owner} ${figure}`
            )
        }
        assert.is(
          found.owners.reduce((sum, one) => sum + one.mappings, 0),
          found.mappings.length
        )
        const bytes = resident(found, owner)
        assert.ok(
          bytes >= least && bytes <= most,
          `${bytes / MiB} MiB\n${mapText(found, { parts: true, mappings: true })}`
        )
        // Nothing else of that size is anywhere but where every process of Node has some.
        for (const one of found.owners)
          if (one.owner !== owner && one.owner !== 'libraries')
            assert.ok(one.resident < 18 * MiB, `${one.owner}\n${mapText(found, { parts: true, mappings: true })}`)
        assert.ok(resident(found, 'v8-heap') > 2 * MiB && resident(found, 'libraries') > 5 * MiB)
        assert.ok(resident(found, 'v8-code') > 0 && resident(found, 'stacks') > 0)
        assert.is(
          memoryMap(child.pid!, { inside: false }).pageTableBytes,
          parseFields(readFileSync(`/proc/${child.pid}/status`, 'latin1')).get('VmPTE')
        )
      } finally {
        await end(child)
      }
    })

test('arenas and the allocators in them, anonymous, shared, in files', async () => {
  const [named, mapped] = [freshPath('arena'), freshPath('mapped')]
  const child = await holder(
    process.execPath,
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
    const { arenas, owners } = memoryMap(child.pid!)
    const seen = arenas.map(({ name, allocators }) => [
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
        seen.some(([found, held]) => name.test(found as string) && String(held) === String(allocators)),
        `${allocators}: ${JSON.stringify(seen)}`
      )
    assert.not.ok(
      owners.some(({ owner }) => owner === 'files'),
      'files that hold arenas are arenas'
    )
  } finally {
    await end(child)
  }
})

test('what malloc keeps although it is free', async () => {
  const child = await holder(
    process.execPath,
    `let keep = Array.from({ length: 8192 }, () => fill(Buffer.allocUnsafeSlow(4096)))
    keep = keep.filter((_, index) => index % 2 === 0)
    for (let i = 0; i < 5; i++) { gc(); await new Promise((done) => setTimeout(done, 1)) }`
  )
  try {
    const { malloc } = memoryMap(child.pid!)
    const found = JSON.stringify(malloc)
    assert.ok(malloc !== undefined && malloc.heaps >= 1, found)
    assert.ok(malloc.freeBytes >= 15 * MiB && malloc.freeBytes < 26 * MiB, found)
    assert.ok(malloc.usedBytes >= 16 * MiB && malloc.usedBytes < 36 * MiB, found)
  } finally {
    await end(child)
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

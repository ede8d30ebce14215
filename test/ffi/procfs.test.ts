import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  countPagemap,
  parseFields,
  parseMaps,
  parseSmaps,
  parseStatm,
  parseThreadStat,
  readMaps,
  readPlace,
  readSmaps,
  readSmapsRollup,
  readStatm,
  readStatus,
  readThreadStat,
} from '../../src/ffi/procfs.ts'

const SMAPS = `7f1e40000000-7f1e80000000 rw-p 00000000 00:00 0 
Size:            1048576 kB
Rss:                  12 kB
LazyFree:              4 kB
VmFlags: rd wr mr mw me nr nh 
7f1ec3a00000-7f1ec3a28000 r--p 00001000 fe:01 123456                     /usr/lib/a path.so
Size:                160 kB
Rss:                 160 kB
VmFlags: rd mr mw me 
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Size:                  4 kB
Rss:                   0 kB
`

test('statm counts pages', () => {
  assert.equal(parseStatm('100 50 20 1 0 30 0\n', 4096), {
    sizeBytes: 409600,
    residentBytes: 204800,
    sharedBytes: 81920,
    dataBytes: 122880,
  })
})

test('fields are in bytes', () => {
  assert.equal(
    [...parseFields('a: 1 kB\nno field kB\n:  2 kB\nb c: 3 kB\nd:4 kB\ne:\t5 kB')],
    [
      ['a', 1024],
      ['e', 5120],
    ]
  )
  const fields = parseFields('Name:\tnode\nVmRSS:\t   10 kB\nThreads:\t7\nActive(anon):  3 kB\n')
  assert.equal(
    [...fields],
    [
      ['VmRSS', 10240],
      ['Active(anon)', 3072],
    ]
  )
})

test('smaps is read mapping by mapping', () => {
  const entries = parseSmaps(SMAPS)
  assert.is(entries.length, 3)
  const [first, second, third] = entries as [(typeof entries)[0], (typeof entries)[0], (typeof entries)[0]]
  assert.equal(
    [first.start, first.end - first.start, first.permissions, first.name],
    [0x7f1e40000000, 2 ** 30, 'rw-p', '']
  )
  assert.equal([first.fields.get('Rss'), first.fields.get('LazyFree')], [12288, 4096])
  assert.equal(first.flags, ['rd', 'wr', 'mr', 'mw', 'me', 'nr', 'nh'])
  assert.equal([second.name, second.fileOffset, second.inode], ['/usr/lib/a path.so', 4096, 123456])
  assert.equal([third.name, third.flags.length], ['[vsyscall]', 0])
})

test('maps is the same without figures', () => {
  const lines = SMAPS.split('\n')
    .filter((line) => /^[0-9a-f]+-/.test(line))
    .join('\n')
  assert.equal(
    parseMaps(lines).map((entry) => entry.name),
    ['', '/usr/lib/a path.so', '[vsyscall]']
  )
})

test('pagemap entries are counted by their bits', () => {
  const words = new BigUint64Array([
    0n,
    1n << 63n,
    (1n << 63n) | (1n << 56n),
    (1n << 63n) | (1n << 61n),
    1n << 62n,
    1n << 55n,
  ])
  assert.equal(countPagemap(new Uint8Array(words.buffer)), {
    pages: 6,
    present: 3,
    swapped: 1,
    exclusive: 1,
    shared: 1,
  })
  assert.is(countPagemap(new Uint8Array(0)).pages, 0)
})

test('the files of this process can be read', () => {
  const statm = readStatm(4096)
  assert.ok(statm.residentBytes > 0 && statm.sizeBytes > statm.residentBytes)
  assert.ok((readStatus().get('VmRSS') ?? 0) > 0)
  assert.ok((readSmapsRollup().get('Rss') ?? 0) > 0)
  assert.ok(readMaps().some((entry) => entry.name === '[stack]'))
  assert.ok(readSmaps().some((entry) => (entry.fields.get('Rss') ?? 0) > 0))
})

test("a thread's entry is read, whatever its program is called", () => {
  const rest = 'S 1 2 3 0 -1 4194304 100 0 0 0 5 6 0 0 20 0 11 0 987654 1000000 500'
  for (const name of ['node', 'a b', ') R 1 (', '((', 'x)', ''])
    assert.equal(parseThreadStat(`1234 (${name}) ${rest}\n`), { ended: false, startTime: 987654 })
  assert.is(parseThreadStat(`1 (x) ${rest.replace('S', 'Z')}`)?.ended, true)
  assert.is(parseThreadStat(`1 (x) ${rest.replace('S', 'X')}`)?.ended, true)
  // PF_EXITING: it is no zombie yet, and runs no more code.
  assert.is(parseThreadStat(`1 (x) ${rest.replace('4194304', '4194308')}`)?.ended, true)
  for (const bad of ['', '1 (x) S', '1 (x']) assert.is(parseThreadStat(bad), undefined)
})

test('this thread is there, and one that is none is not', () => {
  const own = readThreadStat(process.pid, process.pid)
  assert.ok(own !== undefined && !own.ended && own.startTime > 0)
  assert.is(readThreadStat(process.pid, 1), undefined)
  assert.is(readThreadStat(2 ** 22 - 1, 2 ** 22 - 1), undefined)
})

test('the place is the same each time', () => {
  const { boot, namespace } = readPlace()
  assert.equal(readPlace(), { boot, namespace })
  assert.ok(boot > 0 && boot < 2 ** 32 && namespace > 0)
})

test.run()

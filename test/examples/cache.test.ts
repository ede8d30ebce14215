/** The cache of examples/cache: the recipe as it is run, and what the class promises. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BufferCache } from '../../examples/cache/buffer-cache.ts'
import { LruCache } from '../../examples/cache/lru-cache.ts'
import { MiB } from '../../src/index.ts'
import { nodes } from '../helpers/child.ts'
import { passes, refuses } from './recipes.ts'

for (const node of nodes)
  test(`Node ${node.major}: cache compares a heap and Buffers`, () => {
    const out = passes(node, 3, 'cache', '--values', '20000', '--lookups', '40000', '--limit', '2')
    assert.match(out, /values in a heap +\d+ +\d+\.\d %/)
    assert.match(out, /a Map of Buffers +\d+ +\d+\.\d %/)
  })

test('cache: help, and wrong arguments', () =>
  refuses('cache', [
    [['--values', '-1'], /--values expected a whole number from 1 to \d+, got "-1"/],
    [['--lookups', '1.5'], /--lookups expected a whole number/],
    [['--limit', '0'], /--limit expected a whole number from 1 to 1024, got "0"/],
    [['--limit', '9999999'], /--limit expected/],
    [['--limit'], /--limit/],
  ]))

for (const Cache of [LruCache, BufferCache])
  test(`${Cache.name}: values come back, and the least recently used goes first`, () => {
    const cache = new Cache(MiB)
    const value = Buffer.alloc(20_000)
    assert.ok(cache.set('kept', Buffer.from('grain')))
    assert.ok(cache.set('gone', Buffer.from('sand')))
    for (let key = 0; key < 100; key++) {
      assert.is(cache.get('kept')?.toString(), 'grain')
      assert.ok(cache.set(`ä${key}`, value.fill(key)))
    }
    assert.is(cache.get('gone'), undefined)
    assert.is(cache.get('ä0'), undefined)
    assert.equal(cache.get('ä99'), value)
    assert.ok(cache.delete('kept'))
    assert.not.ok(cache.delete('kept'))
    assert.ok(cache.set('', Buffer.alloc(0)))
    assert.is(cache.get('')?.length, 0)
    assert.not.ok(cache.set('long', Buffer.alloc(MiB)))
    assert.ok(cache.size > 10, 'nothing was evicted for what is too long')
    assert.ok(cache.byteLength <= MiB)
  })

test('LruCache: a copy is not the value', () => {
  const cache = new LruCache(MiB)
  cache.set('key', Buffer.from('grain'))
  cache.get('key')?.fill('x')
  assert.is(cache.get('key')?.toString(), 'grain')
})

test('LruCache: any string is a key', () => {
  const cache = new LruCache(MiB)
  const names = ['', 'a', 'ä', '𝄞', '\ud800', '\udc00', '\0', 'x'.repeat(1000)]
  for (const [at, name] of names.entries()) assert.ok(cache.set(name, Buffer.from([at])))
  for (const [at, name] of names.entries()) assert.is(cache.get(name)?.[0], at)
  // All of them can be evicted.
  for (let key = 0; key < 30; key++) assert.ok(cache.set(`long${key}`, Buffer.alloc(100_000)))
  for (const name of names) assert.is(cache.get(name), undefined)
})

test('LruCache: what is in use stays, replaced, deleted or old as it may be', async () => {
  const cache = new LruCache(MiB)
  const names = ['old', 'replaced', 'deleted']
  for (const name of names) cache.set(name, Buffer.from(name.repeat(1000)))
  const ends: (() => void)[] = []
  const uses = [...names, ...names].map((name) =>
    cache.use(name, async (value) => {
      await new Promise<void>((resolve) => ends.push(resolve))
      return value.toString() === name.repeat(1000)
    })
  )
  assert.ok(cache.set('replaced', Buffer.from('new')))
  assert.ok(cache.delete('deleted'))
  for (let key = 0; key < 1000; key++) assert.ok(cache.set(`other${key}`, Buffer.alloc(5000)))
  assert.is(cache.get('replaced'), undefined)
  const closed = cache.close()
  for (const end of ends) end()
  assert.equal(await Promise.all(uses), [true, true, true, true, true, true])
  await closed
})

test('LruCache: once out of use, a value is evicted like any, and its memory is free', async () => {
  const cache = new LruCache(MiB)
  const quarter = Buffer.alloc(200_000)
  assert.is(await cache.use('none', () => 1), undefined)
  for (let round = 0; round < 50; round++) {
    cache.set('key', quarter)
    await cache.use('key', () => cache.delete('key'))
    await cache.use('key', () => assert.unreachable())
  }
  cache.set('key', quarter)
  let failed = false
  await cache.use('key', () => Promise.reject(new Error('no'))).catch(() => (failed = true))
  assert.ok(failed)
  for (let key = 0; key < 10; key++) assert.ok(cache.set(`other${key}`, quarter))
  assert.is(cache.get('key'), undefined)
})

test('LruCache: refuses when all that could go is in use', async () => {
  const cache = new LruCache(MiB)
  const ends: (() => void)[] = []
  const uses: Promise<unknown>[] = []
  for (let key = 0; cache.set(String(key), Buffer.alloc(200_000)); key++)
    uses.push(cache.use(String(key), () => new Promise<void>((resolve) => ends.push(resolve))))
  assert.ok(uses.length >= 3)
  for (const end of ends) end()
  await Promise.all(uses)
  assert.ok(cache.set('more', Buffer.alloc(200_000)))
  assert.throws(() => new LruCache(1000), /limit expected 1 MiB to 1 GiB, got 1000 bytes/)
})

test.run()

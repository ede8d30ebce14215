import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { availableMemory } from '../../src/ffi/linux/available-memory.ts'

const MEMINFO = 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    500 kB\n'
const of = (files: Record<string, string>): number => availableMemory((path) => files[path])

test('without control groups it is what the kernel says', () => {
  assert.is(of({ '/proc/meminfo': MEMINFO }), 512000)
  assert.is(of({}), Infinity)
})

test('v2: the least that any group on the path has left', () => {
  const files = {
    '/proc/meminfo': MEMINFO,
    '/proc/self/cgroup': '0::/a/b\n',
    '/sys/fs/cgroup/a/b/memory.max': 'max\n',
    '/sys/fs/cgroup/a/b/memory.current': '7000\n',
    '/sys/fs/cgroup/a/memory.max': '100000\n',
    '/sys/fs/cgroup/a/memory.current': '60000\n',
  }
  assert.is(of(files), 40000)
  assert.is(of({ ...files, '/sys/fs/cgroup/a/memory.stat': 'anon 1\ninactive_file 10000\n' }), 50000)
  assert.is(of({ ...files, '/sys/fs/cgroup/a/memory.current': '200000' }), 0)
  assert.is(of({ ...files, '/sys/fs/cgroup/memory.max': '5', '/sys/fs/cgroup/memory.current': '2' }), 3)
})

test('v1: the memory controller among others', () => {
  const files = {
    '/proc/meminfo': MEMINFO,
    '/proc/self/cgroup': '9:name=systemd:/x\n4:cpu,memory:/x\n0::/\n',
    '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/x/memory.usage_in_bytes': '1\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '10000\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': '9000\n',
    '/sys/fs/cgroup/memory/memory.stat': 'total_inactive_file 500\n',
  }
  assert.is(of(files), 1500)
})

test("a path that is the host's and not ours ends at the container's root", () => {
  const files = {
    '/proc/meminfo': MEMINFO,
    '/proc/self/cgroup': '0::/docker/abc\n',
    '/sys/fs/cgroup/memory.max': '4096\n',
    '/sys/fs/cgroup/memory.current': '0\n',
  }
  assert.is(of(files), 4096)
})

test('nonsense is no limit', () => {
  assert.is(of({ '/proc/meminfo': 'x', '/proc/self/cgroup': 'garbage\n\n' }), Infinity)
})

test('the real files give a number', () => {
  assert.ok(availableMemory() > 0)
})

test.run()

/**
 * How much memory could be made resident now: the kernel's own estimate, or what is left under the limits of the control
 * groups that this process is in, whichever is less.
 *
 *     /proc/meminfo        MemAvailable
 *     /proc/self/cgroup    0::/a/b          v2: memory.max, memory.current, inactive_file of memory.stat, in /a/b, /a, /
 *                          4:memory:/a/b    v1: memory.limit_in_bytes, memory.usage_in_bytes, total_inactive_file
 *
 * Limits hold for a group and all its parents, so each is asked. File pages that no process uses are counted as used by the
 * groups although they can be had at once, so they are taken off. A few small files are read: about 0.1 ms.
 * @module
 */
import { readFileSync } from 'node:fs'

/** Reads a file, or undefined when there is none or it may not be read. */
export type ReadText = (path: string) => string | undefined

/** The names of a control group's files, which differ between the two versions. */
interface GroupFiles {
  readonly root: string
  readonly limit: string
  readonly usage: string
  readonly inactive: RegExp
}

const V2: GroupFiles = {
  root: '/sys/fs/cgroup',
  limit: 'memory.max',
  usage: 'memory.current',
  inactive: /^inactive_file (\d+)/m,
}

const V1: GroupFiles = {
  root: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  inactive: /^total_inactive_file (\d+)/m,
}

/** Bytes that could be made resident now. Infinity where nothing says. */
export function availableMemory(read: ReadText = readText): number {
  let available = Infinity
  const kibibytes = /^MemAvailable:\s+(\d+) kB/m.exec(read('/proc/meminfo') ?? '')
  if (kibibytes !== null) available = Number(kibibytes[1]) * 1024
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line)
    if (match === null) continue
    const controllers = match[1] as string
    if (controllers === '') available = Math.min(available, leftUnder(V2, match[2] as string, read))
    else if (controllers.split(',').includes('memory'))
      available = Math.min(available, leftUnder(V1, match[2] as string, read))
  }
  return available
}

/** What is left under the limits of the group at `path` and of its parents. */
function leftUnder(files: GroupFiles, path: string, read: ReadText): number {
  let left = Infinity
  // In a container the path may be the host's and not exist here; the walk then ends at the root, which is the container's.
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
    left = Math.min(left, leftIn(files, `${files.root}${at === '/' ? '' : at}`, read))
    if (!at.includes('/') || at === '/') return left
  }
}

function leftIn(files: GroupFiles, folder: string, read: ReadText): number {
  const limit = Number.parseInt(read(`${folder}/${files.limit}`) ?? '', 10)
  const usage = Number.parseInt(read(`${folder}/${files.usage}`) ?? '', 10)
  // 'max', or no such file: no limit here.
  if (Number.isNaN(limit) || Number.isNaN(usage)) return Infinity
  const inactive = Number(files.inactive.exec(read(`${folder}/memory.stat`) ?? '')?.[1] ?? 0)
  return Math.max(0, limit - Math.max(0, usage - inactive))
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/**
 * What this machine lets a test do. A test that needs more is skipped, and is counted as skipped.
 *
 *     const testOfMounts = canMount() ? test : test.skip
 *
 * Each is tried, not concluded from being root: a container's root often may neither mount nor become another user.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

/** The user that has nothing: the kernel's overflow user. */
export const OTHER_USER = 65_534
/** What the tests in shared memory need there at most. */
const ROOM = 4 * 1024 * 1024
/** f_type of a tmpfs. */
const TMPFS_MAGIC = 0x0102_1994

/** Whether a process may become another user. */
export function canBecomeAnother(): boolean {
  const program = `process.setgroups([]); process.setgid(${OTHER_USER}); process.setuid(${OTHER_USER})`
  return process.getuid?.() === 0 && spawnSync(process.execPath, ['-e', program], { stdio: 'ignore' }).status === 0
}

/** A command that runs the shell script behind it, with arguments, in a process that may mount and that no other sees mount. */
export const MOUNTING: readonly string[] = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c']

/** Whether a process may have small file systems of its own. */
export function canMount(): boolean {
  const [command, ...rest] = MOUNTING as [string, ...string[]]
  const script = 'mount -t tmpfs -o size=64k none /tmp'
  return spawnSync(command, [...rest, script], { stdio: 'ignore' }).status === 0
}

/** A new folder in memory, gone when this process ends, or nothing where there is no /dev/shm with 4 MiB of room. */
export function sharedMemoryFolder(): string | undefined {
  try {
    const { type, bavail, bsize } = statfsSync('/dev/shm')
    if (type !== TMPFS_MAGIC || bavail * bsize < ROOM) return undefined
    const folder = mkdtempSync(join('/dev/shm', 'sorites-test-'))
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
    return folder
  } catch {
    return undefined
  }
}

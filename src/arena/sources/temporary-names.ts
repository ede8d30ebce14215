/**
 * Names for files that are on their way to a name, or lose theirs. They are used where the kernel has no other way, for some
 * microseconds. A process that is killed meanwhile leaves one; the next process that makes or unlinks an arena in the folder, or needs
 * such a name there, removes it.
 *
 *     .sorites-<boot>-<namespace>-<process>-<thread>-<start>-<random>                 a new file, made by that thread
 *     .sorites-<boot>-<namespace>-<process>-<thread>-<start>-<random>-<identity>      a file that was to be unlinked
 *
 * A file is removed when all of this holds: its name says that it was made in this start of the machine and this namespace of
 * processes; that thread is dead; the file is an ordinary one that belongs to this user; and it is the one that its name means, where the
 * name says so. Names of another start of the machine stay: the folder may be one that several machines have.
 * @module
 */
import { dirname, join } from 'node:path'
import type { Os } from '../../ffi/os.ts'
import { newIdentity } from '../format/header.ts'
import { currentThread, livenessOf } from '../format/thread-id.ts'

const NAME = /^\.sorites-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)-[0-9a-f]+(?:-(\d+)\.(\d+))?$/

/** A new name in the folder of `path`. `identity`: of the file that is to be unlinked. */
export function temporaryName(os: Os, path: string, identity?: string): string {
  const { boot, namespace, processId, threadId, startTime } = currentThread(os)
  const random = newIdentity()
    .map((word) => word.toString(16))
    .join('')
  const meant = identity === undefined ? '' : `-${identity.replace(':', '.')}`
  return join(dirname(path), `.sorites-${boot}-${namespace}-${processId}-${threadId}-${startTime}-${random}${meant}`)
}

/** Removes what killed threads have left in the folder of `path`. A folder that cannot be listed is left as it is. */
export function removeStale(os: Os, path: string): void {
  const folder = dirname(path)
  for (const name of listQuietly(os, folder)) if (isStale(os, folder, name)) removeQuietly(os, join(folder, name))
}

function listQuietly(os: Os, folder: string): readonly string[] {
  try {
    return os.files.list(folder)
  } catch {
    return []
  }
}

function isStale(os: Os, folder: string, name: string): boolean {
  const found = NAME.exec(name)
  if (found === null) return false
  const [boot, namespace, processId, threadId, startTime] = found.slice(1, 6).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const here = os.threads.place()
  if (boot === 0 || boot !== here.boot || namespace !== here.namespace) return false
  if (livenessOf(os, { boot, namespace, processId, threadId, startTime }) !== 'dead') return false
  const status = os.files.entryAt(join(folder, name))
  if (status === undefined || !status.regular || status.owner !== os.files.credentials().user) return false
  return found[6] === undefined || status.identity === `${found[6]}:${found[7]}`
}

/** Removes a file; that it cannot be removed is no error. */
export function removeQuietly(os: Os, path: string): void {
  try {
    os.files.remove(path)
  } catch {
    // It is gone already, or it stays until a later call.
  }
}

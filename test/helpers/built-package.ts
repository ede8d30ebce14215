/**
 * The package as it is published, built once for all test files of one compilation.
 *
 *     .build/package         made by the first that asks, in a folder of its own that then gets this name; gone with the next `npm run compile`
 *     .build/package.lock    the process that builds, and the time it began. One whose process is gone is taken away
 *
 * Two that build at the same time do no harm: the first name counts. A file that asks alone builds for itself alone.
 * @module
 */
import { cpSync, existsSync, linkSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from '../../packaging/build.ts'
import { processStart } from '../processes.ts'

const compiled = fileURLToPath(new URL('../..', import.meta.url))
const LOOK_MS = 50

/** Puts the package's `dist` into a folder that is not there yet. `place`: where it is built, for tests of this file. */
export async function copyPackage(
  folder: string,
  place: string = compiled,
  make: (folder: string) => Promise<void> = build
): Promise<void> {
  const built = join(place, 'package')
  const lock = `${built}.lock`
  while (!existsSync(built)) {
    if (take(lock)) {
      try {
        await buildIn(place, built, make)
      } finally {
        rmSync(lock, { force: true })
      }
    } else if (isAbandoned(lock)) rmSync(lock, { force: true })
    else await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  cpSync(built, folder, { recursive: true })
}

async function buildIn(place: string, built: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (existsSync(built)) return
  const folder = mkdtempSync(join(place, 'package-'))
  try {
    const own = join(folder, 'dist')
    await make(own)
    renameSync(own, built)
  } catch (error) {
    if (!existsSync(built)) throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Whether this process may build. The lock comes into being with all that is in it. */
function take(lock: string): boolean {
  const own = `${lock}-${process.pid}`
  writeFileSync(own, `${process.pid} ${processStart(process.pid)}`)
  try {
    linkSync(own, lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(own)
  }
}

function isAbandoned(lock: string): boolean {
  try {
    const [pid, start] = readFileSync(lock, 'utf8').split(' ')
    return processStart(Number(pid)) !== start
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/**
 * The `Os` of the machine that this runs on, made at first use: importing the library loads nothing and works everywhere.
 * @module
 */
import { UnsupportedOperationError } from '../errors.ts'
import { LinuxOs } from './linux/linux.ts'
import type { Os } from './os.ts'

/** The architectures whose kernel numbers `constants.ts` holds. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64']

let system: Os | undefined

/** The system's `Os`. Throws `UnsupportedOperationError` on a platform that has none. */
export function systemOs(): Os {
  if (system === undefined) {
    requirePlatform(process.platform, process.arch)
    system = new LinuxOs()
  }
  return system
}

/** Throws unless there is an `Os` for the platform. */
export function requirePlatform(platform: string, architecture: string): void {
  if (platform !== 'linux' || !ARCHITECTURES.includes(architecture))
    throw new UnsupportedOperationError(`sorites needs Linux on x64 or arm64; this is ${platform} on ${architecture}`)
}

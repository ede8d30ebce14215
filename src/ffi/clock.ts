/**
 * The kernel's monotonic clock, asked without the runtime: what tests put in the place of `performance` and `process.hrtime` may stand
 * still or run ahead, and a call that is to end after so many milliseconds must end all the same. About 0.5 us.
 * @module
 */
import { CLOCK_MONOTONIC } from './libc/constants.ts'
import { libc } from './libc/libc.ts'

/** Seconds and nanoseconds. */
const time = new BigInt64Array(2)

/** Milliseconds since some moment, the same for all clocks of that kind on this machine. */
export function monotonicNow(): number {
  libc().clock_gettime(CLOCK_MONOTONIC, time)
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6
}

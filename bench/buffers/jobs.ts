/** The jobs, in the order of the page. @module */
import { arrays } from './arrays.ts'
import { cache } from './cache.ts'
import type { Job } from './job.ts'
import { lookups } from './lookups.ts'
import { requests } from './requests.ts'

export const JOBS: readonly Job[] = [cache, lookups, arrays, requests]

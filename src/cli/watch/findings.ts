/**
 * What the samples say, in words: what grew, what came back, what is kept though free, and what to do about it.
 *
 * Growth is counted from the first quarter's lowest to the last quarter's lowest, so that neither the start nor a collection that is due
 * looks like a leak. What is below a MiB or a twentieth of the peak is noise and not mentioned.
 * @module
 */

import { MiB } from '../../units.ts'
import type { ArenaContents } from '../map/arena-contents.ts'
import type { MallocContents } from '../map/malloc-heaps.ts'
import { OWNERS, type Owner } from '../map/owners.ts'
import { bytesText, countedText, shareText, timeText } from '../terminal/format.ts'
import { printable } from '../terminal/style.ts'
import type { Offspring } from './offspring.ts'
import { ownersOf, type Sample } from './samples.ts'
import type { V8Figures, V8Reading } from './v8-figures.ts'

export interface Finding {
  readonly kind: 'grew' | 'came back' | 'kept' | 'collections' | 'steady' | 'cost' | 'offspring'
  readonly text: string
  readonly advice?: string
}

export interface Observed {
  readonly samples: readonly Sample[]
  readonly malloc: MallocContents | undefined
  readonly arenas: readonly ArenaContents[]
  readonly v8: V8Figures | undefined
  /** Processes that the watched one has started. */
  readonly offspring?: readonly Offspring[]
}

export function findings({ samples, malloc, arenas, v8, offspring = [] }: Observed): Finding[] {
  const peak = Math.max(...samples.map(({ resident }) => resident))
  const noise = Math.max(MiB, peak / 20)
  const owners = ownersOf(samples)
  const grew = owners.flatMap((owner) => growth(owner, samples, noise, v8?.readings ?? []))
  const back = owners.flatMap((owner) => fall(owner, samples, noise))
  const kept = [...keptByMalloc(malloc, noise), ...keptByV8(v8?.readings ?? [], noise), ...keptByArenas(arenas, noise)]
  const steady: Finding[] =
    grew.length === 0
      ? [
          {
            kind: 'steady',
            text: `Nothing grew lastingly: resident memory ends at ${bytesText(samples.at(-1)!.resident)}, with a peak of ${bytesText(peak)}.`,
          },
        ]
      : []
  return [...grew, ...steady, ...back, ...kept, ...collections(v8, samples), ...cost(v8, samples), ...others(offspring)]
}

const NAMED = 3

/** What is below 4 MiB is a shell, mostly. */
function others(offspring: readonly Offspring[]): Finding[] {
  const list = offspring.filter(({ peakBytes }) => peakBytes >= 4 * MiB).sort((a, b) => b.peakBytes - a.peakBytes)
  if (list.length === 0) return []
  const names = list.slice(0, NAMED).map(({ command, pid, peakBytes }) => `${command} (${pid}) ${bytesText(peakBytes)}`)
  const rest = list.length > NAMED ? `, and ${list.length - NAMED} more` : ''
  return [
    {
      kind: 'offspring',
      text: `Not in this is the memory of ${list.length === 1 ? 'a process' : `${list.length} processes`} that it started: ${printable(names.join(', '))}${rest}.`,
      advice:
        'Watch one of them by its number, or start it here without what comes before it: node app.js for npm start.',
    },
  ]
}

/** The lowest of the first and of the last quarter. */
function ends<T>(list: readonly T[], measure: (one: T) => number): [number, number] {
  const quarter = Math.max(1, Math.floor(list.length / 4))
  const least = (part: readonly T[]): number => Math.min(...part.map(measure))
  return [least(list.slice(0, quarter)), least(list.slice(-quarter))]
}

function growth(owner: Owner, samples: readonly Sample[], noise: number, readings: readonly V8Reading[]): Finding[] {
  const [from, to] = ends(samples, ({ owners }) => owners[owner] ?? 0)
  if (to - from < noise) return []
  const minutes = Math.max(1e-3, (samples.at(-1)!.time - samples[0]!.time) / 60_000)
  const rate = minutes >= 1 ? `, ${bytesText((to - from) / minutes)} a minute` : ''
  const text = `${OWNERS[owner]} grew from ${bytesText(from)} to ${bytesText(to)}${rate}.`
  return [{ kind: 'grew', text, advice: adviceFor(owner, readings, noise) }]
}

/** What to do about an owner that grew. */
function adviceFor(owner: Owner, readings: readonly V8Reading[], noise: number): string {
  const grown = (name: keyof V8Reading): boolean => {
    const [from, to] = readings.length < 4 ? [0, 0] : ends(readings, (one) => one[name])
    return to - from >= noise / 2
  }
  switch (owner) {
    case 'v8-heap':
      return grown('heapUsed')
        ? 'JavaScript objects accumulate (heapUsed grew too). Compare two heap snapshots: start with --heapsnapshot-signal=SIGUSR2 and send the signal twice.'
        : 'If heapUsed does not grow with it, V8 has only taken a larger heap; --max-old-space-size and --max-semi-space-size bound it.'
    case 'malloc':
      return grown('arrayBuffers')
        ? 'Buffers or ArrayBuffers accumulate (arrayBuffers grew too): look for those that are kept in caches, queues or closures.'
        : 'Native memory grew and the Buffers that V8 knows of did not: an addon, or free memory that malloc keeps (see below). Try MALLOC_ARENA_MAX=2, or jemalloc by LD_PRELOAD.'
    case 'sorites':
      return 'Blocks in arenas accumulate, or freed ones wait to be purged: compare usedBytes and freeDirtyBytes of stats().'
    case 'files':
      return 'Pages of mapped files: the kernel takes clean ones back when memory is short. This is a cache, not a leak.'
    case 'libraries':
      return 'Code and constants that were used for the first time. Most of it is shared with other processes, and the kernel takes clean pages back.'
    case 'stacks':
      return 'More threads: workers that do not end, or native thread pools.'
    case 'webassembly':
      return 'WebAssembly memories grow and never shrink: make a new instance to be rid of one.'
    case 'v8-code':
      return 'Code is compiled all the time: look for eval, new Function and modules that are loaded again and again.'
    case 'shared':
      return 'Shared memory is resident as long as one process maps it: look for segments that are never unmapped.'
    default:
      return '`sorites map PID --parts` shows which mappings these are.'
  }
}

function fall(owner: Owner, samples: readonly Sample[], noise: number): Finding[] {
  const of = ({ owners }: Sample): number => owners[owner] ?? 0
  const peak = Math.max(...samples.map(of))
  const last = of(samples.at(-1)!)
  if (peak - last < noise) return []
  return [
    {
      kind: 'came back',
      text: `Of ${OWNERS[owner]} ${bytesText(peak - last)} came back: from ${bytesText(peak)} at the peak to ${bytesText(last)}.`,
    },
  ]
}

function keptByMalloc(malloc: MallocContents | undefined, noise: number): Finding[] {
  if (malloc === undefined) return []
  const { freeBytes, topBytes } = malloc
  const kept = freeBytes + topBytes
  if (kept < noise) return []
  return [
    {
      kind: 'kept',
      text: `malloc keeps at least ${bytesText(kept)} although it is free: ${bytesText(freeBytes)} between used blocks, ${bytesText(topBytes)} at the ends of its heaps.`,
      advice:
        'It is used again for new native memory, but does not come back by itself. Fewer arenas (MALLOC_ARENA_MAX=2), an early trim (MALLOC_TRIM_THRESHOLD_=131072) or another malloc (jemalloc by LD_PRELOAD) keep less; blocks in an arena of sorites are purged when they are free.',
    },
  ]
}

function keptByV8(readings: readonly V8Reading[], noise: number): Finding[] {
  const last = readings.at(-1)
  if (last === undefined || last.heapTotal - last.heapUsed < Math.max(noise, last.heapTotal / 2)) return []
  return [
    {
      kind: 'kept',
      text: `V8 keeps ${bytesText(last.heapTotal - last.heapUsed)} of its heap although no object is in it (heapTotal ${bytesText(last.heapTotal)}, heapUsed ${bytesText(last.heapUsed)}).`,
      advice:
        'It gives pages back some time after a large collection. A smaller --max-semi-space-size keeps the young part small.',
    },
  ]
}

function keptByArenas(arenas: readonly ArenaContents[], noise: number): Finding[] {
  return arenas.flatMap(({ name, residentBytes, allocators }) => {
    const known = allocators.length > 0 && allocators.every(({ usedBytes }) => usedBytes !== undefined)
    const used = allocators.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0)
    if (!known || residentBytes - used < noise) return []
    return [
      {
        kind: 'kept' as const,
        text: `The arena "${name}" has ${bytesText(residentBytes)} resident and ${bytesText(used)} in use.`,
        advice: 'heap.purge() gives free pages back now; a smaller decayMs does it sooner by itself.',
      },
    ]
  })
}

/** How long the program was watched: from inside it may have been longer than from outside. */
function elapsedOf(samples: readonly Sample[], inside: readonly { readonly time: number }[]): number {
  const all = [samples[0], samples.at(-1), inside[0], inside.at(-1)].flatMap((one) =>
    one === undefined ? [] : one.time
  )
  return Math.max(1, Math.max(...all) - Math.min(...all))
}

function collections(v8: V8Figures | undefined, samples: readonly Sample[]): Finding[] {
  const list = v8?.collections ?? []
  if (v8 === undefined || list.length === 0) return []
  const total = list.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const longest = list.reduce((most, { milliseconds }) => Math.max(most, milliseconds), 0)
  const major = list.filter(({ kind }) => kind === 'major').length
  const elapsed = Math.max(v8.upMs, elapsedOf(samples, list))
  return [
    {
      kind: 'collections',
      text: `${countedText(list.length, 'garbage collection')}, ${major} of them major, took ${timeText(total)} (${shareText(Math.min(1, total / elapsed))} of the time); the longest ${timeText(longest)}.`,
    },
  ]
}

function cost(v8: V8Figures | undefined, samples: readonly Sample[]): Finding[] {
  if (v8 === undefined || v8.readings.length === 0) return []
  const elapsed = Math.max(v8.upMs, elapsedOf(samples, v8.readings))
  return [
    {
      kind: 'cost',
      text: `Watching from inside took ${timeText(v8.costMs)} of the program's time (${shareText(v8.costMs / elapsed)}), in ${countedText(v8.readings.length, 'reading')}.`,
    },
  ]
}

/**
 * The figures of mappings, and their sums.
 *
 *     sum over owners  =  sum over mappings  =  sum over smaps, field by field
 * @module
 */
import type { SmapsEntry } from '../../ffi/procfs.ts'
import { OWNERS, type Owned, type Owner } from './owners.ts'

/** Bytes. */
export interface MapFigures {
  /** Addresses. */
  readonly reserved: number
  /** In memory. */
  readonly resident: number
  /** Of these: written since they came from a file, or anonymous. */
  readonly dirty: number
  /** Of the resident: no file behind them. */
  readonly anonymous: number
  /** Of the resident: mapped by other processes too. */
  readonly shared: number
  /** Of the resident: in huge pages. */
  readonly huge: number
  /** Of the resident: the kernel may take them (`MADV_FREE`). */
  readonly lazyFree: number
  /** On the disk. */
  readonly swapped: number
  /** The resident, each page divided by the number of processes that map it. */
  readonly proportional: number
}

/** The smaps fields that make each figure. */
export const FIELDS: Readonly<Record<keyof MapFigures, readonly string[]>> = {
  reserved: ['Size'],
  resident: ['Rss', 'Private_Hugetlb', 'Shared_Hugetlb'],
  dirty: ['Private_Dirty', 'Shared_Dirty'],
  anonymous: ['Anonymous'],
  shared: ['Shared_Clean', 'Shared_Dirty', 'Shared_Hugetlb'],
  huge: ['AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped', 'Private_Hugetlb', 'Shared_Hugetlb'],
  lazyFree: ['LazyFree'],
  swapped: ['Swap'],
  proportional: ['Pss'],
}

const NAMES = Object.keys(FIELDS) as (keyof MapFigures)[]

export function figuresOfEntry({ fields }: SmapsEntry): MapFigures {
  return build((name) => FIELDS[name].reduce((sum, field) => sum + (fields.get(field) ?? 0), 0))
}

export function sumOf(all: readonly MapFigures[]): MapFigures {
  return build((name) => all.reduce((sum, figures) => sum + figures[name], 0))
}

function build(of: (name: keyof MapFigures) => number): MapFigures {
  return Object.fromEntries(NAMES.map((name) => [name, of(name)])) as unknown as MapFigures
}

/** A part of an owner's memory. */
export interface PartSum extends MapFigures {
  readonly part: string
  readonly mappings: number
}

export interface OwnerSum extends MapFigures {
  readonly owner: Owner
  readonly name: string
  readonly mappings: number
  readonly parts: readonly PartSum[]
}

/** Sums by owner, the largest first. */
export function sumByOwner(owned: readonly Owned[]): OwnerSum[] {
  const groups = groupBy(owned, ({ owner }) => owner)
  return [...groups]
    .map(([owner, mine]) => ({
      owner,
      name: OWNERS[owner],
      mappings: mine.length,
      ...sumAll(mine),
      parts: sumByPart(mine),
    }))
    .sort((one, other) => other.resident - one.resident || other.reserved - one.reserved)
}

function sumByPart(owned: readonly Owned[]): PartSum[] {
  return [...groupBy(owned, ({ part }) => part)]
    .map(([part, mine]) => ({ part, mappings: mine.length, ...sumAll(mine) }))
    .sort((one, other) => other.resident - one.resident || other.reserved - one.reserved)
}

function sumAll(owned: readonly Owned[]): MapFigures {
  return sumOf(owned.map(({ entry }) => figuresOfEntry(entry)))
}

function groupBy<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

/**
 * A memory map in text: bars by owner, a table, and what could be told of the insides.
 * @module
 */
import { bars } from '../terminal/chart.ts'
import { bytesText, countedText, countText, shareText } from '../terminal/format.ts'
import { paint, printable } from '../terminal/style.ts'
import { type Column, table } from '../terminal/table.ts'
import type { ArenaContents } from './arena-contents.ts'
import { figuresOfEntry, type MapFigures, type OwnerSum } from './figures.ts'
import type { MallocContents } from './malloc-heaps.ts'
import type { MemoryMap } from './memory-map.ts'
import { OWNERS } from './owners.ts'

const out = process.stdout

export interface TextOptions {
  /** A line for each part of an owner. */
  readonly parts: boolean
  /** A line for each mapping. */
  readonly mappings: boolean
}

export function mapText(map: MemoryMap, options: TextOptions): string {
  const { pid, command, total } = map
  const title = `Process ${pid} (${printable(command)}): ${bytesText(total.resident)} resident of ${bytesText(total.reserved)} reserved`
  const shown = map.owners.filter(({ resident, swapped }) => resident + swapped > 0)
  const picture = bars(
    shown.map(({ name, resident }) => ({
      label: name,
      value: resident,
      text: `${bytesText(resident)} ${shareText(resident / total.resident).padStart(6)}`,
    }))
  )
  const sections = [paint(out, 'bold', title), '', picture, '', ownerTable(map, options.parts), '', ...notes(map)]
  return [...sections, ...(options.mappings ? ['', mappingTable(map)] : [])].join('\n')
}

const FIGURES: readonly (keyof MapFigures)[] = [
  'resident',
  'reserved',
  'dirty',
  'shared',
  'huge',
  'lazyFree',
  'swapped',
]
const TITLES: Partial<Record<keyof MapFigures, string>> = { lazyFree: 'lazy free' }

/** Figures that are nothing everywhere are left out. */
function columnsOf(total: MapFigures): (keyof MapFigures)[] {
  return FIGURES.filter((name, index) => index < 4 || total[name] > 0)
}

function ownerTable({ owners, total }: MemoryMap, parts: boolean): string {
  const figures = columnsOf(total)
  const columns: Column[] = [
    { title: 'owner', flexible: 'end' },
    ...figures.map((name, index) => ({ title: TITLES[name] ?? name, align: 'right', spare: index }) as const),
    { title: 'mappings', align: 'right', spare: 100 },
  ]
  const row = (name: string, one: MapFigures, mappings: number): string[] => [
    name,
    ...figures.map((figure) => (one[figure] === 0 ? '·' : bytesText(one[figure]))),
    countText(mappings),
  ]
  const rows = owners.flatMap((owner) => [
    row(owner.name, owner, owner.mappings),
    ...(parts ? partRows(owner, row) : []),
  ])
  const count = owners.reduce((sum, { mappings }) => sum + mappings, 0)
  return table(columns, [...rows, row('sum', total, count)])
}

function partRows({ parts }: OwnerSum, row: (name: string, one: MapFigures, mappings: number) => string[]): string[][] {
  if (parts.length === 1 && parts[0]!.part === '') return []
  return parts.map((one) => row(`  ${printable(one.part)}`, one, one.mappings))
}

function notes({ pageTableBytes, malloc, arenas, owners }: MemoryMap): string[] {
  const lines = [`The kernel's page tables take ${bytesText(pageTableBytes)} more, which count in no mapping.`]
  if (malloc !== undefined) lines.push(mallocText(malloc))
  else if (owners.some(({ owner }) => owner === 'malloc'))
    lines.push('What malloc keeps although it is free cannot be told here.')
  return [...lines, ...arenas.map(arenaText)]
}

export function mallocText({ usedBytes, freeBytes, topBytes, heaps, unknownHeaps }: MallocContents): string {
  const unknown = unknownHeaps > 0 ? ` (${unknownHeaps} more could not be told)` : ''
  return `malloc: in ${countedText(heaps, 'heap')}${unknown} ${bytesText(usedBytes)} used, at least ${bytesText(freeBytes)} free between used blocks, ${bytesText(topBytes)} free at their ends.`
}

function arenaText({ name, byteLength, residentBytes, allocators }: ArenaContents): string {
  const held = allocators.map(
    ({ kind, byteLength: length, usedBytes, usedCount }) =>
      `${kind} on ${bytesText(length)}${usedBytes === undefined ? '' : `, ${bytesText(usedBytes)} used`}${usedCount === undefined ? '' : `, ${countedText(usedCount, 'block')}`}`
  )
  return `arena "${printable(name)}": ${bytesText(residentBytes)} resident of ${bytesText(byteLength)}; ${held.join('; ') || 'no allocator'}`
}

function mappingTable({ mappings, total }: MemoryMap): string {
  const figures = columnsOf(total)
  const columns: Column[] = [
    { title: 'addresses' },
    { title: 'may' },
    ...figures.map((name) => ({ title: TITLES[name] ?? name, align: 'right' }) as const),
    { title: 'owner' },
    { title: 'part', flexible: 'end' },
  ]
  const rows = mappings.map(({ entry, owner, part }) => {
    const sums = figuresOfEntry(entry)
    const addresses = `${entry.start.toString(16)}-${entry.end.toString(16)}`
    return [
      addresses,
      entry.permissions,
      ...figures.map((name) => bytesText(sums[name])),
      OWNERS[owner],
      printable(part),
    ]
  })
  return table(columns, rows)
}

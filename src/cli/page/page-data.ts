/**
 * What a page hands to its script (src/cli/browser), as JSON in script elements: types only.
 * @module
 */
import type { TickKind } from './ticks.ts'

/** A chart. All series share their moments. */
export interface FigureData {
  readonly kinds: { readonly x: TickKind; readonly y: TickKind }
  readonly stacked: boolean
  /** Rising. */
  readonly moments: readonly number[]
  readonly series: readonly FigureSeries[]
  readonly marks: readonly { readonly x: number; readonly label: string }[]
  /** Whether the labels of marks are written beside them. */
  readonly named: boolean
}

export interface FigureSeries {
  readonly name: string
  /** The number of its colour: `--c0`, `--c1`, … */
  readonly colour: number
  /** Of a stacked chart: a line over the areas. */
  readonly line: boolean
  /** One for each moment; null where it has none. */
  readonly values: readonly (number | null)[]
}

/** Pictures of an arena, packed (replay/run/heap-map.ts says how). */
export interface PackedMap {
  readonly cells: number
  readonly frames: number
  readonly cellBytes: number
  /** Words for what a cell is used for; number 0 stands for none. */
  readonly labels: readonly string[]
  /** The columns, gzip, base64. */
  readonly data: string
}

export interface HeapMapData extends PackedMap {
  /** One for each frame. */
  readonly samples: readonly HeapSample[]
}

export interface HeapSample {
  /** The state after so many events. */
  readonly event: number
  readonly liveBytes: number
  readonly liveCount: number
  readonly heldBytes: number
  readonly residentBytes: number
}

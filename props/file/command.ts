/**
 * One step of a program on a file, and what is compared after each.
 * @module
 */
import { readFileSync } from 'node:fs'
import type * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { FileModel, Mapped } from './model.ts'
import type { SecondProcess } from './second-process.ts'

/** Files are at most this long: a few pages and a bit. */
export const MOST_LENGTH: number = 5 * 4096 + 100

/** What commands work on besides the model. */
export interface World {
  readonly second?: SecondProcess
}

export type FileCommand = fc.AsyncCommand<FileModel, World>

/** A part of a range, as fractions of it: every part of a program is a program, whatever the lengths have become. */
export type Part = readonly [number, number]

/** The bytes that a part of a range of so many bytes is: from, to. */
export function partOf(length: number, [a, b]: Part): [number, number] {
  const from = Math.floor(a * (length + 1))
  return [from, from + Math.floor(b * (length - from + 1))]
}

export function bytesOf(length: number, seed: number): Buffer {
  return Buffer.alloc(length).map((_, at) => (seed + at * 7) & 255) as Buffer
}

/** A command for an open mapping. */
export function whenOpen(text: string, act: (model: FileModel, mapped: Mapped) => void | Promise<void>): FileCommand {
  return command(
    text,
    (model) => model.mapped !== undefined,
    (model) => act(model, model.mapped as Mapped)
  )
}

/** A command for when nothing is mapped. */
export function whenClosed(text: string, act: (model: FileModel) => void): FileCommand {
  return command(text, (model) => model.mapped === undefined, act)
}

/** A command for any time. */
export function always(text: string, act: (model: FileModel, world: World) => void | Promise<void>): FileCommand {
  return command(text, () => true, act)
}

function command(
  text: string,
  check: (model: Readonly<FileModel>) => boolean,
  act: (model: FileModel, world: World) => void | Promise<void>
): FileCommand {
  return {
    check,
    run: async (model, world) => {
      await act(model, world)
      verify(model)
    },
    toString: () => text,
  }
}

/** The file is what it should be, for every reader; so is what the mapping shows. */
export function verify(model: FileModel): void {
  same(readFileSync(model.path), model.disk, 'the file')
  const { mapped } = model
  if (mapped === undefined) return
  assert.is(mapped.file.byteLength, mapped.byteLength)
  const reachable = model.reachable(mapped)
  same(plain(mapped, 0, reachable), model.expected(mapped, 0, reachable), 'the mapping')
}

/** What plain loads see, and where plain stores go. */
export function plain({ file }: Mapped, from: number, to: number): Buffer {
  const { buffer, byteOffset } = file.view(Uint8Array, from, to - from)
  return Buffer.from(buffer, byteOffset, to - from)
}

export function same(found: Buffer, expected: Buffer, what: string): void {
  if (found.equals(expected)) return
  const at = found.findIndex((byte, index) => byte !== expected[index])
  assert.unreachable(
    `${what}: ${found.length} bytes, ${expected.length} expected, first different at ${at}: ${found[at]}, not ${expected[at]}`
  )
}

/** The code of the error that a call throws, or 'none'. */
export function codeOf(run: () => void): string {
  try {
    run()
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'none'
}

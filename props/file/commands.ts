/**
 * What is done to a file in a program, by its mapping and by others, and what must come of it.
 * @module
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { FileMode } from '../../src/arena/file/file-options.ts'
import { mapFile } from '../../src/arena/file/map-file.ts'
import {
  always,
  bytesOf,
  codeOf,
  type FileCommand,
  MOST_LENGTH,
  type Part,
  partOf,
  plain,
  same,
  whenClosed,
  whenOpen,
} from './command.ts'
import type { FileModel, Mapped } from './model.ts'

/** What else works on the file. */
export type Others = 'none' | 'writers' | 'cutters' | 'processes'

/** Calls that change nothing that can be seen. */
const CARES = ['sync', 'syncAsync', 'willneed', 'random', 'cold', 'lock', 'populate'] as const

const open = (mode: FileMode, part: Part, room: number, toEnd: boolean): FileCommand =>
  whenClosed(`open(${mode} ${part} ${room} ${toEnd})`, (model) => {
    const [offset, end] = partOf(mode === 'write' ? MOST_LENGTH : model.disk.length, part)
    const rest = Math.max(0, model.disk.length - offset)
    const byteLength = toEnd ? rest : end - offset
    const growth = Math.floor(room * Math.max(0, MOST_LENGTH - offset - byteLength))
    const file = mapFile(model.path, {
      mode,
      offset,
      byteLength: toEnd ? undefined : byteLength,
      maxByteLength: mode === 'write' ? byteLength + growth : undefined,
    })
    if (byteLength > rest) {
      model.setLength(offset + byteLength)
      model.note('opened beyond the end')
    }
    model.mapped = { file, offset, byteLength, own: new Map() }
    model.note(`opened to ${mode}`)
  })

const store = (part: Part, seed: number): FileCommand =>
  whenOpen(`store(${part} ${seed})`, (model, mapped) => {
    const [from, to] = partOf(model.reachable(mapped), part)
    const bytes = bytesOf(to - from, seed)
    bytes.copy(plain(mapped, from, to))
    model.store(mapped, from, bytes)
    model.note(`stored in ${mapped.file.mode}`)
  })

/** Stores through the window to bytes behind the file's end, which belong to nothing and must never be seen. */
const stray = (): FileCommand =>
  whenOpen('stray()', (model, mapped) => {
    const { file, offset, byteLength } = mapped
    if (byteLength === 0 || model.disk.length !== offset + byteLength) return
    const bytes = new Uint8Array(file.window(0).buffer)
    if (bytes.length === byteLength) return
    bytes.fill(9, byteLength)
    model.note('strayed')
  })

const read = (part: Part): FileCommand =>
  whenOpen(`read(${part})`, (model, mapped) => {
    const [from, to] = partOf(mapped.byteLength, part)
    checked(model, mapped, from, to, () => mapped.file.check(from, to - from))
    checked(model, mapped, from, to, () =>
      same(Buffer.from(mapped.file.read(from, to - from)), model.expected(mapped, from, to), 'read')
    )
  })

const resize = (fraction: number): FileCommand =>
  whenOpen(`resize(${fraction})`, (model, mapped) => {
    const { file, offset, byteLength } = mapped
    const wanted = Math.floor(fraction * (file.maxByteLength + 1))
    const shorter = wanted < byteLength
    const refused = file.mode !== 'write' || (shorter && model.disk.length > offset + byteLength)
    assert.is(
      codeOf(() => file.resize(wanted)),
      refused ? 'ERR_UNSUPPORTED_OPERATION' : 'none'
    )
    if (refused) return
    model.note(shorter ? 'made shorter' : 'made longer')
    // No byte is mapped, so none is wanted of a file that ends before.
    const needsNone = wanted === 0 && model.disk.length < offset
    if (!needsNone && (shorter || model.disk.length < offset + wanted)) model.setLength(offset + wanted)
    mapped.byteLength = wanted
  })

const discard = (part: Part): FileCommand =>
  whenOpen(`discard(${part})`, (model, mapped) => {
    if (mapped.file.mode !== 'copy') return
    const [from, to] = partOf(model.reachable(mapped), part)
    mapped.file.discard(from, to - from)
    model.discard(mapped, from, to)
    model.note('discarded')
  })

const care = (call: (typeof CARES)[number], part: Part): FileCommand =>
  whenOpen(`${call}(${part})`, async (model, mapped) => {
    const { file } = mapped
    const [offset, to] = partOf(mapped.byteLength, part)
    const byteLength = to - offset
    if (call === 'sync') file.sync({ offset, byteLength })
    else if (call === 'syncAsync') await file.syncAsync({ offset, byteLength })
    else if (call === 'populate') checkedPages(model, mapped, offset, to, () => file.populate(offset, byteLength))
    else if (call === 'lock')
      checkedPages(model, mapped, offset, to, () => {
        file.lock(offset, byteLength)
        file.unlock(offset, byteLength)
      })
    else file.advise(call, offset, byteLength)
    model.note(call)
  })

const close = (): FileCommand =>
  whenOpen('close()', (model, { file }) => {
    const pin = file.pin()
    assert.is(
      codeOf(() => file.close()),
      'ERR_ARENA_BUSY'
    )
    pin[Symbol.dispose]()
    file.close()
    model.mapped = undefined
    model.note('closed')
  })

/** Another writes to the file, through a descriptor. */
const write = (part: Part, seed: number): FileCommand =>
  always(`write(${part} ${seed})`, (model) => {
    const [from, to] = partOf(model.disk.length, part)
    const bytes = bytesOf(to - from, seed)
    withFile(model.path, (fd) => writeSync(fd, bytes, 0, bytes.length, from))
    bytes.copy(model.disk, from)
    model.note('written by others')
  })

/** Another changes the file's length. */
const truncate = (fraction: number): FileCommand =>
  always(`truncate(${fraction})`, (model) => {
    const length = Math.floor(fraction * (MOST_LENGTH + 1))
    withFile(model.path, (fd) => ftruncateSync(fd, length))
    model.note(length < model.disk.length ? 'shortened by others' : 'lengthened by others')
    model.setLength(length)
  })

/** Another process maps the file, writes to it or not, and says what it sees. */
const elsewhere = (part: Part, seed: number | undefined): FileCommand =>
  always(`elsewhere(${part} ${seed})`, async (model, { second }) => {
    assert.ok(second !== undefined, 'there is no second process')
    if (seed !== undefined) {
      const [from, to] = partOf(model.disk.length, part)
      const bytes = bytesOf(to - from, seed)
      await second.write(model.path, from, bytes)
      bytes.copy(model.disk, from)
    }
    same(await second.read(model.path), model.disk, 'what another process sees')
    model.note(seed === undefined ? 'read elsewhere' : 'written elsewhere')
  })

/** Runs a call that must throw ERR_TRUNCATED when the file does not have the range, and must not when it has. */
function checked(model: FileModel, { offset }: Mapped, from: number, to: number, run: () => void): void {
  const gone = from < to && offset + to > model.disk.length
  assert.is(codeOf(run), gone ? 'ERR_TRUNCATED' : 'none')
  if (gone) model.note('truncated')
}

/** As `checked`, for calls that are exact to the page. */
function checkedPages(model: FileModel, mapped: Mapped, from: number, to: number, run: () => void): void {
  const pagesOf = (end: number): number => Math.ceil(end / model.pageSize)
  if (pagesOf(mapped.offset + to) <= pagesOf(model.disk.length)) run()
  else checked(model, mapped, from, to, run)
}

function withFile(path: string, run: (fd: number) => void): void {
  const fd = openSync(path, 'r+')
  try {
    run(fd)
  } finally {
    closeSync(fd)
  }
}

/** Commands of programs in which the file is opened in these modes. */
export function commandsFor(modes: readonly FileMode[], others: Others): fc.Arbitrary<FileCommand>[] {
  // Not fc.double: nearly all of its numbers are tiny.
  const fraction = fc.nat(999).map((thousandths) => thousandths / 1000)
  const part = fc.tuple(fraction, fc.oneof(fraction, fc.constant(0.999999)))
  const seed = fc.integer({ min: 1, max: 255 })
  const room = fc.oneof(fc.constant(0), fraction, fc.constant(0.999))
  const mode = fc.constantFrom(...modes)
  // Often the whole file with room to grow: else too little happens at its end.
  const range = fc.oneof(part, fc.constant<Part>([0, 0.5]))
  const toEnd = fc.constantFrom(true, true, false)
  const opening = fc.tuple(mode, range, room, toEnd).map((values) => open(...values))
  const commands = [
    // Skipped when a file is open, as most of the others are when none is.
    opening,
    opening,
    opening,
    fc.tuple(part, seed).map((values) => store(...values)),
    fc.tuple(part, seed).map((values) => store(...values)),
    part.map(read),
    fc.tuple(fc.constantFrom(...CARES), part).map((values) => care(...values)),
    fc.constant(undefined).map(close),
  ]
  if (modes.includes('write')) commands.push(fraction.map(resize), fraction.map(resize))
  if (modes.includes('copy')) commands.push(part.map(discard))
  if (others !== 'none') commands.push(fc.tuple(part, seed).map((values) => write(...values)))
  // Not both: what a file system makes of strays when others change the length is its own affair.
  if (others === 'cutters') commands.push(fraction.map(truncate))
  else commands.push(fc.constant(undefined).map(stray))
  if (others === 'processes')
    commands.push(fc.tuple(part, fc.option(seed, { nil: undefined })).map((values) => elsewhere(...values)))
  return commands
}

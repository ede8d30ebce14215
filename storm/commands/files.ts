/**
 * Mapped files in all modes, compared with a Buffer for what the file has and one for each page that a private mapping has of its own
 * (props/file/model.ts).
 *
 * Longer than other files: one command a function, in one table of weights.
 * @module
 */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileModel, type Mapped } from '../../props/file/model.ts'
import type { MappedFile } from '../../src/arena/file/mapped-file.ts'
import { ADVICE } from '../../src/ffi/os-pages.ts'
import { systemOs } from '../../src/ffi/system.ts'
import { pattern } from '../hand/bytes.ts'
import { type FileMapping, type FileState, heldArena } from '../model.ts'
import type { World } from '../world.ts'
import { joinMemory, newMemory } from './arenas.ts'
import { type Command, type Commands, pick } from './picks.ts'

const MOST_FILES = 4
const MOST_LENGTH = 40_000
/** Long enough for an arena. */
const ARENA_FILE = 512 * 1024
const PAGE = systemOs().pageSize

const ledgerOf = (disk: Buffer): FileModel => new FileModel('', PAGE, disk, new Map())

function mappings(world: World): FileMapping[] {
  return world.files.flatMap(({ mappings: all }) => all)
}

/** Those whose content can be predicted: in an arena are its tables, and what its own commands write. */
function plain(world: World): FileMapping[] {
  return mappings(world).filter(({ state, party }) => state.disk !== undefined && party === undefined)
}

/** Bytes of a mapping that can be touched: what the file has. */
function reachable({ state, mapped }: FileMapping): number {
  return Math.max(0, Math.min(mapped.byteLength, (state.disk?.length ?? 0) - mapped.offset))
}

function part(mapping: FileMapping, b: number, c: number): { offset: number; byteLength: number } {
  const most = reachable(mapping)
  const offset = b % (most + 1)
  return { offset, byteLength: Math.min(c % 9000, most - offset) }
}

async function makeFile(world: World, { a, b }: Command): Promise<void> {
  if (world.files.length >= MOST_FILES) return
  const path = join(world.folder, `file-${world.number()}`)
  const disk = Buffer.alloc(b % 5 === 0 ? ARENA_FILE : a % MOST_LENGTH)
  if (b % 5 !== 0) for (let at = 0; at < disk.length; at++) disk[at] = pattern(a, at)
  writeFileSync(path, disk)
  world.files.push({ path, disk, mappings: [] })
}

async function mapFile(world: World, { a, b, c }: Command): Promise<void> {
  const state = pick(world.files, a)
  if (state?.disk === undefined || state.mappings.length >= 3) return
  const mode = pick(['read', 'copy', 'write'] as const, b) as FileMapping['mode']
  const offset = (b >>> 3) % 3 === 0 ? c % (state.disk.length + 1) : 0
  const rest = state.disk.length - offset
  const byteLength =
    (b >>> 5) % 2 === 0 ? undefined : mode === 'write' ? (c >>> 7) % (rest + 5000) : (c >>> 7) % (rest + 1)
  const length = byteLength ?? rest
  const maxByteLength = mode === 'write' && (b >>> 6) % 2 === 0 ? length + ((c >>> 9) % 20000) : undefined
  const options = {
    mode,
    offset,
    ...(byteLength !== undefined && { byteLength }),
    ...(maxByteLength !== undefined && { maxByteLength }),
    ...((b >>> 8) % 7 === 0 && length > 0 && { populate: true }),
  }
  const id = world.number()
  const made = await world.act(world.here, { do: 'mapFile', file: id, path: state.path, options })
  if (made === undefined) return unchanged(world, state)
  world.require(made.value.byteLength === length, () => `mapFile gave ${JSON.stringify(made.value)}`)
  if (mode === 'write' && length > 0 && offset + length > state.disk.length) setLength(state, offset + length)
  const mapped: Mapped = { file: { mode } as MappedFile, offset, byteLength: length, own: new Map() }
  state.mappings.push({
    id,
    hand: world.here,
    state,
    mode,
    maxByteLength: maxByteLength ?? length,
    mapped,
    pins: [],
    party: undefined,
  })
}

/** The file is what the model has, for every reader. */
function unchanged(world: World, state: FileState): void {
  if (state.disk === undefined) return
  const found = readFileSync(state.path)
  const same = found.equals(state.disk)
  world.require(same, () => {
    const at = found.findIndex((byte, index) => byte !== state.disk?.[index])
    return `the file has ${found.length} bytes, expected ${state.disk?.length}; first different at ${at}: ${found[at]}`
  })
}

function setLength(state: FileState, length: number): void {
  const disk = Buffer.alloc(length)
  state.disk?.copy(disk)
  state.disk = disk
  for (const { mapped } of state.mappings)
    for (const page of mapped.own.keys()) if (page * PAGE >= length) mapped.own.delete(page)
}

async function store(world: World, { a, b, c }: Command): Promise<void> {
  const mapping = pick(
    plain(world).filter(({ mode }) => mode !== 'read'),
    a
  )
  if (mapping === undefined) return
  const range = part(mapping, b, c)
  const seed = world.seed()
  if ((await world.act(mapping.hand, { do: 'storeFile', file: mapping.id, ...range, seed })) === undefined) return
  const bytes = Buffer.from(Array.from({ length: range.byteLength }, (_, at) => pattern(seed, at)))
  ledgerOf(mapping.state.disk as Buffer).store(mapping.mapped, range.offset, bytes)
}

async function load(world: World, { a, b, c }: Command): Promise<void> {
  const mapping = pick(plain(world), a)
  if (mapping === undefined) return
  const range = part(mapping, b, c)
  const call = c % 2 === 0 ? 'loadFile' : 'readFile'
  const made = await world.act(mapping.hand, { do: call, file: mapping.id, ...range })
  if (made === undefined) return
  const expected = ledgerOf(mapping.state.disk as Buffer).expected(
    mapping.mapped,
    range.offset,
    range.offset + range.byteLength
  )
  const found = Buffer.from(made.value, 'latin1')
  world.require(
    found.equals(expected),
    () =>
      `${call} of ${JSON.stringify(range)} in mode ${mapping.mode}: first wrong at ${found.findIndex((byte, at) => byte !== expected[at])}`
  )
}

async function resize(world: World, { a, b }: Command): Promise<void> {
  const mapping = pick(plain(world), a)
  if (mapping === undefined) return
  const { state, mapped, mode } = mapping
  const byteLength = b % (mapping.maxByteLength + 1)
  if (mode !== 'write')
    // A reader may follow the file in later versions; what the others may not do stays so.
    return void (await world.act(mapping.hand, { do: 'resizeFile', file: mapping.id, byteLength: mapped.byteLength }, [
      'ok',
      'ERR_UNSUPPORTED_OPERATION',
      'ERR_OUT_OF_RANGE',
      'ERR_INVALID_ARG_TYPE',
    ]))
  const end = (state.disk as Buffer).length
  const cuts = byteLength < mapped.byteLength && end > mapped.offset + mapped.byteLength
  const made = await world.act(
    mapping.hand,
    { do: 'resizeFile', file: mapping.id, byteLength },
    cuts ? ['ERR_UNSUPPORTED_OPERATION'] : []
  )
  if (made === undefined) {
    unchanged(world, state)
    return
  }
  const wanted = byteLength < mapped.byteLength ? mapped.offset + byteLength : Math.max(end, mapped.offset + byteLength)
  // Of no bytes nothing need be there.
  if (byteLength > 0 || wanted < end) setLength(state, wanted)
  mapped.byteLength = byteLength
  const length = statSync(state.path).size
  if (byteLength === 0 && length !== state.disk?.length) setLength(state, length)
  unchanged(world, state)
}

/** Another changes the file's length. */
async function outside(world: World, { a, b, c }: Command): Promise<void> {
  const state = pick(
    world.files.filter(({ disk }) => disk !== undefined),
    a
  )
  if (state?.disk === undefined) return
  if (b % 3 === 0) {
    const longer = Math.min(state.disk.length + (c % 5000), 60_000 + state.disk.length)
    truncateSync(state.path, longer)
    setLength(state, longer)
    return
  }
  unchanged(world, state)
}

async function filePages(world: World, { a, b, c }: Command): Promise<void> {
  const mapping = pick(plain(world), a)
  if (mapping === undefined) return
  const range = part(mapping, b, c)
  const { hand, id: file, mode } = mapping
  switch (c % 9) {
    case 0:
      return void (await world.act(hand, { do: 'syncFile', file, ...range, choice: b % 2 }))
    case 1:
      return void (await world.act(hand, { do: 'syncFileAsync', file, ...range }))
    case 2: {
      const advice = pick(ADVICE, b >>> 4) as string
      const refused = advice === 'dontneed' && mode === 'copy'
      return void (await world.act(
        hand,
        { do: 'adviseFile', file, advice, ...range },
        refused ? ['ERR_UNSUPPORTED_OPERATION'] : ['ok', 'EINVAL']
      ))
    }
    case 3:
      return void (await world.act(hand, { do: 'populateFile', file, ...range }))
    case 4:
      return void (await world.act(hand, { do: 'residentFile', file, ...range }))
    case 5:
      return void (await world.act(
        hand,
        { do: 'reserveBlocks', file, ...range },
        mode === 'write' ? ['ok', 'ENOTSUP'] : ['ERR_UNSUPPORTED_OPERATION']
      ))
    case 6: {
      // More than may be locked, or for some nothing at all.
      return void (await world.act(hand, { do: 'lockFile', file, ...range }, ['ok', 'ENOMEM', 'EPERM', 'EAGAIN']))
    }
    case 7: {
      if (range.offset >= mapping.mapped.byteLength) return
      const made = await world.act(hand, { do: 'placeInFile', file, ...range })
      world.require(
        made === undefined || made.value.offset === range.offset,
        () => `offsetOf gave ${made?.value.offset}, expected ${range.offset}`
      )
      return
    }
    default:
      return void (await world.act(hand, { do: 'checkFile', file, ...range }))
  }
}

async function discard(world: World, { a, b, c }: Command): Promise<void> {
  const mapping = pick(plain(world), a)
  if (mapping === undefined || mapping.party !== undefined) return
  const range = part(mapping, b, c)
  const made = await world.act(
    mapping.hand,
    { do: 'discardFile', file: mapping.id, ...range },
    mapping.mode === 'copy' ? [] : ['ERR_UNSUPPORTED_OPERATION']
  )
  if (made === undefined || range.byteLength === 0) return
  ledgerOf(mapping.state.disk as Buffer).discard(mapping.mapped, range.offset, range.offset + range.byteLength)
}

async function closeFile(world: World, { a, b }: Command): Promise<void> {
  const mapping = pick(mappings(world), a)
  if (mapping !== undefined) await closeMapping(world, mapping, b)
}

export async function closeMapping(world: World, mapping: FileMapping, b: number): Promise<void> {
  const { state, party, hand } = mapping
  const held = mapping.pins.length > 0 ? ['ERR_ARENA_BUSY'] : party === undefined ? [] : heldArena(party)
  const detach = [undefined, true, false][b % 3]
  const order = { do: 'closeFile', file: mapping.id, options: detach === undefined ? undefined : { detach } }
  const made = await world.act(hand, order, held)
  if (made === undefined) return
  state.mappings.splice(state.mappings.indexOf(mapping), 1)
  world.closed.push({ hand, what: 'file', id: mapping.id })
  if (party !== undefined) world.part(party, false)
  await world.must(hand, order)
  unchanged(world, state)
}

async function pinFile(world: World, { a, b }: Command): Promise<void> {
  const mapping = pick(mappings(world), a)
  if (mapping === undefined) return
  if (mapping.pins.length > 0 && b % 3 > 0)
    return void (await world.act(mapping.hand, { do: 'unpin', name: mapping.pins.pop() as number }))
  const name = world.number()
  if ((await world.act(mapping.hand, { do: 'pin', file: mapping.id, name })) !== undefined) mapping.pins.push(name)
}

/** The arena in a file: a memory like others. Only in a file of zeros that has no other mapping. */
async function fileArena(world: World, { a }: Command): Promise<void> {
  const mapping = pick(
    mappings(world).filter(({ party, state }) => party === undefined && state.mappings.length === 1),
    a
  )
  if (mapping === undefined) return
  const { state, mode, mapped } = mapping
  const id = world.number()
  const known = world.memories.find(({ file }) => file === state)
  const fits =
    mapped.offset === 0 &&
    mapped.byteLength === ARENA_FILE &&
    (known !== undefined || state.disk?.every((byte) => byte === 0))
  const order = { do: 'fileArena', file: mapping.id, arena: id }
  if (mode === 'read') return void (await world.act(mapping.hand, order, ['ERR_UNSUPPORTED_OPERATION']))
  if (!fits || (mode === 'copy' && mapped.own.size > 0)) return
  if (state.disk === undefined && known === undefined) return
  const made = await world.act(mapping.hand, order)
  if (made === undefined) return
  // Where its tables are, and what is in them, is its own affair from now on.
  if (mode === 'write') state.disk = undefined
  const memory =
    known ??
    newMemory(world, mode === 'write' ? 'fileWrite' : 'fileCopy', made.value.byteLength, false, { file: state })
  mapping.party = joinMemory(memory, mapping.hand, id)
}

/** Maps a file again that has an arena. */
async function mapAgain(world: World, { a }: Command): Promise<void> {
  const memory = pick(
    world.memories.filter(({ kind, parties }) => kind === 'fileWrite' && parties.length < 2),
    a
  )
  const state = memory?.file
  if (memory === undefined || state === undefined) return
  const id = world.number()
  if (
    (await world.act(world.here, { do: 'mapFile', file: id, path: state.path, options: { mode: 'write' } })) ===
    undefined
  )
    return
  const mapped: Mapped = { file: { mode: 'write' } as MappedFile, offset: 0, byteLength: ARENA_FILE, own: new Map() }
  const mapping: FileMapping = {
    id,
    hand: world.here,
    state,
    mode: 'write',
    maxByteLength: ARENA_FILE,
    mapped,
    pins: [],
    party: undefined,
  }
  state.mappings.push(mapping)
  const arena = world.number()
  const made = await world.act(world.here, { do: 'fileArena', file: id, arena })
  if (made !== undefined) mapping.party = joinMemory(memory, world.here, arena)
}

async function badFile(world: World, { a, b }: Command): Promise<void> {
  const state = pick(world.files, a)
  const path = state?.path ?? world.folder
  const cases: readonly [string, object, string][] = [
    [join(world.folder, 'none'), { mode: 'read' }, 'ENOENT'],
    [world.folder, { mode: 'read' }, 'ERR_UNSUPPORTED_OPERATION'],
    [world.folder, { mode: 'write' }, 'EISDIR'],
    [path, { mode: 'read', offset: 2 ** 40 }, 'ERR_OUT_OF_RANGE'],
    [path, { mode: 'copy', byteLength: 2 ** 40 }, 'ERR_OUT_OF_RANGE'],
    [path, { mode: 'other' }, 'ERR_OUT_OF_RANGE'],
    ['/dev/null', { mode: 'read' }, 'ERR_UNSUPPORTED_OPERATION'],
    [path, { mode: 'read', create: true }, 'ERR_OUT_OF_RANGE'],
  ]
  const [target, options, code] = pick(cases, b) as (typeof cases)[number]
  if (state === undefined && target === path) return
  await world.act(world.here, { do: 'mapFile', file: -1, path: target, options }, [
    code,
    'ERR_INVALID_ARG_TYPE',
    'ERR_INVALID_ARG_VALUE',
  ])
}

export const fileCommands: Commands = {
  makeFile: [6, makeFile],
  mapFile: [8, mapFile],
  store: [10, store],
  load: [10, load],
  resize: [6, resize],
  outside: [5, outside],
  filePages: [10, filePages],
  discard: [5, discard],
  closeFile: [6, closeFile],
  pinFile: [2, pinFile],
  fileArena: [5, fileArena],
  mapAgain: [3, mapAgain],
  badFile: [3, badFile],
}

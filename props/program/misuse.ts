/**
 * The commands that must be refused: bad frees of every kind, bad arguments, and requests that no claim could hold. Each throws the
 * right code, and nothing has changed.
 * @module
 */
import type { Command } from '../commands.ts'
import type { Lane } from './lane.ts'
import { isKernelFailure, type Outcome, show } from './outcome.ts'

type Bad = { readonly what: string; readonly by: unknown; readonly codes: readonly string[] }

const INVALID = ['ERR_INVALID_FREE']
const EITHER = ['ERR_INVALID_FREE', 'ERR_DOUBLE_FREE']
/** Beyond the highest block by this much, nothing has ever been, not even a slab's unused slots. */
const FAR = 65536

/** Frees, asks the size of, or reallocates what is not a live block. */
export function badFree(lane: Lane, { a, b }: Command): void {
  const bad = badBlock(lane, a % 14, b)
  if (bad === undefined) return
  const { allocator, freeing, tally } = lane
  const raw = allocator as { realloc(offset: unknown, byteLength: number): number }
  const way =
    freeing === undefined || (typeof bad.by === 'number' && b % 3 === 2)
      ? 'realloc'
      : b % 3 === 1
        ? 'usableSize'
        : 'free'
  if (freeing === undefined && typeof bad.by === 'object') return
  const outcome = lane.call<unknown>(() => {
    if (way === 'realloc') return raw.realloc(bad.by, 24 + (b % 100))
    return way === 'free' ? freeing?.free(bad.by as number) : freeing?.usableSize(bad.by as number)
  })
  if (isKernelFailure(outcome)) return
  const codes = freeing === undefined && bad.codes !== TYPE ? [...INVALID, 'ERR_UNSUPPORTED_OPERATION'] : bad.codes
  tally.holds(
    'refused',
    codes.includes(outcome.code ?? ''),
    () => `${way} of ${bad.what} (${String(bad.by)}) ${show(outcome)}`
  )
  tally.take(outcome.code ?? '')
  tally.take(`bad free: ${bad.what}`)
  lane.requireUnchanged('refused', () => `${way} of ${bad.what} (${String(bad.by)})`)
}

const TYPE = ['ERR_INVALID_ARG_TYPE']

/** What to free, or undefined when there is nothing of the kind. */
function badBlock(lane: Lane, kind: number, pick: number): Bad | undefined {
  const { model, spec } = lane
  const block = model.pick(pick)
  switch (kind) {
    case 0:
    case 1:
      return doubleFree(lane)
    case 2:
      return stale(lane, pick)
    case 3:
      return (
        block && {
          what: 'the inside of a block',
          by: block.offset + 8 * (1 + (pick % Math.max(1, block.usable / 8 - 1))),
          codes: block.usable > 8 ? INVALID : EITHER,
          ...tooShort(lane, block),
        }
      )
    case 4:
      return block && { what: 'a misaligned offset', by: block.offset + 1 + (pick % 7), codes: INVALID }
    case 5:
      return neverAllocated(lane, pick)
    case 6:
      return { what: 'what lies before the claim', by: spec.offset - 8 * (1 + (pick % 100)), codes: INVALID }
    case 7:
      return { what: 'what lies behind the claim', by: lane.end + 8 * (pick % 100), codes: INVALID }
    case 8:
      return {
        what: 'no offset',
        by: [0, -8, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 40), 2 ** 40 + 8][pick % 8],
        codes: INVALID,
      }
    case 9:
      return { what: 'a foreign view', by: new Uint8Array(64), codes: INVALID }
    case 10:
      return insideView(lane, pick)
    case 11:
      return { what: 'neither offset nor view', by: [null, undefined, '8', {}, 8n][pick % 5], codes: TYPE }
    case 12:
      return wraparound(lane, pick)
    default:
      return doubleFreeByView(lane, pick)
  }
}

/** A block of eight bytes has no inside. */
function tooShort(lane: Lane, block: { offset: number; usable: number }): Partial<Bad> {
  return block.usable > 8
    ? {}
    : { by: lane.model.at(block.offset + 8) === undefined ? block.offset + 8 : block.offset + 4 }
}

/** The block that was freed last, when nothing starts there again: certainly a double free, as long as nothing lies over it. */
function doubleFree({ model }: Lane): Bad | undefined {
  const offset = model.freed.at(-1)
  if (offset === undefined || model.around(offset) !== undefined) return undefined
  return { what: 'the block freed last', by: offset, codes: EITHER }
}

function stale({ model }: Lane, pick: number): Bad | undefined {
  const offset = model.freed[pick % model.freed.length]
  if (offset === undefined || model.at(offset) !== undefined) return undefined
  return { what: 'a block freed earlier', by: offset, codes: model.around(offset) === undefined ? EITHER : INVALID }
}

function neverAllocated({ model, spec, end, unseen }: Lane, pick: number): Bad | undefined {
  if (unseen) return undefined
  const start = Math.ceil(Math.max(model.highest, spec.offset) / 8) * 8 + Math.max(FAR, spec.slotSize ?? 0)
  const offset = start + 8 * pick
  return offset + 8 <= end ? { what: 'what was never allocated', by: offset, codes: INVALID } : undefined
}

/** Offsets that are a live block's when they are cut to 32 bits, or to a window. */
function wraparound({ model }: Lane, pick: number): Bad | undefined {
  const block = model.pick(pick)
  if (block === undefined) return undefined
  const by = block.offset + ([2 ** 32, 2 ** 30, -(2 ** 32), 2 ** 31, 2 ** 42][pick % 5] as number)
  if (model.at(by) !== undefined) return undefined
  return { what: 'a live offset plus a power of two', by, codes: EITHER }
}

function insideView(lane: Lane, pick: number): Bad | undefined {
  const block = lane.model.pick(pick)
  if (block === undefined || block.usable < 16) return undefined
  const offset = block.offset + 8 * (1 + (pick % (Math.min(block.usable, 4096) / 8 - 1)))
  const made = lane.call(() => lane.ground.arena.view(Uint8Array, offset, 0))
  return made.code === undefined ? { what: 'a view into a block', by: made.value, codes: INVALID } : undefined
}

function doubleFreeByView(lane: Lane, pick: number): Bad | undefined {
  const bad = pick % 2 === 0 ? doubleFree(lane) : stale(lane, pick)
  if (bad === undefined) return undefined
  const made = lane.call(() => lane.ground.arena.view(Uint8Array, bad.by as number, 1))
  return made.code === undefined ? { ...bad, what: 'the view of a freed block', by: made.value } : undefined
}

/** Frees a block and frees it again at once: by its rights a double free, whatever became of its memory. */
export function freeTwice(lane: Lane, offset: number): void {
  const { freeing, tally } = lane
  if (freeing === undefined) return
  const outcome = lane.call(() => freeing.free(offset))
  if (isKernelFailure(outcome)) return
  tally.holds('refused', outcome.code === 'ERR_DOUBLE_FREE', () => `second free of ${offset} ${show(outcome)}`)
  tally.take('ERR_DOUBLE_FREE')
}

const RANGE = 'ERR_OUT_OF_RANGE'

/** Lengths, alignments and types that are no such thing. */
export function badArgument(lane: Lane, { a, b }: Command): void {
  const { allocator, model } = lane
  const loose = allocator as unknown as Record<string, (...given: unknown[]) => unknown>
  const [length, code] = [
    [-1, RANGE],
    [1.5, RANGE],
    [Number.NaN, RANGE],
    [2 ** 53, RANGE],
    [-(2 ** 32), RANGE],
    [Number.POSITIVE_INFINITY, RANGE],
    ['8', TYPE[0]],
    [null, TYPE[0]],
    [8n, TYPE[0]],
    [{}, TYPE[0]],
  ][a % 10] as [unknown, string]
  const block = lane.bump === undefined ? model.pick(b) : model.live.at(-1)
  const tries: [string, unknown[], string][] = [
    ['malloc', [length], code],
    ['tryMalloc', [length], code],
    ['calloc', [length], code],
    ['memalign', [8, length], code],
    ['alloc', [Uint8Array, length], code],
    ['allocUnsafe', [Float64Array, length], code],
    ['memalign', [[0, 3, -8, 2 ** 31, 1.5, 24][a % 6], 8], RANGE],
    ['memalign', ['8', 8], TYPE[0] as string],
    ['calloc', [1, 8], TYPE[0] as string],
    ['alloc', [[Array, ArrayBuffer, undefined, 'Uint8Array'][a % 4], 8], TYPE[0] as string],
    ['realloc', [block?.offset, length], block === undefined ? (TYPE[0] as string) : code],
  ]
  const [name, given, expected] = tries[b % tries.length] as [string, unknown[], string]
  if (block?.inner !== undefined || block?.pins !== undefined) return
  const outcome = lane.call(() => loose[name]?.(...given))
  if (isKernelFailure(outcome)) return
  const what = (): string =>
    `${name}(${given.map((value) => (typeof value === 'function' ? value.name : String(value))).join(', ')})`
  lane.tally.holds('arguments', outcome.code === expected, () => `${what()} ${show(outcome)}, not ${expected}`)
  lane.requireUnchanged('arguments', what)
}

/** Requests that are longer than the claim. */
export function tooMuch(lane: Lane, { a, b }: Command): void {
  const { allocator, spec, model } = lane
  const length = [spec.byteLength + 1, spec.byteLength * 2, 2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER][
    a % 6
  ] as number
  const bytes = Math.max(length, spec.byteLength + 1)
  const block = lane.bump === undefined ? model.pick(a) : model.live.at(-1)
  if (block?.inner !== undefined || block?.pins !== undefined) return
  const outcome: Outcome<unknown> = lane.call<unknown>(() => {
    switch (b % 6) {
      case 0:
        return allocator.malloc(bytes)
      case 1:
        return allocator.calloc(bytes)
      case 2:
        return allocator.memalign(4096, bytes)
      case 3:
        return allocator.alloc(Uint8Array, bytes)
      case 4:
        return block === undefined ? allocator.malloc(bytes) : allocator.realloc(block.offset, bytes)
      default:
        return allocator.tryMalloc(bytes)
    }
  })
  if (isKernelFailure(outcome)) return
  const slab = spec.kind === 'Slab' && [RANGE, 'ERR_UNSUPPORTED_OPERATION'].includes(outcome.code ?? '')
  const full = b % 6 === 5 ? outcome.code === undefined && outcome.value === 0 : outcome.code === 'ERR_OUT_OF_MEMORY'
  lane.tally.holds('unchanged', slab || full, () => `${bytes} bytes of ${spec.byteLength}: ${show(outcome)}`)
  lane.requireUnchanged('unchanged', () => `no room for ${bytes} bytes`)
}

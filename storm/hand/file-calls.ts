/**
 * Calls on mapped files.
 * @module
 */
import { mapFile } from '../../src/arena/file/map-file.ts'
import { pattern } from './bytes.ts'
import type { Calls, Order } from './tools.ts'

const range = ({ offset, byteLength }: Order): [number, number] => [offset as number, byteLength as number]

export const fileCalls: Calls = {
  mapFile(tools, order) {
    const file = tools.call(order, () => mapFile(order.path, { ...order.options, os: tools.os }))
    tools.files.set(order.file as number, file)
    return { byteLength: file.byteLength, maxByteLength: file.maxByteLength }
  },
  /** The arena in a file, under a number of its own. */
  fileArena(tools, order) {
    const arena = tools.call(order, () => tools.file(order).arena)
    tools.arenas.set(order.arena as number, arena)
    return { byteLength: arena.byteLength, shared: arena.shared }
  },
  /** Stores a pattern by plain stores through a view. */
  storeFile(tools, order) {
    const bytes = tools.file(order).view(Uint8Array, ...range(order)) as unknown as Uint8Array
    for (let at = 0; at < bytes.length; at++) bytes[at] = pattern(order.seed as number, at)
  },
  /** What plain loads see. */
  loadFile(tools, order) {
    const view = tools.file(order).view(Uint8Array, ...range(order))
    return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength).toString('latin1')
  },
  readFile: (tools, order) =>
    Buffer.from(tools.call(order, () => tools.file(order).read(...range(order)))).toString('latin1'),
  checkFile: (tools, order) => tools.call(order, () => tools.file(order).check(...range(order))),
  resizeFile: (tools, order) => tools.call(order, () => tools.file(order).resize(order.byteLength as number)),
  reserveBlocks: (tools, order) => tools.call(order, () => tools.file(order).reserveBlocks(...range(order))),
  syncFile(tools, order) {
    const [offset, byteLength] = range(order)
    return tools.call(order, () => tools.file(order).sync({ async: order.choice === 1, offset, byteLength }))
  },
  async syncFileAsync(tools, order) {
    const [offset, byteLength] = range(order)
    return tools.file(order).syncAsync({ offset, byteLength })
  },
  adviseFile: (tools, order) => tools.call(order, () => tools.file(order).advise(order.advice, ...range(order))),
  discardFile: (tools, order) => tools.call(order, () => tools.file(order).discard(...range(order))),
  populateFile: (tools, order) => tools.call(order, () => tools.file(order).populate(...range(order))),
  lockFile(tools, order) {
    const file = tools.file(order)
    tools.call(order, () => file.lock(...range(order)))
    file.unlock(...range(order))
  },
  /** Where a view says that it starts, and what the window at its offset is. */
  placeInFile(tools, order) {
    const file = tools.file(order)
    const [offset] = range(order)
    const view = file.view(Uint8Array, offset, 0)
    const { buffer, start } = file.window(offset)
    return { offset: file.offsetOf(view as unknown as Uint8Array), start, byteLength: buffer.byteLength }
  },
  residentFile: (tools, order) => tools.call(order, () => tools.file(order).resident(...range(order))),
  closeFile: (tools, order) => tools.call(order, () => tools.file(order).close(order.options)),
  forgetFile: (tools, order) => void tools.files.delete(order.file as number),
  fileLength: (tools, order) => tools.file(order).byteLength,
}

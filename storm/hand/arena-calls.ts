/**
 * Calls on arenas: coming to one, its pages, pins, and the end.
 * @module
 */
import { Arena } from '../../src/arena/arena.ts'
import { fill, firstNotZero, firstWrong } from './bytes.ts'
import type { Calls, Order, Tools } from './tools.ts'

/** What others need to come to it, and what is said of it. */
function describe(arena: Arena): object {
  const { byteLength, shared, fd, path, closed, staleOwner } = arena
  return { byteLength, shared, fd, path, closed, staleOwner }
}

/** Takes a new arena in. */
function take(tools: Tools, order: Order, make: () => Arena): object {
  const arena = tools.call(order, make)
  tools.arenas.set(order.arena as number, arena)
  return describe(arena)
}

const detaching = ({ detach }: Order): { detach: boolean } | undefined =>
  detach === undefined ? undefined : { detach: detach as boolean }

export const arenaCalls: Calls = {
  reserve: (tools, order) =>
    take(tools, order, () => Arena.reserve(order.byteLength as number, { ...order.options, os: tools.os })),
  open: (tools, order) => take(tools, order, () => Arena.open(order.path, { ...order.options, os: tools.os })),
  attach: (tools, order) => take(tools, order, () => Arena.attach(order.source, { os: tools.os })),
  handle: (tools, order) => tools.call(order, () => tools.arena(order).handle()),
  describeArena: (tools, order) => describe(tools.arena(order)),
  unlink: (tools, order) => tools.call(order, () => tools.arena(order).unlink()),
  closeArena: (tools, order) => tools.call(order, () => tools.arena(order).close(detaching(order))),
  forgetArena: (tools, order) => void tools.arenas.delete(order.arena as number),

  purgeRange: (tools, order) =>
    tools.call(order, () => tools.arena(order).purge(order.offset as number, order.byteLength as number)),
  populate: (tools, order) =>
    tools.call(order, () => tools.arena(order).populate(order.offset as number, order.byteLength as number)),
  resident: (tools, order) =>
    tools.call(order, () => tools.arena(order).resident(order.offset as number, order.byteLength as number)),

  fill: (tools, order) =>
    fill(tools.arena(order), order.offset as number, order.byteLength as number, order.seed as number),
  firstWrong: (tools, order) =>
    firstWrong(tools.arena(order), order.offset as number, order.byteLength as number, order.seed as number),
  firstNotZero: (tools, order) => firstNotZero(tools.arena(order), order.offset as number, order.byteLength as number),

  pin: (tools, order) =>
    void tools.pins.set(
      order.name as number,
      (order.file === undefined ? tools.arena(order) : tools.file(order)).pin()
    ),
  unpin(tools, order) {
    const pin = tools.pins.get(order.name as number)
    pin?.[Symbol.dispose]()
    // Twice: the second does nothing.
    pin?.[Symbol.dispose]()
  },
  /** Begins a `use`, which lasts until `endUse`. */
  use(tools, order) {
    const arena = tools.arena(order)
    const view = arena.view(Uint8Array, order.offset as number, 1)
    let end = (): void => undefined
    const held = new Promise<string>((resolve) => {
      end = () => resolve('used')
    })
    tools.uses.set(order.name as number, { end, over: arena.use(view, () => held) })
  },
  async endUse(tools, order) {
    const use = tools.uses.get(order.name as number)
    tools.uses.delete(order.name as number)
    use?.end()
    return use?.over
  },
}

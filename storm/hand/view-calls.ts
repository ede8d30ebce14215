/**
 * Views that outlive what they show, and buffers that are taken away: by a byte stream, by `transfer()`, by a clone that moves them.
 *
 * After the arena was closed and no other process has it, a view that was kept must be empty or read zero, and so must a buffer that was
 * moved: never what was put at these addresses since.
 * @module
 */
import type { Calls, Order, Tools } from './tools.ts'

/** A byte stream takes what is put into it; its reader has the buffer then. */
async function throughStream(buffer: ArrayBuffer): Promise<ArrayBuffer | undefined> {
  const stream = new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(new Uint8Array(buffer, 0, Math.min(16, buffer.byteLength)))
    },
  })
  const { value } = await stream.getReader().read()
  return (value as Uint8Array | undefined)?.buffer as ArrayBuffer | undefined
}

/** Copying a window of a GiB would take a GiB. */
const CLONE_MOST = 2 ** 22

/** Takes a buffer away, or tries to; keeps what it became. Says whether the view that others have of it is empty. */
async function takeAway(tools: Tools, order: Order, buffer: ArrayBuffer): Promise<boolean> {
  const key = order.arena as number
  const choice = (order.choice as number) % 4
  const { transfer } = buffer as { transfer?: () => ArrayBuffer }
  let moved: ArrayBuffer | undefined
  if (choice === 0 && buffer.byteLength <= CLONE_MOST) {
    try {
      // A copy on Node 20, refused later.
      structuredClone(buffer, { transfer: [buffer] })
    } catch (error) {
      if ((error as Error).name !== 'DataCloneError') throw error
    }
    return true
  }
  tools.robbed.add(key)
  if (choice === 1 && transfer !== undefined) moved = transfer.call(buffer)
  else moved = await throughStream(buffer)
  if (moved !== undefined) tools.taken.set(key, [...(tools.taken.get(key) ?? []), moved])
  return buffer.byteLength === 0
}

const isZero = (bytes: Uint8Array): boolean => {
  for (let at = 0; at < bytes.length; at += bytes.length > 65536 ? 4096 : 1) if (bytes[at] !== 0) return false
  return true
}

export const viewCalls: Calls = {
  keepView(tools, order) {
    const view = tools.arena(order).view(Uint8Array, order.offset as number, order.byteLength as number)
    const key = order.arena as number
    tools.kept.set(key, [...(tools.kept.get(key) ?? []), view])
    return tools.arena(order).offsetOf(view)
  },
  window(tools, order) {
    const { buffer, start } = tools.arena(order).window(order.offset as number)
    return { byteLength: buffer.byteLength, start }
  },
  /** Takes the window at an offset away. */
  takeWindow(tools, order) {
    return takeAway(tools, order, tools.arena(order).window(order.offset as number).buffer)
  },
  /** Makes many views across the end of a window, each with a buffer of its own, and takes one of the first away at last. */
  takeCrossing(tools, order) {
    const arena = tools.arena(order)
    const views = Array.from({ length: order.count as number }, (_, index) =>
      arena.view(Uint8Array, (order.offset as number) - 16 - index, 64 + index)
    )
    return takeAway(tools, order, (views[(order.choice as number) % views.length] as Uint8Array).buffer as ArrayBuffer)
  },
  /** How many kept views, and moved buffers, of an arena that was closed show something. */
  showing(tools, order) {
    const kept = (tools.kept.get(order.arena as number) ?? []).filter((view) => !isZero(view)).length
    const moved = (tools.taken.get(order.arena as number) ?? []).filter((buffer) => !isZero(new Uint8Array(buffer)))
    return { kept, moved: moved.length }
  },
  /** Whether `offsetOf` and the view agree. */
  offsetOf: (tools, order) =>
    tools.arena(order).offsetOf(tools.arena(order).view(Uint8Array, order.offset as number, 0)),
  /** A view of something else. */
  foreignView: (tools, order) => tools.arena(order).offsetOf(new Uint8Array(8)),
  dropViews(tools, order) {
    tools.kept.delete(order.arena as number)
    tools.taken.delete(order.arena as number)
  },
  /** The kernel that was asked, and of how many arenas a buffer was taken away. What this hand has is forgotten. */
  account(tools) {
    for (const table of [
      tools.kept,
      tools.taken,
      tools.arenas,
      tools.files,
      tools.allocators,
      tools.pins,
      tools.uses,
      tools.waits,
    ])
      table.clear()
    return { os: tools.os, taken: tools.robbed.size }
  },
  /** Collects garbage, and lets finalizers run. */
  async collect() {
    ;(globalThis as { gc?: () => void }).gc?.()
    await new Promise((resolve) => setImmediate(resolve))
    return true
  },
}

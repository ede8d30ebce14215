/**
 * The other process of two-processes.ts: it inherits the arena as descriptor 3, receives what it is told to over the channel it is
 * told, and says what has arrived.
 * @module
 */
import { Arena } from '../src/index.ts'
import { type Channel, receive } from './channels.ts'

const fifo = process.argv[2] as string
const arena = Arena.attach({ fd: 3 })

process.on('message', ({ channel, count }: { channel: Channel; count: number }) => {
  // Not before the answer is on its way: receiving leaves no time for it.
  process.send?.('ready', () => process.send?.(receive(channel, count, arena, fifo)))
})

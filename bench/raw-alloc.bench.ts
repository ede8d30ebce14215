/**
 * What does a raw malloc with its free cost, in offsets and pointers, by size, order, and number of live blocks?
 * @module
 */
import { printGrid } from './pairs/grid.ts'
import { rawPeers } from './pairs/peer.ts'

printGrid('raw', Object.keys(rawPeers))

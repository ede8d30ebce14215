/**
 * What does a typed array cost, made and given back, against those of the runtime? One byte of each is written.
 * @module
 */
import { KiB } from '../src/units.ts'
import { printGrid, printRatios } from './grid.ts'
import { viewPeers } from './peer.ts'

const headline = ['Heap allocUnsafe', 'new Uint8Array', 'Buffer.allocUnsafe', 'Buffer.allocUnsafeSlow']
printRatios('view', headline, { byteLength: 4 * KiB, liveCount: 1000, order: 'FIFO' })
printGrid('view', Object.keys(viewPeers))

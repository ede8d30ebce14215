/**
 * Programs of up to two hundred commands on a file and a mapping of it, compared with a Buffer after each. A failure prints the shrunk
 * program and the seed: PROPS_SEED=… runs it again.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { FileMode } from '../src/arena/file/file-options.ts'
import { systemOs } from '../src/ffi/system.ts'
import { sharedMemoryFolder } from '../test/helpers/machine.ts'
import { roomyFolder } from '../test/helpers/scratch.ts'
import { programs, seed, whole } from './campaign.ts'
import { MOST_LENGTH, verify } from './file/command.ts'
import { commandsFor, type Others } from './file/commands.ts'
import { FileModel } from './file/model.ts'
import { SecondProcess } from './file/second-process.ts'

const folder = mkdtempSync(join(roomyFolder(), 'sorites-props-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

interface Sentence {
  readonly modes: readonly FileMode[]
  readonly others: Others
  /** Paths that must have been taken. */
  readonly paths: readonly string[]
  readonly folder?: string
  readonly second?: SecondProcess
}

/** Runs programs, and wants every path taken. */
async function hold({ modes, others, paths, second, folder: place = folder }: Sentence): Promise<void> {
  const path = join(place, `sorites-file-${process.pid}`)
  const taken: Map<string, number> = new Map()
  const program = fc.commands(commandsFor(modes, others), { maxCommands: 200, size: 'max' })
  const property = fc.asyncProperty(fc.nat(MOST_LENGTH), program, async (length, commands) => {
    const disk = Buffer.alloc(length).map((_, at) => (at * 31 + (at >> 8)) & 255) as Buffer
    writeFileSync(path, disk)
    const model = new FileModel(path, systemOs().pageSize, disk, taken)
    try {
      await fc.asyncModelRun(() => ({ model, real: second === undefined ? {} : { second } }), commands)
      model.mapped?.file.close()
      model.mapped = undefined
      verify(model)
    } finally {
      model.mapped?.file.close()
      rmSync(path, { force: true })
    }
  })
  // Unbiased: programs of any length are as likely, where the usual bias is for a few commands.
  await fc.assert(property, { seed, numRuns: programs, plugins: [fc.unbiased()], includeErrorInReport: true })
  if (whole)
    assert.equal(
      paths.filter((name) => !taken.has(name)),
      []
    )
}

const LONGER = ['opened to write', 'stored in write', 'made longer', 'made shorter', 'opened beyond the end', 'closed']
const PRIVATE = ['opened to read', 'opened to copy', 'stored in read', 'stored in copy', 'discarded', 'closed']
const CARED_FOR = ['sync', 'syncAsync', 'willneed', 'random', 'cold', 'lock', 'populate']

test('a mapping shows what the file holds, through stores, syncs, resizes and reopenings in all modes', () =>
  hold({
    modes: ['read', 'copy', 'write'],
    others: 'writers',
    paths: [...LONGER, ...PRIVATE, ...CARED_FOR, 'written by others'],
  }))

test('so it does in shared memory, where the file system clears nothing', () =>
  hold({
    modes: ['copy', 'write'],
    others: 'writers',
    paths: [...LONGER, 'strayed'],
    folder: sharedMemoryFolder() ?? folder,
  }))

test('private modes never change the file', () =>
  hold({ modes: ['read', 'copy'], others: 'none', paths: [...PRIVATE, ...CARED_FOR] }))

test('when others cut the file, checked calls are an error exactly when bytes are gone, and nothing is a signal', () =>
  hold({
    modes: ['read', 'copy', 'write'],
    others: 'cutters',
    paths: [...LONGER, ...PRIVATE, 'shortened by others', 'lengthened by others', 'truncated'],
  }))

test('what one process writes another reads', async () => {
  const second = new SecondProcess()
  try {
    const paths = [...LONGER, 'read elsewhere', 'written elsewhere']
    await hold({ modes: ['copy', 'write'], others: 'processes', paths, second })
  } finally {
    second.close()
  }
})

test.run()

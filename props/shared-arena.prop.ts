/**
 * Programs of up to a hundred commands to four parties that have one arena: two objects in this thread (one mapped a second time), a
 * worker, and another process. After each command what every party reads is compared with a Buffer. A failure prints the shrunk
 * program and the seed: PROPS_SEED=… runs it again.
 */
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../src/arena/arena.ts'
import { programs, seed, whole } from './campaign.ts'
import { ARENA, type Ask, commands, Model, verifyAll } from './sharing/commands.ts'
import { type Elsewhere, startProcess, startWorker } from './sharing/elsewhere.ts'
import { Party } from './sharing/party.ts'

const PATHS = ['filled', 'purged', 'purge refused', 'added', 'claimed', 'claim refused', 'released', 'reopened']

/** Parties are made once; every program begins by emptying the arena. */
interface Scene {
  readonly parties: readonly Ask[]
  end(): Promise<void>
}

async function scene(makers: readonly ((arena: Arena) => Promise<Elsewhere>)[], shared: boolean): Promise<Scene> {
  const arena = Arena.reserve(ARENA, { shared })
  const own = new Party(() => Arena.attach(arena.handle()))
  const local = shared ? [new Party(() => Arena.attach({ path: arena.path as string }))] : []
  const elsewhere = await Promise.all(makers.map((make) => make(arena)))
  const here = [own, ...local].map<Ask>((party) => async (request) => party.answer(request))
  return {
    parties: [...here, ...elsewhere.map<Ask>((party) => (request) => party.ask(request))],
    async end() {
      for (const party of elsewhere) await party.end()
      for (const party of [own, ...local]) party.close()
      arena.close()
    },
  }
}

async function hold({ parties }: Scene): Promise<void> {
  const taken: Map<string, number> = new Map()
  const program = fc.commands(commands(parties.length), { maxCommands: 100, size: 'max' })
  const property = fc.asyncProperty(program, async (all) => {
    for (let party = 1; party < parties.length; party++) await (parties[party] as Ask)({ do: 'reopen' })
    for (let name = 0; name < 200; name++) await (parties[0] as Ask)({ do: 'release', name })
    assert.is(await (parties[0] as Ask)({ do: 'purge', offset: 0, byteLength: ARENA }), 'done')
    const model = new Model(taken)
    await fc.asyncModelRun(() => ({ model, real: parties }), all)
    await verifyAll(model, parties)
  })
  await fc.assert(property, { seed, numRuns: programs, plugins: [fc.unbiased()], includeErrorInReport: true })
  if (whole)
    assert.equal(
      PATHS.filter((name) => !taken.has(name)),
      []
    )
}

test('What one thread or process writes the others read, claims never overlap, and no addition is lost', async () => {
  const four = await scene([startWorker, startProcess], true)
  await hold(four).finally(() => four.end())
})

test('The same between threads alone, on private memory', async () => {
  const three = await scene([startWorker, startWorker], false)
  await hold(three).finally(() => three.end())
})

test.run()

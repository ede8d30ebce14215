/** The order in which things end, and when the caller's code is called. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterwards, type Ending, end, step } from '../../src/arena/ending.ts'

/** An ending that writes down what it does; `failing`: the phase that throws. */
function noted(done: string[], failing?: string): Ending {
  const phase = (name: string) => (): void => {
    done.push(name)
    if (name === failing) throw new Error(name)
  }
  return {
    refuse: phase('refuse'),
    store: phase('store'),
    restore: phase('restore'),
    giveBack: phase('giveBack'),
    forget: phase('forget'),
  }
}

for (const [failing, expected] of [
  [undefined, ['refuse', 'store', 'giveBack', 'forget']],
  ['refuse', ['refuse']],
  ['store', ['refuse', 'store', 'restore']],
  ['giveBack', ['refuse', 'store', 'giveBack', 'restore']],
] as const)
  test(`${failing ?? 'nothing'} fails: what is done, and in which order`, () => {
    const done: string[] = []
    const run = (): void => end(noted(done, failing))
    if (failing === undefined) run()
    else assert.throws(run, failing)
    assert.equal(done, expected)
  })

test('all but forgetting happens within the lock, and a lock that cannot be had changes nothing', () => {
  const done: string[] = []
  end(noted(done), (run) => {
    done.push('lock')
    run()
    done.push('unlock')
  })
  assert.equal(done, ['lock', 'refuse', 'store', 'giveBack', 'unlock', 'forget'])
  done.length = 0
  assert.throws(() =>
    end(noted(done), () => {
      throw new Error('busy')
    })
  )
  assert.equal(done, [])
})

test('the caller’s code is called when the outermost step is over, also when that throws, and each once', () => {
  const done: string[] = []
  const inner = (): void =>
    step(() => {
      afterwards(() => done.push('first'))
      done.push('inner')
    })
  assert.throws(() =>
    step(() => {
      inner()
      afterwards(() => {
        inner()
        throw new Error('of the caller')
      })
      done.push('outer')
      throw new Error('of the step')
    })
  )
  assert.equal(done, ['inner', 'outer', 'first', 'inner', 'first'])
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command } from '../../storm/commands/picks.ts'
import { Random } from '../../storm/random.ts'
import { shrink, signature } from '../../storm/shrink.ts'

const command = (name: string, a: number): Command => ({ name, a, b: 7, c: 9 })

test('leaves out what a failure does not need, and makes numbers small', async () => {
  const program = Array.from({ length: 100 }, (_, index) =>
    command(index === 40 ? 'first' : index === 77 ? 'second' : 'other', index)
  )
  const fails = async (commands: readonly Command[]): Promise<string | undefined> => {
    const first = commands.findIndex(({ name }) => name === 'first')
    const second = commands.findIndex(({ name, c }) => name === 'second' && c > 1)
    return first >= 0 && second > first ? `${commands.length} commands, and it fails` : undefined
  }
  const shortest = await shrink(program, fails, '100 commands, and it fails', 60_000)
  assert.equal(shortest, [
    { name: 'first', a: 0, b: 0, c: 0 },
    { name: 'second', a: 0, b: 0, c: 2 },
  ])
})

test('does not take another failure for the same', async () => {
  const program = [command('one', 1), command('two', 2)]
  const fails = async (commands: readonly Command[]): Promise<string> => (commands.length === 2 ? 'this' : 'that')
  assert.is((await shrink(program, fails, 'this', 60_000)).length, 2)
})

test('a failure is known by its text without numbers, arguments and stack', () => {
  assert.is(signature('free(offset 8) threw X: at 99\n  stack'), signature('free(offset 16, by 3) threw X: at 1234'))
  assert.is.not(signature('free(offset 8) threw X'), signature('free(offset 8) threw Y'))
})

test('random numbers depend on the seed alone', () => {
  const draw = (seed: number): number[] => {
    const random = new Random(seed)
    return [random.next(), random.below(100), random.weighted([1, 0, 5])]
  }
  assert.equal(draw(3), draw(3))
  assert.not.equal(draw(3), draw(4))
})

test.run()

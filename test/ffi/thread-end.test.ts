/** Asking whether this thread is to end. What is left of it in real terminations: test/helpers/terminations.ts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { threadEnd } from '../../src/ffi/libc/thread-end.ts'
import { nodes, runChild } from '../helpers/child.ts'
import { compiled } from '../helpers/compiled.ts'
import { throwsCode } from '../helpers/errors.ts'

/** koffi, as far as it is asked: `answers` are given one after another, the last one for ever. */
function fakes(...answers: number[]): Parameters<typeof threadEnd> {
  const func = (): unknown => () => (answers.length > 1 ? answers.shift() : answers[0])
  return [{ node: { env: 5n } }, { func }] as unknown as Parameters<typeof threadEnd>
}

test('while all is well nothing happens; when the thread is to end, no object is made', () => {
  threadEnd(...fakes(1))()
  const ask = threadEnd(...fakes(1, 1, 10))
  ask()
  throwsCode(ask, 'ERR_UNSUPPORTED_OPERATION', 'being terminated')
})

test('a runtime that answers otherwise, or not at all, is not asked', () => {
  threadEnd(...fakes(0))()
  threadEnd(...fakes(9, 10))()
  const none = { func: () => assert.unreachable() } as unknown as Parameters<typeof threadEnd>[1]
  threadEnd({} as Parameters<typeof threadEnd>[0], none)()
})

for (const node of nodes)
  test(`Node ${node.major}: this runtime does answer, in its main thread and in a worker`, async () => {
    const child = await runChild(
      `
      import koffi from ${JSON.stringify(import.meta.resolve('koffi'))}
      const text = \`
        const { default: koffi } = await import(${JSON.stringify(import.meta.resolve('koffi'))})
        post(koffi.load(null).func('int napi_throw(void *, void *)')(koffi.node.env, null))\`
      const thread = new Thread(text)
      report({ main: koffi.load(null).func('int napi_throw(void *, void *)')(koffi.node.env, null), worker: await thread.next() })
      await thread.kill()`,
      { node }
    )
    assert.equal(child.clean().report, { main: 1, worker: 1 })
  })

test('a few real terminations of a worker that makes buffers without end', async () => {
  const child = await runChild(`
    const { terminations } = await import(${JSON.stringify(compiled('test/helpers/terminations'))})
    const { terminated } = await terminations('attach', 10)
    report({ terminated })`)
  assert.is(child.clean().report.terminated, 10)
})

test.run()

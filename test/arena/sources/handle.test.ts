/**
 * Handles that are altered, copied, replayed, put together by hand, or of another process. In a child, on every Node: none of them may
 * end the process, hang, or give a view of anything.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Arena } from '../../../src/arena/arena.ts'
import { HeaderLength, HeaderWord } from '../../../src/arena/format/layout.ts'
import { MiB } from '../../../src/units.ts'
import { compiled, nodes, runChild } from '../../helpers/child.ts'
import { throwsCode } from '../../helpers/errors.ts'
import { FakeOs } from '../../helpers/fake-os.ts'

test('a handle is a small frozen value without an address', () => {
  const os = new FakeOs()
  for (const options of [{ os }, { os, shared: true }]) {
    const arena = Arena.reserve(MiB, options)
    const handle = arena.handle()
    assert.ok(Object.isFrozen(handle))
    assert.equal(Object.keys(handle), ['byteLength', 'generation', 'token', ...(arena.shared ? ['path'] : [])])
    assert.equal(arena.handle(), handle)
    for (const copy of [structuredClone(handle), JSON.parse(JSON.stringify(handle)), { ...handle }]) {
      assert.equal(copy, handle)
      const again = Arena.attach(copy, { os })
      assert.equal([again.byteLength, again.handle()], [MiB, handle])
      again.close()
    }
    // Neither as a number nor as the bytes of one, in either order.
    const [base] = [...os.live.keys()] as unknown as [number]
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(base))
    const text = JSON.stringify(handle)
    for (const form of [`${base}`, base.toString(16), bytes.subarray(2, 6).toString('hex')])
      assert.not(text.includes(form), form)
    arena.close({ detach: true })
    os.live.clear()
  }
})

for (const node of nodes) {
  test(`Node ${node.major}: every field and every bit of a handle is looked at`, async () => {
    const child = await runChild(
      `
      const os = new FakeOs(), codes = {}, wrong = []
      const attempt = (name, handle) => {
        try { Arena.attach(handle, { os }); wrong.push(name) } catch (error) {
          if (error.code === undefined) wrong.push(name + ' ' + error)
          codes[error.code] = (codes[error.code] ?? 0) + 1
        }
      }
      const flipped = (text, bit) => text.slice(0, bit >> 3) + String.fromCharCode(text.charCodeAt(bit >> 3) ^ (1 << (bit & 7))) + text.slice((bit >> 3) + 1)
      const other = Arena.reserve(MiB, { os }), foreign = other.handle()
      let tried = 0
      for (const options of [{ os }, { os, shared: true }]) {
        const arena = Arena.reserve(MiB, options), handle = arena.handle()
        for (const field of ['token', 'generation', 'path']) {
          if (handle[field] === undefined) continue
          for (let bit = 0; bit < 8 * handle[field].length; bit++, tried++) attempt(field + bit, { ...handle, [field]: flipped(handle[field], bit) })
          for (const text of ['', 'x', handle[field] + '0', handle[field].slice(1), handle[field].toUpperCase() + ' ', foreign[field] ?? '/dev/zero', '/dev/null'])
            attempt(field + text, { ...handle, [field]: text })
          for (const value of [null, 5, {}, [], 5n, true]) attempt(field + typeof value, { ...handle, [field]: value })
        }
        for (const byteLength of [0, -1, 1, 4096, MiB - 4096, MiB + 1, MiB + 4096, 2 * MiB, GiB, 2 ** 53, NaN, Infinity, 0.5, '1048576', null, undefined, 1048576n])
          attempt('byteLength ' + byteLength, { ...handle, byteLength })
        attempt('no path', { ...handle, path: options.shared ? undefined : '/dev/zero' })
        attempt('no generation', { byteLength: MiB, token: handle.token })
        attempt('all but the token of another', { ...foreign, token: handle.token })
        Arena.attach(handle, { os }).close()
        arena.close()
        attempt('closed', handle)
      }
      const codesOfAlive = { ...codes }
      report({ tried, wrong, codes, live: os.live.size })
      process.exit(0)`,
      { node }
    )
    const { report } = child.clean()
    assert.equal(report.wrong, [])
    assert.ok(report.tried > 1600, `${report.tried}`)
    assert.equal(Object.keys(report.codes).sort(), ['ERR_ARENA_CLOSED', 'ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE'])
    assert.is(report.codes.ERR_ARENA_CLOSED, 2)
  })

  test(`Node ${node.major}: handles put together by hand, with all that one can get hold of`, async () => {
    const child = await runChild(
      `
      import { createHash } from 'node:crypto'
      const os = new FakeOs(), outcomes = {}
      const attempt = (name, handle) => { try { Arena.attach(handle, { os }); outcomes[name] = 'attached' } catch (error) { outcomes[name] = error.code } }
      const arena = Arena.reserve(MiB, { os }), handle = arena.handle()
      // The sum has no key: so it can be right where the seal is not.
      const forge = (change, fields = handle) => {
        const sealed = Buffer.from(handle.token, 'hex').subarray(0, 32)
        change(sealed)
        const text = JSON.stringify([fields.byteLength, fields.generation, fields.path ?? null])
        const sum = createHash('sha256').update('sorites handle 1').update(sealed).update(text).digest().subarray(0, 8)
        return { ...fields, token: Buffer.concat([sealed, sum]).toString('hex') }
      }
      outcomes.same = forge(() => undefined).token === handle.token
      attempt('a longer arena', forge(() => undefined, { ...handle, byteLength: 2 * MiB }))
      attempt('another generation', forge(() => undefined, { ...handle, generation: '0'.repeat(16) }))
      attempt('a path', forge(() => undefined, { ...handle, path: '/dev/zero' }))
      for (const entry of [0, 1, 31, 32, 33, 100, 16383, 16384, 2 ** 32 - 1]) attempt('entry ' + entry, forge((bytes) => bytes.writeUInt32LE(entry, 0), { ...handle, byteLength: 4096 }))
      for (const uses of [0, 2, 2 ** 32 - 1]) attempt('uses ' + uses, forge((bytes) => bytes.writeUInt32LE(uses, 4)))
      attempt('zeros', forge((bytes) => bytes.fill(0)))
      attempt('ones', forge((bytes) => bytes.fill(255)))
      attempt('another process', forge((bytes) => bytes.fill(7, 8, 16)))
      attempt('another process with a path', forge((bytes) => bytes.fill(7, 8, 16), { ...handle, path: '/dev/zero' }))
      // What handles of this library had once: words that any thread could write.
      attempt('table words', { byteLength: MiB, generation: handle.generation, control: new SharedArrayBuffer(4096) })
      let reads = 0
      const lying = { ...handle, get byteLength() { return ++reads === 1 ? MiB : 2 * MiB } }
      const attached = Arena.attach(lying, { os })
      outcomes.lying = [attached.byteLength, reads]
      attached.close()
      report(outcomes)`,
      { node }
    )
    const { same, lying, ...outcomes } = child.clean().report
    assert.equal([same, lying], [true, [MiB, 1]])
    for (const [name, outcome] of Object.entries(outcomes))
      assert.ok(
        name === 'table words'
          ? outcome === 'ERR_INVALID_ARG_TYPE'
          : ['ERR_OUT_OF_RANGE', 'ERR_CORRUPTED', 'ERR_UNSUPPORTED_OPERATION', 'EACCES'].includes(outcome as string),
        `${name}: ${outcome}`
      )
  })

  test(`Node ${node.major}: a handle that is replayed when its arena is gone, and its entry is another's`, async () => {
    const child = await runChild(
      `
      const os = new FakeOs(), handles = [], codes = new Set()
      for (let round = 0; round < 20; round++) {
        const arena = Arena.reserve(MiB, { os, shared: round % 2 === 1 })
        handles.push(arena.handle())
        arena.close({ detach: true })
        for (const handle of handles) try { Arena.attach(handle, { os }); codes.add('attached') } catch (error) { codes.add(error.code) }
      }
      report({ codes: [...codes], entries: new Set(handles.map(({ token }) => token.slice(0, 8))).size, tokens: new Set(handles.map(({ token }) => token)).size })`,
      { node }
    )
    const { report } = child.clean()
    assert.equal([report.codes, report.tokens], [['ERR_ARENA_CLOSED'], 20])
    assert.ok(report.entries <= 2, `${report.entries}`)
  })

  test(`Node ${node.major}: handles of another process`, async () => {
    const child = await runChild(
      `
      const arena = Arena.reserve(MiB), shared = Arena.reserve(MiB, { shared: true })
      shared.view(Uint8Array, 0, 1)[0] = 9
      const data = [arena.handle(), shared.handle(), { ...shared.handle(), byteLength: 2 * MiB }, { ...shared.handle(), generation: '0123456789abcdef' },
        { path: shared.path, generation: shared.handle().generation, byteLength: MiB + 4096 }]
      const peer = new Peer(\`
        post(data.map((handle) => { try { return Arena.attach(handle).view(Uint8Array, 0, 1)[0] } catch (error) { return error.code + ' ' + error.message.slice(0, 20) } }))
        const own = Arena.reserve(MiB)
        post(own.handle())
        await next()\`, { data })
      const outcomes = await peer.next()
      try { Arena.attach(await peer.next()) } catch (error) { outcomes.push(error.code) }
      await peer.kill()
      report({ outcomes })`,
      { node }
    )
    const [byHandle, byPath, longer, other, plain, theirs] = child.clean().report.outcomes
    assert.equal([byPath, theirs], [9, 'ERR_OUT_OF_RANGE'])
    assert.match(byHandle, 'ERR_OUT_OF_RANGE "source"')
    for (const outcome of [longer, other]) assert.match(outcome, 'ERR_OUT_OF_RANGE "source.token')
    assert.match(plain, 'ERR_OUT_OF_RANGE "source.byteLeng')
  })

  test(`Node ${node.major}: memory that is not what the table says`, async () => {
    const child = await runChild(
      `
      import { readMaps } from ${JSON.stringify(compiled('src/ffi/procfs'))}
      import { systemOs } from ${JSON.stringify(compiled('src/ffi/system'))}
      import { tableOf } from ${JSON.stringify(compiled('test/helpers/thread-table'))}
      const os = new FakeOs(), thread = new FakeOs({ asThread: true }), codes = {}
      const attempt = (name, handle) => { try { Arena.attach(handle, { os: thread }); codes[name] = 'attached' } catch (error) { codes[name] = error.code } }
      const arena = Arena.reserve(MiB, { os }), handle = arena.handle()
      const { base, layout } = tableOf(handle).facts
      const header = new Uint32Array(os.view(base + layout.metadataStart, 256)), lengths = new Float64Array(header.buffer)
      const kept = header.slice()
      const changes = {
        zeros: () => header.fill(0), magic: () => header[0]++, version: () => header[1]++, page: () => header[3]++,
        identity: () => header[${HeaderWord.identity}]++, second: () => header[${HeaderWord.identity} + 1]++,
        byteLength: () => { lengths[${HeaderLength.byteLength}] *= 2 }, metadata: () => { lengths[${HeaderLength.metadataBytes}] += 4096 },
        directory: () => { lengths[${HeaderLength.directoryBytes}] += 4096 }, nan: () => { lengths[${HeaderLength.byteLength}] = NaN },
      }
      for (const [name, change] of Object.entries(changes)) { change(); attempt(name, handle); header.set(kept) }
      Arena.attach(handle, { os: thread }).close()
      // Behind the back of the arena: nothing is mapped any more, then pages that cannot be read.
      const real = systemOs()
      real.release(base, layout.mappingBytes)
      attempt('nothing', handle)
      report({ codes, live: thread.live.size })
      process.exit(0)`,
      { node }
    )
    const { codes, live } = child.clean().report
    assert.is(live, 0)
    const { version, page, identity, second, nothing, ...rest } = codes
    assert.equal([version, page], ['ERR_UNSUPPORTED_OPERATION', 'ERR_UNSUPPORTED_OPERATION'])
    assert.equal([identity, second, nothing], ['ERR_OUT_OF_RANGE', 'ERR_OUT_OF_RANGE', 'ENOMEM'])
    for (const [name, code] of Object.entries(rest)) assert.is(code, 'ERR_CORRUPTED', name)
  })

  test(`Node ${node.major}: more workers come and end than there are places, while one thread keeps the arena open`, async () => {
    const child = await runChild(
      `
      const arena = Arena.reserve(MiB), handle = arena.handle(), sum = arena.view(Int32Array, 0, 1)
      const text = 'Atomics.add(Arena.attach(data).view(Int32Array, 0, 1), 0, 1); post(1)'
      // Their places are all taken by now, and by none that is alive.
      const { tableOf } = await import(${JSON.stringify(compiled('test/helpers/thread-table'))})
      const table = tableOf(handle), os = new FakeOs()
      const words = new Int32Array(os.commons.part(table.place.number >> 6), (table.place.number & 63) * 4096, 1024)
      const fill = () => { for (let word = 20; word + 4 <= 1024; word += 4) if (words[word] === 0) words.set([1, 4_000_000], word) }
      for (let round = 0; round < 5; round++) {
        fill()
        const thread = new Thread(text, handle)
        await thread.next()
        await thread.ended()
      }
      fill()
      Arena.attach(handle).close()
      report({ sum: sum[0] })
      arena.close()`,
      { node }
    )
    assert.equal(child.clean().report, { sum: 5 })
  })
}

test('sources that are none', () => {
  for (const source of [undefined, null, 5, 'x', {}, { control: {} }, { generation: '0' }, [], () => 5])
    throwsCode(() => Arena.attach(source as never), 'ERR_INVALID_ARG_TYPE', '"source"')
  throwsCode(() => Arena.attach({ path: 5 } as never), 'ERR_INVALID_ARG_TYPE', '"source.path"')
  throwsCode(() => Arena.attach({ path: '' }), 'ERR_OUT_OF_RANGE', '"source.path"')
  throwsCode(() => Arena.attach({ fd: '3' } as never), 'ERR_INVALID_ARG_TYPE', '"source.fd"')
  throwsCode(() => Arena.attach({ fd: -1 }), 'ERR_OUT_OF_RANGE', '"source.fd"')
  throwsCode(
    () => Arena.attach({ token: 'x', generation: 'x' } as never),
    'ERR_INVALID_ARG_TYPE',
    '"source.byteLength"'
  )
  throwsCode(
    () => Arena.attach({ token: 'x', generation: 'x', byteLength: 4096 } as never),
    'ERR_OUT_OF_RANGE',
    '"source.token"'
  )
})

test.run()

/**
 * What is published, as far as it can be seen without a network: the packed files, installed by hand, loaded both ways. The whole
 * matrix is `npm run ways`.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BOTH_PROGRAM, CJS_PROGRAM, ESM_PROGRAM } from '../../packaging/cells/cell.ts'
import { exportsOf } from '../../packaging/entries.ts'
import { OtherInstanceError } from '../../src/errors.ts'
import { loadKoffi } from '../../src/ffi/libc/load-koffi.ts'
import { Arena, Bump } from '../../src/index.ts'
import { oneInstance, versionOf } from '../../src/instance.ts'
import { version } from '../../src/version.ts'
import { copyPackage } from '../helpers/built-package.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
// Beside the sources: the compiler and Node look for packages in the folders above.
const scratch = realpathSync(mkdtempSync(join(root, '.build', 'package-')))
const user = join(scratch, 'user')
const installed = join(user, 'node_modules', 'sorites')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

test.before(async () => {
  const packed = join(scratch, 'package')
  mkdirSync(packed)
  const parts: string[] = manifest.files.map((path: string) => path.split('/')[0])
  for (const part of ['package.json', 'README.md', 'LICENSE', ...parts])
    if (part !== 'dist') cpSync(join(root, part), join(packed, part), { recursive: true })
  await copyPackage(join(packed, 'dist'))
  execFileSync('npm', ['pack', '--ignore-scripts', '--offline', '--silent'], { cwd: packed })
  mkdirSync(installed, { recursive: true })
  const tarball = join(packed, `${manifest.name}-${manifest.version}.tgz`)
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed])
  writeFileSync(join(user, 'package.json'), '{ "private": true }')
})

function run(name: string, text: string, cwd = user): string {
  writeFileSync(join(cwd, name), text)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', name], { cwd, encoding: 'utf8' })
  assert.is(status, 0, stdout + stderr)
  return stdout.trim()
}

test('import and require work, and give one instance', () => {
  assert.is(run('main.mjs', ESM_PROGRAM), 'works')
  assert.is(run('main.cjs', CJS_PROGRAM), 'works')
  assert.is(run('both.mjs', BOTH_PROGRAM), 'works')
})

test('so do the file for bundlers, and a second copy of the package', () => {
  const copy = join(user, 'copy')
  cpSync(installed, copy, { recursive: true })
  const program = `
    import { Arena, Heap } from 'sorites'
    import * as bundle from './node_modules/sorites/dist/index.bundle.mjs'
    import * as copy from './copy/dist/index.mjs'
    if (bundle.Arena !== Arena || copy.Arena !== Arena) throw new Error('two instances')
    console.log(Object.keys(bundle).sort().join() === Object.keys(copy).sort().join())`
  assert.is(run('copies.mjs', program), 'true')
})

test('an arena of another version is told by its name', () => {
  const other = join(user, 'other')
  cpSync(installed, other, { recursive: true })
  const library = join(other, 'dist', 'library.cjs')
  const changed = readFileSync(library, 'utf8').replace(`version = '${version}'`, "version = '9.8.7'")
  writeFileSync(library, changed)
  const program = `
    const { Arena } = require('./other/dist/index.cjs')
    const { Heap, OtherInstanceError } = require('sorites')
    try { new Heap(Arena.reserve(2 ** 20)) } catch (error) {
      console.log(error.code, error instanceof OtherInstanceError, error.message.includes('sorites 9.8.7'))
    }`
  assert.is(run('versions.cjs', program), 'ERR_OTHER_INSTANCE true true')
})

test('a realm has an instance of its own, and says so', () => {
  const program = `
    const vm = require('node:vm'), fs = require('node:fs')
    const { Arena } = require('sorites')
    const file = require.resolve('sorites').replace('index.cjs', 'library.cjs')
    const context = vm.createContext({ process, Buffer, URL, setTimeout, clearTimeout, FinalizationRegistry })
    const code = vm.runInContext('(function (exports, require, __filename) {' + fs.readFileSync(file, 'utf8') + '})', context)
    const module_ = {}
    code(module_, require, file)
    try { new module_.library.index.Heap(Arena.reserve(2 ** 20)) } catch (error) { console.log(error.code, error.message.includes('another realm')) }`
  assert.is(run('realm.cjs', program), 'ERR_OTHER_INSTANCE true')
})

test('what is no arena of any version is an argument of the wrong kind', () => {
  const lying = new Proxy({}, { get: () => assert.unreachable() })
  for (const value of [undefined, null, 1, {}, lying, Object.create(null)])
    assert.throws(
      () => new Bump(value as Arena),
      (error: Error & { code?: string }) => error.code === 'ERR_INVALID_ARG_TYPE'
    )
  // What is one of the library's own, but not an arena: of this copy, and of another.
  const own = Arena.reserve(8192)
  const theirs = Object.create({ [Symbol.for('sorites.version')]: '0.0.1', [Symbol.toStringTag]: 'Heap' })
  for (const value of [new Bump(own), theirs])
    assert.throws(
      () => new Bump(value as Arena),
      (error: Error & { code?: string }) => error.code === 'ERR_INVALID_ARG_TYPE' && error.message.includes('an Arena')
    )
  own.close()
  const other = Object.create({ [Symbol.for('sorites.version')]: '0.0.1' })
  assert.throws(
    () => new Bump(other as Arena),
    (error: Error) => error instanceof OtherInstanceError && error.message.includes('0.0.1')
  )
  const arena = Arena.reserve(4096)
  assert.is(versionOf(arena), version)
  arena.close()
})

test('what a first copy exports, a second copy of the version exports', () => {
  const first = oneInstance({ index: 1 })
  assert.is(oneInstance({ index: 2 }), first)
})

test('the version and the entries are those of package.json', () => {
  assert.is(version, manifest.version)
  assert.equal(manifest.exports, exportsOf())
  for (const path of [manifest.main, manifest.module, manifest.types])
    assert.ok(existsSync(join(installed, path)), path)
  const paths = JSON.stringify(manifest.exports).match(/\.\/dist[^"]*/g) as string[]
  for (const path of paths) assert.ok(existsSync(join(installed, path)), path)
})

test('the package has what its README links to, and what its other documents do', () => {
  const documents = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'))
  assert.ok(documents.length > 20)
  for (const document of documents) {
    const text = readFileSync(join(installed, document), 'utf8').replace(/```.*?```/gs, '')
    for (const [, path] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g))
      assert.ok(existsSync(join(installed, dirname(document), path as string)), `${document}: ${path}`)
  }
})

test('TypeScript finds its declarations from modules and from CommonJS, without types of Node', () => {
  const program = `
    import { Heap, mapFile, Arena, type HeapOptions } from 'sorites'
    const options: HeapOptions = { decayMs: -1 }
    const heap = new Heap(Arena.reserve(1), options)
    // @ts-expect-error what is internal is not there
    heap.claim
    export const source: BufferSource = mapFile('x', { mode: 'write' }).bytes
    void Arena.open(new URL('file:///x'))`
  for (const name of ['typed.mts', 'typed.cts']) writeFileSync(join(user, name), program)
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['preserve', 'bundler'],
  ] as const) {
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      'false',
      '--target',
      'es2022',
      '--types',
      '',
    ]
    const given = [
      '--lib',
      'es2022,dom',
      '--module',
      module,
      '--moduleResolution',
      resolution,
      'typed.mts',
      'typed.cts',
    ]
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, ...given], { cwd: user, encoding: 'utf8' })
    assert.is(status, 0, stdout)
  }
})

test('where koffi or its binary is missing, the error says what to install', () => {
  const code = 'ERR_UNSUPPORTED_OPERATION'
  const says = (place: string, words: RegExp): void => {
    assert.throws(
      () => loadKoffi([place]),
      (error: Error & { code?: string }) => error.code === code && words.test(error.message)
    )
  }
  says('/nowhere/main.js', /npm install koffi in the folder of the program.*\/nowhere\/main\.js/)
  const broken = join(scratch, 'broken')
  mkdirSync(join(broken, 'node_modules', 'koffi'), { recursive: true })
  const parts = join(broken, 'node_modules', 'koffi')
  writeFileSync(join(parts, 'index.js'), "throw new Error('Cannot find the native Koffi module')")
  const without = join(scratch, 'without')
  const at = (name: string, text: string): void => {
    mkdirSync(join(without, 'node_modules', name), { recursive: true })
    writeFileSync(join(without, 'node_modules', name, 'index.js'), text)
  }
  at('koffi', "throw new Error('Cannot find the native Koffi module')")
  at(
    `@koromix/koffi-${process.platform}-${process.arch}`,
    "throw Object.assign(new Error('Error loading shared library libstdc++.so.6: No such file'), { code: 'ERR_DLOPEN_FAILED' })"
  )
  says(join(without, 'main.js'), /libstdc\+\+\.so\.6.*apk add libstdc\+\+/)
  // Where the binary can be found from is decided above: it is installed beside the sources.
  const found = existsSync(join(root, 'node_modules', '@koromix'))
  says(join(broken, 'main.js'), found ? /native Koffi module/ : /@koromix\/koffi-linux/)
})

test('koffi is found from the place of a bundle that has been moved beside it', () => {
  const moved = join(scratch, 'moved')
  mkdirSync(join(moved, 'node_modules'), { recursive: true })
  symlinkSync(join(root, 'node_modules', 'koffi'), join(moved, 'node_modules', 'koffi'))
  assert.is(typeof loadKoffi(['/nowhere/main.js', join(moved, 'main.js')]).view, 'function')
})

test.run()

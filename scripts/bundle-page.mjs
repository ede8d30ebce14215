/**
 * Bundles the script and the style of the tool's HTML pages, uPlot and its licence included, into compiled sources:
 *
 *     node scripts/bundle-page.mjs dist        ->  dist/cli/page/page.js.txt, page.css, and dist/THIRD-PARTY-LICENSES.txt
 *
 * The text endings keep other bundlers and loaders from taking a script for browsers as one of their own.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const [out] = process.argv.slice(2)
if (out === undefined) throw new Error('which folder?')

const uplot = join(root, 'node_modules/uplot')
const { version } = JSON.parse(readFileSync(join(uplot, 'package.json'), 'utf8'))
const licence = readFileSync(join(uplot, 'LICENSE'), 'utf8').trim()
const notice = `uPlot ${version}, https://github.com/leeoniya/uPlot\n\n${licence}`

const { outputFiles } = await build({
  entryPoints: [join(root, 'src/cli/browser/page.ts')],
  bundle: true,
  minify: true,
  write: false,
  format: 'iife',
  target: ['chrome100', 'firefox113', 'safari16.4'],
  charset: 'utf8',
  legalComments: 'none',
  tsconfigRaw: { compilerOptions: { target: 'es2023', useDefineForClassFields: false } },
})
const css = readFileSync(join(uplot, 'dist/uPlot.min.css'), 'utf8').trim()

const folder = join(out, 'cli/page')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'page.js.txt'), `/*! ${notice.replaceAll('*/', '* /')} */\n${outputFiles[0].text}`)
writeFileSync(join(folder, 'page.css'), `${css}\n`)
writeFileSync(
  join(out, 'THIRD-PARTY-LICENSES.txt'),
  `What the command-line tool has in it of others. It is part of the HTML pages that the tool writes.\n\n${notice}\n`
)

/**
 * Draws the pictures of the README and of docs/laboratory.md, each with date and machine, into docs/pictures:
 *
 *     where-rss-is.svg   the owners of a process's memory, by `sorites map`
 *     experiment.svg     an experiment of `sorites rss`
 *     heap-map.png       policies on a trace, from the page of `sorites replay`, by Chromium (`CHROMIUM` names another)
 *
 *     npm run pictures
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { machineText } from '../src/cli/machine.ts'
import { type MemoryMap, memoryMap } from '../src/cli/map/memory-map.ts'
import { svgChart } from '../src/cli/page/chart.ts'
import { escapeHtml, paletteStyle } from '../src/cli/page/page.ts'
import { experiment } from '../src/cli/rss/experiments/buffers.ts'
import { chartOf } from '../src/cli/rss/report/picture.ts'
import { runExperiments } from '../src/cli/rss/runner.ts'
import { bytesText, shareText } from '../src/cli/terminal/format.ts'

const root = new URL('../../', import.meta.url)
const folder = fileURLToPath(new URL('docs/pictures', root))
const origin = (command: string): string => `${command}; ${machineText()}; ${new Date().toISOString().slice(0, 10)}`

/** A program with something of each kind. */
const programFor = (
  path: string
): string => `import { Arena, Heap, mapFile, MiB } from ${JSON.stringify(new URL('../src/index.js', import.meta.url).href)}
const objects = Array.from({ length: 400_000 }, (_, at) => ({ at, text: 'entry ' + at, next: undefined }))
const buffers = Array.from({ length: 12_000 }, () => Buffer.alloc(8192, 1))
const heap = new Heap(Arena.reserve(2 ** 34)), blocks = []
for (let at = 0; at < 6000; at++) blocks.push(heap.alloc(Float64Array, 1000).fill(1))
const file = mapFile(${JSON.stringify(path)}, { mode: 'write', create: true, byteLength: 24 * MiB })
file.bytes.fill(1)
process.stdout.write('ready')
setInterval(() => [objects, buffers, blocks, file], 1e6)`

async function whereRssIs(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'sorites-pictures-'))
  const program = programFor(join(scratch, 'table'))
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(child.stdout, 'data')
    return barsOf(memoryMap(child.pid as number))
  } finally {
    child.kill('SIGKILL')
    rmSync(scratch, { recursive: true, force: true })
  }
}

const WIDTH = 960
const ROW = 34
const [LEFT, RIGHT, TOP] = [230, 190, 64]

function barsOf({ owners, total }: MemoryMap): string {
  const shown = owners.filter(({ resident }) => resident >= total.resident / 1000)
  const most = shown[0]!.resident
  const rows = shown.map(({ name, resident }, at) => {
    const y = TOP + ROW * at
    const width = Math.max(1, ((WIDTH - LEFT - RIGHT) * resident) / most).toFixed(1)
    const text = `${bytesText(resident)}, ${shareText(resident / total.resident)}`
    return `<text class="name" x="${LEFT - 12}" y="${y + 16}" text-anchor="end">${escapeHtml(name)}</text>
<rect x="${LEFT}" y="${y}" width="${width}" height="22" rx="2" fill="var(--c${at % 8})"/>
<text class="value" x="${(LEFT + Number(width) + 10).toFixed(1)}" y="${y + 16}">${text}</text>`
  })
  const height = TOP + ROW * shown.length + 36
  const title = `Where the ${bytesText(total.resident)} of a Node process are`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui,sans-serif" role="img" aria-label="${title}">
<style>${paletteStyle('svg')}.paper{fill:var(--paper)}.title{font-size:18px;font-weight:600;fill:var(--ink)}.name,.value{font-size:14px;fill:var(--ink)}.origin{font-size:12px;fill:var(--faint)}</style>
<rect class="paper" width="${WIDTH}" height="${height}"/>
<text class="title" x="24" y="36">${title}</text>
${rows.join('\n')}
<text class="origin" x="24" y="${height - 14}">${escapeHtml(origin('sorites map PID'))}</text>
</svg>
`
}

async function experimentPicture(): Promise<string> {
  const { name, title, hypothesis } = experiment
  const url = new URL(`../src/cli/rss/experiments/${name}.js`, import.meta.url).href
  const [outcome] = await runExperiments([{ name, title, hypothesis, url }], 1)
  return svgChart({ ...chartOf(outcome!), origin: origin(`sorites rss --only ${name}`) })
}

const POLICIES = ['heap', 'best-fit', 'first-fit', 'buddy'] as const
/** A moment at which blocks live and free memory lies between them. */
const MOMENT = 0.6

async function heapMap(): Promise<Buffer> {
  const scratch = mkdtempSync(join(tmpdir(), 'sorites-pictures-'))
  const browser = await chromium.launch({ executablePath: chromiumPath(), chromiumSandbox: false })
  try {
    const page = join(scratch, 'page.html')
    const trace = fileURLToPath(new URL('traces/dot.mtrc.gz', root))
    const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
    const words = ['replay', '--quick', ...POLICIES.flatMap((name) => ['-p', name]), '--html', page, trace]
    const { status } = spawnSync(process.execPath, [main, ...words], { stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) throw new Error(`sorites replay ended with ${status}`)
    const tab = await browser.newPage({ viewport: { width: 1000, height: 900 }, deviceScaleFactor: 1.25 })
    await tab.goto(pathToFileURL(page).href)
    await tab.locator(`figure.heapmap[data-ready] >> nth=${POLICIES.length - 1}`).waitFor()
    await tab.fill('.controls input', String(Math.floor(119 * MOMENT)))
    // The last line of the picture, and nothing that belongs to another part of the page.
    await tab.evaluate(`(() => {
      const maps = document.querySelector('.maps'), part = document.createElement('div'), text = document.createElement('p')
      text.className = 'origin'
      text.textContent = ${JSON.stringify(origin('sorites replay --html page.html dot.mtrc.gz'))}
      part.id = 'picture'
      part.style.padding = '12px'
      text.style.maxWidth = 'none'
      const title = maps.previousElementSibling.previousElementSibling.previousElementSibling
      maps.before(part)
      part.append(title, document.querySelector('.controls'), document.querySelector('.key'), maps, text)
      for (const out of part.querySelectorAll('.cell')) out.remove()
    })()`)
    return await tab.locator('#picture').screenshot()
  } finally {
    await browser.close()
    rmSync(scratch, { recursive: true, force: true })
  }
}

function chromiumPath(): string {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome']
  for (const name of names) {
    const path = name === undefined ? '' : spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim()
    if (path !== '') return path
  }
  throw new Error('the heap map is drawn by Chromium, which is not installed; CHROMIUM may name it')
}

mkdirSync(folder, { recursive: true })
for (const [name, draw] of [
  ['where-rss-is.svg', whereRssIs],
  ['experiment.svg', experimentPicture],
  ['heap-map.png', heapMap],
] as const) {
  const content = await draw()
  writeFileSync(join(folder, name), content)
  console.log(`${name}: ${bytesText(content.length)}`)
}

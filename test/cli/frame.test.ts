/**
 * The tool's frame: finding commands, wrong usage, output files, text for terminals, ticks and charts.
 *
 * Longer than other files: each part of the frame is small, and they share how the tool is run.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCommandLine } from '../../src/cli/arguments.ts'
import type { Command } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { atEnd, Failure, OutputFile, reportFailure, UsageError, undoAll, writeOutput } from '../../src/cli/failure.ts'
import { edits, nearest } from '../../src/cli/nearest.ts'
import { figure, svgChart } from '../../src/cli/page/chart.ts'
import { embedJson, escapeHtml, htmlPage } from '../../src/cli/page/page.ts'
import { thin } from '../../src/cli/page/thin.ts'
import { roundTicks, tickText } from '../../src/cli/page/ticks.ts'
import { bar, bars, lineChart } from '../../src/cli/terminal/chart.ts'
import { bytesText, changeText, countedText, shareText, timeText } from '../../src/cli/terminal/format.ts'
import { Progress } from '../../src/cli/terminal/progress.ts'
import { columnsOf, hasColours, shorten, widthOf } from '../../src/cli/terminal/style.ts'
import { table } from '../../src/cli/terminal/table.ts'

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

function tool(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...words], {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
}

test('--help and --version', () => {
  const help = tool('--help')
  assert.is(help.status, 0)
  assert.match(help.stdout, /Usage/)
  assert.match(help.stdout, /Examples/)
  assert.is(help.stderr, '')
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  assert.is(tool('--version').stdout, `${version}\n`)
})

test('wrong usage: one line on stderr, status 2, nothing on stdout', () => {
  for (const words of [[], ['nothing-like-it'], ['--wrong']]) {
    const { status, stdout, stderr } = tool(...words)
    assert.is(status, 2, words.join(' '))
    assert.is(stdout, '')
    assert.match(stderr, /^sorites: [^\n]+\n$/)
  }
})

test('a result that cannot be written is a failure; a reader that goes away is none', () => {
  const shell = (command: string) =>
    spawnSync('sh', ['-c', command, 'sh', process.execPath, main], { encoding: 'utf8' })
  const full = shell('"$@" --help > /dev/full')
  assert.is(full.status, 1)
  assert.is(full.stderr, 'sorites: cannot write the result: the disk is full\n')
  assert.is(shell('"$@" --help | true').stderr, '')
})

test('completion: scripts that their shells accept, with every command and option', async () => {
  const loaded = await Promise.all(Object.values(COMMANDS).map(({ load }) => load()))
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { status, stdout } = tool('completion', shell)
    assert.is(status, 0)
    for (const { name, options } of loaded)
      for (const word of [name, ...Object.keys(options)]) assert.ok(stdout.includes(word), `${shell}: ${word}`)
    const checked = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' })
    if (checked.error === undefined) assert.is(checked.status, 0, checked.stderr)
  }
  assert.is(tool('completion', 'bsh').status, 2)
  assert.match(tool('completion', 'bsh').stderr, /did you mean "bash"\?/)
  // Of files bash knows better: names may have blanks.
  for (const [words, wanted] of [
    ['rss --re', '--repeats'],
    ['completion z', 'zsh'],
    ['convert ', ''],
  ]) {
    const run = `source <("$@" completion bash); COMP_WORDS=(sorites ${words}); COMP_CWORD=2; _sorites; echo "\${COMPREPLY[*]}"`
    const bash = spawnSync('bash', ['-c', run, 'bash', process.execPath, main], { encoding: 'utf8' })
    if (bash.error === undefined) assert.is(bash.stdout, `${wanted}\n`, bash.stderr)
  }
})

test('every command is named as in the list, and explains itself', async () => {
  for (const [name, { load, summary, example }] of Object.entries(COMMANDS)) {
    const command = await load()
    assert.is(command.name, name)
    assert.ok(summary !== '' && example.includes(`sorites ${name}`))
    const { stdout, status } = tool(name, '--help')
    assert.is(status, 0)
    for (const option of Object.keys(command.options)) assert.ok(stdout.includes(`--${option}`), `${name} --${option}`)
    assert.ok(command.examples.length > 0 && command.examples.every((line) => stdout.includes(line)))
    assert.is(tool('help', name).stdout, stdout)
  }
})

test('the list of commands loads none of them', () => {
  // Every file that is imported at once from main.js on, by the text of the compiled files.
  const seen = new Set<string>()
  const visit = (url: URL): void => {
    if (seen.has(url.pathname)) return
    seen.add(url.pathname)
    for (const [, path] of readFileSync(url, 'utf8').matchAll(/^(?:import|export) [^;]*?from '(\..*?)'/gms))
      visit(new URL(path as string, url))
  }
  visit(new URL('../../src/cli/main.js', import.meta.url))
  const names = [...seen].map((path) => path.replace(/^.*\/src\//, ''))
  assert.ok(names.includes('cli/commands.js'))
  assert.equal(
    names.filter((name) => !/^cli\/[\w-]+\.js$|^cli\/terminal\/style\.js$/.test(name)),
    []
  )
})

test('the nearest name', () => {
  assert.is(edits('watch', 'wacth'), 1)
  assert.is(edits('', 'abc'), 3)
  assert.is(nearest('replya', ['map', 'replay', 'rss']), 'replay')
  assert.is(nearest('rep', ['map', 'replay', 'rss']), 'replay')
  assert.is(nearest('xyzzy', ['map', 'replay', 'rss']), undefined)
  assert.is(nearest('a', []), undefined)
})

const example: Command = {
  name: 'example',
  summary: '',
  usage: '',
  options: {
    json: { type: 'boolean', help: '' },
    repeats: { type: 'string', short: 'r', help: '' },
    only: { type: 'string', multiple: true, help: '' },
  },
  examples: [],
  run: async () => 0,
}

test('arguments', () => {
  const given = parseCommandLine({ ...example, takesProgram: true }, [
    'a',
    '--json',
    '-r',
    '3',
    '--only',
    'x',
    '--only=y',
    '--',
    'node',
    '--json',
  ])
  assert.equal(given.positionals, ['a'])
  assert.equal(given.program, ['node', '--json'])
  assert.ok(given.flag('json'))
  assert.is(given.number('repeats', 1, 10), 3)
  assert.equal(given.texts('only'), ['x', 'y'])
  assert.is(given.text('absent'), undefined)
  for (const words of [['--jsn'], ['--repeats'], ['--json=1'], ['a', '--', 'b']])
    assert.throws(
      () => parseCommandLine(example, words),
      (error: Error) => error instanceof UsageError
    )
  assert.throws(() => parseCommandLine(example, ['--jsn']), /did you mean --json\?/)
  for (const text of ['0', '11', 'x', '', 'NaN', 'Infinity'])
    assert.throws(
      () => parseCommandLine(example, [`--repeats=${text}`]).number('repeats', 1, 10),
      /expects a number from 1 to 10/
    )
})

test('an output file appears whole or not at all', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-'))
  const path = join(folder, 'out.html')
  writeFileSync(path, 'old')
  const output = new OutputFile(path)
  output.write('half')
  assert.is(readFileSync(path, 'utf8'), 'old')
  undoAll()
  assert.equal(readdirSync(folder), ['out.html'])
  writeOutput(path, 'new')
  assert.is(readFileSync(path, 'utf8'), 'new')
  assert.equal(readdirSync(folder), ['out.html'])
  assert.throws(
    () => writeOutput(join(folder, 'no', 'out'), ''),
    (error: Error) => error instanceof Failure && /no such file/.test(error.message)
  )
  assert.throws(
    () => writeOutput(folder, ''),
    (error: Error) => error instanceof Failure && /folder/.test(error.message)
  )
  symlinkSync('out.html', join(folder, 'link'))
  writeOutput(join(folder, 'link'), 'through')
  assert.is(readFileSync(path, 'utf8'), 'through')
  rmSync(join(folder, 'link'))
  assert.throws(() => writeOutput('/dev/full', 'x'), /cannot write \/dev\/full: the disk is full/)
  assert.equal(readdirSync(folder), ['out.html'])
  rmSync(folder, { recursive: true })
})

test('what is registered is undone once, the newest first, whatever fails', () => {
  const done: string[] = []
  atEnd(() => done.push('first'))
  const cancel = atEnd(() => done.push('cancelled'))
  atEnd(() => {
    throw new Error('no')
  })
  atEnd(() => done.push('last'))
  cancel()
  undoAll()
  undoAll()
  assert.equal(done, ['last', 'first'])
})

test('a failure is one line, with its status', () => {
  const write = process.stderr.write
  let text = ''
  process.stderr.write = ((chunk: string) => {
    text += chunk
    return true
  }) as typeof write
  try {
    assert.is(reportFailure(new Failure('a\n  b')), 1)
    assert.is(reportFailure(new UsageError('c')), 2)
    assert.is(reportFailure('d'), 1)
    assert.is(reportFailure(new Failure('\u001b[31me\u009b\u202e')), 1)
  } finally {
    process.stderr.write = write
  }
  assert.is(text, 'sorites: a b\nsorites: c\nsorites: d\nsorites: \ufffd[31me\ufffd\ufffd\n')
})

test('numbers as people read them', () => {
  assert.is(bytesText(0), '0 B')
  assert.is(bytesText(1023), '1023 B')
  assert.is(bytesText(1536), '1.50 KiB')
  assert.is(bytesText(2 ** 30 * 100), '100 GiB')
  assert.is(changeText(-2048), '−2.00 KiB')
  assert.is(timeText(0.25), '250 µs')
  assert.is(timeText(61_000), '1 min 1 s')
  assert.equal([9999, 59_990, 119_700, 3_599_900].map(timeText), ['10.0 s', '1 min 0 s', '2 min 0 s', '1 h 0 min'])
  assert.equal(
    [0, 1, 1200].map((n) => countedText(n, 'block')),
    ['0 blocks', '1 block', '1,200 blocks']
  )
  assert.is(shareText(0.005), '0.5 %')
})

test('round ticks', () => {
  assert.equal(roundTicks(0, 9, 4), [0, 5, 10])
  assert.equal(
    roundTicks(0, 100 * 2 ** 20, 4, 'bytes'),
    [0, 1, 2, 3, 4].map((i) => i * 2 ** 25)
  )
  assert.equal(roundTicks(0, 0, 4), [0, 1])
  for (const kind of ['bytes', 'time', 'count', 'share'] as const)
    for (const top of [1e-7, 0.3, 1, 7, 999, 12345, 9e6, 3e9, 5e14]) {
      const ticks = roundTicks(0, top, 5, kind)
      assert.ok(ticks.length >= 2 && ticks.length <= 12, `${kind} ${top}`)
      assert.is(ticks[0], 0)
      assert.ok(ticks.at(-1)! >= top * (1 - 1e-9))
    }
  assert.is(tickText(512 * 1024, 'bytes', 2 ** 20), '0.5 MiB')
  assert.is(tickText(1500, 'time', 2000), '1.5 s')
})

test('text for terminals', () => {
  assert.is(bar(0, 8), '')
  assert.is(bar(0.0001, 8), '▏')
  assert.is(bar(0.5, 8), '████')
  assert.is(shorten('abcdef', 4), 'abc…')
  assert.is(shorten('abcdef', 4, 'end'), '…def')
  const narrow = { columns: 44 }
  const text = table(
    [
      { title: 'path', flexible: 'end' },
      { title: 'size', align: 'right' },
    ],
    [['/a/very/long/path/that/does/not/fit/in/it', '1 B']],
    narrow
  )
  assert.ok(
    text.split('\n').every((line) => columnsOf(line) <= 44),
    text
  )
  assert.match(
    bars(
      [
        { label: 'a', value: 1, text: '1' },
        { label: 'b', value: 0, text: '0' },
      ],
      narrow
    ),
    /█/
  )
  const chart = lineChart(
    {
      x: 'time',
      y: 'bytes',
      series: [
        {
          name: 's',
          points: [
            [0, 0],
            [1000, 2 ** 20],
          ],
        },
      ],
    },
    narrow
  )
  assert.ok(
    chart.split('\n').every((line) => columnsOf(line) <= 50),
    chart
  )
  assert.match(chart, /MiB/)
  assert.is(lineChart({ x: 'time', y: 'bytes', series: [] }, narrow), '(nothing to draw)')
})

test('a narrow terminal gets fewer columns, a chart without colours letters', () => {
  const columns = [
    { title: 'owner', flexible: 'end' },
    { title: 'resident', align: 'right' },
    { title: 'dirty', align: 'right', spare: 1 },
    { title: 'mappings', align: 'right', spare: 2 },
  ] as const
  const rows = [['a name that is long', '1234567890 MiB', '1234567890 MiB', '12']]
  const width = (wide: number) => table(columns, rows, { columns: wide }).split('\n')
  assert.match(width(80)[0]!, /owner +resident +dirty +mappings/)
  assert.match(width(44)[0]!, /owner +resident +dirty$/)
  assert.match(width(40)[0]!, /owner +resident$|owner +resident +dirty$/)
  for (const wide of [40, 44, 60]) for (const line of width(wide)) assert.ok(columnsOf(line) <= wide, line)
  const points = (height: number) => Array.from({ length: 60 }, (_, at): [number, number] => [at, height])
  const chart = lineChart(
    {
      x: 'count',
      y: 'bytes',
      series: [
        { name: 'low', points: points(2 ** 20) },
        { name: 'high', points: points(2 ** 22) },
      ],
    },
    { isTTY: false, columns: 60 }
  ).split('\n')
  assert.match(chart.at(-1)!, /A low {3}B high/)
  assert.ok(chart.some((line) => line.includes('A')) && chart.some((line) => line.includes('B')))
  assert.match(chart.at(-2)!, /0 .* 40 *$/)
  const crowd = {
    x: 'count',
    y: 'count',
    series: Array.from({ length: 8 }, () => ({ name: 'a long name', points: points(1) })),
  } as const
  for (const line of lineChart(crowd, { columns: 40 }).split('\n')) assert.ok(columnsOf(line) <= 40, line)
})

test('Ctrl-C while nothing comes on standard input', async () => {
  for (const words of [
    ['convert', '-', '/dev/null'],
    ['replay', '-'],
  ]) {
    // It reads when a little is there and the end is not: what comes first is taken, and then it waits.
    const child = spawn(process.execPath, [main, ...words], { stdio: ['pipe', 'ignore', 'inherit'] })
    child.stdin.write('1: malloc 0x1 1\n')
    while (child.stdin.writableLength > 0) await once(child.stdin, 'drain')
    // SIGHUP is the last that the tool listens to.
    while (!/^SigCgt:\s*[0-9a-f]*[13579bdf]$/m.test(readFileSync(`/proc/${child.pid}/status`, 'latin1')))
      await new Promise(setImmediate)
    child.kill('SIGINT')
    const [status] = await once(child, 'close')
    assert.is(status, 130)
  }
})

test('colours and width', () => {
  const { NO_COLOR, FORCE_COLOR, COLUMNS } = process.env
  delete process.env.FORCE_COLOR
  delete process.env.NO_COLOR
  delete process.env.COLUMNS
  process.env.TERM = 'xterm'
  assert.is(hasColours({ isTTY: true }), true)
  assert.is(hasColours({}), false)
  process.env.NO_COLOR = '1'
  assert.is(hasColours({ isTTY: true }), false)
  delete process.env.NO_COLOR
  assert.is(widthOf({}), 80)
  assert.is(widthOf({ columns: 100 }), 100)
  assert.is(widthOf({ columns: 3 }), 40)
  Object.assign(process.env, {
    ...(NO_COLOR && { NO_COLOR }),
    ...(FORCE_COLOR && { FORCE_COLOR }),
    ...(COLUMNS && { COLUMNS }),
  })
})

test('progress: on a terminal, after a second', () => {
  let now = 0
  let text = ''
  const stream = { isTTY: true, columns: 80, write: (chunk: string) => (text += chunk) }
  const progress = new Progress(10, stream, () => now)
  progress.update(1, 'early')
  assert.is(text, '')
  now = 2000
  progress.update(5, 'half')
  assert.match(text, /50 %, 2\.00 s left: half/)
  progress.stop()
  assert.ok(text.endsWith('\r\u001b[2K'))
  const silent = new Progress(10, { ...stream, isTTY: false, write: () => assert.unreachable() }, () => now)
  now = 9000
  silent.update(5, '')
  silent.stop()
})

test('thinning keeps ends and extremes', () => {
  const points = Array.from({ length: 10_000 }, (_, x) => [x, x === 5000 ? 100 : Math.sin(x)] as const)
  const kept = thin(points, 200)
  assert.ok(kept.length <= 200)
  assert.equal([kept[0], kept.at(-1)], [points[0], points.at(-1)])
  assert.ok(kept.some(([, y]) => y === 100))
  assert.ok(kept.every(([x], i) => i === 0 || x > kept[i - 1]![0]))
})

test('pages: self-contained, and names cannot break out', () => {
  const nasty = '</script><script>alert(1)</script>"\'&'
  const chart = {
    title: nasty,
    x: 'time',
    y: 'bytes',
    stacked: true,
    series: [
      {
        name: nasty,
        points: [
          [0, 1],
          [1, 2],
        ],
      },
    ],
    marks: [{ x: 0.5, label: nasty }],
  } as const
  const page = htmlPage({ title: nasty, body: figure(chart) })
  assert.not.match(page, /<script>alert/)
  assert.not.match(page, /(src|href)=/)
  assert.match(page, /prefers-color-scheme:dark/)
  assert.not.match(svgChart(chart), /<script/)
  assert.not.match(svgChart(chart), /NaN|undefined|Infinity/)
  assert.not.match(figure({ ...chart, series: [] }), /NaN|undefined|Infinity/)
  assert.is(embedJson('</'), '"\\u003c/"')
  assert.is(escapeHtml('<'), '&lt;')
})

test.run()

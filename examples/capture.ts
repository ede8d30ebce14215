/**
 * Runs an example as its user does, with its defaults, and puts what it prints into docs/examples.md.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { originText, replaceSection } from '../bench/report/page.ts'

const page = fileURLToPath(new URL('../../docs/examples.md', import.meta.url))
const main = fileURLToPath(new URL('./main.js', import.meta.url))

export function capture(name: string): void {
  console.error(name)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', main, name], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  if (status !== 0) throw new Error(`${name} ended with status ${status}\n${stdout}${stderr}`)
  if (!replaceSection(page, name, captureText(name, stdout)))
    throw new Error(`docs/examples.md has no <!-- ${name} --> … <!-- /${name} -->`)
}

/** What the page has of an example that printed this. */
export function captureText(name: string, printed: string): string {
  const lines = printed
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd())
  while (lines[0] === '') lines.shift()
  return `${originText(`npm run example -- ${name}`)}\n\n\`\`\`text\n${lines.join('\n')}\n\`\`\``
}

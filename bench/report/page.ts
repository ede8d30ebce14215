/**
 * The pages that show results: between markers, `<!-- name -->` and `<!-- /name -->`, in bench/README.md and, where it has them, README.md;
 * docs/examples.md too (examples/capture.ts).
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = new URL('../../../', import.meta.url)
const readme = fileURLToPath(new URL('README.md', root))
const benchReadme = fileURLToPath(new URL('bench/README.md', root))

/** `2 × AMD EPYC, Linux 6.18.44`. */
export function machineText(): string {
  return `${availableParallelism()} × ${cpus()[0]?.model.trim()}, Linux ${release()}`
}

export function today(): string {
  return new Date().toISOString().slice(0, 10)
}

/** What stands above every result, in one line: machine, Node and date; the command. */
export function originText(command: string, node: string = `Node ${process.version}`): string {
  return `*${machineText()}, ${node}; ${today()}; \`${command}\`*`
}

/** Replaces what stands between a bench's two markers in bench/README.md. */
export function writeSection(name: string, text: string): void {
  if (!replaceSection(benchReadme, name, text))
    throw new Error(`bench/README.md has no <!-- ${name} --> … <!-- /${name} -->`)
}

/** The same in README.md, where its author wants it, in its short lines; links that are relative to bench are made to lead there. */
export function writeFrontSection(name: string, text: string): void {
  replaceSection(readme, name, brokenOrigin(text.replaceAll(/\]\((?!\w+:)/g, '](bench/')))
}

/** The line of `originText`, when it is long, with the command on a line of its own. */
export function brokenOrigin(text: string): string {
  return text.replaceAll(/^(\*.{100,}; \d{4}-\d\d-\d\d;) (`.*`\*)$/gm, '$1\n$2')
}

/** Replaces what stands between two markers of a page. Whether it has them. */
export function replaceSection(file: string, name: string, text: string): boolean {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const page = readFileSync(file, 'utf8')
  const [start, end] = [page.indexOf(open), page.indexOf(close)]
  if (start < 0 || end < start) return false
  writeFileSync(file, `${page.slice(0, start)}${open}\n${text.trim()}\n${page.slice(end)}`)
  return true
}

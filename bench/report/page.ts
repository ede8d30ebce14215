/**
 * bench/README.md, where results stand between markers: `<!-- name -->` and `<!-- /name -->`.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'

const readme = fileURLToPath(new URL('../../../bench/README.md', import.meta.url))

/** `2 × AMD EPYC, Linux 6.18.44`. */
export function machineText(): string {
  return `${availableParallelism()} × ${cpus()[0]?.model.trim()}, Linux ${release()}`
}

export function today(): string {
  return new Date().toISOString().slice(0, 10)
}

/** The line above every result: machine, Node, date, command. */
export function originText(command: string, node: string = `Node ${process.version}`): string {
  return `*${machineText()}, ${node}; ${today()}; \`${command}\`*`
}

/** Replaces what stands between a bench's two markers. */
export function writeSection(name: string, text: string): void {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const page = readFileSync(readme, 'utf8')
  const [start, end] = [page.indexOf(open), page.indexOf(close)]
  if (start < 0 || end < start) throw new Error(`bench/README.md has no ${open} … ${close}`)
  writeFileSync(readme, `${page.slice(0, start)}${open}\n${text.trim()}\n${page.slice(end)}`)
}

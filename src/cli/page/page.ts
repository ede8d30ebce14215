/**
 * Self-contained HTML pages: one file with its style and script inline, no request to anywhere, so that it works offline and from `file:`.
 *
 * Light and dark by the reader's setting; everything that a mouse can do, the keyboard can. A content security policy in the page
 * forbids every request. All text from data goes through `escapeHtml`.
 *
 * The script draws the charts (uPlot) and heap maps. Its sources are in src/cli/browser; scripts/bundle-page.mjs makes one file of them
 * when the package is built.
 * @module
 */
import { readFileSync } from 'node:fs'

export interface Page {
  readonly title: string
  /** HTML. */
  readonly body: string
  /** More CSS, after the common one. */
  readonly style?: string
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => ENTITIES[letter] as string)
}

/** JSON that may stand inside a script element. */
export function embedJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}

/** Colours of series, which can be told apart with red-green blindness (Okabe and Ito). */
export const PALETTE_LIGHT = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
  '#8a7f00',
  '#7f7f7f',
] as const
export const PALETTE_DARK = [
  '#4aa3df',
  '#f0b53a',
  '#2fc79a',
  '#e09cc4',
  '#8fd0f5',
  '#ff8244',
  '#e8dc3c',
  '#a5a5a5',
] as const

/** Of lines that are drawn over areas. */
const OVERLAY_LIGHT = ['#1b1f24', '#7a1fa2', '#a31515', '#0b4f1c'] as const
const OVERLAY_DARK = ['#ffffff', '#d9a3ff', '#ff9c94', '#b6f5b0'] as const

/** Variables of the palette, for a page or for an SVG that stands alone. */
export function paletteStyle(selector: string): string {
  const variables = (colours: readonly string[], ink: string, paper: string, grid: string, faint: string): string =>
    `${colours.map((colour, index) => `--c${index}:${colour}`).join(';')};--ink:${ink};--paper:${paper};--grid:${grid};--faint:${faint}`
  return `${selector}{${variables([...PALETTE_LIGHT, ...OVERLAY_LIGHT], '#1b1f24', '#ffffff', '#d8dee4', '#57606a')}}
@media (prefers-color-scheme:dark){${selector}{${variables([...PALETTE_DARK, ...OVERLAY_DARK], '#e6edf3', '#0d1117', '#30363d', '#9198a1')}}}`
}

const STYLE = `${paletteStyle(':root')}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:72rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;margin:0 0 .5rem}h2{font-size:1.2rem;margin:2rem 0 .5rem}
p,li{max-width:48rem}.origin{color:var(--faint);font-size:.875rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{padding:.2rem .75rem .2rem 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
code{font:0.9em ui-monospace,monospace}
:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
.held{color:var(--c2)}.refuted{color:var(--c5)}`

/** The whole text of the file. */
export function htmlPage({ title, body, style = '' }: Page): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${asset('page.css')}${STYLE}${style}</style>
</head>
<body>
${body}
<script>${asset('page.js.txt').replaceAll('</script', '<\\/script')}</script>
</body>
</html>
`
}

/** A file that the build puts beside this one. */
function asset(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8')
}

/** A table; the first column holds words. */
export function htmlTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`
  return `<table><thead>${cells('th', titles)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table>`
}

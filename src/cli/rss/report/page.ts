/**
 * All experiments on one self-contained page.
 * @module
 */

import { machineText } from '../../machine.ts'
import { FIGURE_STYLE, figure } from '../../page/chart.ts'
import { escapeHtml, htmlPage, htmlTable } from '../../page/page.ts'
import { figureText } from '../judgement.ts'
import type { Outcome } from '../runner.ts'
import { chartOf } from './picture.ts'

export function pageOf(outcomes: readonly Outcome[], now: Date = new Date()): string {
  const held = outcomes.filter((one) => one.held && one.skipped === undefined).length
  const made = outcomes.filter(({ skipped }) => skipped === undefined).length
  const body = `<h1>Experiments with resident memory</h1>
<p class="origin">${escapeHtml(machineText())}; ${now.toISOString().slice(0, 10)}; <code>sorites rss</code></p>
<p>${held} of ${made} hypotheses held.</p>
<nav><ul>${outcomes.map((one) => `<li><a href="#${one.name}">${escapeHtml(one.title)}</a>: ${word(one)}</li>`).join('')}</ul></nav>
${outcomes.map(section).join('\n')}`
  return htmlPage({ title: 'sorites rss', body, style: FIGURE_STYLE })
}

function word({ skipped, held }: Outcome): string {
  if (skipped !== undefined) return 'not made'
  return held ? '<span class="held">held</span>' : '<span class="refuted">did not hold</span>'
}

function section(outcome: Outcome): string {
  const { name, title, hypothesis, skipped, verdicts } = outcome
  const head = `<h2 id="${name}">${escapeHtml(title)}</h2><p><b>Hypothesis:</b> ${escapeHtml(hypothesis)}</p>`
  if (skipped !== undefined) return `<section>${head}<p>Not made: ${escapeHtml(skipped)}</p></section>`
  const lines = verdicts.map(
    (verdict) =>
      `<li class="${verdict.held ? 'held' : 'refuted'}">${verdict.held ? '✓' : '✗'} ${escapeHtml(verdict.text)}</li>`
  )
  return `<section>${head}${figure(chartOf(outcome))}${stepTable(outcome)}<ul>${lines.join('')}</ul></section>`
}

const COLUMNS = [
  'reserved',
  'resident',
  'anonymous',
  'file',
  'shared',
  'mincore',
  'minorFaults',
  'milliseconds',
] as const

function stepTable({ steps }: Outcome): string {
  const rows = steps.map(({ name, change }) => [
    name,
    ...COLUMNS.map((title) => {
      const { median, low, high } = change[title] ?? { median: 0, low: 0, high: 0 }
      const spread = high === low ? '' : ` (${figureText(title, low)} to ${figureText(title, high)})`
      return `${figureText(title, median)}${spread}`
    }),
  ])
  return htmlTable(['change in the step', ...COLUMNS], rows)
}

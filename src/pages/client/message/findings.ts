/** What is to be looked at in a message, in the order in which its reader meets it. */
import { html, nothing, type TemplateResult } from 'lit'
import type { FindingView } from '../../wire.ts'
import { type IconName, icon } from '../icons.ts'

const GROUPS: readonly (readonly [FindingView['group'], string])[] = [
  ['row', 'This row'],
  ['inbox', 'In the inbox'],
  ['programs', 'Mail programs'],
  ['readers', 'For every reader'],
  ['weight', 'Weight'],
  ['links', 'Links'],
]

const SIGNS: Readonly<Record<FindingView['severity'], readonly [icon: IconName, look: string]>> = {
  error: ['failed', 'err'],
  warning: ['warn', 'warn'],
  info: ['info', 'info'],
  passed: ['done', 'ok'],
}

/** Findings that ask for a look. */
export function toLookAt(findings: readonly FindingView[]): number {
  return findings.filter(({ severity }) => severity === 'error' || severity === 'warning').length
}

export function findingList(findings: readonly FindingView[]): TemplateResult {
  const groups = GROUPS.map(([group, words]) => ({ words, of: findings.filter((finding) => finding.group === group) }))
  return html`${groups.map(({ words, of }) =>
    of.length === 0 ? nothing : html`<section><h3>${words}</h3>${of.map(oneFinding)}</section>`,
  )}`
}

function oneFinding({ severity, title, effect, place }: FindingView): TemplateResult {
  const [name, look] = SIGNS[severity]
  return html`<div class="finding ${look}">${icon(name)}<b>${title}</b>
    ${effect === undefined ? nothing : html`<p>${effect}</p>`}
    ${place === undefined ? nothing : html`<code class="place">${place}</code>`}
  </div>`
}

export function findingsPill(findings: readonly FindingView[]): TemplateResult {
  const rows = toLookAt(findings)
  if (rows === 0) return html`<span class="st sent pill">${icon('sent')}Nothing to look at</span>`
  return html`<span class="st doubt pill">${icon('warn')}${rows} to look at</span>`
}

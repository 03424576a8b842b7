/** What is to be looked at in a message, in the order in which its reader meets it. */
import { html, nothing, type TemplateResult } from 'lit'
import type { FindingView, Question } from '../../wire.ts'
import { type IconName, icon } from '../icons.ts'
import { type OnPlace, placeLink } from './place-link.ts'

const GROUPS: readonly (readonly [FindingView['group'], string])[] = [
  ['row', 'This row'],
  ['inbox', 'In the inbox'],
  ['programs', 'Mail programs'],
  ['readers', 'For every reader'],
  ['weight', 'Weight'],
  ['links', 'Links'],
  ['spam', 'Spam filter'],
]

export const FINDING_SIGNS: Readonly<Record<FindingView['severity'], readonly [icon: IconName, look: string]>> = {
  error: ['failed', 'err'],
  warning: ['warn', 'warn'],
  info: ['info', 'info'],
  passed: ['done', 'ok'],
}

/** Findings that ask for a look. */
export function toLookAt(findings: readonly FindingView[]): number {
  return findings.filter(({ severity }) => severity === 'error' || severity === 'warning').length
}

/** Places of one finding that are listed; more are counted. */
const LISTED = 6

/** What can be done from the list of findings. */
export interface FindingActions {
  readonly onPlace?: OnPlace
  /** Asks what a finding offers to ask. */
  readonly onAsk?: ((what: Question) => void) | undefined
  /** It is asked now, and not answered yet. */
  readonly isAsked?: ((what: Question) => boolean) | undefined
}

const ASK_WORDS: Readonly<Record<Question, string>> = { links: 'Check the links', spam: 'Ask the spam filter' }

export function findingList(findings: readonly FindingView[], actions: FindingActions): TemplateResult {
  const groups = GROUPS.map(([group, words]) => ({ words, of: findings.filter((finding) => finding.group === group) }))
  return html`${groups.map(({ words, of }) =>
    of.length === 0
      ? nothing
      : html`<section><h3>${words}</h3>${of.map((one) => oneFinding(one, findings.indexOf(one), actions))}</section>`,
  )}`
}

/** Brings one of the findings into sight, wherever their list is shown, and the focus to it. */
export function revealFinding(findings: readonly FindingView[], finding: FindingView): void {
  const at = findings.indexOf(finding)
  const lists = [...document.querySelectorAll<HTMLElement>(`[data-finding="${at}"]`)]
  const shown = lists.find((one) => one.offsetParent !== null)
  shown?.scrollIntoView({ block: 'center' })
  shown?.focus({ preventScroll: true })
}

function oneFinding(
  { severity, title, effect, places = [], column, url, asks, share }: FindingView,
  index: number,
  { onPlace, onAsk, isAsked }: FindingActions,
): TemplateResult {
  const [name, look] = FINDING_SIGNS[severity]
  const more = places.length - LISTED
  return html`<div class="finding ${look}" data-finding=${index} tabindex="-1">${icon(name)}<b>${title}</b>
    ${effect === undefined ? nothing : html`<p>${effect}${url === undefined ? nothing : html` <a href=${url} target="_blank" rel="noopener noreferrer">caniemail.com</a>`}</p>`}
    ${column === undefined ? nothing : html`<code class="place">column ${column}</code>`}
    ${places.slice(0, LISTED).map((place) => placeLink(place, onPlace))}
    ${more > 0 ? html`<p>And ${more} more places.</p>` : nothing}
    ${share === undefined ? nothing : html`<div class="meter"><i .style=${`width:${Math.round(share * 100)}%`}></i></div>`}
    ${asks !== undefined && onAsk !== undefined ? html`<button type="button" class="btn" aria-disabled=${String(isAsked?.(asks) === true)} @click=${() => onAsk(asks)}>${isAsked?.(asks) === true ? 'Waiting for an answer' : ASK_WORDS[asks]}</button>` : nothing}
  </div>`
}

export function findingsPill(findings: readonly FindingView[]): TemplateResult {
  const rows = toLookAt(findings)
  if (rows > 0) return html`<span class="st doubt pill">${icon('warn')}${rows} to look at</span>`
  // How heavy it is, and what can be asked, is not a note about it.
  const notes = findings.filter(
    ({ severity, share, asks }) => severity === 'info' && (share ?? asks) === undefined,
  ).length
  if (notes === 0) return html`<span class="st sent pill">${icon('sent')}Nothing to look at</span>`
  return html`<span class="st skipped pill">${icon('info')}No warnings, ${notes === 1 ? '1 note' : `${notes} notes`}</span>`
}

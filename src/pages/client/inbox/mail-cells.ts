/** A message in the list of an inbox: its lines, the signs of what is said of it, and the filters by these. */
import { html, nothing, type TemplateResult } from 'lit'
import type { MailFilter, MailRow } from '../../wire.ts'
import { clockTime, count, isToday, shortTime } from '../format.ts'
import { icon } from '../icons.ts'

export const FILTERS: readonly (readonly [MailFilter, string])[] = [
  ['all', 'All'],
  ['new', 'New'],
  ['attachments', 'Attachments'],
  ['refused', 'Refused'],
]

const FAULT_WORDS = {
  refuse: 'Was refused, on order',
  defer: 'Was put off, on order',
  drop: 'Was hung up on, on order',
}

/** `isFresh` where nobody has looked at it. */
export function mailCells(
  { at, who, subject, preheader, row, hasAttachment, fault }: MailRow,
  isFresh: boolean,
): TemplateResult {
  const came = new Date(at)
  const time = isToday(came) ? clockTime(came) : shortTime(came)
  return html`<div class="mi ${isFresh ? 'new' : ''}">
    ${who === '' ? html`<span class="cut who none">nobody</span>` : html`<bdi class="cut who">${who}</bdi>`}
    <time class="num" datetime=${at}>${time}</time>
    ${subject === '' ? html`<span class="cut sub none">no subject</span>` : html`<bdi class="cut sub">${subject}</bdi>`}
    <span class="fl">${isFresh ? html`<span class="vh">New</span>` : nothing}
      ${fault === undefined ? nothing : icon('failed', { label: FAULT_WORDS[fault], look: 'err' })}
      ${hasAttachment ? icon('clip', { label: 'Has attachments' }) : nothing}</span>
    ${preheader === '' ? html`<span class="cut pre none">empty</span>` : html`<bdi class="cut pre">${preheader}</bdi>`}
    <span class="num rw">${row === undefined ? '' : `row ${count(row)}`}</span></div>`
}

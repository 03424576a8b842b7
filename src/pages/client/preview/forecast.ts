/** What a run would do, in the drawer before it: what stops it, who gets it, who does not, when, how large, the command. */
import { html, nothing, type TemplateResult } from 'lit'
import type { ForecastView, LeftOutWhy, PaceView, SizesView } from '../../wire.ts'
import { copyable } from '../copyable.ts'
import type { DialogContent } from '../dialog.ts'
import { count, size } from '../format.ts'
import { type IconName, icon } from '../icons.ts'

const WHY: Readonly<Record<LeftOutWhy, readonly [icon: IconName, words: string, more: string]>> = {
  'sent-before': ['sent', 'Got it before', 'in this campaign'],
  suppressed: ['suppressed', 'Suppressed', ''],
  hidden: ['hidden', 'Hidden in the workbook', 'sent only with --hidden-rows send'],
  duplicate: ['duplicate', 'Duplicates of an earlier row', ''],
  unselected: ['info', 'Not selected', 'by the options of the command'],
  'follow-up': ['info', 'Not to be followed up', ''],
  bad: ['failed', 'With problems', 'see above'],
  other: ['info', 'Left out', ''],
}

export interface ForecastActions {
  readonly onProblems: () => void
  readonly onRow: (row: number) => void
}

export function forecastDrawer(forecast: ForecastView | undefined, actions: ForecastActions): DialogContent {
  const title = 'Before you send'
  if (forecast === undefined) {
    return {
      title,
      body: html`<p class="soft" role="status">The list is still being read; this shows when it is through.</p>`,
    }
  }
  const foot = html`<div class="grow before">
    <p class="faint">This page does not send to the list. The command does, and asks first.</p>
    ${copyable(forecast.command, 'Copy the command')}</div>`
  return { title, body: bodyOf(forecast, actions), foot }
}

function bodyOf(
  { rows, toSend, messages, stopping, leftOut, sizes, pace, accounts, connections }: ForecastView,
  actions: ForecastActions,
): TemplateResult {
  return html`
    ${
      stopping === 0
        ? nothing
        : html`<div class="banner">${icon('failed')}<b>${count(stopping)} ${stopping === 1 ? 'row stops' : 'rows stop'} the run</b>
          <p>Nothing is sent until ${stopping === 1 ? 'it is' : 'they are'} fixed, or left out with <code>--skip-bad</code>.</p>
          <span class="act"><button type="button" class="btn" @click=${actions.onProblems}>Show ${stopping === 1 ? 'it' : 'them'}</button></span></div>`
    }
    <div><p class="headline num">${count(toSend)}</p><p class="soft">of ${count(rows)} rows get this message${messages === undefined ? nothing : html`, as ${count(messages)} messages`}</p>
      <div class="stack" role="img" aria-label="${count(toSend)} of ${count(rows)} get it">
        ${part('m-accent', toSend)}${part('m-skipped', rows - toSend)}</div></div>
    ${leftOut.length === 0 ? html`<p class="soft">Nobody is left out.</p>` : leftOutTable(leftOut)}
    <div><h3>When</h3>${whenWords(pace, toSend, connections)}</div>
    ${accounts === undefined ? nothing : accountsTable(accounts)}
    ${sizes === undefined ? nothing : sizeWords(sizes, toSend, actions.onRow)}
    <div><h3>The same command once more</h3><p class="soft">sends only what is then still missing; to people who have it, nothing.</p></div>`
}

function part(look: string, rows: number): TemplateResult | typeof nothing {
  return rows === 0 ? nothing : html`<i class=${look} .style=${`flex:${rows}`}></i>`
}

function leftOutTable(leftOut: ForecastView['leftOut']): TemplateResult {
  return html`<table aria-label="Who does not get it, and why">
    <thead><tr><th colspan="2">Who does not get it</th><th class="r">Rows</th></tr></thead>
    <tbody>${leftOut.map(({ why, rows, detail }) => {
      const [name, words, more] = WHY[why]
      const below = detail ?? more
      return html`<tr><td class="sign">${icon(name, { look: 'faint' })}</td>
        <td>${words}${below === '' ? nothing : html`<br><span class="faint">${below}</span>`}</td><td class="r">${count(rows)}</td></tr>`
    })}</tbody>
  </table>`
}

function accountsTable(accounts: NonNullable<ForecastView['accounts']>): TemplateResult {
  return html`<table aria-label="What each account sends">
    <thead><tr><th>Account</th><th class="r">Messages</th></tr></thead>
    <tbody>${accounts.map(
      ({ account, messages }) => html`<tr><td><bdi>${account}</bdi></td><td class="r">${count(messages)}</td></tr>`,
    )}</tbody>
  </table>`
}

/** Days that are drawn; of more the first ones and the last. */
const DAYS = 7

function whenWords(pace: PaceView | undefined, toSend: number, connections: number): TemplateResult {
  if (toSend === 0) return html`<p class="soft">There is nothing to send.</p>`
  if (pace === undefined) {
    return html`<p class="soft">No rate is set: as fast as the server takes them, over ${count(connections)} ${connections === 1 ? 'connection' : 'connections'}.</p>`
  }
  const { days, lastAt } = pace
  const most = Math.max(...days.map(({ messages }) => messages))
  const shown = days.length <= DAYS ? days : [...days.slice(0, DAYS - 1), ...days.slice(-1)]
  const last = new Date(lastAt)
  const when = last.toLocaleString('en-GB', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
  })
  return html`<ul class="days">${shown.map(
    ({ day, messages }) =>
      html`<li><span>${dayWords(day)}</span><span><i class="m-accent" .style=${`width:${(100 * messages) / most}%`}></i></span><b class="num">${count(messages)}</b></li>`,
  )}</ul>
  <p class="soft">The last one is accepted on ${when} at the earliest, held back by ${heldBackBy(pace)}.</p>`
}

const UNITS: Readonly<Record<number, string>> = { 1: 'a second', 60: 'a minute', 3600: 'an hour', 86400: 'a day' }

function heldBackBy({ limit, taken, plan }: PaceView): string {
  const used =
    limit === undefined || taken === undefined
      ? ''
      : `, of which ${count(Math.min(taken, limit.count))} are used already`
  const words = limit === undefined ? undefined : `${limitWords(limit)}${used}`
  return [plan, words].filter((part) => part !== undefined).join('; ')
}

function limitWords({ count: number, seconds, of }: NonNullable<PaceView['limit']>): string {
  const what = of === undefined ? '' : ` ${of}`
  return `${count(number)}${what} ${UNITS[seconds] ?? `in ${count(seconds)} seconds`}`
}

function dayWords(day: string): string {
  return new Date(`${day}T12:00:00`).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })
}

function sizeWords(
  { measured, smallest, largest, clipped }: SizesView,
  toSend: number,
  onRow: (row: number) => void,
): TemplateResult {
  const link = (row: number): TemplateResult =>
    html`<button type="button" class="link" @click=${() => onRow(row)}>row ${count(row)}</button>`
  const some = measured < toSend ? html` Measured in ${count(measured)} rows all over the list.` : nothing
  const words =
    smallest.bytes === largest.bytes
      ? html`${size(smallest.bytes)} each.`
      : html`${size(smallest.bytes)} (${link(smallest.row)}) to ${size(largest.bytes)} (${link(largest.row)}).`
  const cut =
    clipped === 0
      ? nothing
      : html`<p class="soft cut-off">${icon('warn', { look: 'warn' })}Gmail cuts off ${clipped === measured ? (measured === 1 ? 'it' : 'each of them') : `${count(clipped)} of them`}: the HTML is over 102 KB.</p>`
  return html`<div><h3>Size</h3><p class="soft">${words}${some}</p>${cut}</div>`
}

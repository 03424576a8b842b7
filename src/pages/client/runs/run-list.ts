/** The runs of a ledger and what is due next: beside a run, and as a page of their own. Owns what of them is shown where. */
import { html, nothing, type TemplateResult } from 'lit'
import type { RunItem, RunSign, RunsView, ScheduleItem } from '../../wire.ts'
import { filterChips } from '../filters.ts'
import { count, dayAndTime, shortTime } from '../format.ts'
import { type IconName, icon } from '../icons.ts'

/** Which runs the page of all shows. */
export type RunFilter = 'all' | 'doubt' | 'open'

interface Side {
  /** Undefined until they are known. */
  readonly runs: RunsView | undefined
  /** The run that is shown. */
  readonly current: string | undefined
  readonly onOpen: (run: string) => void
  readonly onAll: () => void
  readonly isSuppressed: boolean
  readonly onSuppressed: () => void
}

interface AllRuns {
  readonly runs: RunsView
  readonly filter: RunFilter
  readonly onFilter: (filter: RunFilter) => void
  readonly onOpen: (run: string) => void
  readonly onSuppressed: () => void
}

export const SIGNS: Readonly<Record<RunSign, readonly [look: string, IconName]>> = {
  sending: ['run', 'play'],
  paused: ['skipped', 'pause'],
  waiting: ['waiting', 'waiting'],
  sent: ['sent', 'sent'],
  failed: ['failed', 'failed'],
  doubt: ['doubt', 'doubt'],
  cancelled: ['skipped', 'skipped'],
}

/** What is beside a run. */
export function sideList({ runs: view, current, onOpen, onAll, isSuppressed, onSuppressed }: Side): TemplateResult {
  const { runs = [], all = 0, schedules = [], suppressed = 0 } = view ?? {}
  return html`<h2>Runs <button type="button" @click=${() => onAll()}>All ${count(all)}</button></h2>
      ${runs.length === 0 ? html`<p class="faint none">None yet</p>` : html`<ul>${runs.slice(0, 12).map((run) => html`<li>${runLink(run, current, onOpen)}</li>`)}</ul>`}
      <h2>Next <button type="button" @click=${() => onAll()}>Schedules</button></h2>
      ${
        schedules.length === 0
          ? html`<p class="faint none">No schedule</p>`
          : html`<ul>${schedules.slice(0, 5).map(
              ({
                name,
                nextAt,
              }) => html`<li><span class="ri"><span class="faint st">${icon('calendar')}</span><bdi class="cut">${name}</bdi>
                <span class="cut sb">${nextAt === undefined ? 'Never again' : dayAndTime(nextAt)}</span></span></li>`,
            )}</ul>`
      }
      <h2>People</h2>
      <ul><li><a class="ri" href="?view=suppressed" aria-current=${isSuppressed ? 'page' : nothing} @click=${going(onSuppressed)}>
        <span class="faint st">${icon('suppressed')}</span><span class="cut">Suppressed</span><span class="pc num">${count(suppressed)}</span></a></li></ul>`
}

function runLink(run: RunItem, current: string | undefined, onOpen: Side['onOpen']): TemplateResult {
  const [look, name] = SIGNS[run.sign]
  return html`<a class="ri" href="?run=${run.run}" aria-current=${run.run === current ? 'page' : nothing} @click=${opening(run, onOpen)}>
      <span class="st ${look}">${icon(name)}</span><bdi class="cut">${run.campaign}</bdi>
      <span class="num pc">${run.percent} %</span><span class="cut sb">${run.words}, ${shortTime(new Date(run.startedAt))}</span></a>`
}

/** A link to a run opens it on this page. */
function opening({ run }: RunItem, onOpen: Side['onOpen']): (event: Event) => void {
  return going(() => onOpen(run))
}

function going(to: () => void): (event: Event) => void {
  return (event) => {
    event.preventDefault()
    to()
  }
}

export function allRuns({
  runs: { runs, schedules, suppressed },
  filter,
  onFilter,
  onOpen,
  onSuppressed,
}: AllRuns): TemplateResult {
  const of = (one: RunFilter): readonly RunItem[] => runs.filter((run) => isShown(run, one))
  const chips = [
    { name: 'all', words: 'All', rows: runs.length },
    { name: 'doubt', words: 'Need you', rows: of('doubt').length },
    { name: 'open', words: 'Not finished', rows: of('open').length },
  ] as const
  return html`<div class="head"><h2 class="title grow">All runs</h2>${filterChips<RunFilter>(chips, filter, onFilter)}</div>
      <section class="card"><div class="scroll-x" tabindex="0" role="region" aria-label="Runs"><table>
        <thead><tr><th>State</th><th>Campaign</th><th class="r">Sent</th><th class="r">Waiting</th><th class="r">Failed</th><th class="r">In doubt</th><th class="r">Started</th></tr></thead>
        <tbody>${of(filter).map((run) => runRow(run, onOpen))}</tbody></table></div></section>
      <div class="head"><h2 class="title grow">Schedules</h2></div>
      ${schedules.length === 0 ? html`<p class="soft">There is no schedule. <code>mailmerge schedule add</code> makes one.</p>` : scheduleTable(schedules)}
      <div class="head"><h2 class="title grow">People</h2></div>
      <p><a href="?view=suppressed" @click=${going(onSuppressed)}>${suppressed === 1 ? '1 entry' : `${count(suppressed)} entries`} on the suppression list</a></p>`
}

function runRow(run: RunItem, onOpen: Side['onOpen']): TemplateResult {
  const [look, name] = SIGNS[run.sign]
  return html`<tr><td><span class="st ${look}">${icon(name)}${run.words}</span></td>
      <td><a href="?run=${run.run}" @click=${opening(run, onOpen)}><bdi>${run.campaign}</bdi></a></td>
      ${(['sent', 'deferred', 'failed', 'in_doubt'] as const).map((state) => html`<td class="r ${run.counts[state] === 0 ? 'faint' : ''}">${count(run.counts[state])}</td>`)}
      <td class="r faint">${dayAndTime(run.startedAt)}</td></tr>`
}

function isShown({ sign, counts }: RunItem, filter: RunFilter): boolean {
  if (filter === 'doubt') return sign === 'doubt' || counts.in_doubt > 0
  return filter === 'all' || sign === 'sending' || sign === 'paused' || sign === 'waiting'
}

function scheduleTable(schedules: readonly ScheduleItem[]): TemplateResult {
  return html`<section class="card"><div class="scroll-x" tabindex="0" role="region" aria-label="Schedules"><table>
    <thead><tr><th>Name</th><th>When</th><th>Next</th><th>Last</th></tr></thead>
    <tbody>${schedules.map(
      ({
        name,
        timing,
        zone,
        nextAt,
        last,
      }) => html`<tr><td><bdi>${name}</bdi></td><td><code>${timing}</code> <span class="faint">${zone}</span></td>
        <td>${nextAt === undefined ? 'Never again' : dayAndTime(nextAt)}</td><td>${last === undefined ? nothing : `${dayAndTime(last.at)}, ${last.state}`}</td></tr>`,
    )}</tbody></table></div></section>`
}

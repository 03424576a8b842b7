/**
 * The page of `mailmerge serve`: runs, what is due next, and one run as it goes, with what a person can do about it. Owns what is
 * shown of what the server knows; the figures and their words are the server's.
 */
import { html, nothing, render, svg, type TemplateResult } from 'lit'
import type {
  ReasonItem,
  RowCounts,
  RowStateName,
  RunAction,
  RunItem,
  RunSign,
  RunsView,
  RunView,
  ScheduleItem,
  StuckRow,
} from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { ApiError, get, post } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { filterChips } from '../filters.ts'
import { clockTime, count, shortTime } from '../format.ts'
import { type IconName, icon } from '../icons.ts'
import { bindKeys, type Key } from '../keys.ts'
import { Live } from '../live.ts'
import { takeUpTheme } from '../theme.ts'
import { toast } from '../toast.ts'
import { topBar } from '../top-bar.ts'

/** Done, coming, needs a look, left out, to come. */
const STATES: readonly (readonly [RowStateName, string, look: string, IconName])[] = [
  ['sent', 'Sent', 'sent', 'sent'],
  ['deferred', 'Waiting', 'waiting', 'waiting'],
  ['failed', 'Failed', 'failed', 'failed'],
  ['in_doubt', 'In doubt', 'doubt', 'doubt'],
  ['skipped', 'Skipped', 'skipped', 'skipped'],
  ['to_send', 'To send', 'todo', 'todo'],
]

const SIGNS: Readonly<Record<RunSign, readonly [look: string, IconName]>> = {
  sending: ['run', 'play'],
  paused: ['skipped', 'pause'],
  waiting: ['waiting', 'waiting'],
  sent: ['sent', 'sent'],
  failed: ['failed', 'failed'],
  doubt: ['doubt', 'doubt'],
  cancelled: ['skipped', 'skipped'],
}

const FILTERS = ['all', 'doubt', 'open'] as const
type Filter = (typeof FILTERS)[number]

class RunsPage {
  readonly #page = document.createElement('div')
  readonly #live: Live
  readonly #keysDialog = new Dialog('keys', 'box')
  readonly #askDialog = new Dialog('ask', 'box')
  #runs: RunsView | undefined
  /** The run that is shown; undefined shows the list of all. */
  #id = chosen('run')
  #view = chosen('view') === 'all'
  #run: RunView | undefined
  #filter: Filter = 'all'
  #updatedAt: Date | undefined
  #trouble: ApiError | undefined
  #asking = false
  #again = false

  constructor() {
    this.#page.id = 'page'
    document.body.append(this.#page)
    this.#live = new Live(
      ['runs'],
      () => void this.#refresh(),
      () => this.#draw(),
    )
    bindKeys(this.#keys(), () => this.#showAll())
  }

  async start(): Promise<void> {
    this.#draw()
    await this.#refresh()
  }

  #keys(): readonly Key[] {
    return [
      { key: 'j', says: 'Next run', run: () => this.#move(1) },
      { key: 'k', says: 'Previous run', run: () => this.#move(-1) },
      { key: 'p', says: 'Pause, or go on', run: () => this.#pauseOrGoOn() },
      { key: 'l', says: 'All runs', run: () => this.#showAll() },
      { key: 'd', says: 'Rows in doubt', run: () => document.querySelector<HTMLElement>('#doubt')?.focus() },
      { key: '?', says: 'This list', run: () => this.#openKeys() },
    ]
  }

  /** Asks for everything that is shown. While it is asked for, what changes is asked for once more afterwards. */
  async #refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true
      return
    }
    this.#asking = true
    try {
      this.#runs = await get<RunsView>('/api/runs')
      const id = this.#view ? undefined : (this.#id ?? this.#runs.runs[0]?.run)
      this.#id = id
      this.#run = id === undefined ? undefined : await get<RunView>(`/api/runs/${id}`)
      this.#updatedAt = new Date()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (this.#live.state.kind === 'live') this.#run = undefined
    } finally {
      this.#asking = false
    }
    this.#draw()
    if (!this.#again) return
    this.#again = false
    void this.#refresh()
  }

  #open(run: string): void {
    this.#view = false
    this.#id = run
    this.#trouble = undefined
    choose('run', run)
    choose('view', undefined)
    void this.#refresh().then(() => document.querySelector('#main')?.scrollTo(0, 0))
  }

  #showAll(): void {
    this.#view = true
    this.#id = undefined
    this.#run = undefined
    choose('run', undefined)
    choose('view', 'all')
    this.#draw()
  }

  #move(step: number): void {
    const all = this.#runs?.runs ?? []
    const at = all.findIndex(({ run }) => run === this.#id)
    const next = all[Math.min(all.length - 1, Math.max(0, at + step))]
    if (next !== undefined && next.run !== this.#id) this.#open(next.run)
  }

  #pauseOrGoOn(): void {
    const run = this.#run
    if (run === undefined) return
    if (canPause(run)) void this.#act('pause')
    else if (canGoOn(run)) void this.#act('resume')
  }

  async #act(action: RunAction): Promise<void> {
    if (this.#run === undefined) return
    await this.#ask(`/api/runs/${this.#run.run}/${action}`, {})
  }

  async #decide(decision: 'keep' | 'resend', rows: readonly StuckRow[]): Promise<void> {
    if (this.#run === undefined) return
    const numbers = rows.map(({ row }) => row).join(',')
    await this.#ask(`/api/runs/${this.#run.run}/in_doubt`, { decision, rows: numbers })
    if (this.#trouble !== undefined) return
    const what = rows.length === 1 ? `Row ${count(rows[0]?.row ?? 0)}` : `${count(rows.length)} rows`
    toast(decision === 'keep' ? `${what} counted as sent` : `${what} will be sent again`)
  }

  async #ask(path: string, body: unknown): Promise<void> {
    this.#trouble = undefined
    try {
      await post(path, body)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      this.#trouble = error
    }
    await this.#refresh()
  }

  #draw(): void {
    const { project = '' } = this.#runs ?? {}
    document.title = this.#run === undefined ? 'Runs' : `${this.#run.campaign}: ${this.#run.words}`
    render(
      html`<a class="skip" href="#main">To the run</a>
        ${topBar({
          page: 'Runs',
          about: project,
          live: this.#live.state,
          updatedAt: this.#updatedAt,
          onKeys: () => this.#openKeys(),
        })}
        <main class="shell">
          <nav class="side" aria-label="Runs and schedules">${this.#side()}</nav>
          <section class="main" id="main" tabindex="-1" aria-label="Run"><div class="page">
            ${this.#lost()}
            ${this.#trouble === undefined ? nothing : errorBanner({ title: 'That could not be done', error: this.#trouble.fields })}
            ${this.#content()}
          </div></section>
        </main>`,
      this.#page,
    )
    // The policy of the page does not allow styles in its text.
    for (const part of this.#page.querySelectorAll<HTMLElement>('[data-share]'))
      part.style.flexGrow = part.dataset['share'] ?? ''
  }

  #lost(): TemplateResult | typeof nothing {
    if (this.#live.state.kind !== 'lost') return nothing
    const since = this.#updatedAt === undefined ? '' : ` The figures are from ${clockTime(this.#updatedAt)}.`
    return html`<div class="banner" role="alert">${icon('failed')}<b>mailmerge serve does not answer</b>
      <p>A run may go on by itself.${since} This page tries again every second.</p></div>`
  }

  #side(): TemplateResult {
    const { runs = [], all = 0, schedules = [], suppressed = 0 } = this.#runs ?? {}
    return html`<h2>Runs <button type="button" @click=${() => this.#showAll()}>All ${count(all)}</button></h2>
      ${runs.length === 0 ? html`<p class="faint none">None yet</p>` : html`<ul>${runs.slice(0, 12).map((run) => html`<li>${this.#runLink(run)}</li>`)}</ul>`}
      <h2>Next <button type="button" @click=${() => this.#showAll()}>Schedules</button></h2>
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
      <ul><li><span class="ri"><span class="faint st">${icon('suppressed')}</span><span class="cut">Suppressed</span><span class="pc num">${count(suppressed)}</span></span></li></ul>`
  }

  #runLink(run: RunItem): TemplateResult {
    const [look, name] = SIGNS[run.sign]
    const open = (event: Event): void => {
      event.preventDefault()
      this.#open(run.run)
    }
    return html`<a class="ri" href="?run=${run.run}" aria-current=${run.run === this.#id ? 'page' : nothing} @click=${open}>
      <span class="st ${look}">${icon(name)}</span><bdi class="cut">${run.campaign}</bdi>
      <span class="num pc">${run.percent} %</span><span class="cut sb">${run.words}, ${shortTime(new Date(run.startedAt))}</span></a>`
  }

  #content(): TemplateResult | typeof nothing {
    if (this.#runs === undefined) return nothing
    if (this.#runs.all === 0) {
      return html`<div class="empty"><h2>No run yet</h2><p>What is sent in this project, from any terminal, is shown here while it goes.</p>
        <div class="cmd"><code>mailmerge run</code></div></div>`
    }
    if (this.#view) return this.#allRuns(this.#runs)
    return this.#run === undefined ? nothing : this.#oneRun(this.#run, this.#runs.canResume)
  }

  #oneRun(run: RunView, canResume: boolean): TemplateResult {
    return html`${this.#pauseBanner(run, canResume)}${this.#head(run, canResume)}${numbers(run)}${this.#doubts(run)}
      ${run.rate === undefined && run.progress === undefined ? nothing : html`<div class="two">${rateCard(run)}${connectionsCard(run)}</div>`}
      ${waitingCard(run)}
      <div class="two">${domainsCard(run)}${this.#failedCard(run, canResume)}</div>`
  }

  #pauseBanner(run: RunView, canResume: boolean): TemplateResult | typeof nothing {
    if (run.sign !== 'paused') return nothing
    const left = run.counts.to_send + run.counts.deferred
    return html`<div class="banner warn">${icon('pause')}<b>${run.words}</b>
      <p>Nothing goes out. ${left === 1 ? '1 row is' : `${count(left)} rows are`} still to send.</p>
      ${canResume ? html`<span class="act"><button type="button" class="btn main" @click=${() => this.#act('resume')}>Go on</button></span>` : nothing}</div>`
  }

  #head(run: RunView, canResume: boolean): TemplateResult {
    const [look, name] = SIGNS[run.sign]
    const done = run.progress?.doneAt
    const end = run.endedAt === undefined ? '' : `, ended ${dayAndTime(run.endedAt)}`
    const isOpen = canPause(run) || canGoOn(run) || run.sign === 'paused' || run.sign === 'waiting'
    return html`<div class="head"><button type="button" class="btn quiet hide-wide" @click=${() => this.#showAll()}>${icon('back')}All runs</button>
      <h2 class="title"><bdi>${run.campaign}</bdi></h2><span class="st pill ${look}" role="status">${icon(name)}${run.words}</span>
      <span class="grow"></span><span class="acts">
        ${canPause(run) ? html`<button type="button" class="btn" @click=${() => this.#act('pause')}>${icon('pause')}Pause</button>` : nothing}
        ${canResume && canGoOn(run) && run.sign !== 'paused' ? html`<button type="button" class="btn" @click=${() => this.#act('resume')}>${icon('play')}Go on</button>` : nothing}
        ${isOpen ? html`<button type="button" class="btn risk" @click=${() => this.#askCancel(run)}>Cancel the run</button>` : nothing}
      </span>
      <p class="meta num"><bdi>${run.template}</bdi> with <bdi>${run.source}</bdi>, started ${dayAndTime(run.startedAt)}${end}, run ${run.run}.
        ${done === undefined ? nothing : html`<b class="soft">Done at about ${shortTime(new Date(done))}.</b>`}</p></div>`
  }

  #doubts({ inDoubt, counts }: RunView): TemplateResult | typeof nothing {
    if (counts.in_doubt === 0) return nothing
    const many = counts.in_doubt > 1
    const title = many ? `${count(counts.in_doubt)} rows are in doubt. You decide.` : '1 row is in doubt. You decide.'
    const more = counts.in_doubt - inDoubt.length
    return html`<section class="card doubt-card" aria-labelledby="doubt"><div class="card-h"><span class="st doubt">${icon('doubt')}</span>
        <h2 id="doubt" class="grow" tabindex="-1">${title}</h2>
        ${
          many && more === 0
            ? html`<button type="button" class="btn" @click=${() => this.#decide('keep', inDoubt)}>Keep all ${count(inDoubt.length)}</button>
              <button type="button" class="btn" @click=${() => this.#askResend(inDoubt)}>Send all ${count(inDoubt.length)} again</button>`
            : nothing
        }</div>
      <p class="soft letterish">The message was handed over, and the connection broke before the answer. It may have arrived. Ask the reader, or look into the log of the mail server. Nothing is sent again by itself.</p>
      <div class="doubts">${inDoubt.map(
        (row) => html`<div class="doubt-row"><span class="num faint">${count(row.row)}</span>
          <div><bdi class="at">${row.address}</bdi><div class="faint num">${row.at === undefined ? nothing : `${clockTime(new Date(row.at))}, `}${row.why}</div></div>
          <span class="acts"><button type="button" class="btn" aria-label="It arrived: keep, row ${row.row}" @click=${() => this.#decide('keep', [row])}>It arrived: keep</button>
            <button type="button" class="btn" aria-label="Send again, row ${row.row}" @click=${() => this.#askResend([row])}>Send again</button></span></div>`,
      )}</div>
      ${more > 0 ? html`<p class="faint">And ${count(more)} more; the results list them all.</p>` : nothing}</section>`
  }

  #failedCard({ failed, counts }: RunView, canResume: boolean): TemplateResult | typeof nothing {
    if (counts.failed === 0) return nothing
    return html`<section class="card" aria-labelledby="failed"><div class="card-h"><span class="st failed">${icon('failed')}</span>
        <h2 id="failed" class="grow">${count(counts.failed)} failed for good</h2>
        ${canResume ? html`<button type="button" class="btn" @click=${() => this.#act('retry')}>Try again</button>` : nothing}</div>
      ${reasonTable(failed, 'Why rows failed')}</section>`
  }

  #allRuns({ runs, schedules }: RunsView): TemplateResult {
    const shown = runs.filter((run) => isShown(run, this.#filter))
    const chips = [
      { name: 'all', words: 'All', rows: runs.length },
      { name: 'doubt', words: 'Need you', rows: runs.filter((run) => isShown(run, 'doubt')).length },
      { name: 'open', words: 'Not finished', rows: runs.filter((run) => isShown(run, 'open')).length },
    ] as const
    const press = (name: Filter): void => {
      this.#filter = name
      this.#draw()
    }
    return html`<div class="head"><h2 class="title grow">All runs</h2>${filterChips<Filter>(chips, this.#filter, press)}</div>
      <section class="card"><div class="scroll-x" tabindex="0" role="region" aria-label="Runs"><table>
        <thead><tr><th>State</th><th>Campaign</th><th class="r">Sent</th><th class="r">Waiting</th><th class="r">Failed</th><th class="r">In doubt</th><th class="r">Started</th></tr></thead>
        <tbody>${shown.map((run) => this.#runRow(run))}</tbody></table></div></section>
      <div class="head"><h2 class="title grow">Schedules</h2></div>
      ${schedules.length === 0 ? html`<p class="soft">There is no schedule. <code>mailmerge schedule add</code> makes one.</p>` : scheduleTable(schedules)}`
  }

  #runRow(run: RunItem): TemplateResult {
    const [look, name] = SIGNS[run.sign]
    const open = (event: Event): void => {
      event.preventDefault()
      this.#open(run.run)
    }
    return html`<tr><td><span class="st ${look}">${icon(name)}${run.words}</span></td>
      <td><a href="?run=${run.run}" @click=${open}><bdi>${run.campaign}</bdi></a></td>
      ${(['sent', 'deferred', 'failed', 'in_doubt'] as const).map((state) => html`<td class="r ${run.counts[state] === 0 ? 'faint' : ''}">${count(run.counts[state])}</td>`)}
      <td class="r faint">${dayAndTime(run.startedAt)}</td></tr>`
  }

  #askCancel(run: RunView): void {
    const left = run.counts.to_send + run.counts.deferred
    const cancel = (): void => {
      this.#askDialog.close()
      void this.#act('cancel')
    }
    this.#askDialog.show({
      title: `Cancel ${run.campaign} for good?`,
      body: html`<p class="soft">${count(run.counts.sent)} people have it. <b>${count(left)} will not get it.</b> A cancelled run cannot go on.</p>`,
      foot: html`<button type="button" class="btn" @click=${() => this.#askDialog.close()}>Keep it</button><span class="grow"></span>
        <button type="button" class="btn risk" @click=${cancel}>Cancel for good</button>`,
    })
  }

  #askResend(rows: readonly StuckRow[]): void {
    const resend = (): void => {
      this.#askDialog.close()
      void this.#decide('resend', rows)
    }
    const [first] = rows
    const one = rows.length === 1
    this.#askDialog.show({
      title: one ? `Send row ${count(first?.row ?? 0)} again?` : `Send ${count(rows.length)} rows again?`,
      body: html`<p class="soft">${one ? html`If it arrived, <bdi>${first?.address}</bdi> gets it twice.` : 'Those to whom it arrived get it twice.'}</p>`,
      foot: html`<button type="button" class="btn" @click=${() => this.#askDialog.close()}>Leave it</button><span class="grow"></span>
        <button type="button" class="btn" @click=${resend}>Send again</button>`,
    })
  }

  #openKeys(): void {
    this.#keysDialog.show({
      title: 'Keyboard',
      body: html`<table aria-label="Keys"><tbody>${this.#keys().map(
        ({ key, says }) => html`<tr><td>${says}</td><td class="r"><kbd>${key}</kbd></td></tr>`,
      )}</tbody></table>`,
    })
  }
}

function canPause({ sign, atWork }: RunView): boolean {
  return atWork || sign === 'sending' || sign === 'waiting'
}

function canGoOn({ sign, atWork, counts }: RunView): boolean {
  return !atWork && sign !== 'cancelled' && counts.deferred + counts.to_send > 0
}

function isShown({ sign, counts }: RunItem, filter: Filter): boolean {
  if (filter === 'doubt') return sign === 'doubt' || counts.in_doubt > 0
  return filter === 'all' || sign === 'sending' || sign === 'paused' || sign === 'waiting'
}

/** `today, 14:02`, `27 Nov, 14:02` */
function dayAndTime(text: string): string {
  const date = new Date(text)
  const time = clockTime(date).slice(0, 5)
  const now = new Date()
  if (date.toDateString() === now.toDateString()) return `today, ${time}`
  const options = { day: 'numeric', month: 'short' } as const
  const day = date.toLocaleDateString(
    'en-GB',
    date.getFullYear() === now.getFullYear() ? options : { ...options, year: 'numeric' },
  )
  return `${day}, ${time}`
}

function stack(counts: RowCounts, look: string): TemplateResult {
  const shown = STATES.filter(([state]) => counts[state] > 0)
  const words = shown.map(([state, word]) => `${count(counts[state])} ${word.toLowerCase()}`).join(', ')
  return html`<div class="stack ${look}" role="img" aria-label=${words}>${shown.map(
    ([state, , name]) => html`<i class="m-${name}" data-share=${counts[state]}></i>`,
  )}</div>`
}

function numbers(run: RunView): TemplateResult {
  const { counts, rows, percent, source } = run
  return html`<section class="card" aria-label="In numbers"><div class="stats num">${STATES.map(
    ([state, word, look, name]) =>
      html`<div class="stat"><b>${count(counts[state])}</b><span class="st ${look === 'todo' ? 'faint' : look}">${icon(name)}${word}</span></div>`,
  )}</div>
    ${stack(counts, '')}
    <p class="legend num"><span>${rows === 1 ? '1 row' : `${count(rows)} rows`} in <bdi>${source}</bdi>, each in one of these</span><span class="grow"></span><span>${percent} % sent</span></p></section>`
}

function rateCard({ rate, progress }: RunView): TemplateResult {
  const now =
    progress === undefined ? nothing : html`<span class="soft num">now <b>${progress.perSecond.toFixed(1)}</b></span>`
  return html`<section class="card" aria-labelledby="rate"><div class="card-h"><h2 id="rate" class="grow">Messages a second</h2>${now}</div>
    ${
      rate === undefined
        ? html`<p class="soft">The line begins after the first seconds.</p>`
        : html`<div class="scroll-x" tabindex="0" role="region" aria-label="Chart: messages a second">
          <svg class="chart" viewBox="-34 -14 920 186" role="img" aria-label="Messages a second over time; the same figures are in the table below">
            ${rate.grid.map(({ y, label }) => svg`<line class="grid" x1="0" x2="860" y1=${y} y2=${y}/><text x="-8" y=${y + 4} text-anchor="end">${label}</text>`)}
            ${rate.limit === undefined ? nothing : svg`<line class="limit" x1="0" x2="860" y1=${rate.limit.y} y2=${rate.limit.y}/><text x="860" y=${rate.limit.y - 5} text-anchor="end">${rate.limit.words}</text>`}
            <path class="area" d=${rate.area}/><path class="line" d=${rate.line}/>
            ${rate.marks.map(({ x, label, anchor }) => svg`<text x=${x} y="164" text-anchor=${anchor}>${label}</text>`)}
          </svg></div>
          <details><summary>The same as a table</summary><table><thead><tr><th>From</th><th class="r">Sent</th><th class="r">A second</th></tr></thead>
            <tbody>${rate.columns.map((one) => html`<tr><td>${one.from}</td><td class="r">${one.sent}</td><td class="r">${one.rate}</td></tr>`)}</tbody></table></details>`
    }</section>`
}

function connectionsCard({ progress, zone }: RunView): TemplateResult {
  if (progress === undefined) {
    return html`<section class="card" aria-labelledby="connections"><div class="card-h"><h2 id="connections">Connections</h2></div>
      <p class="soft">No process sends this run now. Times are those of ${zone}.</p></section>`
  }
  const { pause } = progress
  return html`<section class="card" aria-labelledby="connections"><div class="card-h"><h2 id="connections" class="grow">Connections</h2>
      <span class="soft num">${count(progress.connections)} at work</span></div>
    <dl class="facts"><div><dt>Server</dt><dd>${progress.server}</dd></div>
      ${pause === undefined ? nothing : html`<div><dt>Waits</dt><dd>${pause.words}${pause.until === undefined ? nothing : html`<br>until ${shortTime(new Date(pause.until))}`}</dd></div>`}
      <div><dt>Times</dt><dd>${zone}</dd></div></dl></section>`
}

function waitingCard({ waiting, counts }: RunView): TemplateResult | typeof nothing {
  if (counts.deferred === 0) return nothing
  const title =
    counts.deferred === 1
      ? '1 row waits, and is tried again by itself'
      : `${count(counts.deferred)} rows wait, and are tried again by themselves`
  return html`<section class="card" aria-labelledby="waiting"><div class="card-h"><span class="st waiting">${icon('waiting')}</span><h2 id="waiting" class="grow">${title}</h2></div>
    ${reasonTable(waiting, 'Why rows wait')}</section>`
}

function reasonTable(reasons: readonly ReasonItem[], label: string): TemplateResult {
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label=${label}><table><thead><tr><th>Why</th><th class="r">Rows</th></tr></thead>
    <tbody>${reasons.map(
      ({ words, code, rows }) =>
        html`<tr><td>${words}${code === '' ? nothing : html`<br><span class="faint">${code}</span>`}</td><td class="r">${count(rows)}</td></tr>`,
    )}</tbody></table></div>`
}

function domainsCard({ domains, otherDomains }: RunView): TemplateResult | typeof nothing {
  if (domains.length === 0) return nothing
  return html`<section class="card" aria-labelledby="domains"><div class="card-h"><h2 id="domains" class="grow">By domain</h2>
      ${otherDomains > 0 ? html`<span class="soft num">and ${count(otherDomains)} more</span>` : nothing}</div>
    <div class="scroll-x" tabindex="0" role="region" aria-label="Outcomes by domain"><table>
      <thead><tr><th>Domain</th><th><span class="vh">Shares</span></th><th class="r">Sent</th><th class="r">Waiting</th><th class="r">Failed</th><th class="r">To send</th></tr></thead>
      <tbody>${domains.map(
        ({
          domain,
          counts,
        }) => html`<tr><td><bdi>${domain === '' ? 'forgotten' : domain}</bdi></td><td>${stack(counts, 'thin')}</td>
          ${(['sent', 'deferred', 'failed', 'to_send'] as const).map((state) => html`<td class="r ${counts[state] === 0 ? 'faint' : ''}">${count(counts[state])}</td>`)}</tr>`,
      )}</tbody></table></div></section>`
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

takeUpTheme()
void new RunsPage().start()

/**
 * The page of `mailmerge serve`: runs, what is due next, and one run as it goes, with what a person can do about it. Owns what is
 * shown of what the server knows; the figures and their words are the server's.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import type { RunAction, RunsView, RunView, StuckRow } from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { ApiError, get, post } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { clockTime, count } from '../format.ts'
import { icon } from '../icons.ts'
import { Keys } from '../keys.ts'
import { Live } from '../live.ts'
import { takeUpTheme } from '../theme.ts'
import { toast } from '../toast.ts'
import { topBar } from '../top-bar.ts'
import { canGoOn, canPause, oneRun, type RunActions } from './run.ts'
import { allRuns, type RunFilter, sideList } from './run-list.ts'
import { SuppressedList } from './suppressed.ts'

/** One run, the list of all, or who is not written to. */
const VIEWS = ['all', 'suppressed'] as const
type View = 'run' | (typeof VIEWS)[number]

class RunsPage {
  readonly #page = document.createElement('div')
  readonly #live: Live
  readonly #keys: Keys
  readonly #askDialog = new Dialog('ask', 'box')
  #runs: RunsView | undefined
  readonly #suppressed = new SuppressedList(
    () => this.#draw(),
    () => this.#showAll(),
  )
  #view: View = VIEWS.find((view) => view === chosen('view')) ?? 'run'
  /** The run that is shown. */
  #id = chosen('run')
  #run: RunView | undefined
  #filter: RunFilter = 'all'
  #updatedAt: Date | undefined
  #trouble: ApiError | undefined
  #asking = false
  #again = false

  constructor() {
    this.#page.id = 'page'
    document.body.append(this.#page)
    this.#live = new Live(
      ['runs', 'ended'],
      (name) => this.#hear(name),
      () => this.#draw(),
    )
    this.#keys = new Keys(
      [
        { key: 'j', says: 'Next run', run: () => this.#move(1) },
        { key: 'k', says: 'Previous run', run: () => this.#move(-1) },
        { key: 'p', says: 'Pause, or go on', run: () => this.#pauseOrGoOn() },
        { key: 'l', says: 'All runs', run: () => this.#showAll() },
        { key: 's', says: 'Suppressed', run: () => this.#showSuppressed() },
        { key: '/', says: 'Search the suppressed', run: () => this.#searchSuppressed() },
        { key: 'd', says: 'Rows in doubt', run: () => document.querySelector<HTMLElement>('#doubt')?.focus() },
      ],
      () => this.#showAll(),
    )
  }

  async start(): Promise<void> {
    this.#draw()
    await this.#refresh()
  }

  #hear(name: string): void {
    void this.#refresh()
    // The process of this page goes, with what it did.
    if (name === 'ended') this.#live.end()
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
      const id = this.#view === 'run' ? (this.#id ?? this.#runs.runs[0]?.run) : undefined
      this.#id = id
      const run = id === undefined ? undefined : await get<RunView>(`/api/runs/${id}`)
      // Meanwhile a person may have chosen another.
      if (this.#id === id) this.#run = run
      this.#updatedAt = new Date()
      if (this.#view === 'suppressed') this.#suppressed.refresh(this.#runs.suppressionVersion)
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
    this.#show('run', run)
    void this.#refresh().then(() => document.querySelector('#main')?.scrollTo(0, 0))
  }

  #showAll(): void {
    this.#show('all', undefined)
    this.#run = undefined
    this.#draw()
  }

  #showSuppressed(): void {
    if (this.#view === 'suppressed') return
    this.#show('suppressed', undefined)
    this.#run = undefined
    this.#suppressed.refresh(this.#runs?.suppressionVersion ?? 0)
    this.#draw()
    document.querySelector('#main')?.scrollTo(0, 0)
  }

  #searchSuppressed(): void {
    this.#showSuppressed()
    this.#suppressed.focusSearch()
  }

  #show(view: View, run: string | undefined): void {
    if (this.#view === 'suppressed' && view !== 'suppressed') this.#suppressed.leave()
    this.#view = view
    this.#id = run
    this.#trouble = undefined
    choose('run', run)
    choose('view', view === 'run' ? undefined : view)
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
    else if (canGoOn(run) && this.#runs?.resumes === true) void this.#act('resume')
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
    document.title =
      this.#run !== undefined
        ? `${this.#run.campaign}: ${this.#run.words}`
        : this.#view === 'suppressed'
          ? 'Suppressed'
          : 'Runs'
    render(
      html`<a class="skip" href="#main">To the run</a>
        ${topBar({
          page: 'Runs',
          about: project,
          live: this.#live.state,
          updatedAt: this.#updatedAt,
          onKeys: () => this.#keys.open(),
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

  #side(): TemplateResult {
    return sideList({
      runs: this.#runs,
      current: this.#id,
      isSuppressed: this.#view === 'suppressed',
      onOpen: (run) => this.#open(run),
      onAll: () => this.#showAll(),
      onSuppressed: () => this.#showSuppressed(),
    })
  }

  #lost(): TemplateResult | typeof nothing {
    if (this.#live.state.kind === 'ended') {
      return html`<div class="banner note" role="status">${icon('info')}<b>The run has ended, and this page with it</b>
        <p>These are its last figures. <code>mailmerge status</code> and <code>mailmerge report</code> have them too.</p></div>`
    }
    if (this.#live.state.kind !== 'lost') return nothing
    const since = this.#updatedAt === undefined ? '' : ` The figures are from ${clockTime(this.#updatedAt)}.`
    return html`<div class="banner" role="alert">${icon('failed')}<b>mailmerge serve does not answer</b>
      <p>A run may go on by itself.${since} This page tries again every second.</p></div>`
  }

  #content(): TemplateResult | typeof nothing {
    if (this.#runs === undefined) return nothing
    if (this.#view === 'suppressed') return this.#suppressed.template()
    if (this.#runs.all === 0) {
      return html`<div class="empty"><h2>No run yet</h2><p>What is sent in this project, from any terminal, is shown here while it goes.</p>
        <div class="cmd"><code>mailmerge run</code></div></div>`
    }
    if (this.#view === 'all') {
      const onFilter = (filter: RunFilter): void => {
        this.#filter = filter
        this.#draw()
      }
      return allRuns({
        runs: this.#runs,
        filter: this.#filter,
        onFilter,
        onOpen: (run) => this.#open(run),
        onSuppressed: () => this.#showSuppressed(),
      })
    }
    return this.#run === undefined ? nothing : oneRun(this.#run, this.#actions(this.#run))
  }

  #actions(run: RunView): RunActions {
    return {
      acts: this.#live.state.kind !== 'ended',
      resumes: this.#runs?.resumes ?? false,
      act: (action) => void this.#act(action),
      cancel: () => this.#askCancel(run),
      keep: (rows) => void this.#decide('keep', rows),
      resend: (rows) => this.#askResend(rows),
      showAll: () => this.#showAll(),
    }
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
}

takeUpTheme()
void new RunsPage().start()

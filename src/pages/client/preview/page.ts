/**
 * The page of `mailmerge preview`: rows, the message of the chosen one, what is to be looked at in it. Owns what is shown of
 * what the server knows; everything about the merge is the server's.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import type {
  ForecastView,
  PreviewView,
  RowFilter,
  RowMark,
  RowMessageView,
  RowsView,
  RowView,
  TestView,
} from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { ApiError, get, post } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { filterChips } from '../filters.ts'
import { count, shortTime } from '../format.ts'
import { type IconName, icon } from '../icons.ts'
import { bindKeys, type Key } from '../keys.ts'
import { Live } from '../live.ts'
import { findingList, findingsPill } from '../message/findings.ts'
import { MessageViewer } from '../message/viewer.ts'
import { RowList } from '../row-list.ts'
import { takeUpTheme } from '../theme.ts'
import { toast } from '../toast.ts'
import { topBar } from '../top-bar.ts'
import { forecastDrawer } from './forecast.ts'
import { lookStrip } from './looks.ts'

const FILTERS: readonly (readonly [RowFilter, string])[] = [
  ['all', 'All'],
  ['problems', 'With problems'],
  ['suppressed', 'Suppressed'],
  ['sent', 'Sent before'],
  ['hidden', 'Hidden'],
  ['duplicates', 'Duplicates'],
]

/** The first of these that a row has is shown. */
const MARKS: readonly (readonly [RowMark, IconName, string, look: string])[] = [
  ['problem', 'failed', 'Has a problem', 'err'],
  ['duplicate', 'duplicate', 'Duplicate', ''],
  ['suppressed', 'suppressed', 'Suppressed', ''],
  ['sent', 'sent', 'Sent before', ''],
  ['hidden', 'hidden', 'Hidden in the list', ''],
]

/** A search begins when the typing rests. */
const TYPING_MS = 120
const TEST_TO = 'mailmerge-test-to'

class PreviewPage {
  readonly #page = document.createElement('div')
  readonly #list: RowList<RowView>
  readonly #viewer: MessageViewer
  readonly #live: Live
  readonly #keysDialog = new Dialog('keys', 'box')
  readonly #testDialog = new Dialog('test', 'box')
  readonly #jumpDialog = new Dialog('jump', 'box')
  readonly #forecastDialog = new Dialog('forecast', 'drawer')
  #status: PreviewView | undefined
  #shown: RowMessageView | undefined
  #search = chosen('q') ?? ''
  #filter: RowFilter = FILTERS.find(([name]) => name === chosen('filter'))?.[0] ?? 'all'
  #row = Number(chosen('row') ?? 0)
  /** Rows to look at that were looked at on this page. */
  readonly #done = new Set<number>()
  #updatedAt: Date | undefined
  #asking: AbortController | undefined
  #typing: number | undefined

  constructor() {
    this.#page.id = 'page'
    this.#list = new RowList<RowView>({
      label: () => this.#listLabel(),
      load: (from, limit, signal) => this.#load(from, limit, signal),
      row: rowCells,
      empty: () => this.#nothingFound(),
      onSelect: (row) => this.#choose(row.row),
      onOpen: () => this.#page.classList.add('at-message'),
      onError: () => {},
    })
    this.#viewer = new MessageViewer({
      pictures: 'switch',
      actions: () => this.#actions(),
      above: () => this.#above(),
      nothing: () => this.#noMessage(),
      onBack: () => this.#back(),
    })
    document.body.append(this.#page)
    this.#live = new Live(
      ['rows', 'changed'],
      (name, data) => this.#hear(name, data),
      () => this.#draw(),
    )
    bindKeys(this.#keys(), () => this.#back())
  }

  async start(): Promise<void> {
    this.#draw()
    await this.#refresh()
    this.#list.refresh()
    if (this.#row === 0) this.#row = 1
    void this.#ask(this.#row)
  }

  #keys(): readonly Key[] {
    const views = ['HTML', 'Text', 'Headers', 'Source', 'Attachments', 'Checks']
    return [
      { key: 'j', says: 'Next row', run: () => this.#list.move(1) },
      { key: 'k', says: 'Previous row', run: () => this.#list.move(-1) },
      { key: 'n', says: 'Next row to look at', run: () => this.#nextLook() },
      { key: '/', says: 'Search', run: () => document.querySelector<HTMLInputElement>('#search')?.focus() },
      { key: 'g', says: 'Go to a row by number', run: () => this.#openJump() },
      ...views.map((view, index) => ({
        key: String(index + 1),
        says: `View: ${view}`,
        run: () => this.#viewer.openTab(index + 1),
      })),
      { key: 'w', says: 'Next width', run: () => this.#viewer.nextWidth() },
      { key: 'd', says: 'Its own dark, inverted, off', run: () => this.#viewer.nextDark() },
      { key: 't', says: 'Send this row to yourself', run: () => this.#openTest() },
      { key: 'b', says: 'Before you send', run: () => this.#openForecast() },
      { key: '?', says: 'This list', run: () => this.#openKeys() },
    ]
  }

  #hear(name: string, data: unknown): void {
    if (name === 'rows' && this.#status !== undefined) {
      const before = this.#status
      this.#status = { ...before, ...(data as Pick<PreviewView, 'rowsRead' | 'isComplete' | 'counts' | 'looks'>) }
      this.#updatedAt = new Date()
      this.#draw()
      this.#list.refresh()
      if (this.#status.isComplete || this.#shown === undefined) void this.#ask(this.#row)
      return
    }
    if (name === 'hello' && this.#status === undefined) return
    void this.#refresh().then(() => {
      this.#list.refresh()
      void this.#ask(this.#row)
    })
  }

  async #refresh(): Promise<void> {
    try {
      this.#status = await get<PreviewView>('/api/preview')
      this.#updatedAt = new Date()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
    }
    this.#draw()
  }

  async #load(from: number, limit: number, signal: AbortSignal): Promise<RowsView> {
    const query = new URLSearchParams({
      from: String(from),
      limit: String(limit),
      filter: this.#filter,
      q: this.#search,
    })
    return get<RowsView>(`/api/rows?${query}`, signal)
  }

  #choose(row: number): void {
    this.#row = row
    choose('row', String(row))
    this.#drawSide()
    void this.#ask(row)
  }

  /** Asks for a row; the one shown stays until it is there. Only the last row that was asked for matters. */
  async #ask(row: number): Promise<void> {
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    try {
      const shown = await get<RowMessageView>(`/api/rows/${row}`, asking.signal)
      if (this.#asking !== asking) return
      this.#shown = shown
      if (this.#status?.looks.some((look) => look.row === row) === true) this.#done.add(row)
    } catch (error) {
      if (asking.signal.aborted || !(error instanceof ApiError)) return
      this.#shown = undefined
    }
    this.#mark()
    this.#draw()
    this.#showMessage()
  }

  /** The row that is shown is chosen in the list too, where it is among those listed. */
  #mark(): void {
    if (this.#list.selected < 0 && this.#filter === 'all' && this.#search === '') this.#list.mark(this.#row - 1)
  }

  #showMessage(): void {
    const shown = this.#shown
    if (shown?.message === undefined) return this.#viewer.show(undefined)
    this.#viewer.show({ view: shown.message, base: `/api/rows/${shown.row}`, version: shown.version })
  }

  #draw(): void {
    const status = this.#status
    const about = status === undefined ? '' : `${status.template} with ${status.list}`
    document.title = status === undefined ? 'Preview' : `Preview: ${about}`
    render(
      html`<a class="skip" href="#rows">To the rows</a>
        ${topBar({
          page: 'Preview',
          about,
          live: this.#live.state,
          updatedAt: this.#updatedAt,
          trouble: status?.broken === undefined ? undefined : TROUBLE[status.broken.what],
          onKeys: () => this.#openKeys(),
          main: html`<button type="button" class="btn main" @click=${() => this.#openForecast()}>Before you send</button>`,
        })}
        <main class="shell">
          <section class="side" aria-label="Rows">${this.#side()}</section>
          ${this.#viewer.element}
          <section class="rail" aria-label="Checks of this row">${this.#rail()}</section>
        </main>`,
      this.#page,
    )
    this.#viewer.draw()
  }

  #drawSide(): void {
    this.#draw()
  }

  #side(): TemplateResult {
    const status = this.#status
    const filters = FILTERS.map(([name, words]) => ({ name, words, rows: status?.counts[name] }))
    return html`<div class="side-head">
        <label class="field">${icon('search')}<span class="vh">Search rows</span>
          <input id="search" type="text" .value=${this.#search} placeholder="Search name, address or any cell" autocomplete="off" spellcheck="false"
            @input=${(event: Event) => this.#type((event.target as HTMLInputElement).value)}
            @keydown=${(event: KeyboardEvent) => this.#searchKey(event)}><kbd class="only-wide" aria-hidden="true">/</kbd></label>
        ${filterChips(filters, this.#filter, (name) => this.#setFilter(name))}
      </div>
      ${this.#list.element}
      <div class="side-foot only-wide">
        <span><kbd>j</kbd><kbd>k</kbd> move</span><span><kbd>g</kbd> go to row</span><span class="grow"></span>
        <span class="num">${this.#footWords()}</span>
      </div>`
  }

  #footWords(): string {
    const status = this.#status
    if (status === undefined) return ''
    if (!status.isComplete && status.broken === undefined) return `Reading: ${count(status.rowsRead)} rows so far`
    const total = this.#list.total ?? status.rowsRead
    return this.#list.selected < 0 ? `${count(total)} rows` : `${count(this.#list.selected + 1)} of ${count(total)}`
  }

  #listLabel(): string {
    return `${count(this.#list.total ?? 0)} rows`
  }

  #nothingFound(): TemplateResult | typeof nothing {
    if (this.#search !== '') {
      const filtered = this.#filter === 'all' ? 'Filters are off.' : 'A filter is on.'
      return html`<div class="empty"><h2>No row has “${this.#search}”</h2>
        <p>Searched every cell of ${count(this.#status?.rowsRead ?? 0)} rows. ${filtered}</p>
        <button type="button" class="btn" @click=${() => this.#setSearch('')}>Clear the search</button></div>`
    }
    if (this.#filter !== 'all') {
      return html`<div class="empty"><h2>There are none</h2><button type="button" class="btn" @click=${() => this.#setFilter('all')}>Show all rows</button></div>`
    }
    return html`<div class="empty"><h2>No rows</h2><p>The list has no rows yet. This page shows them as soon as they are saved.</p></div>`
  }

  #rail(): TemplateResult {
    const findings = this.#shown?.message?.findings ?? []
    return html`<div class="rail-head"><h2 class="grow">Checks</h2>${this.#shown?.message === undefined ? nothing : findingsPill(findings)}</div>
      ${findingList(findings)}`
  }

  #actions(): TemplateResult {
    return html`
      <button type="button" class="btn only only-wide" aria-label="Previous row" @click=${() => this.#list.move(-1)}>${icon('up')}</button>
      <button type="button" class="btn only only-wide" aria-label="Next row" @click=${() => this.#list.move(1)}>${icon('down')}</button>
      <button type="button" class="btn" @click=${() => this.#openTest()}>${icon('send')}<span class="only-wide" aria-hidden="true">Send me this</span><span class="vh">Send this row to yourself</span></button>`
  }

  #above(): TemplateResult {
    const looks = this.#status?.looks ?? []
    const onChoose = (row: number): void => this.#lookAt(row)
    const strip = { looks, row: this.#shown?.row ?? 0, done: this.#done, onChoose, onNext: () => this.#nextLook() }
    // In a list of few rows all of them are to be looked at.
    return html`${looks.length < 2 || (this.#status?.rowsRead ?? 0) <= looks.length ? nothing : lookStrip(strip)}${this.#banner()}`
  }

  #nextLook(): void {
    const looks = this.#status?.looks ?? []
    const at = looks.findIndex(({ row }) => row === this.#shown?.row)
    const next = [...looks.slice(at + 1), ...looks.slice(0, at + 1)].find(({ row }) => !this.#done.has(row))
    if (next !== undefined) this.#lookAt(next.row)
  }

  #lookAt(row: number): void {
    if (this.#filter !== 'all') this.#setFilter('all')
    if (this.#search !== '') this.#setSearch('')
    void this.#goTo(row).then(() =>
      requestAnimationFrame(() =>
        document.querySelector('.look[aria-current=true]')?.scrollIntoView({ block: 'nearest', inline: 'center' }),
      ),
    )
  }

  #banner(): TemplateResult | typeof nothing {
    const broken = this.#status?.broken
    if (broken !== undefined) {
      const since = broken.goodSince === undefined ? undefined : shortTime(new Date(broken.goodSince))
      const what = {
        template: 'The template is broken',
        list: 'The list cannot be read',
        config: 'mailmerge.yaml is broken',
      }[broken.what]
      const title = since === undefined ? what : `${what}; this is the last good version, from ${since}`
      return errorBanner({ title, error: broken.error, lines: broken.lines })
    }
    const error = this.#shown?.error
    if (error === undefined) return nothing
    const action = html`<button type="button" class="btn only-wide" @click=${() => this.#nextProblem()}>Next problem</button>`
    return errorBanner({ title: 'This row stops the run', error, action })
  }

  #noMessage(): TemplateResult {
    if (this.#status?.broken !== undefined)
      return html`<div class="empty"><p>What it makes is shown here as soon as it is fixed and saved.</p></div>`
    if (this.#shown?.error !== undefined) {
      return html`<div class="empty"><h2>Row ${count(this.#shown.row)} has no message</h2><p>It is shown here as soon as the row is fixed and the list is saved.</p></div>`
    }
    return html`<div class="empty"></div>`
  }

  #nextProblem(): void {
    this.#setFilter('problems')
    void this.#goTo(this.#row + 1)
  }

  #type(text: string): void {
    this.#search = text
    clearTimeout(this.#typing)
    this.#typing = setTimeout(() => this.#setSearch(text), TYPING_MS)
  }

  #searchKey(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      event.preventDefault()
      if (this.#search === '') this.#list.element.focus()
      else this.#setSearch('')
    } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault()
      this.#list.element.focus()
      this.#list.move(1)
    }
  }

  #setSearch(text: string): void {
    this.#search = text
    choose('q', text === '' ? undefined : text)
    this.#list.reset()
    this.#draw()
  }

  #setFilter(filter: RowFilter): void {
    this.#filter = filter
    choose('filter', filter === 'all' ? undefined : filter)
    this.#list.reset()
    this.#draw()
  }

  async #goTo(row: number): Promise<void> {
    const query = new URLSearchParams({ row: String(row), limit: '1', filter: this.#filter, q: this.#search })
    const { from } = await get<RowsView>(`/api/rows?${query}`)
    await this.#list.select(from)
  }

  #back(): void {
    this.#page.classList.remove('at-message')
    this.#list.element.focus()
  }

  #openKeys(): void {
    this.#keysDialog.show({
      title: 'Keyboard',
      body: html`<table aria-label="Keys"><tbody>${this.#keys().map(
        ({ key, says }) => html`<tr><td>${says}</td><td class="r"><kbd>${key}</kbd></td></tr>`,
      )}</tbody></table>`,
    })
  }

  #openForecast(): void {
    void get<ForecastView>('/api/forecast')
      .catch(() => undefined)
      .then((forecast) =>
        this.#forecastDialog.show(
          forecastDrawer(forecast, {
            onProblems: () => {
              this.#forecastDialog.close()
              this.#setFilter(this.#status?.counts.problems === 0 ? 'duplicates' : 'problems')
              void this.#goTo(1)
            },
            onRow: (row) => {
              this.#forecastDialog.close()
              this.#setFilter('all')
              this.#setSearch('')
              void this.#goTo(row)
            },
          }),
        ),
      )
  }

  #openJump(): void {
    const go = (event: SubmitEvent): void => {
      event.preventDefault()
      const row = Number(new FormData(event.target as HTMLFormElement).get('row'))
      if (!Number.isInteger(row) || row < 1) return
      this.#jumpDialog.close()
      void this.#goTo(row)
    }
    this.#jumpDialog.show({
      title: 'Go to a row',
      body: html`<form id="jump" @submit=${go}><label class="lab">Number of the row
        <span class="field"><input name="row" inputmode="numeric" autocomplete="off" required></span></label></form>`,
      foot: html`<span class="grow"></span><button class="btn main" form="jump">Go</button>`,
    })
    document.querySelector<HTMLInputElement>('#jump input')?.focus()
  }

  #openTest(trouble?: ApiError, sending = false): void {
    const shown = this.#shown
    if (shown?.message === undefined) return
    const { row, name, address } = shown
    const who = name === '' ? address : name
    const send = async (event: SubmitEvent): Promise<void> => {
      event.preventDefault()
      const to = String(new FormData(event.target as HTMLFormElement).get('to') ?? '')
      localStorage.setItem(TEST_TO, to)
      this.#openTest(undefined, true)
      try {
        const { server, address: at, seconds } = await post<TestView>(`/api/rows/${row}/test`, { to })
        this.#testDialog.close()
        toast(`Accepted by ${server} for ${at} in ${seconds.toFixed(1)} s`)
      } catch (error) {
        if (error instanceof ApiError) this.#openTest(error)
      }
    }
    this.#testDialog.show({
      title: `Send row ${count(row)} to yourself`,
      body: html`<form id="test" @submit=${send}>
        <label class="lab">Your address<span class="field"><input name="to" type="email" required .value=${localStorage.getItem(TEST_TO) ?? ''}></span></label></form>
        ${trouble === undefined ? nothing : errorBanner({ title: 'It was not sent', error: trouble.fields })}
        <p class="soft">Goes through ${this.#status?.server ?? 'the server'} exactly as <bdi>${who}</bdi> would get it. Nothing is recorded as sent; <bdi>${who}</bdi> gets nothing.</p>`,
      foot: html`<span class="grow"></span><button class="btn main" form="test" ?disabled=${sending}>${sending ? 'Sending' : 'Send'}</button>`,
    })
  }
}

const TROUBLE = { template: 'Template broken', list: 'List broken', config: 'Config broken' } as const

function rowCells({ row, name, address, marks, duplicateOf }: RowView): TemplateResult {
  const mark = MARKS.find(([one]) => marks.includes(one))
  const label =
    mark?.[0] === 'duplicate' && duplicateOf !== undefined ? `Duplicate of row ${count(duplicateOf)}` : mark?.[2]
  return html`<span class="n">${count(row)}</span>
    ${name === '' ? html`<span class="cut none">no name</span>` : html`<bdi class="cut">${name}</bdi>`}
    ${address === '' ? html`<span class="cut none">no address</span>` : html`<bdi class="cut e">${address}</bdi>`}
    <span class="f ${mark?.[3] ?? ''}">${mark === undefined || label === undefined ? nothing : icon(mark[1], { label })}</span>`
}

takeUpTheme()
void new PreviewPage().start()

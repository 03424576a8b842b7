/**
 * The page of `mailmerge preview`: rows, the message of the chosen one, what is to be looked at in it. Owns what is shown of
 * what the server knows; everything about the merge is the server's.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import type {
  FilePlace,
  FindingsView,
  ForecastView,
  PreviewView,
  Question,
  RowFilter,
  RowMessageView,
  RowsView,
  RowView,
} from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { ApiError, get, post } from '../api.ts'
import { Dialog } from '../dialog.ts'
import { count } from '../format.ts'
import { icon } from '../icons.ts'
import { Keys } from '../keys.ts'
import { ListSearch } from '../list-search.ts'
import { Live } from '../live.ts'
import { findingList, findingsPill, revealFinding } from '../message/findings.ts'
import { SendDialog } from '../message/send-dialog.ts'
import { MessageViewer } from '../message/viewer.ts'
import { RowList } from '../row-list.ts'
import { takeUpTheme } from '../theme.ts'
import { topBar } from '../top-bar.ts'
import { FileDialog } from './file-dialog.ts'
import { forecastDrawer } from './forecast.ts'
import { JumpDialog } from './jump-dialog.ts'
import { lookStrip } from './looks.ts'
import { FILTERS, rowCells } from './row-cells.ts'
import { noMessage, TROUBLE, troubleBanner } from './trouble.ts'

class PreviewPage {
  readonly #page = document.createElement('div')
  readonly #list: RowList<RowView>
  readonly #search: ListSearch<RowFilter>
  readonly #viewer: MessageViewer
  readonly #live: Live
  readonly #keys: Keys
  readonly #testDialog = new SendDialog()
  readonly #jumpDialog = new JumpDialog((row) => void this.#goTo(row))
  readonly #fileDialog = new FileDialog()
  readonly #forecastDialog = new Dialog('forecast', 'drawer')
  readonly #findingActions = {
    onPlace: (place: FilePlace) => this.#openFile(place),
    onAsk: (what: Question) => void this.#askOthers(what),
    isAsked: (what: Question) => this.#asked.has(what),
  }
  #status: PreviewView | undefined
  #shown: RowMessageView | undefined
  #row = Number(chosen('row') ?? 0)
  /** Rows to look at that were looked at on this page. */
  readonly #done = new Set<number>()
  /** Questions about the message that are not answered yet. */
  readonly #asked = new Set<Question>()
  #updatedAt: Date | undefined
  #asking: AbortController | undefined

  constructor() {
    this.#page.id = 'page'
    this.#list = new RowList<RowView>({
      label: () => `${count(this.#list.total ?? 0)} rows`,
      load: (from, limit, signal) => this.#load(from, limit, signal),
      row: rowCells,
      empty: () => this.#nothingFound(),
      onSelect: (row) => this.#choose(row.row),
      onOpen: () => this.#page.classList.add('at-message'),
    })
    this.#search = new ListSearch<RowFilter>({
      label: 'Search rows',
      placeholder: 'Search name, address or any cell',
      filters: FILTERS,
      list: this.#list,
      onChange: () => this.#draw(),
    })
    this.#viewer = new MessageViewer({
      pictures: 'switch',
      actions: () => this.#actions(),
      above: () => this.#above(),
      nothing: () => noMessage(this.#status?.broken, this.#shown),
      onBack: () => this.#back(),
      ...this.#findingActions,
    })
    document.body.append(this.#page)
    this.#live = new Live(
      ['rows', 'changed'],
      (name, data) => this.#hear(name, data),
      () => this.#draw(),
    )
    this.#keys = new Keys(
      [
        { key: 'j', says: 'Next row', run: () => this.#list.move(1) },
        { key: 'k', says: 'Previous row', run: () => this.#list.move(-1) },
        { key: 'n', says: 'Next row to look at', run: () => this.#nextLook() },
        { key: '/', says: 'Search', run: () => this.#search.focus() },
        { key: 'g', says: 'Go to a row by number', run: () => this.#jumpDialog.open() },
        ...this.#viewer.keys(),
        { key: 't', says: 'Send this row to yourself', run: () => this.#openTest() },
        { key: 'b', says: 'Before you send', run: () => this.#openForecast() },
      ],
      () => this.#back(),
    )
  }

  async start(): Promise<void> {
    this.#draw()
    await this.#refresh()
    this.#list.refresh()
    if (this.#row === 0) this.#row = 1
    void this.#ask(this.#row)
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
    return get<RowsView>(`/api/rows?${this.#search.query({ from: String(from), limit: String(limit) })}`, signal)
  }

  #choose(row: number): void {
    this.#row = row
    choose('row', String(row))
    this.#draw()
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
    if (this.#list.selected < 0 && this.#search.filter === 'all' && this.#search.text === '')
      this.#list.mark(this.#row - 1)
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
          onKeys: () => this.#keys.open(),
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

  #side(): TemplateResult {
    return html`${this.#search.template(this.#status?.counts)}
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

  #nothingFound(): TemplateResult | typeof nothing {
    if (this.#search.text !== '') {
      const filtered = this.#search.filter === 'all' ? 'Filters are off.' : 'A filter is on.'
      return html`<div class="empty"><h2>No row has “${this.#search.text}”</h2>
        <p>Searched every cell of ${count(this.#status?.rowsRead ?? 0)} rows. ${filtered}</p>
        <button type="button" class="btn" @click=${() => this.#search.search('')}>Clear the search</button></div>`
    }
    if (this.#search.filter !== 'all') {
      return html`<div class="empty"><h2>There are none</h2><button type="button" class="btn" @click=${() => this.#search.show('all')}>Show all rows</button></div>`
    }
    return html`<div class="empty"><h2>No rows</h2><p>The list has no rows yet. This page shows them as soon as they are saved.</p></div>`
  }

  #rail(): TemplateResult {
    const findings = this.#shown?.message?.findings ?? []
    return html`<div class="rail-head"><h2 class="grow">Checks</h2>${this.#shown?.message === undefined ? nothing : findingsPill(findings)}</div>
      ${this.#programs()}
      ${findingList(findings, this.#findingActions)}`
  }

  #programs(): TemplateResult | typeof nothing {
    const programs = this.#status?.mailPrograms ?? []
    if (programs.length === 0 || this.#shown?.message?.htmlSize === undefined) return nothing
    return html`<p class="faint for">For ${programs.join(', ')}; others by <code>check.clients</code> in mailmerge.yaml.</p>`
  }

  /** The answer stands where it stood that it was not asked. */
  async #askOthers(what: Question): Promise<void> {
    const shown = this.#shown
    if (shown?.message === undefined || this.#asked.has(what)) return
    const button = document.activeElement
    this.#asked.add(what)
    this.#draw()
    try {
      const { findings } = await post<FindingsView>(`/api/rows/${shown.row}/${what}`, {})
      const { message } = this.#shown ?? {}
      if (message === undefined || this.#shown?.row !== shown.row) return
      // It was saved meanwhile: the row as it is now has the answer, where that still holds.
      if (this.#shown.version !== shown.version) return void this.#ask(shown.row)
      const others = message.findings.filter(({ group }) => group !== what)
      const all = [...others, ...findings]
      this.#shown = { ...this.#shown, message: { ...message, findings: all } }
      this.#draw()
      this.#showMessage()
      // The button went with the question: who pressed it goes on with the answer.
      const [first] = findings
      if (button?.isConnected === false && first !== undefined) revealFinding(all, first)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
    } finally {
      this.#asked.delete(what)
      this.#draw()
      this.#showMessage()
    }
  }

  #openFile(place: FilePlace): void {
    const findings = this.#shown?.message?.findings ?? []
    this.#fileDialog.open({ place, findings, onFinding: (finding) => revealFinding(findings, finding) })
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
    return html`${looks.length < 2 || (this.#status?.rowsRead ?? 0) <= looks.length ? nothing : lookStrip(strip)}${troubleBanner({ broken: this.#status?.broken, error: this.#shown?.error, onNext: () => this.#nextProblem() })}`
  }

  #nextLook(): void {
    const looks = this.#status?.looks ?? []
    const at = looks.findIndex(({ row }) => row === this.#shown?.row)
    const next = [...looks.slice(at + 1), ...looks.slice(0, at + 1)].find(({ row }) => !this.#done.has(row))
    if (next !== undefined) this.#lookAt(next.row)
  }

  #lookAt(row: number): void {
    if (this.#search.filter !== 'all') this.#search.show('all')
    if (this.#search.text !== '') this.#search.search('')
    void this.#goTo(row).then(() =>
      requestAnimationFrame(() =>
        document.querySelector('.look[aria-current=true]')?.scrollIntoView({ block: 'nearest', inline: 'center' }),
      ),
    )
  }

  #nextProblem(): void {
    this.#search.show('problems')
    void this.#goTo(this.#row + 1)
  }

  async #goTo(row: number): Promise<void> {
    const { from } = await get<RowsView>(`/api/rows?${this.#search.query({ row: String(row), limit: '1' })}`)
    await this.#list.select(from)
  }

  #back(): void {
    this.#page.classList.remove('at-message')
    this.#list.element.focus()
  }

  #openForecast(): void {
    void get<ForecastView>('/api/forecast')
      .catch(() => undefined)
      .then((forecast) =>
        this.#forecastDialog.show(
          forecastDrawer(forecast, {
            onProblems: () => {
              this.#forecastDialog.close()
              this.#search.show(this.#status?.counts.problems === 0 ? 'duplicates' : 'problems')
              void this.#goTo(1)
            },
            onRow: (row) => {
              this.#forecastDialog.close()
              this.#search.show('all')
              this.#search.search('')
              void this.#goTo(row)
            },
          }),
        ),
      )
  }

  #openTest(): void {
    if (this.#shown?.message === undefined) return
    const { row, name, address } = this.#shown
    const who = name === '' ? address : name
    const looks = this.#status?.looks ?? []
    this.#testDialog.open({
      title: `Send row ${count(row)} to yourself`,
      path: `/api/rows/${row}/test`,
      all:
        looks.length < 2
          ? undefined
          : { path: '/api/looks/test', words: `Send all ${count(looks.length)} rows to look at` },
      about: html`Goes through ${this.#status?.server ?? 'the server'} exactly as <bdi>${who}</bdi> would get it. Nothing is recorded as sent; <bdi>${who}</bdi> gets nothing.`,
    })
  }
}

takeUpTheme()
void new PreviewPage().start()

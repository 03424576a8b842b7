/**
 * The page of `mailmerge inbox`: the messages as they come, the chosen one in all its views, and faults on order. Owns what is
 * shown of what the server knows.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import type { InboxView, MailFilter, MailMessageView, MailRow, MailRowsView } from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { ApiError, get, post } from '../api.ts'
import { count } from '../format.ts'
import { icon } from '../icons.ts'
import { Keys } from '../keys.ts'
import { ListSearch } from '../list-search.ts'
import { Live } from '../live.ts'
import { SendDialog } from '../message/send-dialog.ts'
import { MessageViewer } from '../message/viewer.ts'
import { RowList } from '../row-list.ts'
import { takeUpTheme } from '../theme.ts'
import { topBar } from '../top-bar.ts'
import { FaultsDrawer, faultsOn } from './faults.ts'
import { FILTERS, mailCells } from './mail-cells.ts'
import { nothingYet } from './nothing-yet.ts'
import { WipeDialog } from './wipe-dialog.ts'

class InboxPage {
  readonly #page = document.createElement('div')
  readonly #list: RowList<MailRow>
  readonly #search: ListSearch<MailFilter>
  readonly #viewer: MessageViewer
  readonly #live: Live
  readonly #keys: Keys
  readonly #sendDialog = new SendDialog()
  readonly #wipeDialog = new WipeDialog(() => {
    this.#shown = undefined
    this.#list.reset()
    void this.#refresh()
  })
  readonly #faultsDrawer = new FaultsDrawer((status) => {
    this.#status = status
    this.#draw()
  })
  readonly #seen = new Set<number>()
  #status: InboxView | undefined
  #shown: MailMessageView | undefined
  #id = Number(chosen('id') ?? 0)
  /** Messages that came while the list was scrolled. */
  #waiting = 0
  #updatedAt: Date | undefined
  #asking: AbortController | undefined

  constructor() {
    this.#page.id = 'page'
    this.#list = new RowList<MailRow>({
      label: () => `${count(this.#list.total ?? 0)} messages, newest first`,
      load: (from, limit, signal) => this.#load(from, limit, signal),
      row: (row) => mailCells(row, row.isNew && !this.#seen.has(row.id)),
      empty: () => this.#nothingFound(),
      onSelect: ({ id }) => this.#choose(id),
      onOpen: () => this.#page.classList.add('at-message'),
    })
    this.#search = new ListSearch<MailFilter>({
      label: 'Search messages',
      placeholder: 'Search, or to: subject: row:',
      filters: FILTERS,
      list: this.#list,
      onChange: () => this.#draw(),
    })
    this.#viewer = new MessageViewer({
      pictures: 'ask',
      actions: () => this.#actions(),
      above: () => this.#banner(),
      nothing: () => (this.#isEmpty() ? nothingYet(this.#status?.server) : html`<div class="empty"></div>`),
      onBack: () => this.#back(),
    })
    document.body.append(this.#page)
    this.#live = new Live(
      ['added', 'removed'],
      (name, data) => this.#hear(name, data),
      () => this.#draw(),
    )
    this.#keys = new Keys(
      [
        { key: 'j', says: 'Next message', run: () => this.#list.move(1) },
        { key: 'k', says: 'Previous message', run: () => this.#list.move(-1) },
        { key: '/', says: 'Search', run: () => this.#search.focus() },
        { key: 'u', says: 'New only', run: () => this.#search.show(this.#search.filter === 'new' ? 'all' : 'new') },
        ...this.#viewer.keys(),
        { key: 'i', says: 'Show pictures once', run: () => this.#viewer.showPictures() },
        { key: 'e', says: 'Save as .eml', run: () => this.#save() },
        { key: 'f', says: 'Faults', run: () => this.#openFaults() },
      ],
      () => this.#back(),
    )
  }

  async start(): Promise<void> {
    this.#draw()
    this.#list.refresh()
    await this.#refresh()
    if (this.#id > 0) void this.#ask(this.#id)
    else void this.#openNewest()
  }

  #hear(name: string, data: unknown): void {
    if (name === 'hello' && this.#status === undefined) return
    const wasEmpty = this.#isEmpty()
    // What a person looks at does not move under the pointer.
    const isScrolled = this.#list.element.scrollTop > 0
    if (name === 'added' && isScrolled) this.#waiting += (data as { readonly count: number }).count
    void this.#refresh().then(async () => {
      if (name === 'added' && isScrolled) return
      await this.#reload()
      if (wasEmpty) void this.#openNewest()
    })
  }

  /** The list as it is now, with the same message chosen in it. */
  async #reload(): Promise<void> {
    this.#list.refresh()
    if (this.#shown !== undefined) await this.#mark(this.#shown.id)
  }

  async #refresh(): Promise<void> {
    try {
      this.#status = await get<InboxView>('/api/inbox')
      this.#updatedAt = new Date()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
    }
    this.#draw()
  }

  #query(more: Readonly<Record<string, string>>): string {
    return `/api/messages?${this.#search.query(more)}`
  }

  #load(from: number, limit: number, signal: AbortSignal): Promise<MailRowsView> {
    return get<MailRowsView>(this.#query({ from: String(from), limit: String(limit) }), signal)
  }

  async #openNewest(): Promise<void> {
    const { rows } = await get<MailRowsView>(this.#query({ limit: '1' }))
    const [newest] = rows
    if (newest !== undefined) await this.#ask(newest.id)
  }

  #choose(id: number): void {
    this.#id = id
    choose('id', String(id))
    void this.#ask(id)
  }

  /** Asks for a message; the one shown stays until it is there. */
  async #ask(id: number): Promise<void> {
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    try {
      const shown = await get<MailMessageView>(`/api/messages/${id}`, asking.signal)
      if (this.#asking !== asking) return
      this.#shown = shown
      if (this.#list.selected < 0) await this.#mark(id)
      if (shown.isNew && !this.#seen.has(id)) await this.#look(id)
    } catch (error) {
      if (asking.signal.aborted || !(error instanceof ApiError)) return
      this.#shown = undefined
    }
    this.#draw()
    this.#viewer.show(this.#shown && { view: this.#shown.message, base: `/api/messages/${id}`, version: String(id) })
  }

  async #look(id: number): Promise<void> {
    this.#seen.add(id)
    await post(`/api/messages/${id}/seen`, {})
    await this.#refresh()
    this.#list.refresh()
  }

  async #mark(id: number): Promise<void> {
    const { from, rows } = await get<MailRowsView>(this.#query({ near: String(id), limit: '1' }))
    if (rows[0]?.id === id) this.#list.mark(from)
  }

  #isEmpty(): boolean {
    return this.#status?.counts.all === 0
  }

  #draw(): void {
    const about = this.#status?.server ?? this.#status?.folder ?? ''
    const fresh = this.#status?.counts.new ?? 0
    document.title = fresh > 0 ? `(${count(fresh)}) Inbox` : 'Inbox'
    this.#page.classList.toggle('is-empty', this.#isEmpty())
    if (this.#isEmpty()) this.#shown = undefined
    render(
      html`<a class="skip" href="#rows">To the messages</a>
        ${topBar({
          page: 'Inbox',
          about,
          live: this.#live.state,
          updatedAt: this.#updatedAt,
          onKeys: () => this.#keys.open(),
          main: this.#faultsButton(),
        })}
        <main class="shell">
          <section class="side" aria-label="Messages">${this.#side()}</section>
          ${this.#viewer.element}
        </main>`,
      this.#page,
    )
    if (this.#shown === undefined) this.#viewer.show(undefined)
    else this.#viewer.draw()
  }

  #faultsButton(): TemplateResult | undefined {
    const status = this.#status
    if (status?.server === undefined) return undefined
    const on = faultsOn(status.faults)
    const open = (): void => this.#openFaults()
    return on === 0
      ? html`<button type="button" class="btn" @click=${open}>${icon('bolt')}<span class="only-wide" aria-hidden="true">Faults: none</span><span class="vh">Faults on order: none</span></button>`
      : html`<button type="button" class="btn on-order" @click=${open}>${icon('warn')}Faults: ${on}</button>`
  }

  #side(): TemplateResult {
    return html`${this.#search.template(this.#status?.counts)}
      <div class="wrap">
        ${
          this.#waiting === 0
            ? nothing
            : html`<button type="button" class="fresh" @click=${() => this.#showWaiting()}>${icon('up')}${count(this.#waiting)} more ${this.#waiting === 1 ? 'has' : 'have'} arrived</button>`
        }
        ${this.#list.element}
      </div>
      <div class="side-foot only-wide"><span><kbd>j</kbd><kbd>k</kbd> move</span><span><kbd>u</kbd> new only</span><span class="grow"></span>
        ${
          this.#status?.folder === undefined
            ? html`<button type="button" class="btn quiet risk" @click=${() => this.#openWipe()}>${this.#search.text === '' ? 'Delete all' : 'Delete these'}</button>`
            : nothing
        }</div>`
  }

  #actions(): TemplateResult {
    const base = `/api/messages/${this.#shown?.id ?? 0}`
    return html`
      <button type="button" class="btn only only-wide" aria-label="Newer message" @click=${() => this.#list.move(-1)}>${icon('up')}</button>
      <button type="button" class="btn only only-wide" aria-label="Older message" @click=${() => this.#list.move(1)}>${icon('down')}</button>
      <a class="btn only-wide" href="${base}/raw?save">${icon('save')}Save .eml</a>
      <button type="button" class="btn" @click=${() => this.#openSend()}>${icon('send')}<span class="only-wide" aria-hidden="true">Send on</span><span class="vh">Send this message to yourself</span></button>`
  }

  #banner(): TemplateResult | typeof nothing {
    if (this.#live.state.kind !== 'lost') return nothing
    return html`<div class="pad"><div class="banner" role="alert">${icon('failed')}<b>mailmerge inbox has stopped</b>
      <p>What is shown stays readable. Start it again in the terminal, and open the address that it prints.</p></div></div>`
  }

  #nothingFound(): TemplateResult | typeof nothing {
    if (this.#search.text !== '') {
      return html`<div class="empty"><h2>No message matches</h2>
        <p>Words narrow it down: <span class="mono">from: to: subject: row: has:attachment before: after:</span></p>
        <button type="button" class="btn" @click=${() => this.#search.search('')}>Clear the search</button></div>`
    }
    if (this.#search.filter === 'all') return nothing
    return html`<div class="empty"><h2>There are none</h2><button type="button" class="btn" @click=${() => this.#search.show('all')}>Show all messages</button></div>`
  }

  #showWaiting(): void {
    this.#waiting = 0
    this.#list.element.scrollTop = 0
    this.#draw()
    void this.#reload()
  }

  #back(): void {
    this.#page.classList.remove('at-message')
    this.#list.element.focus()
  }

  #save(): void {
    if (this.#shown !== undefined) location.assign(`/api/messages/${this.#shown.id}/raw?save`)
  }

  #openFaults(): void {
    if (this.#status?.server !== undefined) this.#faultsDrawer.open(this.#status.faults)
  }

  #openWipe(): void {
    const search = this.#search.text
    this.#wipeDialog.open(search, (search === '' ? this.#status?.counts.all : this.#list.total) ?? 0)
  }

  #openSend(): void {
    if (this.#shown === undefined) return
    this.#sendDialog.open({
      title: 'Send this message to yourself',
      path: `/api/messages/${this.#shown.id}/send`,
      about: html`Goes through the server of this project, byte by byte as it is here. Nobody else gets it, and nothing is recorded as sent.`,
    })
  }
}

takeUpTheme()
void new InboxPage().start()

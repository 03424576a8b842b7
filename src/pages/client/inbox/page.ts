/**
 * The page of `mailmerge inbox`: the messages as they come, the chosen one in all its views, and faults on order. Owns what is
 * shown of what the server knows.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import type { FaultsView, InboxView, MailFilter, MailMessageView, MailRow, MailRowsView, TestView } from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { ApiError, get, post, remove } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { Dialog } from '../dialog.ts'
import { filterChips } from '../filters.ts'
import { clockTime, count, shortTime } from '../format.ts'
import { icon } from '../icons.ts'
import { bindKeys, type Key } from '../keys.ts'
import { Live } from '../live.ts'
import { MessageViewer } from '../message/viewer.ts'
import { RowList } from '../row-list.ts'
import { takeUpTheme } from '../theme.ts'
import { toast } from '../toast.ts'
import { topBar } from '../top-bar.ts'

const FILTERS: readonly (readonly [MailFilter, string])[] = [
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

/** What the drawer offers: the share in per cent, or seconds, where a person has typed none. */
const FAULTS: readonly (readonly [Exclude<keyof FaultsView, 'match'>, title: string, words: string, usual: number])[] =
  [
    ['refuse', 'Refuse', '550 5.1.1: no such person', 5],
    ['defer', 'Put off', '451 4.7.1: try again later', 20],
    ['drop', 'Hang up', 'The connection breaks after the end of the message', 1],
    ['slow', 'Be slow', 'Each answer waits', 2],
  ]

const TYPING_MS = 120
const SEND_TO = 'mailmerge-test-to'

class InboxPage {
  readonly #page = document.createElement('div')
  readonly #list: RowList<MailRow>
  readonly #viewer: MessageViewer
  readonly #live: Live
  readonly #keysDialog = new Dialog('keys', 'box')
  readonly #sendDialog = new Dialog('send', 'box')
  readonly #wipeDialog = new Dialog('wipe', 'box')
  readonly #faultsDrawer = new Dialog('faults', 'drawer')
  /** What was typed for each fault, also while it is off. */
  readonly #typed = new Map<string, number>()
  readonly #seen = new Set<number>()
  #status: InboxView | undefined
  #shown: MailMessageView | undefined
  #search = chosen('q') ?? ''
  #filter: MailFilter = FILTERS.find(([name]) => name === chosen('filter'))?.[0] ?? 'all'
  #id = Number(chosen('id') ?? 0)
  /** Messages that came while the list was scrolled. */
  #waiting = 0
  #updatedAt: Date | undefined
  #asking: AbortController | undefined
  #typing: number | undefined

  constructor() {
    this.#page.id = 'page'
    this.#list = new RowList<MailRow>({
      label: () => `${count(this.#list.total ?? 0)} messages, newest first`,
      load: (from, limit, signal) => this.#load(from, limit, signal),
      row: (row) => this.#cells(row),
      empty: () => this.#nothingFound(),
      onSelect: ({ id }) => this.#choose(id),
      onOpen: () => this.#page.classList.add('at-message'),
      onError: () => {},
    })
    this.#viewer = new MessageViewer({
      pictures: 'ask',
      actions: () => this.#actions(),
      above: () => this.#banner(),
      nothing: () => (this.#isEmpty() ? this.#nothingYet() : html`<div class="empty"></div>`),
      onBack: () => this.#back(),
    })
    document.body.append(this.#page)
    this.#live = new Live(
      ['added', 'removed'],
      (name, data) => this.#hear(name, data),
      () => this.#draw(),
    )
    bindKeys(this.#keys(), () => this.#back())
  }

  async start(): Promise<void> {
    this.#draw()
    this.#list.refresh()
    await this.#refresh()
    if (this.#id > 0) void this.#ask(this.#id)
    else void this.#openNewest()
  }

  #keys(): readonly Key[] {
    const views = ['HTML', 'Text', 'Headers', 'Source', 'Attachments', 'Checks']
    return [
      { key: 'j', says: 'Next message', run: () => this.#list.move(1) },
      { key: 'k', says: 'Previous message', run: () => this.#list.move(-1) },
      { key: '/', says: 'Search', run: () => document.querySelector<HTMLInputElement>('#search')?.focus() },
      { key: 'u', says: 'New only', run: () => this.#setFilter(this.#filter === 'new' ? 'all' : 'new') },
      ...views.map((view, index) => ({
        key: String(index + 1),
        says: `View: ${view}`,
        run: () => this.#viewer.openTab(index + 1),
      })),
      { key: 'w', says: 'Next width', run: () => this.#viewer.nextWidth() },
      { key: 'd', says: 'Its own dark, inverted, off', run: () => this.#viewer.nextDark() },
      { key: 'i', says: 'Show pictures once', run: () => this.#viewer.showPictures() },
      { key: 'e', says: 'Save as .eml', run: () => this.#save() },
      { key: 'f', says: 'Faults', run: () => this.#openFaults() },
      { key: '?', says: 'This list', run: () => this.#openKeys() },
    ]
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
    return `/api/messages?${new URLSearchParams({ filter: this.#filter, q: this.#search, ...more })}`
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
          onKeys: () => this.#openKeys(),
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
    const on = FAULTS.filter(([name]) => status.faults[name] > 0).length
    const open = (): void => this.#openFaults()
    return on === 0
      ? html`<button type="button" class="btn" @click=${open}>${icon('bolt')}<span class="only-wide" aria-hidden="true">Faults: none</span><span class="vh">Faults on order: none</span></button>`
      : html`<button type="button" class="btn on-order" @click=${open}>${icon('warn')}Faults: ${on}</button>`
  }

  #side(): TemplateResult {
    const filters = FILTERS.map(([name, words]) => ({ name, words, rows: this.#status?.counts[name] }))
    return html`<div class="side-head">
        <label class="field">${icon('search')}<span class="vh">Search messages</span>
          <input id="search" type="text" .value=${this.#search} placeholder="Search, or to: subject: row:" autocomplete="off" spellcheck="false"
            @input=${(event: Event) => this.#type((event.target as HTMLInputElement).value)}
            @keydown=${(event: KeyboardEvent) => this.#searchKey(event)}><kbd class="only-wide" aria-hidden="true">/</kbd></label>
        ${filterChips(filters, this.#filter, (name) => this.#setFilter(name))}
      </div>
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
            ? html`<button type="button" class="btn quiet risk" @click=${() => this.#openWipe()}>${this.#isNarrowed() ? 'Delete these' : 'Delete all'}</button>`
            : nothing
        }</div>`
  }

  #cells({ id, who, at, subject, preheader, row, hasAttachment, isNew, fault }: MailRow): TemplateResult {
    const came = new Date(at)
    const time = came.toDateString() === new Date().toDateString() ? clockTime(came) : shortTime(came)
    return html`<div class="mi ${isNew && !this.#seen.has(id) ? 'new' : ''}">
      ${who === '' ? html`<span class="cut who none">nobody</span>` : html`<bdi class="cut who">${who}</bdi>`}
      <time class="num" datetime=${at}>${time}</time>
      ${subject === '' ? html`<span class="cut sub none">no subject</span>` : html`<bdi class="cut sub">${subject}</bdi>`}
      <span class="fl">${isNew && !this.#seen.has(id) ? html`<span class="vh">New</span>` : nothing}
        ${fault === undefined ? nothing : icon('failed', { label: FAULT_WORDS[fault], look: 'err' })}
        ${hasAttachment ? icon('clip', { label: 'Has attachments' }) : nothing}</span>
      ${preheader === '' ? html`<span class="cut pre none">empty</span>` : html`<bdi class="cut pre">${preheader}</bdi>`}
      <span class="num rw">${row === undefined ? '' : `row ${count(row)}`}</span></div>`
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

  #nothingYet(): TemplateResult {
    const server = this.#status?.server
    const rehearsal = 'mailmerge run --csv list.csv --template news --sandbox'
    return html`<div class="empty"><svg class="art" viewBox="0 0 120 84" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round" aria-hidden="true"><path d="M14 46 26 16a6 6 0 0 1 5.6-4h56.8A6 6 0 0 1 94 16l12 30v20a6 6 0 0 1-6 6H20a6 6 0 0 1-6-6z"/><path d="M14 46h26a4 4 0 0 1 4 4 8 8 0 0 0 8 8h16a8 8 0 0 0 8-8 4 4 0 0 1 4-4h26"/><path d="M60 22v16m-6-6 6 6 6-6" opacity=".6"/></svg>
      <h2 class="title">Nothing has arrived yet</h2>
      ${
        server === undefined
          ? html`<p>Rehearse a merge: its messages show here as they are written.</p>${commandLine(rehearsal)}
            <p>Or take what any program sends:</p>${commandLine('mailmerge inbox --smtp-port 2525')}`
          : html`<p>Point any program at this address. Whatever it sends stops here, and nobody else gets it.</p>${commandLine(`smtp://${server}`)}
            <p>Or rehearse a merge:</p>${commandLine(rehearsal)}`
      }</div>`
  }

  #nothingFound(): TemplateResult | typeof nothing {
    if (this.#search !== '') {
      return html`<div class="empty"><h2>No message matches</h2>
        <p>Words narrow it down: <span class="mono">from: to: subject: row: has:attachment before: after:</span></p>
        <button type="button" class="btn" @click=${() => this.#setSearch('')}>Clear the search</button></div>`
    }
    if (this.#filter === 'all') return nothing
    return html`<div class="empty"><h2>There are none</h2><button type="button" class="btn" @click=${() => this.#setFilter('all')}>Show all messages</button></div>`
  }

  #showWaiting(): void {
    this.#waiting = 0
    this.#list.element.scrollTop = 0
    this.#draw()
    void this.#reload()
  }

  #isNarrowed(): boolean {
    return this.#search !== ''
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

  #setFilter(filter: MailFilter): void {
    this.#filter = filter
    choose('filter', filter === 'all' ? undefined : filter)
    this.#list.reset()
    this.#draw()
  }

  #back(): void {
    this.#page.classList.remove('at-message')
    this.#list.element.focus()
  }

  #save(): void {
    if (this.#shown !== undefined) location.assign(`/api/messages/${this.#shown.id}/raw?save`)
  }

  #openKeys(): void {
    this.#keysDialog.show({
      title: 'Keyboard',
      body: html`<table aria-label="Keys"><tbody>${this.#keys().map(
        ({ key, says }) => html`<tr><td>${says}</td><td class="r"><kbd>${key}</kbd></td></tr>`,
      )}</tbody></table>`,
    })
  }

  #openFaults(): void {
    const faults = this.#status?.faults
    if (faults === undefined || this.#status?.server === undefined) return
    const set = async (change: Partial<FaultsView>): Promise<void> => {
      this.#status = await post<InboxView>('/api/faults', { ...faults, ...change })
      this.#draw()
      this.#openFaults()
    }
    this.#faultsDrawer.show({
      title: 'Faults on order',
      body: html`<p class="soft">See what your sender does when a server misbehaves. The share is of all messages from now on.</p>
        <div class="faults">${FAULTS.map((fault) => this.#faultLine(fault, faults, set))}</div>
        <label class="lab">Only for addresses that contain<span class="field"><input placeholder="everyone" .value=${faults.match} autocomplete="off" spellcheck="false"
          @change=${(event: Event) => void set({ match: (event.target as HTMLInputElement).value.trim() })}></span></label>`,
      foot: html`<button type="button" class="btn quiet" @click=${() => void set({ refuse: 0, defer: 0, drop: 0, slow: 0 })}>Turn all off</button>
        <span class="grow"></span><button type="button" class="btn main" @click=${() => this.#faultsDrawer.close()}>Done</button>`,
    })
  }

  #faultLine(
    [name, title, words, usual]: (typeof FAULTS)[number],
    faults: FaultsView,
    set: (change: Partial<FaultsView>) => Promise<void>,
  ): TemplateResult {
    const unit = name === 'slow' ? 1 : 0.01
    const on = faults[name] > 0
    const shown = on ? Math.round((faults[name] / unit) * 100) / 100 : (this.#typed.get(name) ?? usual)
    const type = (event: Event): void => {
      const number = Number((event.target as HTMLInputElement).value.replace(',', '.'))
      const most = name === 'slow' ? 600 : 100
      if (!(number > 0 && number <= most)) return this.#openFaults()
      this.#typed.set(name, number)
      if (on) void set({ [name]: number * unit })
    }
    return html`<div class="fault"><div><b>${title}</b><p>${words}</p></div>
      <label class="field px"><span class="vh">${title}: ${name === 'slow' ? 'seconds' : 'share in per cent'}</span>
        <input .value=${String(shown)} inputmode="decimal" @change=${type}><span aria-hidden="true">${name === 'slow' ? 's' : '%'}</span></label>
      <button type="button" class="switch" role="switch" aria-checked=${String(on)} aria-label=${title} @click=${() => void set({ [name]: on ? 0 : shown * unit })}><i></i></button></div>`
  }

  #openWipe(trouble?: ApiError): void {
    const narrowed = this.#isNarrowed()
    const number = (narrowed ? this.#list.total : this.#status?.counts.all) ?? 0
    if (number === 0) return
    const some = `${count(number)} ${number === 1 ? 'message' : 'messages'}`
    const wipe = async (): Promise<void> => {
      try {
        await remove(`/api/messages?${new URLSearchParams({ q: this.#search })}`)
        this.#wipeDialog.close()
        this.#shown = undefined
        this.#list.reset()
        await this.#refresh()
      } catch (error) {
        if (error instanceof ApiError) this.#openWipe(error)
      }
    }
    this.#wipeDialog.show({
      title: narrowed ? `Delete the ${some} that match?` : `Delete all ${some}?`,
      body: html`${trouble === undefined ? nothing : errorBanner({ title: 'They were not deleted', error: trouble.fields })}
        <p class="soft">They are files of this inbox only. Nobody else has them, and they do not come back.</p>`,
      foot: html`<span class="grow"></span><button type="button" class="btn" @click=${() => this.#wipeDialog.close()}>Keep</button>
        <button type="button" class="btn risk" @click=${() => void wipe()}>Delete ${count(number)}</button>`,
    })
  }

  #openSend(trouble?: ApiError, sending = false): void {
    const shown = this.#shown
    if (shown === undefined) return
    const send = async (event: SubmitEvent): Promise<void> => {
      event.preventDefault()
      const to = String(new FormData(event.target as HTMLFormElement).get('to') ?? '')
      localStorage.setItem(SEND_TO, to)
      this.#openSend(undefined, true)
      try {
        const { server, address, seconds } = await post<TestView>(`/api/messages/${shown.id}/send`, { to })
        this.#sendDialog.close()
        toast(`Accepted by ${server} for ${address} in ${seconds.toFixed(1)} s`)
      } catch (error) {
        if (error instanceof ApiError) this.#openSend(error)
      }
    }
    this.#sendDialog.show({
      title: 'Send this message to yourself',
      body: html`<form id="send" @submit=${send}>
        <label class="lab">Your address<span class="field"><input name="to" type="email" required .value=${localStorage.getItem(SEND_TO) ?? ''}></span></label></form>
        ${trouble === undefined ? nothing : errorBanner({ title: 'It was not sent', error: trouble.fields })}
        <p class="soft">Goes through the server of this project, byte by byte as it is here. Nobody else gets it, and nothing is recorded as sent.</p>`,
      foot: html`<span class="grow"></span><button class="btn main" form="send" ?disabled=${sending}>${sending ? 'Sending' : 'Send'}</button>`,
    })
  }
}

/** Something to type elsewhere, and a button that copies it. */
function commandLine(text: string): TemplateResult {
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    toast('Copied')
  }
  const words = text.split(' ')
  return html`<div class="cmd"><code>${words.map((word, index) => html`${index === 0 ? '' : ' '}<span>${word}</span>`)}</code>
    <button type="button" class="btn quiet only" aria-label="Copy ${text}" @click=${() => void copy()}>${icon('copy')}</button></div>`
}

takeUpTheme()
void new InboxPage().start()

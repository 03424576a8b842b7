/** Who is not written to, page by page, with the command that takes somebody off. Owns what is asked for and shown of the list. */
import { html, nothing, type TemplateResult } from 'lit'
import { SUPPRESSION_WORDS } from '../../../report/suppression-words.ts'
import { SUPPRESSION_FILTERS, type SuppressionFilter, type SuppressionItem, type SuppressionsView } from '../../wire.ts'
import { choose } from '../address.ts'
import { ApiError, get } from '../api.ts'
import { commandLine } from '../copyable.ts'
import { count, dayAndTime } from '../format.ts'
import { icon } from '../icons.ts'
import { ListSearch } from '../list-search.ts'

const FILTERS = SUPPRESSION_FILTERS.map((filter) => [filter, { all: 'All', ...SUPPRESSION_WORDS }[filter]] as const)

interface Place {
  readonly after: string | undefined
  readonly before: number
}

const FIRST: Place = { after: undefined, before: 0 }

export class SuppressedList {
  readonly #search: ListSearch<SuppressionFilter>
  readonly #onChange: () => void
  readonly #onBack: () => void
  /** The pages up to the one that is shown: what each is asked for with, and how many entries are before it. */
  #pages: readonly Place[] = [FIRST]
  #shown: SuppressionsView | undefined
  #version: number | undefined
  /** The entry whose command is shown. */
  #open: string | undefined
  #asking: AbortController | undefined

  constructor(onChange: () => void, onBack: () => void) {
    this.#onChange = onChange
    this.#onBack = onBack
    this.#search = new ListSearch<SuppressionFilter>({
      label: 'Search the suppressed',
      placeholder: 'Search address, campaign or note',
      filters: FILTERS,
      list: {
        reset: () => void this.#first(),
        move: () => {},
        element: { focus: () => document.querySelector<HTMLElement>('#suppressed')?.focus() },
      },
      onChange,
    })
  }

  focusSearch(): void {
    this.#search.focus()
  }

  /** Asks for the page that is shown, where the list has changed since. */
  refresh(version: number): void {
    if (this.#version === version) return
    this.#version = version
    void this.#load()
  }

  /** What was chosen here is not part of other views. */
  leave(): void {
    choose('q', undefined)
    choose('filter', undefined)
  }

  template(): TemplateResult {
    const { counts } = this.#shown ?? {}
    return html`<div class="head"><button type="button" class="btn quiet hide-wide" @click=${this.#onBack}>${icon('back')}All runs</button>
        <h2 class="title grow">Suppressed</h2><span class="soft num">${this.#range()}</span></div>
      <p class="soft letterish">Nobody here is written to; an entry for one campaign holds for that campaign alone. A command takes somebody off the list.</p>
      <section class="card suppressed" aria-label="The suppression list">${this.#search.template(counts)}
        ${this.#content()}</section>`
  }

  #range(): string {
    const entries = this.#shown?.entries.length ?? 0
    if (entries === 0) return ''
    const { text, filter } = this.#search
    const of = text === '' ? ` of ${count(this.#shown?.counts[filter] ?? 0)}` : ''
    const { before } = this.#pages.at(-1) ?? FIRST
    return `${count(before + 1)} to ${count(before + entries)}${of}`
  }

  #content(): TemplateResult | typeof nothing {
    const shown = this.#shown
    if (shown === undefined) return nothing
    if (shown.entries.length === 0) return this.#none(shown.counts.all)
    return html`<div class="scroll-x" id="suppressed" tabindex="0" role="region" aria-label="Who is suppressed"><table role="table">
        <thead role="rowgroup"><tr role="row">${['Address', 'Reason', 'Since', 'Campaign'].map((head) => html`<th role="columnheader">${head}</th>`)}<th role="columnheader"><span class="vh">Taking it off</span></th></tr></thead>
        <tbody role="rowgroup">${shown.entries.map((one) => this.#row(one))}</tbody></table></div>
      ${
        this.#pages.length === 1 && shown.next === undefined
          ? nothing
          : html`<div class="pager"><button type="button" class="btn" aria-disabled=${String(this.#pages.length === 1)} @click=${() => void this.#newer()}>${icon('back')}Newer</button>
            <button type="button" class="btn" aria-disabled=${String(shown.next === undefined)} @click=${() => void this.#older()}>Older</button></div>`
      }`
  }

  #none(all: number): TemplateResult {
    const { text, filter } = this.#search
    if (text !== '') {
      return html`<div class="empty"><h2>Nobody here has “${text}”</h2><p>Searched ${count(all)} entries.${filter === 'all' ? '' : ' A filter is on.'}</p>
        <button type="button" class="btn" @click=${() => this.#search.search('')}>Clear the search</button></div>`
    }
    if (filter !== 'all') {
      return html`<div class="empty"><h2>There are none</h2>
        <button type="button" class="btn" @click=${() => this.#search.show('all')}>Show all</button></div>`
    }
    return html`<div class="empty"><h2>Nobody is suppressed</h2><p>Whoever unsubscribes, complains or bounces is listed here. This adds somebody by hand:</p>
      ${commandLine('mailmerge suppress add ADDRESS')}</div>`
  }

  #row(one: SuppressionItem): TemplateResult {
    const { address, hash, reason, note, since, group, command } = one
    const id = `${hash} ${group}`
    const isOpen = this.#open === id
    const toggle = (): void => {
      this.#open = isOpen ? undefined : id
      this.#onChange()
    }
    const who =
      address === undefined
        ? html`<span class="none">forgotten</span> <span class="faint mono">${hash}</span>`
        : html`<bdi class="at">${address}</bdi>`
    // Its parts are one below the other on a phone, where only roles make a table of them.
    return html`<tr role="row"><td role="cell">${who}${note === undefined ? nothing : html`<br><span class="faint"><bdi>${note}</bdi></span>`}</td>
        <td role="cell">${reason}</td><td role="cell" class="num">${dayAndTime(since)}</td><td role="cell">${group === '' ? 'every campaign' : html`<bdi>${group}</bdi>`}</td>
        <td role="cell" class="r"><button type="button" class="btn quiet" aria-expanded=${String(isOpen)} aria-label="Take off ${address ?? hash}" @click=${toggle}>Take off</button></td></tr>
      ${isOpen ? html`<tr role="row" class="how"><td role="cell" colspan="5">${commandLine(command)}</td></tr>` : nothing}`
  }

  async #first(): Promise<void> {
    this.#pages = [FIRST]
    this.#open = undefined
    await this.#load()
  }

  async #older(): Promise<void> {
    const { next, entries } = this.#shown ?? {}
    if (next === undefined) return
    const { before } = this.#pages.at(-1) ?? FIRST
    this.#pages = [...this.#pages, { after: next, before: before + (entries?.length ?? 0) }]
    await this.#turn()
  }

  async #newer(): Promise<void> {
    if (this.#pages.length === 1) return
    this.#pages = this.#pages.slice(0, -1)
    await this.#turn()
  }

  async #turn(): Promise<void> {
    this.#open = undefined
    await this.#load()
    document.querySelector('#main')?.scrollTo(0, 0)
  }

  /** Only the last page that was asked for matters; the one shown stays until it is there. */
  async #load(): Promise<void> {
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    const { after } = this.#pages.at(-1) ?? FIRST
    const query = this.#search.query(after === undefined ? {} : { after })
    try {
      const shown = await get<SuppressionsView>(`/api/suppressions?${query}`, asking.signal)
      if (this.#asking !== asking) return
      this.#shown = shown
    } catch (error) {
      // That the server does not answer is said by the page.
      if (!(asking.signal.aborted || error instanceof ApiError)) throw error
    }
    this.#onChange()
  }
}

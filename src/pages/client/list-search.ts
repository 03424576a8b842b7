/** The search field and the filters above a list. Owns what is typed and pressed, which the address of the page keeps. */
import { html, type TemplateResult } from 'lit'
import { choose, chosen } from './address.ts'
import { filterChips } from './filters.ts'
import { icon } from './icons.ts'
import type { RowList } from './row-list.ts'

export interface ListSearchOptions<Name extends string> {
  /** Of the field, for screen readers. */
  readonly label: string
  readonly placeholder: string
  readonly filters: readonly (readonly [Name, words: string])[]
  /** Starts from its beginning with each change. */
  readonly list: Pick<RowList<unknown>, 'move' | 'reset'> & { readonly element: Pick<HTMLElement, 'focus'> }
  readonly onChange: () => void
}

/** A search begins when the typing rests. */
const TYPING_MS = 120

export class ListSearch<Name extends string> {
  readonly #options: ListSearchOptions<Name>
  #text = chosen('q') ?? ''
  #filter: Name | 'all'
  #typing: number | undefined

  constructor(options: ListSearchOptions<Name>) {
    this.#options = options
    this.#filter = options.filters.find(([name]) => name === chosen('filter'))?.[0] ?? 'all'
  }

  get text(): string {
    return this.#text
  }

  get filter(): Name | 'all' {
    return this.#filter
  }

  /** What a question for the list says of them, and `more`. */
  query(more: Readonly<Record<string, string>>): URLSearchParams {
    return new URLSearchParams({ filter: this.#filter, q: this.#text, ...more })
  }

  search(text: string): void {
    clearTimeout(this.#typing)
    this.#text = text
    choose('q', text === '' ? undefined : text)
    this.#changed()
  }

  show(filter: Name | 'all'): void {
    this.#filter = filter
    choose('filter', filter === 'all' ? undefined : filter)
    this.#changed()
  }

  focus(): void {
    document.querySelector<HTMLInputElement>('#search')?.focus()
  }

  /** `counts` are undefined until they are known. */
  template(counts: Readonly<Record<Name, number>> | undefined): TemplateResult {
    const { label, placeholder, filters } = this.#options
    const chips = filters.map(([name, words]) => ({ name, words, rows: counts?.[name] }))
    return html`<div class="side-head">
        <label class="field">${icon('search')}<span class="vh">${label}</span>
          <input id="search" type="text" .value=${this.#text} placeholder=${placeholder} autocomplete="off" spellcheck="false"
            @input=${(event: Event) => this.#type((event.target as HTMLInputElement).value)}
            @keydown=${(event: KeyboardEvent) => this.#key(event)}><kbd class="only-wide" aria-hidden="true">/</kbd></label>
        ${filterChips<Name | 'all'>(chips, this.#filter, (name) => this.show(name))}
      </div>`
  }

  #changed(): void {
    this.#options.list.reset()
    this.#options.onChange()
  }

  #type(text: string): void {
    this.#text = text
    clearTimeout(this.#typing)
    this.#typing = setTimeout(() => this.search(text), TYPING_MS)
  }

  #key(event: KeyboardEvent): void {
    const { list } = this.#options
    if (event.key === 'Escape') {
      event.preventDefault()
      if (this.#text === '') list.element.focus()
      else this.search('')
    } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault()
      list.element.focus()
      list.move(1)
    }
  }
}

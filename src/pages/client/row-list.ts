/**
 * A list of any length of which only what is in sight is in the page. Owns scrolling, the selection and what is loaded of the
 * list, page by page; what a row shows is its owner's.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import { ApiError } from './api.ts'

/** A piece of the list. */
export interface ListPage<Row> {
  /** Rows of the whole list, as far as it is known. */
  readonly total: number
  readonly rows: readonly Row[]
}

export interface RowListOptions<Row> {
  /** Name of the list for screen readers. */
  readonly label: () => string
  /** @throws ApiError */
  readonly load: (from: number, limit: number, signal: AbortSignal) => Promise<ListPage<Row>>
  readonly row: (row: Row) => TemplateResult
  /** In place of the rows where there are none. */
  readonly empty: () => TemplateResult | typeof nothing
  readonly onSelect: (row: Row, position: number) => void
  /** Enter, or a tap: to the row itself, where the list and the row are not side by side. */
  readonly onOpen: () => void
}

const PAGE = 200
const KEPT_PAGES = 50
/** A browser does not take boxes of any height; a longer list moves faster than the finger. */
const TALLEST = 8_000_000
/** Rows drawn above and below those in sight. */
const SPARE = 6
/** Bones are shown only after this long. */
const PATIENCE_MS = 300

export class RowList<Row> {
  readonly element = document.createElement('div')
  readonly #options: RowListOptions<Row>
  readonly #pages = new Map<number, readonly Row[]>()
  readonly #loading = new Map<number, AbortController>()
  #total: number | undefined
  #selected = -1
  #generation = 0
  #drawn = false
  #patient = false

  constructor(options: RowListOptions<Row>) {
    this.#options = options
    const { element } = this
    element.className = 'rows'
    element.id = 'rows'
    element.tabIndex = 0
    element.setAttribute('role', 'listbox')
    element.addEventListener('scroll', () => this.#draw(), { passive: true })
    element.addEventListener('keydown', (event) => this.#key(event))
    new ResizeObserver(() => this.#draw()).observe(element)
    this.#wait()
  }

  get selected(): number {
    return this.#selected
  }

  get total(): number | undefined {
    return this.#total
  }

  /** Another list, from its beginning: another search, another filter. The old rows stay until the new ones are there. */
  reset(): void {
    this.#selected = -1
    this.element.scrollTop = 0
    this.refresh()
  }

  /** The same list, whose rows may have changed. */
  refresh(): void {
    this.#generation++
    for (const loading of this.#loading.values()) loading.abort()
    this.#loading.clear()
    const old = new Map(this.#pages)
    this.#wait()
    void this.#load(this.#pageAt(this.#firstInSight()), old)
  }

  /** Chooses the row at a position and brings it into sight. */
  async select(position: number): Promise<void> {
    const total = this.#total ?? 0
    if (total === 0) return
    const to = Math.max(0, Math.min(total - 1, position))
    this.#selected = to
    this.#reveal(to)
    this.#draw()
    const page = this.#pageAt(to)
    if (!this.#pages.has(page)) await this.#load(page)
    const row = this.#rowAt(to)
    if (row !== undefined && this.#selected === to) this.#options.onSelect(row, to)
  }

  /** Marks a row as chosen without telling so. */
  mark(position: number): void {
    this.#selected = position
    this.#reveal(position)
    this.#draw()
  }

  move(step: number): void {
    void this.select(this.#selected < 0 ? 0 : this.#selected + step)
  }

  #wait(): void {
    this.#patient = true
    setTimeout(() => {
      this.#patient = false
      this.#draw()
    }, PATIENCE_MS)
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const inSight = Math.max(1, Math.floor(this.element.clientHeight / this.#height()) - 1)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: inSight,
      PageUp: -inSight,
      Home: Number.NEGATIVE_INFINITY,
      End: Number.POSITIVE_INFINITY,
    }
    const step = steps[event.key]
    if (event.key === 'Enter') this.#options.onOpen()
    else if (step === undefined) return
    else if (Number.isFinite(step)) this.move(step)
    else void this.select(step > 0 ? (this.#total ?? 1) - 1 : 0)
    event.preventDefault()
  }

  /** Pixels of a row, as the style says them. */
  #height(): number {
    const text = getComputedStyle(this.element).getPropertyValue('--row-height')
    return Number.parseFloat(text) || 32
  }

  #pageAt(position: number): number {
    return Math.floor(position / PAGE)
  }

  #rowAt(position: number): Row | undefined {
    return this.#pages.get(this.#pageAt(position))?.[position % PAGE]
  }

  /** How far the list moves for each pixel that is scrolled; more than 1 in a list taller than a box can be. */
  #scale(): number {
    const whole = (this.#total ?? 0) * this.#height()
    const view = this.element.clientHeight
    return whole <= TALLEST ? 1 : (whole - view) / (TALLEST - view)
  }

  #firstInSight(): number {
    return Math.floor((this.element.scrollTop * this.#scale()) / this.#height())
  }

  #reveal(position: number): void {
    const { element } = this
    const height = this.#height()
    const scale = this.#scale()
    const top = position * height
    const from = element.scrollTop * scale
    if (top < from) element.scrollTop = top / scale
    else if (top + height > from + element.clientHeight)
      element.scrollTop = (top + height - element.clientHeight) / scale
  }

  async #load(page: number, instead?: Map<number, readonly Row[]>): Promise<void> {
    if (this.#loading.has(page)) return
    const loading = new AbortController()
    this.#loading.set(page, loading)
    const generation = this.#generation
    try {
      const { total, rows } = await this.#options.load(page * PAGE, PAGE, loading.signal)
      // The answer to an earlier question comes too late.
      if (generation !== this.#generation) return
      if (instead !== undefined) this.#pages.clear()
      this.#total = total
      this.#pages.set(page, rows)
      this.#forget(page)
    } catch (error) {
      // That the server does not answer is said by the page.
      if (!(loading.signal.aborted || error instanceof ApiError)) throw error
    } finally {
      if (this.#loading.get(page) === loading) this.#loading.delete(page)
      if (generation === this.#generation) this.#draw()
    }
  }

  /** Pages far from the one just loaded go first. */
  #forget(near: number): void {
    if (this.#pages.size <= KEPT_PAGES) return
    const farthest = [...this.#pages.keys()].sort((a, b) => Math.abs(b - near) - Math.abs(a - near))[0]
    if (farthest !== undefined) this.#pages.delete(farthest)
  }

  /** Draws at the next frame, once. */
  #draw(): void {
    if (this.#drawn) return
    this.#drawn = true
    requestAnimationFrame(() => {
      this.#drawn = false
      this.#drawNow()
    })
  }

  #drawNow(): void {
    const { element } = this
    const total = this.#total
    element.setAttribute('aria-label', this.#options.label())
    element.setAttribute('aria-busy', String(total === undefined))
    // A list box without options is not one: what is there says why.
    element.setAttribute('role', total === 0 ? 'group' : 'listbox')
    if (total === undefined) {
      render(this.#patient ? nothing : bones(), element)
      return
    }
    if (total === 0) {
      element.removeAttribute('aria-activedescendant')
      render(this.#options.empty(), element)
      return
    }
    const height = this.#height()
    const whole = Math.min(total * height, TALLEST)
    const offset = element.scrollTop * this.#scale()
    const first = Math.max(0, Math.floor(offset / height) - SPARE)
    const last = Math.min(total, Math.ceil((offset + element.clientHeight) / height) + SPARE)
    for (const page of new Set([this.#pageAt(first), this.#pageAt(Math.max(first, last - 1))]))
      if (!this.#pages.has(page)) void this.#load(page)
    const rows = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index)
    const isInSight = this.#selected >= first && this.#selected < last
    if (isInSight) element.setAttribute('aria-activedescendant', `row-${this.#selected}`)
    else element.removeAttribute('aria-activedescendant')
    const top = (position: number): string => `top:${element.scrollTop + position * height - offset}px`
    render(
      html`<div class="rows-all" role="presentation" .style=${`height:${whole}px`}>
        ${rows.map((position) => this.#rowTemplate(position, top(position), total))}
      </div>`,
      element,
    )
  }

  #rowTemplate(position: number, style: string, total: number): TemplateResult {
    const row = this.#rowAt(position)
    const open = (): void => {
      void this.select(position)
      this.#options.onOpen()
    }
    return html`<div class="row" role="option" id="row-${position}" aria-selected=${String(position === this.#selected)}
      aria-posinset=${position + 1} aria-setsize=${total} .style=${style} @click=${open}>
      ${row === undefined ? bone() : this.#options.row(row)}</div>`
  }
}

function bone(): TemplateResult {
  return html`<span></span><span class="bone"></span><span class="bone"></span><span></span>`
}

function bones(): TemplateResult {
  return html`${Array.from({ length: 8 }, () => html`<div class="row still" role="presentation">${bone()}</div>`)}`
}

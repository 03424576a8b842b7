/**
 * One message, in all its views: as mail programs of several widths show it, its text, headers, source, parts and checks.
 * Owns what is chosen among these, which stays from one message to the next; preview and inbox share it.
 */
import { html, nothing, render, type TemplateResult } from 'lit'
import type { Dark, MessageView } from '../../wire.ts'
import { choose, chosen } from '../address.ts'
import { shortTime, size } from '../format.ts'
import { icon } from '../icons.ts'
import { type Key, rove } from '../keys.ts'
import { type FindingActions, findingList, toLookAt } from './findings.ts'
import { MailFrame } from './mail-frame.ts'
import { attachmentList, headerTable } from './panes.ts'
import { plainText } from './plain-text.ts'
import { MessageSource } from './source.ts'

const TABS = ['html', 'text', 'headers', 'source', 'attachments', 'checks'] as const
type Tab = (typeof TABS)[number]
const WORDS: Readonly<Record<Tab, string>> = {
  html: 'HTML',
  text: 'Text',
  headers: 'Headers',
  source: 'Source',
  attachments: 'Attachments',
  checks: 'Checks',
}

const WIDTHS = [360, 390, 430, 768] as const
const FULL = 4000
const NARROWEST = 240

export interface Shown {
  readonly view: MessageView
  /** Under which its document, source and parts are: `/api/rows/3`. */
  readonly base: string
  /** Changes when the same message is made again. */
  readonly version: string
}

export interface ViewerOptions extends FindingActions {
  /** What can be done with the message, at its head. */
  readonly actions: () => TemplateResult
  /** Above the head: what is wrong. */
  readonly above: () => TemplateResult | typeof nothing
  /** Instead of a message, where there is none. */
  readonly nothing: () => TemplateResult
  readonly onBack: () => void
  /**
   * Pictures of other hosts: `switch` loads those that the sender's own template names, until a person switches them off; `ask`
   * loads none until a person asks, once for each message.
   */
  readonly pictures: 'switch' | 'ask'
}

export class MessageViewer {
  readonly element = document.createElement('section')
  readonly #options: ViewerOptions
  readonly #frame = new MailFrame()
  readonly #source = new MessageSource(() => this.draw())
  #shown: Shown | undefined
  #tab: Tab
  #width: number
  #dark: Dark
  #pictures: boolean
  /** The message whose pictures a person asked for. */
  #asked: string | undefined

  constructor(options: ViewerOptions) {
    this.#options = options
    this.#pictures = chosen('pictures') !== 'off'
    this.#tab = TABS.find((tab) => tab === chosen('tab')) ?? 'html'
    this.#dark = (['own', 'inverted'] as const).find((dark) => dark === chosen('dark')) ?? 'off'
    this.#width = widthOf(chosen('w')) ?? 390
    this.element.className = 'main'
    this.element.id = 'message'
    this.element.setAttribute('aria-label', 'The message')
  }

  /** Shows a message, or that there is none. */
  show(shown: Shown | undefined): void {
    this.#shown = shown
    if (shown?.base !== this.#asked) this.#asked = undefined
    this.draw()
  }

  /** The keys that choose what is shown of a message. */
  keys(): readonly Key[] {
    return [
      ...TABS.map((tab, index) => ({
        key: String(index + 1),
        says: `View: ${WORDS[tab]}`,
        run: () => this.#choose(tab),
      })),
      { key: 'w', says: 'Next width', run: () => this.#nextWidth() },
      { key: 'd', says: 'Its own dark, inverted, off', run: () => this.#nextDark() },
    ]
  }

  #nextWidth(): void {
    const all: readonly number[] = [...WIDTHS, FULL]
    this.#setWidth(all[(all.indexOf(this.#width) + 1) % all.length] ?? FULL)
  }

  #nextDark(): void {
    this.#setDark(({ off: 'own', own: 'inverted', inverted: 'off' } as const)[this.#dark])
  }

  /** Loads the pictures of this message, this once. */
  showPictures(): void {
    this.#asked = this.#shown?.base
    this.draw()
  }

  draw(): void {
    render(this.#template(), this.element)
  }

  #choose(tab: Tab): void {
    this.#tab = tab
    choose('tab', tab === 'html' ? undefined : tab)
    this.draw()
  }

  #setWidth(width: number): void {
    this.#width = width
    choose('w', width === FULL ? 'full' : String(width))
    this.draw()
  }

  #setDark(dark: Dark): void {
    this.#dark = dark
    choose('dark', dark === 'off' ? undefined : dark)
    this.draw()
  }

  #setPictures(on: boolean): void {
    this.#pictures = on
    choose('pictures', on ? undefined : 'off')
    this.draw()
  }

  #template(): TemplateResult {
    const shown = this.#shown
    if (shown === undefined) return html`${this.#options.above()}${this.#options.nothing()}`
    const { view } = shown
    return html`${this.#options.above()}${this.#head(view)}${this.#tabs(view)}
      ${this.#tab === 'html' ? html`${this.#pictureBar(shown)}${this.#tools()}` : nothing}
      ${TABS.map((tab) => this.#panel(tab, shown))}`
  }

  #head({ subject, from, to, size: bytes, account, envelope }: MessageView): TemplateResult {
    return html`<header class="msg-head">
      <div class="line">
        <button type="button" class="btn quiet only back" aria-label="Back to the list" @click=${this.#options.onBack}>${icon('back')}</button>
        <h2 class="cut grow" title=${subject}>${subject === '' ? html`<span class="none">no subject</span>` : html`<bdi>${subject}</bdi>`}</h2>${this.#options.actions()}
      </div>
      <dl>
        <div><dt>From</dt><dd><bdi>${from}</bdi></dd></div>
        <div><dt>To</dt><dd><bdi>${to}</bdi></dd></div>
        ${account === undefined ? nothing : html`<div><dt>Account</dt><dd><bdi>${account}</bdi></dd></div>`}
        ${envelope === undefined ? nothing : html`<div><dt>Envelope</dt><dd><bdi>${envelope.from || 'no sender'}</bdi> to <bdi>${envelope.to.join(', ')}</bdi></dd></div>`}
        <div class="size"><dt>Size</dt><dd class="num">${size(bytes)}</dd></div>
      </dl>
    </header>`
  }

  #tabs({ headers, parts, findings }: MessageView): TemplateResult {
    const counts: Partial<Record<Tab, number>> = {
      headers: headers.length,
      attachments: parts.length,
      checks: toLookAt(findings),
    }
    const key = (event: KeyboardEvent): void => {
      rove(event)
      const tab = TABS.find((one) => `tab-${one}` === document.activeElement?.id)
      if (tab !== undefined && tab !== this.#tab && event.key.startsWith('Arrow')) this.#choose(tab)
    }
    return html`<div class="tabs" role="tablist" aria-label="Views of the message" @keydown=${key}>
      ${TABS.map(
        (tab) => html`<button type="button" class="tab" role="tab" id="tab-${tab}" aria-controls="panel-${tab}"
          aria-selected=${String(tab === this.#tab)} tabindex=${tab === this.#tab ? 0 : -1} @click=${() => this.#choose(tab)}>
          ${WORDS[tab]}${counts[tab] === undefined ? nothing : html`<span class="num">${counts[tab]}</span>`}</button>`,
      )}
    </div>`
  }

  #tools(): TemplateResult {
    const { width, typed } = { width: this.#width, typed: this.#width === FULL ? '' : String(this.#width) }
    const type = ({ target }: Event): void => {
      const now = widthOf((target as HTMLInputElement).value)
      if (now === undefined) this.draw()
      else this.#setWidth(now)
    }
    const names: readonly (readonly [number, string])[] = [
      ...WIDTHS.map((one) => [one, String(one)] as const),
      [FULL, 'Full'],
    ]
    const some = names.some(([one]) => one === width)
    return html`<div class="tools">
      <div class="seg" role="group" aria-label="Width" @keydown=${rove}>
        ${names.map(
          ([one, words], index) => html`<button type="button" aria-pressed=${String(one === width)}
            tabindex=${one === width || (!some && index === 0) ? 0 : -1} @click=${() => this.#setWidth(one)}>${words}</button>`,
        )}
      </div>
      <label class="field px only-wide"><span class="vh">Width in pixels</span>
        <input .value=${typed} inputmode="numeric" placeholder="full" @change=${type}><span aria-hidden="true">px</span></label>
      <span class="grow only-wide"></span>
      ${
        this.#options.pictures === 'ask'
          ? nothing
          : toggle('Pictures', 'Off: as a mail program that loads none', this.#pictures, (on) => this.#setPictures(on))
      }
      ${toggle('Its own dark', 'The dark styles that the mail brings along', this.#dark === 'own', (on) => this.#setDark(on ? 'own' : 'off'))}
      ${toggle('Inverted (estimate)', 'What Gmail and Outlook do on a phone: an estimate', this.#dark === 'inverted', (on) => this.#setDark(on ? 'inverted' : 'off'))}
    </div>`
  }

  /** Whom loading the pictures would tell that the message was read. */
  #pictureBar({ view: { remoteHosts, htmlSize }, base }: Shown): TemplateResult | typeof nothing {
    if (this.#options.pictures !== 'ask' || this.#asked === base || htmlSize === undefined) return nothing
    if (remoteHosts.length === 0) return nothing
    const [first = '', ...others] = remoteHosts
    const from = others.length === 0 ? first : `${first} and ${others.length} more`
    return html`<div class="pics">${icon('hidden')}<span class="grow">Pictures from <bdi>${from}</bdi> are not loaded: asking for them would tell the sender.</span>
      <button type="button" class="btn" @click=${() => this.showPictures()}>Show once</button></div>`
  }

  #panel(tab: Tab, shown: Shown): TemplateResult {
    const isOpen = tab === this.#tab
    if (tab === 'html') {
      return html`<div class="stage" id="panel-html" role="tabpanel" aria-labelledby="tab-html" tabindex="0" ?hidden=${!isOpen}>${isOpen ? this.#stage(shown) : nothing}</div>`
    }
    return html`<div class="pane" id="panel-${tab}" role="tabpanel" aria-labelledby="tab-${tab}" tabindex="0" ?hidden=${!isOpen}>${
      isOpen ? this.#pane(tab, shown) : nothing
    }</div>`
  }

  #stage({ view, base, version }: Shown): TemplateResult {
    const { from, subject, preheader, date, htmlSize } = view
    if (htmlSize === undefined) {
      this.#frame.clear()
      return html`<div class="empty"><h2>Text alone</h2><p>This message has no HTML. What its reader sees is under Text.</p>
        <button type="button" class="btn" @click=${() => this.#choose('text')}>Show the text</button></div>`
    }
    const query = new URLSearchParams({ dark: this.#dark, v: version })
    if (this.#options.pictures === 'ask') query.set('pictures', this.#asked === base ? 'all' : 'own')
    else if (!this.#pictures) query.set('pictures', 'none')
    this.#frame.show(`${base}/html?${query}`)
    const name = from.replace(/(?<!\s)\s*<[^<]*>$/, '').replace(/^"|"$/g, '') || from
    return html`<div class="device" .style=${`--w:${this.#width}px`}>
      <div class="glance">
        <span class="av" aria-hidden="true">${[...name][0]?.toUpperCase() ?? ''}</span>
        <div class="cut"><b>${name}</b></div><time>${shortTime(date === undefined ? new Date() : new Date(date))}</time>
        <p class="cut"><span>${subject}</span> ${preheader}</p>
      </div>
      ${this.#frame.element}
    </div>`
  }

  #pane(tab: Exclude<Tab, 'html'>, { view, base, version }: Shown): TemplateResult {
    switch (tab) {
      case 'text':
        return view.text === undefined ? html`<p class="soft">This message has no text part.</p>` : plainText(view.text)
      case 'headers':
        return headerTable(view, this.#options.onPlace)
      case 'source':
        return this.#source.template(base, version)
      case 'attachments':
        return attachmentList(view, base)
      case 'checks':
        return html`<div class="letter">${findingList(view.findings, this.#options)}</div>`
    }
  }
}

function widthOf(text: string | undefined): number | undefined {
  if (text === 'full') return FULL
  const width = Number(text)
  return Number.isInteger(width) && width >= NARROWEST && width <= FULL ? width : undefined
}

function toggle(words: string, title: string, on: boolean, onChange: (on: boolean) => void): TemplateResult {
  return html`<button type="button" class="switch" role="switch" aria-checked=${String(on)} title=${title} @click=${() => onChange(!on)}><i></i>${words}</button>`
}

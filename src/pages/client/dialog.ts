/** A dialog or a drawer over the page. Owns opening, closing and its head; what is in it is the page's. */
import { html, nothing, render, type TemplateResult } from 'lit'
import { icon } from './icons.ts'

export interface DialogContent {
  readonly title: string
  readonly body: TemplateResult
  readonly foot?: TemplateResult | undefined
}

export class Dialog {
  readonly #element = document.createElement('dialog')
  readonly #id: string

  /** `name` is its own among the dialogs of the page. */
  constructor(name: string, look: 'box' | 'drawer' | 'drawer wide') {
    this.#id = `dialog-${name}`
    this.#element.className = look
    this.#element.setAttribute('aria-labelledby', this.#id)
    // A click beside it closes it, as Escape does.
    this.#element.addEventListener('click', (event) => {
      if (event.target === this.#element) this.close()
    })
    document.body.append(this.#element)
  }

  get isOpen(): boolean {
    return this.#element.open
  }

  /** Opens it, or changes what is in it. The focus starts on its title. */
  show({ title, body, foot }: DialogContent): void {
    render(
      html`<div class="dlg-h"><h2 class="grow" id=${this.#id} tabindex="-1" autofocus>${title}</h2>
          <button type="button" class="btn quiet only" aria-label="Close" @click=${() => this.close()}>${icon('close')}</button></div>
        <div class="dlg-b grow">${body}</div>
        ${foot === undefined ? nothing : html`<div class="dlg-f">${foot}</div>`}`,
      this.#element,
    )
    if (!this.#element.open) this.#element.showModal()
  }

  close(): void {
    this.#element.close()
  }
}

/** The bytes of a message, as its source. Owns asking for them when they are looked at. */
import { html, nothing, type TemplateResult } from 'lit'
import { count } from '../format.ts'

/** Lines that are shown; the rest can be saved. */
const MOST_LINES = 2_000

export class MessageSource {
  readonly #onLoaded: () => void
  #asked = ''
  #lines: readonly string[] | undefined

  constructor(onLoaded: () => void) {
    this.#onLoaded = onLoaded
  }

  /** Of the message under `base`; `version` changes when it is made again. */
  template(base: string, version: string): TemplateResult {
    const asked = `${base} ${version}`
    if (this.#asked !== asked) {
      this.#asked = asked
      this.#lines = undefined
      void this.#load(asked, base)
    }
    const save = html`<p class="soft"><a href="${base}/raw?save">Save as .eml</a></p>`
    const lines = this.#lines
    if (lines === undefined) return html`${save}<p class="soft" role="status">Loading the source</p>`
    const more = lines.length - MOST_LINES
    return html`${save}<ol class="source">${lines.slice(0, MOST_LINES).map((line) => html`<li>${line}</li>`)}</ol>
      ${more > 0 ? html`<p class="soft">And ${count(more)} more lines.</p>` : nothing}`
  }

  async #load(asked: string, base: string): Promise<void> {
    const response = await fetch(`${base}/raw`).catch(() => undefined)
    const text = response?.ok === true ? await response.text() : 'The source cannot be loaded.'
    if (this.#asked !== asked) return
    this.#lines = text.split(/\r?\n/)
    this.#onLoaded()
  }
}

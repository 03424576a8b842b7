/**
 * The frame that a mail is shown in: it can run nothing and leads nowhere. Owns swapping one document for the next, so that
 * the old one stays until the new one is there, and no step of it is in the history of the browser.
 */

/** A document that takes longer than this is shown as far as it has come. */
const PATIENCE_MS = 400

export class MailFrame {
  readonly element = document.createElement('div')
  #address = ''
  #coming: HTMLIFrameElement | undefined

  constructor() {
    this.element.className = 'mail'
  }

  /** Shows the document at an address; the same one again only when `again` says so. */
  show(address: string, { again = false }: { again?: boolean } = {}): void {
    if (address === this.#address && !again) return
    this.#address = address
    this.#coming?.remove()
    const frame = document.createElement('iframe')
    frame.title = 'The message'
    frame.setAttribute('sandbox', 'allow-popups allow-popups-to-escape-sandbox')
    // The focus never goes into a mail by itself: there the keys of the page are lost.
    frame.tabIndex = -1
    frame.className = 'coming'
    this.#coming = frame
    const arrive = (): void => {
      if (this.#coming !== frame) return
      this.#coming = undefined
      frame.className = ''
      for (const other of [...this.element.children]) if (other !== frame) other.remove()
    }
    frame.addEventListener('load', arrive)
    setTimeout(arrive, PATIENCE_MS)
    frame.src = address
    this.element.append(frame)
  }

  clear(): void {
    this.#address = ''
    this.#coming = undefined
    this.element.replaceChildren()
  }
}

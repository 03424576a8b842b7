/**
 * Keys of a page, and the list of them that `?` opens. Owns when they hold: not while a field has the focus, nor while a dialog
 * is open.
 */
import { html } from 'lit'
import { Dialog } from './dialog.ts'

export interface Key {
  /** As `KeyboardEvent.key` says it. */
  readonly key: string
  readonly says: string
  readonly run: () => void
}

const FIELDS = 'input:not([type=checkbox]), textarea, select, [contenteditable]'

export class Keys {
  readonly #keys: readonly Key[]
  readonly #dialog = new Dialog('keys', 'box')

  constructor(keys: readonly Key[], onEscape: () => void) {
    this.#keys = [...keys, { key: '?', says: 'This list', run: () => this.open() }]
    document.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      if (document.querySelector('dialog[open]') !== null) return
      if (event.key === 'Escape') return onEscape()
      if (event.target instanceof Element && event.target.matches(FIELDS) && !isLeftBehind(event.target)) return
      const bound = this.#keys.find(({ key }) => key === event.key)
      if (bound === undefined) return
      event.preventDefault()
      bound.run()
    })
  }

  open(): void {
    this.#dialog.show({
      title: 'Keyboard',
      body: html`<table aria-label="Keys"><tbody>${this.#keys.map(
        ({ key, says }) => html`<tr><td>${says}</td><td class="r"><kbd>${key}</kbd></td></tr>`,
      )}</tbody></table>`,
    })
  }
}

/** A field of a dialog that was just closed may keep the focus for a moment. No dialog is open when this is asked. */
function isLeftBehind(field: Element): boolean {
  return field.closest('dialog') !== null
}

/** Arrows within a group of buttons, which is one stop of the tab key. */
export function rove(event: KeyboardEvent): void {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
  const group = event.currentTarget
  if (step === undefined || !(group instanceof Element)) return
  const all: readonly Element[] = [...group.querySelectorAll('button')]
  const at = document.activeElement === null ? -1 : all.indexOf(document.activeElement)
  const next = all[(at + step + all.length) % all.length]
  if (at < 0 || !(next instanceof HTMLElement)) return
  event.preventDefault()
  for (const one of all) one.setAttribute('tabindex', one === next ? '0' : '-1')
  next.focus()
  next.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}

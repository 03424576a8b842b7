/** A command or an address to copy. Owns the button beside it. */
import { html, type TemplateResult } from 'lit'
import { icon } from './icons.ts'
import { toast } from './toast.ts'

/** `what` is said to a screen reader: `Copy the command`. */
export function copyable(text: string, what: string): TemplateResult {
  return html`<div class="cmd"><code>${text}</code><button type="button" class="btn" aria-label=${what} @click=${() => copy(text)}>${icon('copy')}Copy</button></div>`
}

/** Something short to type elsewhere: it breaks between its words alone. */
export function commandLine(text: string): TemplateResult {
  const words = text.split(' ')
  return html`<div class="cmd"><code>${words.map((word, index) => html`${index === 0 ? '' : ' '}<span>${word}</span>`)}</code>
    <button type="button" class="btn quiet only" aria-label="Copy ${text}" @click=${() => copy(text)}>${icon('copy')}</button></div>`
}

/** Copies something that is shown beside it; `name` is what a screen reader calls it. */
export function copyButton(text: string, name: string): TemplateResult {
  return html`<button type="button" class="copy" aria-label="Copy ${name}" title="Copy" @click=${() => copy(text)}>${icon('copy')}</button>`
}

async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text)
  toast('Copied')
}

/** A command or an address to copy. Owns the button beside it. */
import { html, type TemplateResult } from 'lit'
import { icon } from './icons.ts'
import { toast } from './toast.ts'

/** `what` is said to a screen reader: `Copy the command`. */
export function copyable(text: string, what: string): TemplateResult {
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    toast('Copied')
  }
  return html`<div class="cmd"><code>${text}</code><button type="button" class="btn" aria-label=${what} @click=${copy}>${icon('copy')}Copy</button></div>`
}

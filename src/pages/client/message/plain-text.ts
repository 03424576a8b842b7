/** A plain text with its links. Owns finding them; the text stays text. */
import { html, type TemplateResult } from 'lit'

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g

export function plainText(text: string): TemplateResult {
  const pieces: (string | TemplateResult)[] = []
  let at = 0
  for (const { 0: link, index } of text.matchAll(LINK)) {
    pieces.push(text.slice(at, index), html`<a href=${link} target="_blank" rel="noopener noreferrer">${link}</a>`)
    at = index + link.length
  }
  pieces.push(text.slice(at))
  return html`<pre class="letter" dir="auto">${pieces}</pre>`
}

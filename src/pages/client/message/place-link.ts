/** A line of a file of the project: its name to copy, and, where the page can show it, a way to it. */
import { html, type TemplateResult } from 'lit'
import type { FilePlace } from '../../wire.ts'
import { copyButton } from '../copyable.ts'

/** As people write it: `news/html.hbs:12`. */
export function placeName({ file, line }: FilePlace): string {
  return `${file.replace(/^templates\//, '')}:${line}`
}

/** Shows a line where it is written. Undefined for a page that shows no files. */
export type OnPlace = ((place: FilePlace) => void) | undefined

/** Files of the settings are not shown: they may hold what is secret. */
export function placeLink(place: FilePlace, onPlace: OnPlace): TemplateResult {
  const name = placeName(place)
  const shown =
    onPlace === undefined || !place.file.startsWith('templates/')
      ? html`<code>${name}</code>`
      : html`<button type="button" class="link" @click=${() => onPlace(place)}>${name}</button>`
  return html`<span class="place">${shown}${copyButton(`${place.file}:${place.line}`, name)}</span>`
}

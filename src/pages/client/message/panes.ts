/** Views of a message that are tables and lists: its headers with the line that wrote each, what is attached to it. */
import { html, nothing, type TemplateResult } from 'lit'
import type { FilePlace, MessageView } from '../../wire.ts'
import { size } from '../format.ts'
import { icon } from '../icons.ts'
import { type OnPlace, placeLink } from './place-link.ts'

export function headerTable({ headers }: MessageView, onPlace: OnPlace): TemplateResult {
  const arePlaced = headers.some(({ place }) => place !== undefined)
  const placeCell = (place: FilePlace | undefined): TemplateResult | typeof nothing =>
    arePlaced
      ? html`<td class="mono r">${place === undefined ? html`<span class="faint">mailmerge</span>` : placeLink(place, onPlace)}</td>`
      : nothing
  return html`<table class="hdrs">
    <thead><tr><th>Header</th><th>Value</th>${arePlaced ? html`<th class="r">Written by</th>` : nothing}</tr></thead>
    <tbody>${headers.map(
      ({ name, value, place }) =>
        html`<tr><th scope="row">${name}</th><td class="mono"><bdi>${value}</bdi></td>${placeCell(place)}</tr>`,
    )}</tbody>
  </table>`
}

export function attachmentList({ parts }: MessageView, base: string): TemplateResult {
  if (parts.length === 0) return html`<p class="soft">Nothing is attached.</p>`
  return html`<ul class="files">${parts.map(
    ({ name, type, size: bytes, isInline }, index) => html`<li>${icon('clip')}
      <div class="grow"><b><bdi>${name}</bdi></b><br><span class="faint">${isInline ? 'Picture in the text, ' : ''}${size(bytes)}, ${type}</span></div>
      <a class="btn" href="${base}/parts/${index}">${icon('save')}Save<span class="vh"> ${name}</span></a></li>`,
  )}</ul>`
}

/** What is wrong with a project or a row while it is previewed: over the message, in place of it, and in the bar at the top. */
import { html, nothing, type TemplateResult } from 'lit'
import type { BrokenView, RowMessageView } from '../../wire.ts'
import { errorBanner } from '../banner.ts'
import { count, shortTime } from '../format.ts'

export const TROUBLE = { template: 'Template broken', list: 'List broken', config: 'Config broken' } as const
const BROKEN = {
  template: 'The template is broken',
  list: 'The list cannot be read',
  config: 'mailmerge.yaml is broken',
} as const

interface Trouble {
  readonly broken: BrokenView | undefined
  /** Of the row that is shown. */
  readonly error: RowMessageView['error']
  readonly onNext: () => void
}

/** Over the message: why it is not that of the files as they are saved, or why its row stops a run. */
export function troubleBanner({ broken, error, onNext }: Trouble): TemplateResult | typeof nothing {
  if (broken !== undefined) {
    const since = broken.goodSince === undefined ? undefined : shortTime(new Date(broken.goodSince))
    const what = BROKEN[broken.what]
    const title = since === undefined ? what : `${what}; this is the last good version, from ${since}`
    return errorBanner({ title, error: broken.error, lines: broken.lines })
  }
  if (error === undefined) return nothing
  const action = html`<button type="button" class="btn only-wide" @click=${onNext}>Next problem</button>`
  return errorBanner({ title: 'This row stops the run', error, action })
}

/** In place of a message, where there is none. */
export function noMessage(broken: BrokenView | undefined, shown: RowMessageView | undefined): TemplateResult {
  if (broken !== undefined)
    return html`<div class="empty"><p>What it makes is shown here as soon as it is fixed and saved.</p></div>`
  if (shown?.error === undefined) return html`<div class="empty"></div>`
  return html`<div class="empty"><h2>Row ${count(shown.row)} has no message</h2><p>It is shown here as soon as the row is fixed and the list is saved.</p></div>`
}

/** What an empty inbox teaches: how messages get there. */
import { html, type TemplateResult } from 'lit'
import { commandLine } from '../copyable.ts'

/** `server` is where it takes mail itself: `localhost:2525`. */
export function nothingYet(server: string | undefined): TemplateResult {
  const rehearsal = 'mailmerge run --csv list.csv --template news --sandbox'
  return html`<div class="empty"><svg class="art" viewBox="0 0 120 84" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round" aria-hidden="true"><path d="M14 46 26 16a6 6 0 0 1 5.6-4h56.8A6 6 0 0 1 94 16l12 30v20a6 6 0 0 1-6 6H20a6 6 0 0 1-6-6z"/><path d="M14 46h26a4 4 0 0 1 4 4 8 8 0 0 0 8 8h16a8 8 0 0 0 8-8 4 4 0 0 1 4-4h26"/><path d="M60 22v16m-6-6 6 6 6-6" opacity=".6"/></svg>
    <h2 class="title">Nothing has arrived yet</h2>
    ${
      server === undefined
        ? html`<p>Rehearse a merge: its messages show here as they are written.</p>${commandLine(rehearsal)}
          <p>Or take what any program sends:</p>${commandLine('mailmerge inbox --smtp-port 2525')}`
        : html`<p>Point any program at this address. Whatever it sends stops here, and nobody else gets it.</p>${commandLine(`smtp://${server}`)}
          <p>Or rehearse a merge:</p>${commandLine(rehearsal)}`
    }</div>`
}

/** A file of the template at a line, with what is to be looked at in each of its lines. Owns which file is open. */
import { html, nothing, type TemplateResult } from 'lit'
import type { FilePlace, FileView, FindingView } from '../../wire.ts'
import { ApiError, get } from '../api.ts'
import { errorBanner } from '../banner.ts'
import { copyable } from '../copyable.ts'
import { Dialog } from '../dialog.ts'
import { icon } from '../icons.ts'
import { FINDING_SIGNS } from '../message/findings.ts'
import { placeName } from '../message/place-link.ts'

interface Shown {
  readonly place: FilePlace
  /** Those of the message beside it. */
  readonly findings: readonly FindingView[]
  /** Goes to one of them in their list. */
  readonly onFinding: (finding: FindingView) => void
}

export class FileDialog {
  readonly #dialog = new Dialog('file', 'drawer wide')
  #asked: Shown | undefined

  open(shown: Shown): void {
    this.#asked = shown
    void get<FileView>(`/api/template/file?${new URLSearchParams({ name: shown.place.file })}`).then(
      (file) => this.#show(shown, file),
      (error: unknown) => {
        if (!(error instanceof ApiError)) throw error
        this.#show(shown, error)
      },
    )
  }

  #show(shown: Shown, file: FileView | ApiError): void {
    // Another one was asked for meanwhile.
    if (shown !== this.#asked) return
    const { place } = shown
    this.#dialog.show({
      title: placeName(place),
      body:
        file instanceof ApiError
          ? errorBanner({ title: 'The file cannot be shown', error: file.fields })
          : this.#lines(shown, file),
      foot: html`<div class="grow before"><p class="faint">As it is saved. Open it in your editor: this page follows every save.</p>
        ${copyable(`${place.file}:${place.line}`, 'Copy the place')}</div>`,
    })
    document.querySelector('#file-lines .hit')?.scrollIntoView({ block: 'center' })
  }

  #lines({ place, findings, onFinding }: Shown, { file, lines }: FileView): TemplateResult {
    const here = new Map<number, FindingView[]>()
    for (const finding of findings) {
      for (const one of finding.places ?? []) {
        if (one.file === file) here.set(one.line, [...(here.get(one.line) ?? []), finding])
      }
    }
    const go = (finding: FindingView): void => {
      this.#dialog.close()
      onFinding(finding)
    }
    return html`<div class="code file" id="file-lines" tabindex="0" role="region" aria-label="Lines of ${file}">${lines.map(
      (text, index) => lineTemplate(index + 1, text, index + 1 === place.line, here.get(index + 1) ?? [], go),
    )}</div>`
  }
}

function lineTemplate(
  number: number,
  text: string,
  isHit: boolean,
  findings: readonly FindingView[],
  onFinding: (finding: FindingView) => void,
): TemplateResult {
  return html`<div class="line ${isHit ? 'hit' : ''}" aria-current=${isHit ? 'true' : nothing}><div class="marks">${findings.map(
    (finding) => {
      const [name, look] = FINDING_SIGNS[finding.severity]
      return html`<button type="button" title=${finding.title} @click=${() => onFinding(finding)}>${icon(name, { label: finding.title, look })}</button>`
    },
  )}</div><i>${number}</i>${text}</div>`
}

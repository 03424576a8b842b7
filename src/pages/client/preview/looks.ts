/** The rows to look at: a strip above the message, each with what it shows and a tick once it was looked at. */
import { html, type TemplateResult } from 'lit'
import type { LookReason, LookView } from '../../wire.ts'
import { count, size } from '../format.ts'
import { icon } from '../icons.ts'
import { rove } from '../keys.ts'

const RIGHT_TO_LEFT = new Set(['Arabic', 'Hebrew'])

export interface Looks {
  readonly looks: readonly LookView[]
  readonly row: number
  readonly done: ReadonlySet<number>
  readonly onChoose: (row: number) => void
  readonly onNext: () => void
}

export function lookStrip({ looks, row, done, onChoose, onNext }: Looks): TemplateResult {
  const left = looks.filter((look) => !done.has(look.row)).length
  if (left === 0) {
    return html`<div class="strip folded"><span class="faint">${icon('done', { look: 'ok' })}All ${count(looks.length)} rows to look at were looked at</span></div>`
  }
  const current = looks.some((look) => look.row === row)
  return html`<div class="strip" role="group" aria-label="Rows to look at">
    <div class="strip-h"><b>Rows to look at</b><span>${count(looks.length - left)} of ${count(looks.length)} done</span></div>
    <ul @keydown=${rove}>${looks.map((look, index) => {
      const [reason] = look.reasons
      const { title, detail } = reason === undefined ? { title: 'A row', detail: '' } : wordsOf(reason)
      const more = look.reasons.length - 1
      const isCurrent = look.row === row
      return html`<li><button type="button" class="look" aria-current=${isCurrent ? 'true' : 'false'}
        tabindex=${isCurrent || (!current && index === 0) ? 0 : -1}
        title=${look.reasons.map((one) => Object.values(wordsOf(one)).join(': ')).join('\n')} @click=${() => onChoose(look.row)}>
        <span class="hd">${done.has(look.row) ? icon('done', { label: 'Looked at', look: 'ok' }) : ''}<b class="cut">${title}</b><span class="num faint">${count(look.row)}</span></span>
        <span class="cut">${detail}${more > 0 ? `, and ${more} more` : ''}</span></button></li>`
    })}</ul>
    <button type="button" class="btn quiet only-wide" @click=${onNext}>Next <kbd aria-hidden="true">n</kbd></button>
  </div>`
}

function wordsOf(reason: LookReason): { readonly title: string; readonly detail: string } {
  switch (reason.kind) {
    case 'branch':
      return { title: branchWords(reason), detail: placeWords(reason) }
    case 'empty':
      return { title: `No ${reason.column}`, detail: 'the cell is empty' }
    case 'script':
      return { title: reason.script, detail: RIGHT_TO_LEFT.has(reason.script) ? 'right to left' : 'other letters' }
    case 'language':
      return { title: `Language ${reason.language}`, detail: 'as its cell says' }
    case 'template':
      return { title: reason.template, detail: 'this template' }
    case 'longest':
      return { title: `Longest ${reason.column}`, detail: `${count(reason.characters)} letters` }
    case 'emptiest':
      return { title: 'Emptiest', detail: `${count(reason.empty)} of ${count(reason.columns)} cells empty` }
    case 'largest':
      return { title: 'Largest', detail: `${size(reason.bytes)} of text` }
  }
}

function branchWords({ block, about, isElse }: Extract<LookReason, { kind: 'branch' }>): string {
  const negated = block === 'unless' ? !isElse : isElse
  if (/^(?:if|unless|each|with)$/.test(block) || block === about) return `${negated ? 'Without' : 'With'} ${about}`
  return `${isElse ? 'Not ' : ''}${block} ${about}`
}

function placeWords({ file, line }: Extract<LookReason, { kind: 'branch' }>): string {
  const name = file.replace(/^templates\//, '')
  return line === undefined ? name : `${name}:${line}`
}

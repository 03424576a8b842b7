/** What is wrong, over the message: in bold what, then where and what to do, and the lines around it. */
import { html, nothing, type TemplateResult } from 'lit'
import type { ErrorFields, SourceLine } from '../wire.ts'
import { icon } from './icons.ts'

export interface Banner {
  readonly title: string
  readonly error: ErrorFields
  readonly lines?: readonly SourceLine[] | undefined
  readonly action?: TemplateResult | undefined
}

/** Problems that are listed; more are counted. */
const LISTED = 3

export function errorBanner({ title, error, lines = [], action }: Banner): TemplateResult {
  const { message, hint, problems = [] } = error
  const more = problems.length - LISTED
  return html`<div class="pad"><div class="banner" role="alert">
    ${icon('failed')}<b>${title}</b>
    ${
      problems.length === 0
        ? html`<p>${sentence(message)} ${sentence(hint)}</p>`
        : problems.slice(0, LISTED).map(
            (problem) => html`<p>${placeWords(problem)}${sentence(problem.message)}
              ${problem.value === undefined ? nothing : html`It holds “<bdi>${problem.value}</bdi>”.`} ${sentence(problem.hint)}</p>`,
          )
    }
    ${more > 0 ? html`<p>And ${more} more.</p>` : nothing}
    ${lines.length === 0 ? nothing : sourceLines(lines)}
    ${action === undefined ? nothing : html`<span class="act">${action}</span>`}
  </div></div>`
}

function placeWords({ file, line, column, row }: NonNullable<ErrorFields['problems']>[number]): string {
  const isPlace = row === undefined || /^\d+$/.test(column ?? '')
  const parts = [
    isPlace || file === undefined ? file : undefined,
    isPlace && line !== undefined ? `line ${line}` : undefined,
    column === undefined ? undefined : `column ${column}`,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? '' : `${parts.join(', ')}: `
}

/** With a full stop, and nothing where there is nothing. */
function sentence(text: string | undefined): string {
  if (text === undefined || text === '') return ''
  return /[.!?:]$/.test(text) ? text : `${text}.`
}

function sourceLines(lines: readonly SourceLine[]): TemplateResult {
  return html`<div class="code" tabindex="0" role="region" aria-label="The lines around the error">${lines.map(
    ({ number, text, isHit }) => html`<span class=${isHit ? 'hit' : ''}><i>${number}</i>${text}</span>`,
  )}</div>`
}

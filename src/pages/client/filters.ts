/** Filters of a list, each with the number of its rows; a zero stays, so that people see that there are none. */
import { html, type TemplateResult } from 'lit'
import { count } from './format.ts'
import { rove } from './keys.ts'

export interface Filter<Name extends string> {
  readonly name: Name
  readonly words: string
  /** Undefined until it is known. */
  readonly rows: number | undefined
}

export function filterChips<Name extends string>(
  filters: readonly Filter<Name>[],
  pressed: Name,
  onPress: (name: Name) => void,
): TemplateResult {
  return html`<div class="chips" role="group" aria-label="Show" @keydown=${rove}>
    ${filters.map(
      ({ name, words, rows }) => html`<button type="button" class="chip" aria-pressed=${String(name === pressed)}
        tabindex=${name === pressed ? 0 : -1} @click=${() => onPress(name)}>${words}
        <span class="num">${rows === undefined ? '' : count(rows)}</span></button>`,
    )}
  </div>`
}

/** The bar at the top of each page: what page it is, what it is about, whether it is up to date. */
import { html, nothing, type TemplateResult } from 'lit'
import { clockTime } from './format.ts'
import { icon } from './icons.ts'
import type { LiveState } from './live.ts'
import { switchTheme } from './theme.ts'

export interface TopBar {
  readonly page: string
  readonly about: string
  readonly live: LiveState
  /** When it was last known to be right. */
  readonly updatedAt: Date | undefined
  /** What is wrong, in two or three words. */
  readonly trouble?: string | undefined
  readonly onKeys: () => void
  readonly main?: TemplateResult | undefined
}

export function topBar({ page, about, live, updatedAt, trouble, onKeys, main }: TopBar): TemplateResult {
  const { words, look } = stateOf(live, updatedAt, trouble)
  return html`<header class="top">
    <span class="brand">${icon('mark')}<span class="only-wide">mailmerge</span></span>
    <nav class="crumbs cut grow" aria-label="Where you are">
      <span class="sl" aria-hidden="true">/</span><h1>${page}</h1>
      <span class="sl only-wide" aria-hidden="true">/</span><span class="cut only-wide">${about}</span>
    </nav>
    <span class="live only-wide ${look}" role="status">${words}</span>
    <button type="button" class="btn quiet only" aria-label="Light or dark" @click=${switchTheme}>${icon('theme')}</button>
    <button type="button" class="btn quiet only only-wide" aria-label="Keyboard shortcuts" @click=${onKeys}><kbd>?</kbd></button>
    ${main ?? nothing}
  </header>`
}

function stateOf(live: LiveState, updatedAt: Date | undefined, trouble: string | undefined) {
  if (live.kind === 'ended') return { words: 'Ended', look: 'off' }
  if (live.kind === 'lost') return { words: `No answer since ${clockTime(live.since)}`, look: 'bad' }
  if (trouble !== undefined) return { words: trouble, look: 'bad' }
  if (live.kind === 'connecting' || updatedAt === undefined) return { words: 'Connecting', look: 'off' }
  return { words: `Up to date, ${clockTime(updatedAt)}`, look: '' }
}

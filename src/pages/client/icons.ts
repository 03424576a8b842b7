/** The icons of the pages, as outlines of 16 by 16. Owns their shapes; a state is also a word, never an icon alone. */
import { html, type SVGTemplateResult, svg, type TemplateResult } from 'lit'

const SHAPES = {
  calendar: svg`<rect x="2" y="3" width="12" height="11" rx="2"/><path d="M2 6.5h12M5.5 1.5v3m5-3v3"/>`,
  doubt: svg`<path d="M8 1.5 14.5 8 8 14.5 1.5 8z"/><path d="M6.6 6.6a1.5 1.5 0 1 1 2 1.5c-.4.2-.6.4-.6.9m0 1.6v.1"/>`,
  pause: svg`<path d="M5.5 3.5v9m5-9v9"/>`,
  play: svg`<path d="M4.5 2.8v10.4L13 8z"/>`,
  skipped: svg`<rect x="2" y="2" width="12" height="12" rx="2"/><path d="M5 8h6"/>`,
  todo: svg`<circle cx="8" cy="8" r="6.25" stroke-dasharray="2.4 2.5"/>`,
  waiting: svg`<circle cx="8" cy="8" r="6.25"/><path d="M8 4.6V8l2.3 1.5"/>`,
  bolt: svg`<path d="M9 1.8 3.5 9H8l-1 5.2L12.5 7H8z"/>`,
  back: svg`<path d="M10 3.5 5.5 8l4.5 4.5"/>`,
  clip: svg`<path d="m13 7.5-5 5a3.2 3.2 0 0 1-4.5-4.5l5.4-5.4a2.1 2.1 0 0 1 3 3L6.6 11a1 1 0 0 1-1.5-1.5l4.7-4.7"/>`,
  copy: svg`<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5"/>`,
  done: svg`<path d="m3 8.4 3.3 3.3L13 5"/>`,
  down: svg`<path d="m4 6 4 4 4-4"/>`,
  save: svg`<path d="M8 2.5v8m-3.5-3.3L8 10.7l3.5-3.5M3 13.5h10"/>`,
  failed: svg`<path d="M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4z"/><path d="m6 6 4 4m0-4-4 4"/>`,
  hidden: svg`<path d="M2 2l12 12M6.4 3.7A7 7 0 0 1 8 3.5c4 0 6.5 4.5 6.5 4.5a12 12 0 0 1-1.9 2.3M4.2 5A11 11 0 0 0 1.5 8S4 12.5 8 12.5a6.7 6.7 0 0 0 2.7-.6"/>`,
  info: svg`<circle cx="8" cy="8" r="6.25"/><path d="M8 7.4v3.4M8 5.1v.1"/>`,
  mark: svg`<path d="M2.5 13V3.8L8 8.6l5.5-4.8V13"/>`,
  search: svg`<circle cx="7" cy="7" r="4.5"/><path d="m10.4 10.4 3.3 3.3"/>`,
  send: svg`<path d="M14 2 2 6.8l4.8 2.4L9.2 14z"/><path d="M14 2 6.8 9.2"/>`,
  sent: svg`<circle cx="8" cy="8" r="6.25"/><path d="m5.3 8.2 1.9 1.9 3.6-4"/>`,
  suppressed: svg`<circle cx="8" cy="8" r="6.25"/><path d="m3.7 3.7 8.6 8.6"/>`,
  theme: svg`<circle cx="8" cy="8" r="5.75"/><path d="M8 2.25v11.5a5.75 5.75 0 0 0 0-11.5z" fill="currentColor"/>`,
  duplicate: svg`<rect x="2" y="5" width="9" height="9" rx="2"/><path d="M5 2h7a2 2 0 0 1 2 2v7"/>`,
  up: svg`<path d="m4 10 4-4 4 4"/>`,
  warn: svg`<path d="M8 2 14.6 13.5H1.4z"/><path d="M8 6.4v3.2M8 11.6v.1"/>`,
  close: svg`<path d="m4 4 8 8m0-8-8 8"/>`,
} satisfies Readonly<Record<string, SVGTemplateResult>>

export type IconName = keyof typeof SHAPES

/** An icon beside a word; with a label one that says something by itself. `look` adds classes. */
export function icon(name: IconName, { label, look = '' }: { label?: string; look?: string } = {}): TemplateResult {
  const shape = SHAPES[name]
  return label === undefined
    ? html`<svg class="i ${look}" viewBox="0 0 16 16" aria-hidden="true">${shape}</svg>`
    : html`<svg class="i ${look}" viewBox="0 0 16 16" role="img" aria-label=${label}>${shape}</svg>`
}

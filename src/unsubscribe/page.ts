/**
 * The page that a person sees who follows an unsubscribe link. Owns its words and its looks; works without scripts, shows
 * no whole address, and loads nothing. What a button does is decided in `unsubscribe-endpoint.ts`.
 */
import { hash } from 'node:crypto'
import { LANGUAGES, type Language, type Words } from './translations.ts'

/** What the page is about. */
export type PageState =
  /** The link is good: asks. */
  | 'ask'
  /** Off the list now. */
  | 'left'
  /** On the list again. */
  | 'back'
  /** Too many changes of mind. */
  | 'slow'
  /** The link is none of ours. */
  | 'unknown'
  /** The ledger could not be written. */
  | 'failed'

export interface PageOptions {
  readonly state: PageState
  readonly language: Language
  /** Of the link, as it was sent; shown in part. */
  readonly address?: string
  /** Name of the list for people; absent when the link is for everything. */
  readonly list?: string
  /** Who sends, for people. */
  readonly sender?: string
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #f4f5f7; --card: #fff; --line: #dde1e7;
  --act: #1f5fbf; --act-ink: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --soft: #a3adbb; --paper: #14181e; --card: #1d232b;
  --line: #333c48; --act: #7aaefc; --act-ink: #0e1420 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--paper);
  color: var(--ink); font: 17px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { width: 100%; max-width: 30rem; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 36px 36px 30px }
.sender { margin: 0 0 6px; color: var(--soft); font-size: 14px; letter-spacing: .02em }
h1 { margin: 0 0 14px; font-size: 26px; line-height: 1.25; font-weight: 650; text-wrap: balance }
p { margin: 0 0 18px }
.address { font-weight: 600; overflow-wrap: anywhere }
fieldset { margin: 0 0 22px; padding: 0; border: 0 }
label { display: flex; gap: 10px; align-items: baseline; padding: 7px 0; cursor: pointer }
input { accent-color: var(--act); width: 17px; height: 17px; flex: none; transform: translateY(2px) }
button { font: inherit; font-weight: 600; padding: 12px 22px; border-radius: 9px; cursor: pointer;
  border: 1px solid var(--act); background: var(--act); color: var(--act-ink) }
button.quiet { background: transparent; color: var(--act) }
button:hover { filter: brightness(1.08) }
button:focus-visible, input:focus-visible, a:focus-visible { outline: 3px solid var(--act); outline-offset: 3px }
nav { margin: 26px 0 0; padding: 16px 0 0; border-top: 1px solid var(--line); font-size: 13px; line-height: 1.9 }
nav a { color: var(--soft); margin-right: 12px; text-decoration: none; white-space: nowrap }
nav a:hover { text-decoration: underline }
nav b { margin-right: 12px; font-weight: 600 }
@media (max-width: 480px) { main { padding: 28px 22px 22px } h1 { font-size: 23px } button { width: 100% } }
`

const STYLE_HASH = hash('sha256', STYLE, 'base64')

/** Headers of every page: nothing is loaded, framed, kept or told to the next site. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex, nofollow',
  'cache-control': 'no-store',
  vary: 'accept-language',
}

export function unsubscribePage(options: PageOptions): string {
  const { state, language, sender } = options
  const words = LANGUAGES[language]
  const [title, body] = content(options, words)
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${sender === undefined ? '' : `<p class="sender">${escaped(sender)}</p>\n`}<h1>${escaped(title)}</h1>
${body}
${state === 'ask' || state === 'unknown' ? languages(language) : ''}</main>
</body>
</html>
`
}

function content(options: PageOptions, words: Words): readonly [title: string, body: string] {
  const { state, address = '', list } = options
  const who = `<span class="address">${escaped(masked(address))}</span>`
  const line = (text: string): string =>
    `<p>${escaped(text)
      .replace('{address}', who)
      .replace('{list}', escaped(list ?? words.everything))}</p>`
  switch (state) {
    case 'ask':
      return [words.askTitle, `${line(words.ask)}\n${askForm(list, words)}`]
    case 'left':
      return [words.leftTitle, `${line(list === undefined ? words.leftAll : words.left)}\n${backForm(words, list)}`]
    case 'back':
      return [words.backTitle, line(words.back)]
    case 'slow':
      return [words.slowTitle, line(words.slow)]
    case 'unknown':
      return [words.unknownTitle, line(words.unknown)]
    case 'failed':
      return [words.failedTitle, line(words.failed)]
  }
}

/** The address of the form is that of the page, whatever stands before it on the way. */
function askForm(list: string | undefined, words: Words): string {
  const choice =
    list === undefined
      ? ''
      : `<fieldset>
<label><input type="radio" name="scope" value="list" checked> ${escaped(words.onlyList.replace('{list}', list))}</label>
<label><input type="radio" name="scope" value="all"> ${escaped(words.everything)}</label>
</fieldset>
`
  return `<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
${choice}<button>${escaped(words.leave)}</button>
</form>`
}

function backForm(words: Words, list: string | undefined): string {
  return `<form method="post">
<input type="hidden" name="action" value="subscribe">
<input type="hidden" name="scope" value="${list === undefined ? 'all' : 'list'}">
<p>${escaped(words.mistake)}</p>
<button class="quiet">${escaped(words.again)}</button>
</form>`
}

function languages(chosen: Language): string {
  const links = Object.entries(LANGUAGES).map(([code, { name }]) =>
    code === chosen ? `<b>${name}</b>` : `<a href="?lang=${code}" lang="${code}" hreflang="${code}">${name}</a>`,
  )
  return `<nav>${links.join('\n')}</nav>\n`
}

/** Enough for the owner to know it, too little for anybody else: `ad…@example.com`. */
export function masked(address: string): string {
  const at = address.lastIndexOf('@')
  const local = [...address.slice(0, at)]
  return `${local.slice(0, local.length > 3 ? 2 : 1).join('')}…${address.slice(at)}`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

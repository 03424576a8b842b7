/**
 * The page that a person sees who follows an unsubscribe link. Owns what it says in each state; its HTML is in
 * `pages/unsubscribe.hbs`, works without scripts, shows no whole address, and loads nothing. What a button does is decided
 * in `endpoint.ts`.
 */
import { hash } from 'node:crypto'
import { pageTemplate } from '../text/page-template.ts'
import { LANGUAGES, type Language, type Words } from './translations.ts'

/** What the page is about. */
export type PageState =
  /** The link is good: asks. */
  | 'ask'
  /** Off the list now. */
  | 'left'
  /** On the list again. */
  | 'back'
  /** Wants to be on the list again, and something else still keeps the address off it. */
  | 'kept-off'
  /** Too many changes in a short time. */
  | 'slow'
  /** We did not make this link. */
  | 'unknown'
  /** The ledger could not be written. */
  | 'failed'

export interface PageOptions {
  readonly state: PageState
  readonly language: Language
  /** Of the link, as it was sent; shown in part. */
  readonly address: string | undefined
  /** Name of the list for people; undefined when the link is for everything. */
  readonly list: string | undefined
  /** Who sends, for people. */
  readonly sender: string | undefined
}

/** What `pages/unsubscribe.hbs` is filled with. */
interface PageContext {
  readonly language: Language
  /** Written from right to left. */
  readonly rtl: boolean
  /** For screen readers: what was done is said, trouble at once. */
  readonly role: 'status' | 'alert' | false
  /** The sign above the title: one of them, or none. */
  readonly done: boolean
  readonly wait: boolean
  readonly trouble: boolean
  readonly title: string
  readonly sender: string | undefined
  readonly sentence: readonly SentencePart[]
  readonly leave:
    | { readonly button: string; readonly onlyList: string | undefined; readonly everything: string }
    | false
  readonly comeBack: { readonly scope: 'all' | 'list'; readonly question: string; readonly button: string } | false
  readonly languages: readonly { readonly code: string; readonly name: string; readonly chosen: boolean }[] | false
}

type SentencePart = { readonly text: string } | { readonly address: string }

const PAGE = pageTemplate<PageContext>('unsubscribe')

/** Headers of every page: nothing is loaded, framed, kept or passed on to the next site. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash('sha256', PAGE.style, 'base64')}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex, nofollow',
  'cache-control': 'no-store',
  vary: 'accept-language',
}

export function unsubscribePage({ state, language, address, list, sender }: PageOptions): string {
  const words: Words = LANGUAGES[language]
  const [title, sentence] = textsOf(state, list, words)
  return PAGE.render({
    language,
    rtl: words.rtl ?? false,
    role: state === 'failed' ? 'alert' : state !== 'ask' && state !== 'unknown' && 'status',
    done: state === 'left' || state === 'back',
    wait: state === 'slow',
    trouble: state === 'kept-off' || state === 'unknown' || state === 'failed',
    title,
    sender,
    sentence: partsOf(sentence, masked(address ?? ''), list ?? words.everything),
    leave: state === 'ask' && {
      button: words.leave,
      onlyList: list === undefined ? undefined : words.onlyList.replace('{list}', () => list),
      everything: words.everything,
    },
    comeBack: state === 'left' && {
      scope: list === undefined ? 'all' : 'list',
      question: words.mistake,
      button: words.again,
    },
    languages:
      (state === 'ask' || state === 'unknown') &&
      Object.entries(LANGUAGES).map(([code, { name }]) => ({ code, name, chosen: code === language })),
  })
}

function textsOf(state: PageState, list: string | undefined, words: Words): readonly [title: string, sentence: string] {
  switch (state) {
    case 'ask':
      return [words.askTitle, words.ask]
    case 'left':
      return [words.leftTitle, list === undefined ? words.leftAll : words.left]
    case 'back':
      return [words.backTitle, words.back]
    case 'kept-off':
      return [words.keptOffTitle, words.keptOff]
    case 'slow':
      return [words.slowTitle, words.slow]
    case 'unknown':
      return [words.unknownTitle, words.unknown]
    case 'failed':
      return [words.failedTitle, words.failed]
  }
}

/** A sentence cut where the address stands in it, which the page shows in bold. */
function partsOf(sentence: string, address: string, list: string): readonly SentencePart[] {
  return sentence
    .split(/(\{address\})/)
    .filter((text) => text !== '')
    .map((text) => (text === '{address}' ? { address } : { text: text.replace('{list}', () => list) }))
}

/** Enough for the owner to know it, too little for anybody else: `ad…@example.com`. */
function masked(address: string): string {
  const at = address.lastIndexOf('@')
  const local = [...address.slice(0, at)]
  return `${local.slice(0, local.length > 3 ? 2 : 1).join('')}…${address.slice(at)}`
}

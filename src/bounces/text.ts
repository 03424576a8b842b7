/** Finds addresses, codes and plain words in what other software wrote. Owns these readings; judges nothing. */
import { compile } from 'html-to-text'

const ADDRESS =
  /[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}/g

/** Addresses in a text, lower-cased, each once. */
export function addressesIn(text: string): readonly string[] {
  return [...new Set([...text.slice(0, 100_000).matchAll(ADDRESS)].map(([address]) => address.toLowerCase()))]
}

/** Of an HTML part, more than any report needs. */
const MAX_HTML = 200_000

/** The words of an HTML text, without its links and pictures. */
const toText = compile({
  wordwrap: false,
  preserveNewlines: false,
  limits: { maxInputLength: MAX_HTML, maxDepth: 100, maxChildNodes: 20_000 },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
    { selector: 'table', options: { uppercaseHeaderCells: false } },
  ],
})

/** The words of an HTML text. Empty when it cannot be read. */
export function htmlWords(html: string): string {
  try {
    return toText(html.slice(0, MAX_HTML))
  } catch {
    return ''
  }
}

/** Enhanced status: of its own field, or what the server itself said where that is more exact. */
export function statusOf(field: string, text: string): string {
  const own = /\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(field)?.[1] ?? ''
  const said = /(?:^|[\s#(:<-])([245]\.\d{1,3}\.\d{1,3})(?![\d.])/.exec(text)?.[1] ?? ''
  // The answer of the server itself, code and all, is worth more than the field that the reporter chose.
  const answered = /^\s{0,5}[245]\d\d[ -]{1,2}([245]\.\d{1,3}\.\d{1,3})\b/.exec(text)?.[1] ?? ''
  if (answered !== '' && !answered.endsWith('.0.0') && answered[0] === own[0]) return answered
  // A class of its own (5.0.0) is worth less than what the server itself said.
  if (own === '' || (/^[45]\.0\.0$/.test(own) && said !== '' && said[0] === own[0])) return said || own
  return own
}

export function smtpCodeOf(text: string): number | undefined {
  const code = /(?:^|[\s:(<>"'-])([2-5][0-5]\d)(?=[\s:.\-#)])/.exec(text)?.[1]
  return code === undefined ? undefined : Number(code)
}

/**
 * Attributes of the elements of HTML whose mustaches are tokens. Owns how a tag and its attributes are found, so that the value of
 * one is never taken for another; what an attribute means is for those who ask.
 */

export interface Attribute {
  /** As it is written. */
  readonly element: string
  /** In lower case. */
  readonly name: string
  /** As HTML writes it, without its quotes. */
  readonly value: string
  /** Tokens directly before the name. */
  readonly before: string
  /** All attributes of the element. */
  readonly all: string
}

/** A mustache, as `protect` writes it. */
export const TOKEN = /zqm\d+qz/

const TAG = /<([a-z][\w:-]*)((?:[\s/](?:"[^"]*"|'[^']*'|[^"'<>])*)?)>/gi
const ATTRIBUTE = /(?<![^\s"'/])((?:zqm\d+qz){0,20})([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/gi

/** Attributes that have a value, in their order. */
export function* attributesOf(html: string): Generator<Attribute> {
  for (const [, element = '', all = ''] of html.matchAll(TAG)) {
    for (const [, before = '', name = '', , written = ''] of all.matchAll(ATTRIBUTE))
      yield { element, name: name.toLowerCase(), value: split(written).value, before, all }
  }
}

/** The HTML with the value of each attribute replaced by what `change` makes of it. */
export function changeAttributes(html: string, change: (attribute: Attribute) => string): string {
  return html.replace(TAG, (_, element: string, all: string) => {
    const changed = all.replace(ATTRIBUTE, (_, before: string, name: string, equals: string, written: string) => {
      const { quote, value } = split(written)
      const made = change({ element, name: name.toLowerCase(), value, before, all })
      return `${before}${name}${equals}${quote}${made}${quote}`
    })
    return `<${element}${changed}>`
  })
}

function split(written: string): { readonly quote: string; readonly value: string } {
  const quote = /^["']/.exec(written)?.[0] ?? ''
  return { quote, value: quote === '' ? written : written.slice(1, -1) }
}

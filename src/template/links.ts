/**
 * Links in HTML that values of a row are part of. Owns the rule that a cell never becomes script: not as the scheme of a link, not
 * in a handler, not by markup of its own. What the template itself says is the template's.
 */
import { Parser } from 'htmlparser2'
import { attributesOf, changeAttributes, TOKEN } from './attributes.ts'
import { failure, type Snippet } from './files/place.ts'
import { AUTOLINK, protect } from './markup.ts'
import { roleOf } from './mustaches.ts'

/** The block helper around the value of an attribute that holds values of a row. */
export const LINK = '__link'

/** What an attribute is to the program that shows it. */
type Kind = 'link' | 'refresh' | 'code'

const RAW = /^\{\{(?:\{|~?\s*&)/
/** A block tag, a comment, a partial: what puts out no value itself. */
const NO_VALUE = /^\{\{~?\s*(?:[#/^!>]|else\b)/

const FOLLOWED = new Set(
  'href src action formaction xlink:href data cite longdesc codebase classid archive manifest ping profile icon to from by values'.split(
    ' ',
  ),
)
/** Elements whose `src` is a picture, which runs nothing and may be `data:`; `images.ts` looks at those that a row names. */
export const SHOWS_PICTURE = /^(?:img|input|source|v:fill|v:image|v:imagedata)$/i

function kindOf(element: string, name: string, attributes: string): Kind | undefined {
  if (/^on[a-z]/.test(name) || name === 'srcdoc') return 'code'
  if (name === 'src' && SHOWS_PICTURE.test(element)) return undefined
  if (FOLLOWED.has(name)) return 'link'
  return name === 'content' && /^meta$/i.test(element) && /http-equiv\s*=\s*["']?refresh/i.test(attributes)
    ? 'refresh'
    : undefined
}

const UNSEEN = /[\s\p{C}\p{Z}]/gu
const SCRIPT = /^(?:(?:view-source|feed|jar):)*(javascript|vbscript|livescript|jscript|mocha|data):/i
/** `5; url=https://example.org/` of an element that loads another page. */
const REFRESH = /^[\s\d.]*[;,]?\s*(?:url\s*=\s*)?["']?/i
/** What is settled at its first letters. */
const HARMLESS = /^(?:https?:|mailto:|tel:|sms:|cid:|[/#?])/i

/** The scheme by which an address would run a script, as plain text: white space and what is not seen do not hide it. */
export function scriptScheme(address: string): string | undefined {
  if (HARMLESS.test(address)) return undefined
  return SCRIPT.exec(address.replace(UNSEEN, ''))?.[1]?.toLowerCase()
}

/** The same for the value of an attribute that is followed, or is code. */
function schemeOf(value: string, kind: string): string | undefined {
  if (kind === 'code') return 'script'
  return scriptScheme(kind === 'refresh' ? value.replace(REFRESH, '') : value)
}

/** The same where the value is as HTML writes it. */
function schemeIn(written: string, kind: string): string | undefined {
  return kind === 'link' && HARMLESS.test(written) ? undefined : schemeOf(decoded(written), kind)
}

/** True where a rendered value of a guarded attribute is harmless. */
export function isHarmlessLink(written: string, kind: string): boolean {
  return schemeIn(written, kind) === undefined
}

function decoded(written: string): string {
  if (!written.includes('&')) return written
  let value = ''
  const parser = new Parser({ onattribute: (_, text) => (value = text) })
  parser.end(`<a href="${written.replaceAll('"', '&quot;')}">`)
  return value
}

/** What a guarded attribute throws where a row makes it a script. */
export class ScriptLinkError extends Error {
  readonly scheme: string
  readonly address: string

  constructor(scheme: string, written: string) {
    super('a value of the row would be run as a script')
    this.scheme = scheme
    this.address = decoded(written).trim().slice(0, 60)
  }
}

type BlockHelper = (this: unknown, kind: unknown, options: { readonly fn: (context: unknown) => string }) => string

export const LINK_HELPERS: Readonly<Record<string, BlockHelper>> = {
  [LINK](kind, { fn }) {
    const written = fn(this)
    const scheme = schemeIn(written, String(kind))
    if (scheme !== undefined) throw new ScriptLinkError(scheme, written)
    return written
  },
  [AUTOLINK](_, { fn }) {
    const written = fn(this)
    return /^[^\s:/?#&@]+@[^\s:/?#&]+$/.test(written) ? `mailto:${written}` : written
  },
}

/** HTML with a guard around each attribute that a reader's program follows and that values of a row are part of. */
export function guardLinks(snippet: Snippet): Snippet {
  const { text, mustaches, restore } = protect(snippet.text)
  const changed = changeAttributes(text, ({ element, name, value, all }) => {
    const kind = TOKEN.test(value) ? kindOf(element, name, all) : undefined
    // A link that the template itself begins, such as one with https://, cannot become a script.
    if (kind === undefined || (kind === 'link' && HARMLESS.test(value)) || !isWhole(mustaches(value))) return value
    return `{{#${LINK} "${kind}"}}${value}{{/${LINK}}}`
  })
  if (changed === text) return snippet
  return { ...snippet, text: restore(changed), madeOf: snippet.madeOf ?? [snippet] }
}

/** Each block that begins in a value ends in it. */
function isWhole(tags: readonly string[]): boolean {
  let depth = 0
  for (const tag of tags) {
    const role = roleOf(tag)
    if (role === 'o') depth++
    else if (role !== undefined && depth === 0) return false
    else if (role === 'c') depth--
  }
  return depth === 0
}

/** True where values can bring markup of their own, which only the rendered page shows. */
export function takesMarkup(page: string): boolean {
  const { text, mustaches } = protect(page)
  if (mustaches(text).some((tag) => RAW.test(tag))) return true
  if (/<\/?zqm\d+qz/.test(text)) return true
  for (const { element, name, value, before, all } of attributesOf(text)) {
    if (TOKEN.test(name) || mustaches(before).some((tag) => !NO_VALUE.test(tag))) return true
    const isFollowed = TOKEN.test(value) && kindOf(element, name, all) !== undefined
    if (isFollowed && !isWhole(mustaches(value))) return true
  }
  return false
}

/** What of a page runs, or leads to what runs: each by its markup. */
function scriptsOf(html: string): ReadonlySet<string> {
  const found = new Set<string>()
  let element = ''
  const parser = new Parser({
    onopentagname(name) {
      element = name
    },
    onattribute(name, value) {
      // Whether the element loads another page is not known before its last attribute.
      const kind = kindOf(element, name.toLowerCase(), 'http-equiv=refresh')
      if (kind !== undefined && schemeOf(value, kind) !== undefined) found.add(`${name}="${value}"`)
    },
    onopentag(name, { type = '' }) {
      // Data for mail programs, such as that of a booking, is not run.
      if (name === 'script' && !/json/i.test(type)) found.add('<script>')
    },
  })
  parser.end(html)
  return found
}

/**
 * Looks at rendered pages of a template whose values may hold markup.
 * @param page The template's own page, with its mustaches.
 */
export function markupGuard(page: Snippet): (html: string) => void {
  const own = scriptsOf(protect(page.text).text)
  return (html) => {
    for (const script of scriptsOf(html)) {
      if (own.has(script)) continue
      const message = `a value of the row would be run as a script: ${script.slice(0, 60)}`
      const hint = 'Write {{name}} with two braces, so that the value is shown as text, or correct the cell.'
      throw failure({ file: page.file, lineOffset: 0 }, 'script-markup', message, hint)
    }
  }
}

/**
 * Pictures of the project that the HTML shows: in `src`, `srcset`, `background`, `poster` and `url()`. Owns where HTML names
 * a picture, and which file a name means; whether a row may have that file is for `message/files` to decide.
 */
import { hash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { BoundedMap } from '../bounded-map.ts'
import { replaceSpans } from '../text/spans.ts'
import { type Attribute, changeAttributes, TOKEN } from './attributes.ts'
import { failure, type Snippet } from './files/place.ts'
import { SHOWS_PICTURE, scriptScheme } from './links.ts'
import { isWithin, protect, STYLE_BEGINS, STYLE_ENDS } from './markup.ts'
import type { RenderedInline } from './template.ts'

type Place = 'src' | 'set' | 'url'

/** The text of a place in which a name stands, changed name by name. */
type Change = (name: string, place: Place) => string

const URL_OF_CSS = /\burl\(\s*("[^"]*"|'[^']*'|&quot;(?:(?!&quot;)[\s\S])*&quot;|[^"'()\s]+)\s*\)/gi
const QUOTES = /^(?:&quot;|["'])|(?:&quot;|["'])$/g
/** What is not a file: an address with its scheme, a place in the page. */
const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:|\/\/|#)/i
/** A step to the folder above, also where it is escaped. */
const UP = /(?:^|[\\/])(?:\.|%2e){2}(?:[\\/]|%2f|%5c|$)/i
const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&#x27;': "'",
  '&#x60;': '`',
  '&#x3D;': '=',
}
const KEPT_PATHS = 2_000

export interface Pictures {
  /** The HTML of a piece of the template: fixed pictures as `cid:`, those that a row names noted for `shown`. */
  embed(snippet: Snippet, folder: string): Snippet
  /** A picture that the HTML of the template shows by `cid:` already. */
  keep(picture: RenderedInline): void
  /** Fixed pictures of all pieces so far. */
  readonly fixed: readonly RenderedInline[]
  /** True when a row names a picture. */
  readonly ofRows: boolean
  /** A rendered page, and the pictures that its row named. @throws DataError for a picture without a name. */
  shown(html: string): { readonly html: string; readonly inline: readonly RenderedInline[] }
}

/** The pictures of one template. */
export function createPictures(root: string): Pictures {
  const fixed = new Map<string, RenderedInline>()
  // Nothing that a row holds can be taken for these: nobody knows them before.
  const nonce = randomBytes(9).toString('hex')
  const pieces: { readonly snippet: Snippet; readonly folder: string; readonly goesUp: boolean }[] = []
  const noted = new RegExp(`zqi${nonce}n(\\d+)(src|set|url)\\(([\\s\\S]*?)\\)zqi${nonce}`, 'g')
  const resolved = new BoundedMap<string, string>(KEPT_PATHS)

  function note(piece: number, place: Place, text: string): string {
    return `zqi${nonce}n${piece}${place}(${text})zqi${nonce}`
  }

  function fixedPicture(name: string, snippet: Snippet, folder: string): string {
    const path = existing(name, folder, root)
    if (path === undefined || !isWithin(root, resolve(root, path))) {
      const why = path === undefined ? 'does not exist' : 'is outside the project'
      const starts = `Paths of images start at ${relative(root, folder) || 'the project folder'}, or at the project folder.`
      throw failure(snippet, 'missing-image', `the image '${name}' ${why}`, starts)
    }
    const cid = cidOf(path)
    fixed.set(cid, { kind: 'file', cid, path })
    return `cid:${cid}`
  }

  function rowPicture(name: string, piece: number): RenderedInline {
    const { folder, goesUp } = pieces[piece] ?? { folder: root, goesUp: false }
    // The template may start above its folder; a row may not, wherever that leads.
    const path = resolved.getOrMake(`${piece} ${name}`, () =>
      UP.test(name) && !goesUp ? name : (existing(name, folder, root) ?? name),
    )
    return { kind: 'file', cid: cidOf(path), path, ofRow: true }
  }

  return {
    keep(picture) {
      fixed.set(picture.cid, picture)
    },
    get fixed() {
      return [...fixed.values()]
    },
    get ofRows() {
      return pieces.length > 0
    },
    embed(snippet, folder) {
      const known = new Map<boolean, number>()
      const { text, restore } = protect(snippet.text)
      const changed = eachPicture(text, (name, place) => {
        if (!isFile(name)) return name
        if (!TOKEN.test(name)) return escaped(fixedPicture(unescaped(name), snippet, folder))
        const goesUp = UP.test(name)
        const piece = known.get(goesUp) ?? pieces.push({ snippet, folder, goesUp }) - 1
        known.set(goesUp, piece)
        return note(piece, place, name)
      })
      if (changed === text) return snippet
      return { ...snippet, text: restore(changed), madeOf: snippet.madeOf ?? [snippet] }
    },
    shown(html) {
      const inline = new Map<string, RenderedInline>()
      const changed = html.replace(noted, (_, piece: string, place: Place, written: string) => {
        const one = (text: string): string => {
          const name = unescaped(text).trim()
          if (!isFile(name)) return harmless(text, name, pieces[Number(piece)]?.snippet)
          const picture = rowPicture(name, Number(piece))
          inline.set(picture.cid, picture)
          return `cid:${picture.cid}`
        }
        if (place === 'src' && written.trim() === '') throw nameless(pieces[Number(piece)]?.snippet)
        return place === 'set' ? eachOfSet(written, one) : one(written)
      })
      return { html: changed, inline: [...inline.values()] }
    },
  }
}

/** An address of a picture. @throws DataError where it leads to something else. */
function harmless(text: string, name: string, snippet: Snippet | undefined): string {
  if (scriptScheme(name) === undefined || /^data:image\//i.test(name)) return text
  const message = `a value names something else than a picture: ${name.slice(0, 60)}`
  const hint = 'Name a file of the project, or an address that begins with https://.'
  throw failure(snippet ?? { file: '', lineOffset: 0 }, 'script-link', message, hint)
}

function nameless(snippet: Snippet | undefined): Error {
  const hint = 'Where some rows have no picture, write {{#if photo}} around it.'
  return failure(snippet ?? { file: '', lineOffset: 0 }, 'missing-image', 'an image has no name', hint)
}

/** Every name of a picture in HTML, replaced by what `change` makes of it. */
function eachPicture(html: string, change: Change): string {
  const inTags = changeAttributes(html, (attribute) => inAttribute(attribute, change))
  return replaceSpans(inTags, STYLE_BEGINS, STYLE_ENDS, ({ open, inner, close }) => open + inCss(inner, change) + close)
}

function inAttribute({ element, name, value }: Attribute, change: Change): string {
  switch (name) {
    case 'style':
      return inCss(value, change)
    case 'srcset':
      // What a row fills is read as a list when it is there.
      return TOKEN.test(value) ? change(value, 'set') : eachOfSet(value, (one) => change(one, 'src'))
    case 'src':
      return SHOWS_PICTURE.test(element) ? change(value, 'src') : value
    case 'background':
    case 'poster':
      return change(value, 'url')
    default:
      return value
  }
}

/** `url()` of CSS, but for fonts, which no mail program loads out of a message. */
function inCss(css: string, change: Change): string {
  const fonts = [...css.matchAll(/@font-face\s*\{[^}]*(?:\}|$)|@import[^;]*(?:;|$)/gi)].map(({ index, 0: rule }) => [
    index,
    index + rule.length,
  ])
  return css.replace(URL_OF_CSS, (whole, written: string, at: number) => {
    if (fonts.some(([start = 0, end = 0]) => at >= start && at < end)) return whole
    const name = written.replace(QUOTES, '')
    const changed = change(name, 'url')
    return changed === name ? whole : whole.replace(name, () => changed)
  })
}

/** `a.png 1x, b.png 2x` */
function eachOfSet(set: string, change: (name: string) => string): string {
  return set.replace(
    /(^|,)(\s*)([^\s,]+)/g,
    (_, comma: string, space: string, name: string) => comma + space + change(name),
  )
}

function isFile(name: string): boolean {
  const text = name.trim()
  return text !== '' && !ELSEWHERE.test(text)
}

/** The path from the project of the file that a name means: from the template's folder or the project, also with `%20`. */
function existing(name: string, folder: string, root: string): string | undefined {
  const names = [name.trim(), decoded(name.trim())]
  for (const one of new Set(names)) {
    const path = [resolve(folder, one), resolve(root, one)].find((candidate) => existsSync(candidate))
    if (path !== undefined) return relative(root, path)
  }
  return undefined
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replace(/[?#].*$/s, ''))
  } catch {
    return name
  }
}

function cidOf(path: string): string {
  return `${hash('sha256', path, 'hex').slice(0, 16)}@mailmerge`
}

function unescaped(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#39|#x27|#x60|#x3D);/g, (entity) => ENTITIES[entity] ?? entity)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;')
}

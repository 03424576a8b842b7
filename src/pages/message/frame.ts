/**
 * The HTML of a mail as a document that can do nothing: no script, no network but the pictures allowed, no navigation.
 * Owns the policy that it is sent with, and the changes that make it show as it should; it takes nothing away to make it
 * safe, because that is what the policy, the sandbox and the page around it are for.
 */
import { Parser } from 'htmlparser2'
import type { Dark } from '../wire.ts'
import { inverted } from './colors.ts'
import { restyled, type StyleOptions } from './style.ts'

/** Which pictures are loaded: none at all, those that came with the mail, those of some hosts too, or all. */
export type Pictures = 'none' | 'own' | 'all' | readonly string[]

export interface FrameOptions {
  readonly dark: Dark
  readonly pictures: Pictures
  /** The address of a picture that the mail carries with it, by its Content-ID; undefined where it has none of that name. */
  readonly inline: (contentId: string) => string | undefined
}

export interface FrameDocument {
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

/** The document for a frame with `sandbox`, in a page whose `frame-src` is 'self'. */
export function frameDocument(html: string, options: FrameOptions): FrameDocument {
  return {
    html: rewritten(html, options),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policyOf(options.pictures),
    },
  }
}

function policyOf(pictures: Pictures): string {
  return [
    "default-src 'none'",
    `img-src ${pictureSources(pictures)}`,
    "style-src 'unsafe-inline'",
    'font-src data:',
    "media-src 'none'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
    'sandbox allow-popups allow-popups-to-escape-sandbox',
  ].join('; ')
}

function pictureSources(pictures: Pictures): string {
  if (pictures === 'none') return "'none'"
  if (pictures === 'own') return "'self' data:"
  if (pictures === 'all') return "'self' data: http: https:"
  // A name with anything else in it could add a word to the policy.
  const hosts = pictures.filter((host) => /^[\w.-]+(?::\d+)?$/.test(host))
  return ["'self' data:", ...hosts.map((host) => `http://${host} https://${host}`)].join(' ')
}

/** Attributes that hold a picture's address. */
const PICTURES = new Set(['src', 'background', 'poster'])
/** Attributes that hold a colour, and what it paints. */
const COLORS: Readonly<Record<string, 'ground' | 'ink'>> = { bgcolor: 'ground', color: 'ink', text: 'ink', link: 'ink' }
/** Things that a browser would fetch, or go to, by itself. */
const IDLE_LINKS = /\b(?:prefetch|preload|modulepreload|dns-prefetch|preconnect|icon|manifest)\b/i

type Attributes = Readonly<Record<string, string>>

function rewritten(html: string, options: FrameOptions): string {
  const pictureOf = (url: string): string | undefined => ownPicture(url, options.inline)
  const style: StyleOptions = { dark: options.dark, pictureOf }
  let out = ''
  let at = 0
  let styleFrom = -1
  const replace = (start: number, end: number, text: string): void => {
    if (start < at) return
    out += html.slice(at, start) + text
    at = end
  }
  const endStyle = (end: number): void => {
    if (styleFrom >= 0) replace(styleFrom, end, restyled(html.slice(styleFrom, end), 'stylesheet', style))
    styleFrom = -1
  }
  const parser = new Parser({
    onopentag(name, attributes, isImplied) {
      if (isImplied) return
      const [start, end] = [parser.startIndex, parser.endIndex + 1]
      const written = tagOf(name, attributes, style, html[end - 2] === '/')
      if (written !== undefined) replace(start, end, written)
      if (name === 'style') styleFrom = end
    },
    onclosetag(name, isImplied) {
      if (name === 'style') endStyle(isImplied ? html.length : parser.startIndex)
    },
  })
  parser.end(html)
  endStyle(html.length)
  return atNight(out + html.slice(at), options.dark)
}

/** A tag with other attributes; empty for one that goes, undefined for one that stays as it is. */
function tagOf(name: string, attributes: Attributes, style: StyleOptions, closes: boolean): string | undefined {
  if (name === 'base') return ''
  const { rel = '', 'http-equiv': equiv = '' } = attributes
  if (name === 'link' && IDLE_LINKS.test(rel)) return ''
  if (name === 'meta' && equiv.trim().toLowerCase() === 'refresh') return ''
  // A drawing can move a link elsewhere without a script.
  if (/^(?:xlink:)?href$/i.test(attributes['attributename']?.trim() ?? '')) return ''
  const changed: Record<string, string | undefined> = {}
  for (const [key, value] of Object.entries(attributes)) {
    const now = changedAttribute(name, key, value, style)
    if (now !== value) changed[key] = now
  }
  // In a drawing a link has another attribute too.
  const href = attributes['href'] ?? attributes['xlink:href']
  if ((name === 'a' || name === 'area') && href !== undefined) {
    const none = { ping: undefined, download: undefined, 'xlink:href': undefined }
    Object.assign(changed, linkAttributes(href.trim()), none)
  }
  if (name === 'meta' && attributes['name']?.toLowerCase() === 'color-scheme') {
    const own = style.dark === 'own' && /\bdark\b/i.test(attributes['content'] ?? '')
    changed['content'] = own ? 'dark' : 'light'
  }
  if (Object.keys(changed).length === 0) return undefined
  const all = Object.entries({ ...attributes, ...changed })
  const written = all.map(([key, value]) => (value === undefined ? '' : ` ${key}="${escaped(value)}"`))
  return `<${name}${written.join('')}${closes ? ' /' : ''}>`
}

function changedAttribute(tag: string, key: string, value: string, style: StyleOptions): string {
  if (key === 'style') return restyled(value, 'declarationList', style)
  if (key === 'media') return restyled(value, 'mediaQueryList', style)
  if (PICTURES.has(key)) return style.pictureOf(value) ?? value
  if (key === 'srcset') return value.replace(/cid:[^\s,]+/gi, (url) => style.pictureOf(url) ?? url)
  const role = COLORS[key]
  if (role === undefined || style.dark !== 'inverted' || tag === 'a') return value
  return inverted(value, role) ?? value
}

/** A link opens a page of its own; what is not for a browser is only named. */
function linkAttributes(href: string): Record<string, string | undefined> {
  if (href.startsWith('#')) return { href, target: undefined }
  if (/^https?:\/\//i.test(href)) return { href, target: '_blank', rel: 'noopener noreferrer' }
  return { href: '#-', title: href.slice(0, 300), target: undefined }
}

/** `cid:logo@news` is the part of that Content-ID, which may be written with brackets or escaped. */
function ownPicture(url: string, inline: FrameOptions['inline']): string | undefined {
  const id = /^cid:(.+)$/is.exec(url.trim())?.[1]
  if (id === undefined) return undefined
  return inline(id) ?? inline(unescaped(id).replace(/^<|>$/g, ''))
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The ground and the words of a mail that sets no colours, after its doctype so that the mode of the browser stays. */
function atNight(html: string, dark: Dark): string {
  const scheme = dark === 'inverted' ? ':root{color-scheme:dark}' : dark === 'off' ? ':root{color-scheme:light}' : ''
  if (scheme === '') return html
  const head = /^\s*(?:<!--(?:(?!-->)[\s\S])*-->\s*)*<!doctype[^>]*>/i.exec(html)?.[0] ?? ''
  return `${head}<style>${scheme}</style>${html.slice(head.length)}`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}

/** Hosts that the pictures of a mail are loaded from, sorted. */
export function remoteHosts(html: string): readonly string[] {
  const hosts = new Set<string>()
  const note = (url: string): void => {
    const host = /^\s*(?:https?:)?\/\/([^/\s"'()?#\\]+)/i.exec(url)?.[1]?.replace(/^[^@]*@/, '')
    if (host !== undefined) hosts.add(host.toLowerCase())
  }
  const noteCss = (css: string): void => {
    for (const [, url = ''] of css.matchAll(/url\(\s*["']?([^"')]+)/gi)) note(url)
  }
  let inStyle = false
  const parser = new Parser({
    onopentag(name, attributes) {
      inStyle = name === 'style'
      for (const [key, value] of Object.entries(attributes)) {
        if (PICTURES.has(key) && name !== 'script' && name !== 'iframe') note(value)
        else if (key === 'srcset') for (const one of value.split(',')) note(one)
        else if (key === 'style') noteCss(value)
      }
    },
    ontext(text) {
      if (inStyle) noteCss(text)
    },
    onclosetag() {
      inStyle = false
    },
  })
  parser.end(html)
  return [...hosts].sort()
}

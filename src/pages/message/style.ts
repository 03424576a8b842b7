/**
 * The CSS of a mail as its frame shows it: pictures from its own parts, its dark styles switched on or off, its colours
 * inverted. Owns the changes to CSS, made in its tokens so that all else stays as it was written.
 */
import { type CssNode, parse, walk } from 'css-tree'
import type { Dark } from '../wire.ts'
import { inverted, type Role } from './colors.ts'

export interface StyleOptions {
  readonly dark: Dark
  /** The address of a picture that the mail carries with it; undefined for any other. */
  readonly pictureOf: (url: string) => string | undefined
}

/** `(prefers-color-scheme: dark)` is true or false whatever the browser prefers. A width of 0 would hold while a frame has none. */
const TRUE = '(min-width:0px)'
const FALSE = '(max-width:-1px)'

interface Change {
  readonly start: number
  readonly end: number
  readonly text: string
}

export function restyled(
  css: string,
  context: 'stylesheet' | 'declarationList' | 'mediaQueryList',
  options: StyleOptions,
): string {
  if (!concerns(css, options)) return css
  const changes: Change[] = []
  const replace = ({ loc }: CssNode, text: string): void => {
    if (loc) changes.push({ start: loc.start.offset, end: loc.end.offset, text })
  }
  let declared = ''
  const visit = (node: CssNode): void => {
    switch (node.type) {
      case 'Feature':
        if (node.name.toLowerCase() === 'prefers-color-scheme') replace(node, holds(node, options.dark) ? TRUE : FALSE)
        break
      case 'Url': {
        const own = options.pictureOf(node.value)
        if (own !== undefined) replace(node, `url("${own}")`)
        break
      }
      case 'Declaration':
        declared = node.property.toLowerCase()
        if (declared === 'color-scheme') replace(node.value, options.dark === 'off' ? 'light' : 'dark')
        break
      case 'Identifier':
      case 'Hash':
      case 'Function': {
        const role = options.dark === 'inverted' ? roleOf(declared) : undefined
        const night = role === undefined ? undefined : inverted(sourceOf(css, node), role)
        if (night !== undefined) replace(node, night)
      }
    }
  }
  walk(parse(css, { context, positions: true, parseCustomProperty: true, onParseError: () => {} }), visit)
  return applied(css, changes)
}

/** Most CSS of a mail needs no look. */
function concerns(css: string, { dark, pictureOf }: StyleOptions): boolean {
  if (dark === 'inverted') return true
  return /color-scheme/i.test(css) || (/url\(/i.test(css) && pictureOf !== undefined)
}

function holds({ value }: Extract<CssNode, { type: 'Feature' }>, dark: Dark): boolean {
  const wanted = value?.type === 'Identifier' ? value.name.toLowerCase() : ''
  return (wanted === 'dark') === (dark === 'own')
}

/** What a property paints; undefined for one without colours. */
function roleOf(property: string): Role | undefined {
  if (/^(?:background|border|outline|box-shadow|column-rule)/.test(property)) return 'ground'
  if (/(?:^|-)(?:color|fill|stroke)$|^(?:text-decoration|text-shadow)/.test(property)) return 'ink'
  return undefined
}

function sourceOf(css: string, { loc }: CssNode): string {
  return loc ? css.slice(loc.start.offset, loc.end.offset) : ''
}

/** Changes within another one are part of it. */
function applied(css: string, changes: readonly Change[]): string {
  let text = ''
  let at = 0
  for (const change of [...changes].sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (change.start < at) continue
    text += css.slice(at, change.start) + change.text
    at = change.end
  }
  return text + css.slice(at)
}

/** Running text of a document: words with their faces, and pictures between them. Owns how Markdown's tokens become these. */
import type { Token, Tokens } from 'marked'
import { decodeEntities } from '../../text/entities.ts'

export type Face = 'plain' | 'strong' | 'em' | 'strongEm' | 'code'

/** A stretch of text in one face. */
export interface Span {
  readonly kind: 'text'
  readonly text: string
  readonly face: Face
  readonly link?: string | undefined
}

/** A QR code, or an image of the project. Width in points. */
export interface Picture {
  readonly kind: 'qr' | 'image'
  /** What the code says, or the path of the image. */
  readonly source: string
  readonly width?: number | undefined
  readonly align?: 'left' | 'center' | 'right' | undefined
}

type Fill = (text: string) => string

/** The text and pictures of a block's tokens, in their order. */
export function inlineOf(
  tokens: readonly Token[] | undefined,
  fill: Fill,
  face: Face = 'plain',
  link?: string,
): readonly (Span | Picture)[] {
  return (tokens ?? []).flatMap((token): readonly (Span | Picture)[] => {
    const inner = 'tokens' in token ? token.tokens : undefined
    const span = (text: string, own: Face = face): readonly Span[] => [{ kind: 'text', text, face: own, link }]
    switch (token.type) {
      case 'strong':
        return inlineOf(inner, fill, face === 'em' || face === 'strongEm' ? 'strongEm' : 'strong', link)
      case 'em':
        return inlineOf(inner, fill, face === 'strong' || face === 'strongEm' ? 'strongEm' : 'em', link)
      case 'link':
        return inlineOf(inner, fill, face, linkOf(fill((token as Tokens.Link).href)))
      case 'codespan':
        return span(fill((token as Tokens.Codespan).text), 'code')
      case 'br':
        return span('\n')
      case 'html':
        return /^<br\s*\/?>$/i.test(token.raw.trim()) ? span('\n') : []
      case 'image':
        return [pictureOf(token as Tokens.Image, fill)]
      default:
        if (inner !== undefined && inner.length > 0) return inlineOf(inner, fill, face, link)
        // Entities are the template's: what a value holds comes after them.
        return span(fill(decodeEntities('text' in token ? String(token.text) : token.raw)))
    }
  })
}

/** `![](qr:TEXT "120 right")`: the title says width in points and place. */
function pictureOf({ href, title }: Tokens.Image, fill: Fill): Picture {
  const width = /\b\d{1,4}\b/.exec(title ?? '')?.[0]
  const align = /\b(?:left|center|right)\b/.exec(title ?? '')?.[0] as Picture['align'] | undefined
  const more = { width: width === undefined ? undefined : Number(width), align }
  if (!href.startsWith('qr:')) return { kind: 'image', source: fill(decoded(href)), ...more }
  return { kind: 'qr', source: fill(decoded(href.slice(3))), ...more }
}

/** Spaces of a path are percent-encoded in Markdown; a value is put in as it is. */
function decoded(href: string): string {
  try {
    return decodeURIComponent(href)
  } catch {
    return href
  }
}

/** A link that a reader of PDFs may follow; undefined for others, whose text stays. */
function linkOf(href: string): string | undefined {
  return /^(?:https?:\/\/|mailto:|tel:)[^\s\p{C}]+$/iu.test(href) ? href : undefined
}

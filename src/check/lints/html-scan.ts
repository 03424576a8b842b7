/** What a rendered body leads to and shows: its links, its images, its words. Owns reading it; judges nothing. */
import { Parser } from 'htmlparser2'

export interface HtmlImage {
  readonly src: string
  /** Undefined where there is no attribute; empty for an image that says nothing. */
  readonly alt: string | undefined
}

export interface HtmlLook {
  readonly links: readonly string[]
  readonly images: readonly HtmlImage[]
  /** The words, with line breaks where blocks end. */
  readonly text: string
}

const SILENT = new Set(['style', 'script', 'title', 'head'])
const INLINE = new Set(['a', 'b', 'i', 'em', 'strong', 'span', 'font', 'u', 'small', 'code', 'sub', 'sup'])

export function lookAtHtml(html: string): HtmlLook {
  const links: string[] = []
  const images: HtmlImage[] = []
  let text = ''
  let silent = 0
  const parser = new Parser({
    onopentag(name, attributes) {
      if (SILENT.has(name)) silent++
      if (!INLINE.has(name)) text += '\n'
      const { href, src, alt } = attributes
      if ((name === 'a' || name === 'area') && href !== undefined) links.push(href)
      if (name === 'img') images.push({ src: src ?? '', alt })
    },
    ontext(words) {
      if (silent === 0) text += words.replace(/\s+/g, ' ')
    },
    onclosetag(name) {
      if (SILENT.has(name)) silent--
      if (!INLINE.has(name)) text += '\n'
    },
  })
  parser.end(html)
  return { links, images, text }
}

/** The links that are written in a plain text. */
export function linksInText(text: string): readonly string[] {
  // What closes the sentence or the brackets around a link is not part of it.
  return (text.match(/\bhttps?:\/\/[^\s<>"']+/g) ?? []).map((link) =>
    link.replace(/(?<![\])}.,;:!?])[\])}.,;:!?]+$/, ''),
  )
}

/**
 * Markdown, MJML, styles and plain text, made from a template once and not for each row. Owns how Handlebars survives
 * these transformations: as tokens that no markup touches, put back afterwards.
 */

import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { convert } from 'html-to-text'
import juice from 'juice'
import { marked } from 'marked'
import { failure, type Snippet } from './engine.ts'
import type { RenderedInline } from './template.ts'

const MUSTACHE = /\{\{!--[\s\S]*?--\}\}|\{\{\{[\s\S]*?\}\}\}|\{\{[\s\S]*?\}\}/g
const TOKEN = /<!--(zqm\d+qz)-->|zqm\d+qz/g

/** A text whose mustaches are tokens, and the way back. */
interface Protected {
  readonly text: string
  restore(text: string): string
}

/** Puts tokens in the place of mustaches; those that are no values become comments where markup allows them. */
function protect(source: string, comments: boolean): Protected {
  const kept: string[] = []
  let inTag = false
  let from = 0
  let text = ''
  for (const match of source.matchAll(MUSTACHE)) {
    const between = source.slice(from, match.index)
    text += between
    for (const mark of between.match(/<(?=[a-z/!])|>/gi) ?? []) inTag = mark === '<'
    from = match.index + match[0].length
    const token = `zqm${kept.length}qz`
    kept.push(match[0])
    // A block tag between elements must be where no element may be, such as between the rows of a table.
    text += comments && !inTag && /^\{\{[{~]*\s*(?:[#/^!]|else\b)/.test(match[0]) ? `<!--${token}-->` : token
  }
  text += source.slice(from)
  return {
    text,
    restore: (changed) =>
      changed.replace(TOKEN, (token) => {
        const number = Number(/\d+/.exec(token)?.[0])
        return kept[number] ?? token
      }),
  }
}

/** Markdown to HTML; values come in later and cannot become markup. */
export function markdownToHtml(source: string): string {
  // A block tag alone on its line stands between paragraphs, not in one.
  const spaced = source.replace(/^[ \t]*(\{\{[~]?(?:[#/^]|else\b)[^}]*\}\})[ \t]*$/gm, '\n$1\n')
  const { text, restore } = protect(spaced, true)
  return restore(marked.parse(text, { gfm: true, async: false }))
}

/** Markdown to the plain text that people write anyway: marks that only a renderer needs are taken off. */
export function markdownToText(source: string): string {
  return source
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[([^\]]+)\]\(([^)\s]+)[^)]*\)/g, (_, label: string, url: string) =>
      label === url ? url : `${label} (${url})`,
    )
    .replace(/^#{1,6}\s+(.*?)\s*#*$/gm, '$1')
    .replace(/(\*\*|__)(?=\S)([\s\S]*?\S)\1/g, '$2')
    .replace(/(^|[\s(])[*_](?=\S)([^*_\n]*\S)[*_](?=[\s).,;:!?]|$)/gm, '$1$2')
    .replace(/^ *([*_-] *){3,}$/gm, '')
    .replace(/`([^`\n]+)`/g, '$1')
    .replace(/\\([\\`*_{}[\]()#+.!-])/g, '$1')
}

/** MJML to HTML. The library is heavy, so only those who use it load it. */
export async function mjmlToHtml(snippet: Snippet): Promise<string> {
  const { default: mjml } = await import('mjml')
  const { text, restore } = protect(snippet.text, false)
  // Row values enter after MJML, and it reads no file: includes are off.
  const result = await mjml(text, { validationLevel: 'soft', ignoreIncludes: true, keepComments: false })
  const [problem] = result.errors
  if (problem !== undefined)
    throw failure(snippet, 'mjml', problem.message, 'documentation.mjml.io explains the elements.', {
      line: problem.line,
      column: 0,
    })
  return restore(result.html)
}

/** Writes the rules of `<style>` into the elements, because many mail programs read nothing else. Media queries stay. */
export function inlineStyles(html: string): string {
  if (!/<style\b/i.test(html)) return html
  const { text, restore } = protect(html, true)
  return restore(
    juice(text, {
      preserveMediaQueries: true,
      preserveFontFaces: true,
      preservePseudos: true,
      removeStyleTags: true,
      applyWidthAttributes: false,
    }),
  )
}

/** A plain text for those who read no HTML. */
export function htmlToText(html: string): string {
  const { text, restore } = protect(html, false)
  const plain = convert(text, {
    wordwrap: false,
    limits: { maxInputLength: 2_000_000, maxDepth: 200 },
    selectors: [
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true, ignoreHref: false } },
      { selector: 'img', format: 'skip' },
      { selector: 'h1', options: { uppercase: false } },
      { selector: 'h2', options: { uppercase: false } },
      { selector: 'h3', options: { uppercase: false } },
      { selector: 'table', options: { uppercaseHeaderCells: false } },
      { selector: 'style', format: 'skip' },
      { selector: 'title', format: 'skip' },
      { selector: '.preheader', format: 'skip' },
      { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
      { selector: 'td', format: 'inline' },
    ],
  })
  return `${restore(plain)
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`
}

/**
 * Turns local images into parts that the HTML shows by `cid:` (RFC 2392).
 * @throws DataError for an image that is not there.
 */
export function embedImages(
  html: string,
  snippet: Snippet,
  folder: string,
  root: string,
): { readonly html: string; readonly inline: readonly RenderedInline[] } {
  const inline = new Map<string, RenderedInline>()
  const changed = html.replace(
    /(<img\b[^>]*?\bsrc\s*=\s*)(["'])([^"']+)\2/gi,
    (whole, before: string, quote: string, source: string) => {
      const path = source.trim()
      if (/^([a-z][a-z0-9+.-]*:|\/\/|#|\{\{)/i.test(path) || path.includes('{{')) return whole
      const found = [resolve(folder, path), resolve(root, path)].find((candidate) => existsSync(candidate))
      if (found === undefined || !isWithin(root, found)) {
        const message =
          found === undefined ? `the image '${path}' does not exist` : `the image '${path}' is outside the project`
        throw failure(
          snippet,
          'missing-image',
          message,
          `Paths of images start at ${relative(root, folder) || 'the project folder'}, or at the project folder.`,
        )
      }
      const key = relative(root, found)
      const cid = `${hash('sha256', key, 'hex').slice(0, 16)}@mailmerge`
      inline.set(key, { kind: 'file', cid, path: key })
      return `${before}${quote}cid:${cid}${quote}`
    },
  )
  return { html: changed, inline: [...inline.values()] }
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && way !== path
}

/** A hidden line that mail programs show beside the subject. */
export function withPreheader(html: string, preheader: string): string {
  const hidden = `<div class="preheader" style="display:none;max-height:0;overflow:hidden;mso-hide:all">${preheader}</div>`
  const body = /<body\b[^>]*>/i.exec(html)
  return body === null
    ? hidden + html
    : html.slice(0, body.index + body[0].length) + hidden + html.slice(body.index + body[0].length)
}

/** Folder of a file, for images beside it. */
export function folderOf(path: string): string {
  return join(dirname(path))
}

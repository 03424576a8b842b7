/**
 * Markdown, MJML, styles and plain text, made from a template once and not for each row. Owns how Handlebars survives
 * these transformations: as tokens that no markup touches, put back afterwards.
 */

import { createRequire } from 'node:module'
import { relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Marked } from 'marked'
import { foreignWords } from '../fs/system-errors.ts'
import { spansOf } from '../text/spans.ts'
import { failure, placeOf, type Snippet } from './files/place.ts'
import { type BlockRole, isBlockTag, mustachesOf, roleOf } from './mustaches.ts'
import { tablesForText } from './text-tables.ts'

/** What is between them is CSS. */
export const STYLE_BEGINS = /<style\b[^<>]*>/gi
export const STYLE_ENDS = /<\/style>/gi

/** Heavy libraries are loaded by those templates that need them, and not by every command. */
const load = createRequire(import.meta.url)

const TOKEN = /<!--(?:[oce]:)?zqm\d+qz-->|zqm\d+qz/g

/** A text whose mustaches are tokens, and the way back. */
interface Protected {
  readonly text: string
  restore(text: string): string
  /** The mustaches whose tokens are in a piece of the text, in order. */
  mustaches(piece: string): readonly string[]
}

/** Puts tokens in the place of mustaches; `blocks` says how those that are not values are written between elements. */
export function protect(source: string, blocks?: (token: string, tag: string, before: string) => string): Protected {
  const kept: string[] = []
  let inTag = false
  let from = 0
  let text = ''
  for (const match of mustachesOf(source)) {
    const between = source.slice(from, match.index)
    text += between
    for (const mark of between.match(/<(?=[a-z/!])|>/gi) ?? []) inTag = mark === '<'
    from = match.index + match[0].length
    const token = `zqm${kept.length}qz`
    kept.push(match[0])
    text += blocks !== undefined && !inTag && isBlockTag(match[0]) ? blocks(token, match[0], text) : token
  }
  text += source.slice(from)
  const behind = (token: string): string => kept[Number(/\d+/.exec(token)?.[0])] ?? token
  return {
    text,
    restore: (changed) => changed.replace(TOKEN, behind),
    mustaches: (piece) => (piece.match(TOKEN) ?? []).map(behind),
  }
}

/** A comment may stand between the rows of a table, where a text may not. */
const asComment = (token: string): string => `<!--${token}-->`

/** Markdown to HTML, in which a line is a line; values come in later and cannot become markup. */
export function markdownToHtml(source: string): string {
  const { text, restore } = protect(blocksApart(source), (token, tag) => `<!--${roleOf(tag) ?? 'e'}:${token}-->`)
  return restore(loopsWithin(markdown.parse(text, { async: false })))
}

/** The block helper around the value of a link that is nothing but a value: an address becomes `mailto:`. */
export const AUTOLINK = '__autolink'

/** `<{{url}}>` is a link as `<https://example.org>` is one; to Markdown alone it would be an element. */
const markdown = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    // `undefined`: not an element. `false`: whatever Markdown itself finds.
    html: (text) => (/^ {0,3}<zqm\d+qz>/.test(text) ? undefined : false),
  },
  extensions: [
    {
      // A break of HTML at the end of a line is that line's break, and no second one.
      name: 'breakOfLine',
      level: 'inline',
      start: (text) => /<br/i.exec(text)?.index,
      tokenizer(text) {
        const [raw] = /^<br\s*\/?>[ \t]*\n/i.exec(text) ?? []
        return raw === undefined ? undefined : { type: 'breakOfLine', raw }
      },
      renderer: () => '<br>',
    },
    {
      name: 'valueLink',
      level: 'inline',
      start: (text) => /<zqm\d+qz>/.exec(text)?.index,
      tokenizer(text) {
        const [raw, value] = /^<(zqm\d+qz)>/.exec(text) ?? []
        return raw === undefined ? undefined : { type: 'valueLink', raw, value }
      },
      renderer: ({ value }) => `<a href="{{#${AUTOLINK} true}}${value}{{/${AUTOLINK}}}">${value}</a>`,
    },
  ],
})

const BLOCK_LINE = /^[ \t]*(\{\{~?\s*(?:[#/^]|else\b)(?:(?!\}\})[\s\S])*\}\})[ \t]*$/

/** A comment alone on its line leaves no line, in HTML as in text. */
function withoutCommentLines(source: string): string {
  let text = ''
  let from = 0
  for (const { 0: tag, index } of mustachesOf(source)) {
    if (!/^\{\{~?!/.test(tag)) continue
    const before = source.slice(source.lastIndexOf('\n', index - 1) + 1, index)
    const after = index + tag.length
    const lineEnd = source.indexOf('\n', after)
    if (lineEnd < 0 || before.trim() !== '' || source.slice(after, lineEnd).trim() !== '') continue
    text += source.slice(from, index - before.length)
    from = lineEnd + 1
  }
  return text + source.slice(from)
}

/** A block tag alone on its line stands between paragraphs, not in one; among the rows of a table it joins one of them. */
function blocksApart(source: string): string {
  const lines = withoutCommentLines(source).split('\n')
  const apart: string[] = []
  let forNextRow = ''
  for (const [index, line] of lines.entries()) {
    const tag = BLOCK_LINE.exec(line)?.[1]
    if (tag === undefined) {
      apart.push(forNextRow === '' ? line : line.replace(/^(\s*\|)/, `$1${forNextRow}`))
      forNextRow = ''
      continue
    }
    const isOpening = roleOf(tag) === 'o'
    const last = apart.length - 1
    if (isOpening && isRow(lines[index + 1]) && isRow(lines[index - 1])) forNextRow += tag
    else if (!isOpening && isRow(apart[last])) apart[last] = (apart[last] ?? '').replace(/\|\s*$/, `${tag}|`)
    else apart.push('', tag, '')
  }
  return apart.join('\n')
}

function isRow(line: string | undefined): boolean {
  return line !== undefined && /^\s*\|.*\|\s*$/.test(line)
}

const MARK = '<!--[oce]:zqm\\d+qz-->'
const ROW_BEGINS = new RegExp(`(<tr>\\s*<t[dh][^>]*>)((?:${MARK})+)\\s*`, 'g')
const ROW_ENDS = new RegExp(`(?<!\\s)\\s*((?:${MARK})+)(</t[dh]>\\s*</tr>)`, 'g')
const LIST_IN_LOOP = /(<!--o:zqm\d+qz-->)\s*<(ul|ol)>((?:(?!<[uo]l>)[\s\S])*?)<\/\2>\s*(<!--c:zqm\d+qz-->)/g

/** A loop over rows stands around the row, and a loop over items within the list: one table, one list. */
function loopsWithin(html: string): string {
  return html.replace(ROW_BEGINS, '$2$1').replace(ROW_ENDS, '$2$1').replace(LIST_IN_LOOP, '<$2>$1$3$4</$2>')
}

/** Markdown to the plain text that people write anyway: marks that only a renderer needs are taken off. */
export function markdownToText(source: string): string {
  const { text, restore, mustaches } = protect(source)
  const roleOfLine = (line: string): BlockRole | undefined => {
    const [tag] = /^[ \t]*zqm\d+qz[ \t]*$/.test(line) ? mustaches(line) : []
    return tag === undefined ? undefined : roleOf(tag)
  }
  return restore(tablesForText(withoutMarks(text), roleOfLine))
}

function withoutMarks(source: string): string {
  return source
    .replace(/(?:\\|<br\s*\/?>[ \t]*)$/gm, '')
    .replace(/!\[([^[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)/g, '$1')
    .replace(/\[([^[\]]+)\]\(((?:[^()\s]|\([^()\s]*\))+)(?:\s[^()]*)?\)/g, (_, label: string, url: string) =>
      label === url ? url : `${label} (${url})`,
    )
    .replace(/^#{1,6}[ \t]+(.*)$/gm, (_, title: string) =>
      title
        .trimEnd()
        .replace(/(?<![^ \t])#+$/, '')
        .trim(),
    )
    .replace(/(\*\*|__)(?=\S)([\s\S]{0,1000}?\S)\1/g, '$2')
    .replace(/(^|[\s(])[*_](?=\S)([^*_\n]*\S)[*_](?=[\s).,;:!?]|$)/gm, '$1$2')
    .replace(/^ *([*_-] *){3,}$/gm, '')
    .replace(/`([^`\n]+)`/g, '$1')
    .replace(/\\([\\`*_{}[\]()#+.!-])/g, '$1')
}

/** An element that holds HTML, not further elements of MJML. */
const ENDING_ELEMENT =
  /<mj-(?:text|button|table|raw|style|title|preview|navbar-link|social-element|accordion-(?:text|title))\b[^<>]*>/

/** Whether the last element that was opened is one that holds HTML. */
function isInEndingElement(before: string): boolean {
  return ENDING_ELEMENT.test(before.slice(before.lastIndexOf('</mj-') + 1))
}

/** MJML to HTML. @param root The project, whose own copy of the library comes first. */
export async function mjmlToHtml(snippet: Snippet, root: string): Promise<string> {
  const include = snippet.text.search(/<mj-include\b/i)
  if (include >= 0) {
    const message = 'mj-include is switched off, because it reads any file'
    const hint = 'Put the piece into templates/_partials/name.mjml and write {{> name}}.'
    throw failure(snippet, 'mjml', message, hint, placeOf(snippet.text, include))
  }
  const mjml = await mjmlLibrary(snippet, root)
  const { text, restore } = protect(snippet.text, (token, _tag, before) =>
    // Between the elements of MJML only an element may stand.
    isInEndingElement(before) ? token : `<mj-raw>${token}</mj-raw>`,
  )
  // Row values enter after MJML, and it reads no file: includes are off. No font is linked to that nobody asked for.
  const result = await mjml(text, { validationLevel: 'soft', ignoreIncludes: true, keepComments: false, fonts: {} })
  const [problem] = result.errors
  if (problem !== undefined)
    throw failure(snippet, 'mjml', problem.message, 'documentation.mjml.io explains the elements.', {
      line: problem.line,
      column: 0,
    })
  return restore(result.html.replace(/\n\s*\n/g, '\n'))
}

/** A fifth of the whole install with what it needs: who writes MJML installs it, in the project or beside mailmerge. */
async function mjmlLibrary(snippet: Snippet, root: string): Promise<typeof import('mjml')> {
  for (const home of [pathToFileURL(resolve(root, 'package.json')), import.meta.url]) {
    let path: string
    try {
      path = createRequire(home).resolve('mjml')
    } catch {
      continue
    }
    try {
      const { default: mjml } = (await import(pathToFileURL(path).href)) as { readonly default: typeof import('mjml') }
      return mjml
    } catch (cause) {
      const [why] = foreignWords(cause).split('\n')
      throw failure(
        snippet,
        'no-mjml',
        `the package mjml cannot be loaded: ${why}`,
        'Install it again: npm install mjml',
      )
    }
  }
  const message = 'MJML needs the package mjml, which is not installed'
  throw failure(snippet, 'no-mjml', message, 'In the project folder: npm install mjml')
}

/** Writes the rules of `<style>` into the elements, because many mail programs read nothing else. Media queries stay. */
export function inlineStyles(html: string): string {
  if (!/<style\b/i.test(html)) return html
  const { text, restore } = protect(html, asComment)
  return restore(stylesheets()(text, JUICE))
}

function stylesheets(): typeof import('juice').default {
  return (load('juice') as typeof import('juice')).default
}

/** Nothing is fetched or read: only what stands in the text itself. */
const JUICE = {
  preserveMediaQueries: true,
  preserveFontFaces: true,
  preservePseudos: true,
  removeStyleTags: true,
  applyWidthAttributes: false,
} as const

/** The same for a piece of a page, with the rules of the page. */
export function inlineStylesOf(page: string, piece: string): string {
  const rules = [...spansOf(page, STYLE_BEGINS, STYLE_ENDS)].map(({ inner }) => inner).join('\n')
  if (rules === '' || rules.includes('{{')) return piece
  const { text, restore } = protect(piece, asComment)
  return restore(stylesheets().inlineContent(text, rules, JUICE))
}

/** A plain text for those who read no HTML. */
export function htmlToText(html: string): string {
  const { text, restore } = protect(html)
  const { convert } = load('html-to-text') as typeof import('html-to-text')
  const plain = convert(text, {
    wordwrap: false,
    formatters: {
      cell: (element, walk, builder) => {
        walk(element.children, builder)
        builder.addInline(' ')
      },
    },
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
      { selector: 'td', format: 'cell' },
      { selector: 'th', format: 'cell' },
      { selector: 'ul', options: { itemPrefix: '- ' } },
    ],
  })
  return `${restore(plain)
    .replace(/(?<![ \t])[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`
}

/** A value that may hold markup, as text. */
export function plainOf(value: unknown): string {
  const text = value === undefined || value === null ? '' : String(value)
  return /<[a-z!/]|&(?:[a-z]+|#\d+);/i.test(text) ? htmlToText(text).trimEnd() : text
}

/** The path is in the folder, and not the folder itself. */
export function isWithin(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && way !== path
}

/** Nothing that is seen: keeps what follows in the body out of the line beside the subject. */
const FILLING = '&zwnj;&nbsp;'.repeat(60)

/** A hidden line that mail programs show beside the subject. */
export function withPreheader(html: string, preheader: string): string {
  const style = 'display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all'
  const hidden = `<div class="preheader" style="${style}">${preheader}${FILLING}</div>`
  const body = /<body\b[^<>]*>/i.exec(html)
  return body === null
    ? hidden + html
    : html.slice(0, body.index + body[0].length) + hidden + html.slice(body.index + body[0].length)
}

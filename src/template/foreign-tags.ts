/**
 * Placeholders of other mail merge programs that a template still holds, and that nothing fills here. Owns how they look; what
 * could as well be ordinary text counts only where it names a column or a word that such placeholders name.
 */
import { placeInFiles } from './files/place.ts'
import { BLANK, blanked } from './mustaches.ts'
import type { WrittenTemplate } from './template.ts'

/** One of them, where it stands. */
export interface ForeignTag {
  readonly tag: string
  readonly file: string
  readonly line: number
  /** Of the line, from 1. */
  readonly column: number
  /** The column that it names, if the list has one of that name. */
  readonly means: string | undefined
}

/** No text of people looks like these. */
const SURE = [
  String.raw`\*\|[A-Z0-9_:]{1,60}\|\*`,
  String.raw`%%[\w. -]{1,60}%%`,
  String.raw`%\([A-Za-z_]\w{0,60}\)s`,
  String.raw`\[\[[\w. :"-]{1,60}\]\]`,
  String.raw`\[\w{1,40},\s{0,3}fallback=[^\]\n]{0,60}\]`,
  String.raw`<%=?[^%\n]{0,80}%>`,
  String.raw`\{%-?\s{0,3}\w[^%\n]{0,80}%\}`,
  String.raw`\{![\w. ]{1,60}\}`,
  String.raw`\{\s{0,3}MERGEFIELD\s[^}\n]{1,80}\}`,
  String.raw`\$\{[A-Za-z_][\w. ]{0,60}\}`,
  String.raw`<<[\p{L}_][\p{L}\d_ .-]{0,60}>>`,
  String.raw`&lt;&lt;[\p{L}_][\p{L}\d_ .-]{0,60}&gt;&gt;`,
]
/** Signs that also stand around other words. */
const AROUND: readonly (readonly [open: string, close: string])[] = [
  ['{', '}'],
  ['[', ']'],
  ['«', '»'],
  ['%', '%'],
  ['#', '#'],
  ['##', '##'],
  ['@@', '@@'],
  ['||', '||'],
  ['$', '$'],
]
/** What placeholders name in most programs. */
const WORDS =
  'name|full ?name|first ?name|f ?name|last ?name|l ?name|surname|given ?name|family ?name|your name|e-?mail|e-?mail ?address|company|company ?name|your company|title|salutation|recipient|recipient ?name|customer ?name|vorname|nachname|anrede|firma|prénom|nom'
const NAME = new RegExp(`^(?:${WORDS.replaceAll(' ?', '[ _-]?')})$`, 'i')
const EITHER = new RegExp(
  [
    ...SURE,
    ...AROUND.toReversed().map(
      ([open, close]) => String.raw`${RegExp.escape(open)}[\p{L}_][\p{L}\d_ .-]{0,60}${RegExp.escape(close)}`,
    ),
  ].join('|'),
  'gu',
)
const ALWAYS = new RegExp(`^(?:${SURE.join('|')})$`, 'u')
/** Styles and scripts have braces of their own. */
const OTHER_LANGUAGE = /<(style|script)\b[^<>]*>[\s\S]*?(?:<\/\1\s*>|$)/gi
/** Tags kept of one template. */
const KEPT = 50

/** The tags in a text; `columns` are names of the list. */
export function foreignTagsIn(text: string, columns: readonly string[]): readonly { tag: string; at: number }[] {
  const names = new Set(columns.map(plainName))
  const found: { tag: string; at: number }[] = []
  for (const { 0: tag, index } of text.matchAll(EITHER)) {
    if (!ALWAYS.test(tag) && !isNamed(tag, names)) continue
    // A link of Markdown, by its address or by a reference.
    if (tag.startsWith('[') && /^[([:]/.test(text.slice(index + tag.length, index + tag.length + 1))) continue
    found.push({ tag, at: index })
    if (found.length === KEPT) break
  }
  return found
}

function isNamed(tag: string, names: ReadonlySet<string>): boolean {
  const inner = innerName(tag)
  return names.has(plainName(inner)) || NAME.test(inner)
}

function innerName(tag: string): string {
  return tag.replace(/^[^\p{L}\d_]+|[^\p{L}\d_]+$/gu, '').replace(/^(?:lt;&lt;|MERGEFIELD\s+)|&gt;&gt$/g, '')
}

/** `First Name`, `first_name` and `FIRSTNAME` are one. */
function plainName(name: string): string {
  return name
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s_.-]/g, '')
}

/** Those that a template's own texts hold, each once in each file. */
export function foreignTags(template: WrittenTemplate, columns: readonly string[]): readonly ForeignTag[] {
  const found = new Map<string, ForeignTag>()
  for (const snippet of template.texts) {
    const text = blanked(snippet.text).replace(OTHER_LANGUAGE, (part) => part.replace(/[^\n]/g, BLANK))
    for (const { tag, at } of foreignTagsIn(text, columns)) {
      const place = placeInFiles(snippet, at, tag.length)
      const file = place?.file ?? snippet.file
      const wanted = plainName(innerName(tag))
      const means = columns.find((column) => plainName(column) === wanted)
      const one = { tag, file, line: place?.line ?? 1, column: (place?.column ?? 0) + 1, means }
      if (!found.has(`${file} ${tag}`)) found.set(`${file} ${tag}`, one)
    }
  }
  return [...found.values()].slice(0, KEPT)
}

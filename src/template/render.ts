/**
 * A row to texts: every field of a template compiled once and rendered for each row. Owns the order of the fields, and what
 * counts as content of a body.
 */
import { normalize } from 'node:path/posix'
import type { DataError } from '../errors.ts'
import { knownLanguage, unknownLanguage } from '../language-tag.ts'
import type { RowData } from '../source/source.ts'
import { replaceSpans } from '../text/spans.ts'
import { cellsOf } from './engine/cells.ts'
import type { Compiled, Engine, Helper } from './engine/engine.ts'
import { withinLimit } from './engine/watchdog.ts'
import type { MessageFields } from './files/message-file.ts'
import { failure, type Snippet } from './files/place.ts'
import type { HelperData } from './helpers/helper.ts'
import { readYes } from './helpers/values.ts'
import type { Pictures } from './images.ts'
import type { CompiledTemplate } from './languages.ts'
import { guardLinks } from './links.ts'
import { isBlank, type MarkedText, markedOutput, ownText, trimMarked, unmark } from './marked-text.ts'
import { withPreheader } from './markup.ts'
import {
  fieldKey,
  type RenderContext,
  type Rendered,
  type RenderedAttachment,
  type RenderedCalendar,
  ROWS,
  type Template,
} from './template.ts'

/** Engines by the way in which values are written. */
export interface Engines {
  /** The project's own helpers. */
  readonly helpers: Readonly<Record<string, Helper>>
  readonly html: Engine
  readonly text: Engine
  readonly textOfHtml: Engine
  /** For address fields, paths and PDF sources: values are marked, see `marked-text.ts`. */
  readonly marked: Engine
}

export interface RendererOptions {
  /** The template says who sends; else `RenderContext.from` does, where it is there. */
  readonly setsFrom: boolean
  readonly fields: MessageFields
  /** The text of a field with the place where it is written. */
  readonly written: (path: readonly (string | number)[], text: string) => Snippet
  readonly engines: Engines
  /** Notes the names that a text uses. */
  readonly look: (snippet: Snippet) => Snippet
  /** Columns that a text reads. */
  readonly columnsOf: (snippet: Snippet) => readonly string[]
  readonly text?: { readonly engine: 'text' | 'textOfHtml'; readonly snippet: Snippet } | undefined
  readonly html?: Snippet
  readonly pictures: Pictures
  /** Looks at rendered pages, where values may hold markup. */
  readonly markup: ((html: string) => void) | undefined
  /** A message may say nothing. */
  readonly allowEmpty: boolean
  readonly attachmentTemplate: (path: string) => Snippet
  /** Attachments that every row has as they are. */
  readonly kept: readonly RenderedAttachment[]
  /** Files whose code runs for each row and may not come to an end. */
  readonly foreignCode: readonly string[]
  readonly locale: string | undefined
  readonly timeZone: string
}

type Data = Readonly<Record<string, unknown>>
interface AttachmentRenderer {
  render(row: RowData, data: Data): RenderedAttachment | undefined
  /** It is made of all rows of a message, and so once; others are made of each row. */
  readonly ofAll: boolean
}
type FieldPath = readonly (string | number)[]
type Marked = (row: RowData, data: Data) => MarkedText

/** Compiles the texts of fields: with the row's values in them as they are, or marked. */
interface FieldCompiler {
  text(path: FieldPath, text: string | undefined): Compiled | undefined
  marked(path: FieldPath, text: string | undefined): Marked | undefined
}

/** Fields that become headers by themselves. */
const HEADER_FIELDS = [
  ['listId', 'List-Id'],
  ['feedbackId', 'Feedback-ID'],
  ['autoSubmitted', 'Auto-Submitted'],
  ['inReplyTo', 'In-Reply-To'],
  ['references', 'References'],
] as const

/** Headers that are lists of addresses or links: a value of a row must not add one. */
const LISTS =
  /^(?:list-(?:help|unsubscribe|subscribe|post|owner|archive)|disposition-notification-to|return-receipt-to)$/i

export function createRenderer(options: RendererOptions): Pick<CompiledTemplate, 'render' | 'check' | 'localeOf'> {
  const { fields, engines, look, pictures, markup, kept } = options
  const { fixed: inline, ofRows: hasRowPictures } = pictures
  const columns = new Map<string, readonly string[]>()
  const written = (path: FieldPath, text: string): Snippet => {
    const snippet = look(options.written(path, text))
    columns.set(fieldKey(String(path.at(-1))), options.columnsOf(snippet))
    return snippet
  }
  const compiler: FieldCompiler = {
    text: (path, text) => (text === undefined ? undefined : engines.text.compile(written(path, text))),
    marked(path, text) {
      const compiled = text === undefined ? undefined : engines.marked.compile(written(path, text))
      return compiled === undefined ? undefined : (row, data) => markedOutput(compiled(row, data))
    },
  }
  const address = (name: 'from' | 'to' | 'cc' | 'bcc' | 'replyTo' | 'envelopeFrom'): Marked | undefined =>
    compiler.marked([name], fields[name])

  const header = (name: string, path: FieldPath, value: string | undefined): Marked | undefined => {
    if (LISTS.test(name)) return compiler.marked(path, value)
    const compiled = compiler.text(path, value)
    return compiled === undefined ? undefined : (row, data) => ownText(compiled(row, data))
  }

  const from = address('from')
  const to = address('to')
  const cc = address('cc')
  const bcc = address('bcc')
  const replyTo = address('replyTo')
  const envelopeFrom = address('envelopeFrom')
  const subject = compiler.text(['subject'], fields.subject)
  const locale = compiler.text(['locale'], fields.locale)
  const text = options.text === undefined ? undefined : engines[options.text.engine].compile(options.text.snippet)
  const html = options.html === undefined ? undefined : engines.html.compile(preheaded(options.html, options))
  const headers = [
    ...HEADER_FIELDS.map(([key, name]) => [name, header(name, [key], fields[key])] as const),
    ...Object.entries(fields.headers ?? {}).map(
      ([name, value]) => [name, header(name, ['headers', name], value)] as const,
    ),
  ].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const attachments = (fields.attachments ?? []).map((one, index) => attachmentRenderer(one, index, options, compiler))
  const calendar = calendarRenderer(fields.calendar, compiler)
  // Where the template itself says something no row can come out empty.
  const mayBeEmpty =
    !options.allowEmpty && calendar === undefined && !hasWords(text?.fixed ?? '') && !hasContent(html?.fixed ?? '')
  const tables = fields.tables ?? {}
  const localeWritten = options.written(['locale'], fields.locale ?? '')

  const helpersFor = (context: RenderContext, images: HelperData['images']): HelperData => ({
    locale: context.language ?? context.locale ?? options.locale ?? 'en',
    listLocale: context.locale ?? options.locale,
    timeZone: context.timeZone ?? options.timeZone,
    images,
    tables,
  })
  /** The language that `locale` says, empty where it says none. */
  const localeIn = (row: RowData, data: Data): string => {
    const chosen = locale?.(row, data).trim() ?? ''
    return chosen === '' ? '' : checkedLocale(chosen, localeWritten)
  }
  const localeOf: CompiledTemplate['localeOf'] =
    locale &&
    ((given, { rows, ...merge }) => {
      const row = withRows(cellsOf(given), rows?.map(cellsOf))
      return localeIn(row, { merge, helpers: helpersFor(merge, []) })
    })

  const write = (given: RowData, { rows, from: sender, ...merge }: RenderContext, isCheck: boolean): Rendered => {
    const group = rows?.map(cellsOf)
    const row = withRows(cellsOf(given), group)
    const images: HelperData['images'] = []
    let helpers = helpersFor(merge, images)
    const tag = localeIn(row, { merge, helpers })
    if (tag !== '') helpers = { ...helpers, locale: tag, listLocale: tag }
    const data = { merge, helpers }
    const rendered: Mutable<Rendered> = {
      from: sender === undefined || options.setsFrom ? (from?.(row, data) ?? NOBODY) : ownText(sender),
      subject: subject?.(row, data) ?? '',
      headers: headers.length === 0 ? NONE : headers.map(([name, value]) => [name, value(row, data)] as const),
      attachments: attachments.length === 0 ? kept : [...kept, ...attachmentsOf(attachments, row, group, data)],
      inline,
      columns,
    }
    if (group !== undefined) rendered.isGrouped = true
    if (to !== undefined) rendered.to = to(row, data)
    if (cc !== undefined) rendered.cc = cc(row, data)
    if (bcc !== undefined) rendered.bcc = bcc(row, data)
    if (replyTo !== undefined) rendered.replyTo = replyTo(row, data)
    if (envelopeFrom !== undefined) rendered.envelopeFrom = envelopeFrom(row, data)
    if (text !== undefined && !(isCheck && text.isSure(row) && !mayBeEmpty)) rendered.text = text(row, data)
    // Images that only the text part asked for are nobody's.
    images.length = 0
    let shown = inline
    if (html !== undefined && !(isCheck && html.isSure(row) && !hasRowPictures && !mayBeEmpty && !markup)) {
      rendered.html = html(row, data)
      markup?.(rendered.html)
      if (hasRowPictures) {
        const page = pictures.shown(rendered.html)
        rendered.html = page.html
        const known = new Set(inline.map(({ cid }) => cid))
        shown = [...inline, ...page.inline.filter(({ cid }) => !known.has(cid))]
      }
    }
    if (mayBeEmpty && !hasWords(rendered.text ?? '') && !hasContent(rendered.html ?? '')) throw emptyBody(options)
    if (calendar !== undefined) {
      const written = calendar(row, data)
      rendered.calendar = written.timeZone?.trim() ? written : { ...written, timeZone: helpers.timeZone }
    }
    rendered.inline = shown
    if (images.length > 0)
      rendered.inline = [...shown, ...images.map((image) => ({ kind: 'content', ...image }) as const)]
    return rendered
  }
  const { foreignCode } = options
  const render: Template['render'] = (row, context) => write(row, context, false)
  const check: Template['check'] = (row, context) => write(row, context, true)
  if (foreignCode.length === 0) return { render, check, localeOf }
  const late = (): DataError =>
    failure(
      { file: foreignCode.join(', '), lineOffset: 0 },
      'endless-helper',
      'a helper does not come to an end',
      'A row has a second. Look for a loop that never ends.',
    )
  return {
    render: (row, context) => withinLimit(() => render(row, context), late),
    check: (row, context) => withinLimit(() => check(row, context), late),
    localeOf: localeOf && ((row, context) => withinLimit(() => localeOf(row, context), late)),
  }
}

function emptyBody({ html, text }: RendererOptions): DataError {
  const file = (html ?? text?.snippet)?.file ?? ''
  const hint = 'Fill the cells that the message is made of, or set allowEmpty: true in mailmerge.yaml.'
  return failure({ file, lineOffset: 0 }, 'empty-body', 'the message is empty', hint)
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
const NONE: readonly never[] = []
const NOBODY = ownText('')

function checkedLocale(tag: string, written: Snippet): string {
  const known = knownLanguage(tag)
  if (known !== undefined) return known
  const { message, hint } = unknownLanguage(tag)
  throw failure(written, 'bad-locale', message, hint, { line: 1, column: written.text.indexOf('{{') })
}

function preheaded(html: Snippet, { fields, look, written }: RendererOptions): Snippet {
  if (fields.preheader === undefined) return html
  const preheader = look(written(['preheader'], fields.preheader))
  const madeOf = [...(html.madeOf ?? [html]), ...(preheader.madeOf ?? [])]
  return { ...html, text: withPreheader(html.text, preheader.text), madeOf }
}

/** A row with all rows of its message, where rows are grouped. */
function withRows(row: RowData, group: readonly RowData[] | undefined): RowData {
  return group === undefined ? row : Object.assign(row, { [ROWS]: group })
}

/** The attachments of a row, or of all rows of a message: what is the same for several of them is attached once. */
function attachmentsOf(
  attachments: readonly AttachmentRenderer[],
  row: RowData,
  group: readonly RowData[] | undefined,
  data: Data,
): readonly RenderedAttachment[] {
  const made = attachments
    .flatMap(({ render, ofAll }) =>
      group === undefined || ofAll ? [render(row, data)] : group.map((one) => render(one, data)),
    )
    .filter((one) => one !== undefined)
  if (group === undefined) return made
  const seen = new Set<string>()
  return made.filter((one) => {
    const same = sameAs(one)
    return !seen.has(same) && seen.add(same)
  })
}

/** What two attachments that are one have in common. */
function sameAs(one: RenderedAttachment): string {
  switch (one.kind) {
    case 'file':
      return JSON.stringify([one.kind, normalize(unmark(one.path)), one.name, one.type])
    case 'pdf':
      return JSON.stringify([one.kind, one.name, one.source])
    case 'content':
      return JSON.stringify([one.kind, one.name, one.type, String(one.content)])
  }
}

function attachmentRenderer(
  one: NonNullable<MessageFields['attachments']>[number],
  index: number,
  options: RendererOptions,
  compiler: FieldCompiler,
): AttachmentRenderer {
  const { engines, look } = options
  const at = (key: string): FieldPath => ['attachments', index, key]
  const when = 'when' in one ? compiler.text(at('when'), one.when) : undefined
  const wanted = (row: RowData, data: Data): boolean => when === undefined || readYes(when(row, data))
  const isOfAll = (...made: readonly Snippet[]): boolean => {
    const texts = Object.entries(one).flatMap(([key, text]) =>
      typeof text === 'string' && text.includes('{{') ? [options.written(at(key), text)] : [],
    )
    return [...texts, ...made].some((snippet) => options.columnsOf(snippet).includes(ROWS))
  }
  if ('path' in one) {
    // Marked as addresses are: a star in a row's value is a star, not a pattern that fits other people's files.
    const path = compiler.marked(at('path'), one.path)
    const name = 'name' in one ? compiler.text(at('name'), one.name) : undefined
    const [column] = one.path.includes('{{') ? options.columnsOf(options.written(at('path'), one.path)) : []
    const more = {
      ...(column === undefined ? {} : { column }),
      ...('type' in one && one.type !== undefined ? { type: one.type } : {}),
      ...('optional' in one && one.optional ? { optional: true } : {}),
    }
    const render: AttachmentRenderer['render'] = (row, data) => {
      if (!wanted(row, data)) return undefined
      const where = path === undefined ? NOBODY : trimMarked(path(row, data))
      if ('optional' in one && one.optional && isBlank(where)) return undefined
      return { kind: 'file', path: where, ...(name === undefined ? {} : { name: name(row, data) }), ...more }
    }
    return { render, ofAll: isOfAll() }
  }
  const name = compiler.text(at('name'), one.name)
  if ('pdf' in one) {
    // Marked too: a value is text in the document, whatever it would mean in Markdown.
    const document = look(options.attachmentTemplate(one.pdf))
    const source = engines.marked.compile(document)
    return {
      ofAll: isOfAll(document),
      render: (row, data) =>
        wanted(row, data)
          ? { kind: 'pdf', name: name?.(row, data) ?? '', source: markedOutput(source(row, data)) }
          : undefined,
    }
  }
  const snippet = look(options.attachmentTemplate(one.template))
  const isHtml = /html/.test(one.type ?? '') || /\.html?$/i.test(one.name)
  const content = isHtml ? engines.html.compile(guardLinks(snippet)) : engines.text.compile(snippet)
  const { type } = one
  return {
    ofAll: isOfAll(snippet),
    render: (row, data) =>
      wanted(row, data)
        ? {
            kind: 'content',
            name: name?.(row, data) ?? '',
            content: content(row, data),
            ...(type === undefined ? {} : { type }),
          }
        : undefined,
  }
}

function calendarRenderer(
  calendar: MessageFields['calendar'],
  compiler: FieldCompiler,
): ((row: RowData, data: Data) => RenderedCalendar) | undefined {
  if (calendar === undefined) return undefined
  const entries = Object.entries(calendar).flatMap(([key, value]) => {
    const isAddress = key === 'organizer' || key === 'attendee'
    const compiled = compiler[isAddress ? 'marked' : 'text'](['calendar', key], value)
    return compiled === undefined ? [] : [[key, compiled] as const]
  })
  return (row, data) =>
    Object.fromEntries(entries.map(([key, value]) => [key, value(row, data)])) as unknown as RenderedCalendar
}

/** White space of every kind, and characters that take no room. */
const BLANK = /^(?:\u034F|[\s\u00AD\u180E\u200B-\u200F\u2028-\u202F\u2060-\u2064\uFEFF])*$/
const BLANK_ENTITY = /&(?:nbsp|zwnj|zwj|shy|ensp|emsp|thinsp|#160|#xa0|#8203|#x200b|#8204|#x200c|#847|#x34f);/gi
/** Nothing of these is shown, nor the line beside the subject: how each begins and ends. */
const UNSEEN: readonly (readonly [open: RegExp, close: RegExp])[] = [
  [/<!--/g, /-->/g],
  ...['head', 'title', 'style', 'script'].map(
    (name) => [new RegExp(`<${name}\\b[^<>]*>`, 'gi'), new RegExp(`</${name}\\s*>`, 'gi')] as const,
  ),
  [/<div class="preheader"[^<>]*>/gi, /<\/div>/gi],
]
const SHOWN_ELEMENT = /<(?:img|hr|svg|video|audio|object|embed|iframe|input|button|v:[a-z]+)\b/i
const SHOWN_ATTRIBUTE = /\sbackground\s*=|\burl\(/i

/** Whether a text says anything to its reader: an empty layout does not. */
function hasWords(text: string): boolean {
  return !BLANK.test(text)
}

/** The same for HTML, where a picture or a rule is content too. */
function hasContent(html: string): boolean {
  const seen = UNSEEN.reduce((text, [open, close]) => replaceSpans(text, open, close, () => ''), html)
  if (SHOWN_ELEMENT.test(seen) || SHOWN_ATTRIBUTE.test(seen)) return true
  return hasWords(seen.replace(/<[^<>]*>/g, '').replace(BLANK_ENTITY, ' '))
}

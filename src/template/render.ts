/** A row to texts: every field of a template compiled once and rendered for each row. Owns the order of the fields. */
import { DataError } from '../errors.ts'
import type { RowData } from '../source/source.ts'
import type { Compiled, CompileOptions, Engine, Helper, Origin, Snippet } from './engine.ts'
import type { HelperData } from './helpers.ts'
import { withPreheader } from './markup.ts'
import type { MessageFields } from './message-file.ts'
import {
  HOLE_CLOSE,
  HOLE_OPEN,
  type Rendered,
  type RenderedAttachment,
  type RenderedCalendar,
  type RenderedInline,
  type Template,
} from './template.ts'

/** Name of the helper that marks values in address fields. */
export const HOLE = '__hole'
const MARKS = new RegExp(`[${HOLE_OPEN}${HOLE_CLOSE}]`, 'gu')

/** Puts the marks around a value, so that it cannot be taken for the template's own commas and brackets. */
export const markHole: Helper = (value) => {
  const text = value === undefined || value === null ? '' : String(value)
  return `${HOLE_OPEN}${text.replace(MARKS, '')}${HOLE_CLOSE}`
}

export interface RendererOptions {
  readonly name: string
  readonly fields: MessageFields
  readonly origin: Origin
  /** Where a field is written, when it is not in the template's own file. */
  readonly elsewhere: (field: keyof MessageFields) => Origin | undefined
  readonly textEngine: Engine
  readonly htmlEngine: Engine
  /** Notes the names that a text uses. */
  readonly look: (snippet: Snippet) => Snippet
  readonly text?: Snippet
  readonly html?: Snippet
  readonly inline: readonly RenderedInline[]
  readonly attachmentTemplate: (path: string) => Snippet
  readonly locale: string
  readonly timeZone: string
}

type HeaderField = 'from' | 'to' | 'cc' | 'bcc' | 'replyTo' | 'envelopeFrom' | 'subject'
type AttachmentRenderer = (row: RowData, data: Readonly<Record<string, unknown>>) => RenderedAttachment | undefined

const PLAIN: CompileOptions = { escape: false }
const MARKED: CompileOptions = { escape: false, through: HOLE }
const MARKUP: CompileOptions = { escape: true }
/** Fields that become headers by themselves. */
const HEADER_FIELDS = [
  ['listId', 'List-Id'],
  ['feedbackId', 'Feedback-ID'],
  ['autoSubmitted', 'Auto-Submitted'],
  ['inReplyTo', 'In-Reply-To'],
  ['references', 'References'],
] as const

export function createRenderer(options: RendererOptions): Template['render'] {
  const { fields, textEngine, htmlEngine, look, origin, inline } = options
  const snippet = (text: string, from: Origin = origin): Snippet => look({ ...from, text })
  const field = (text: string | undefined, how: CompileOptions = PLAIN): Compiled | undefined =>
    text === undefined ? undefined : textEngine.compile(snippet(text), how)

  const headerField = (name: HeaderField, how: CompileOptions): Compiled | undefined => {
    const text = fields[name]
    return text === undefined ? undefined : textEngine.compile(snippet(text, options.elsewhere(name)), how)
  }

  const from = headerField('from', MARKED)
  const to = headerField('to', MARKED)
  const cc = headerField('cc', MARKED)
  const bcc = headerField('bcc', MARKED)
  const replyTo = headerField('replyTo', MARKED)
  const envelopeFrom = headerField('envelopeFrom', MARKED)
  const subject = headerField('subject', PLAIN) ?? (() => '')
  const locale = field(fields.locale)
  const text = options.text === undefined ? undefined : textEngine.compile(options.text, PLAIN)
  const html =
    options.html === undefined ? undefined : htmlEngine.compile(preheaded(options.html, fields.preheader, look), MARKUP)
  const headers = [
    ...HEADER_FIELDS.flatMap(([key, name]) => (fields[key] === undefined ? [] : [[name, field(fields[key])] as const])),
    ...Object.entries(fields.headers ?? {}).map(([name, value]) => [name, field(value)] as const),
  ]
  const attachments = (fields.attachments ?? []).map((one) => attachmentRenderer(one, options, field))
  const calendar = calendarRenderer(fields.calendar, field)
  const tables = fields.tables ?? {}

  return (row, context) => {
    const images: HelperData['images'] = []
    let helpers: HelperData = {
      locale: context.locale ?? options.locale,
      timeZone: context.timeZone ?? options.timeZone,
      images,
      tables,
    }
    const merge = { ...context, now: context.now }
    let data = { merge, helpers }
    if (locale !== undefined) {
      const chosen = locale(row, data).trim()
      if (chosen !== '') helpers = { ...helpers, locale: checkedLocale(chosen, origin) }
      data = { merge, helpers }
    }
    const rendered: Mutable<Rendered> = {
      from: from?.(row, data) ?? '',
      subject: subject(row, data),
      headers: headers.length === 0 ? NONE : headers.map(([name, value]) => [name, value?.(row, data) ?? ''] as const),
      attachments:
        attachments.length === 0
          ? NONE
          : attachments.map((render) => render(row, data)).filter((one) => one !== undefined),
      inline,
    }
    if (to !== undefined) rendered.to = to(row, data)
    if (cc !== undefined) rendered.cc = cc(row, data)
    if (bcc !== undefined) rendered.bcc = bcc(row, data)
    if (replyTo !== undefined) rendered.replyTo = replyTo(row, data)
    if (envelopeFrom !== undefined) rendered.envelopeFrom = envelopeFrom(row, data)
    if (text !== undefined) rendered.text = text(row, data)
    // Images that only the text part asked for are nobody's.
    images.length = 0
    if (html !== undefined) rendered.html = html(row, data)
    if (calendar !== undefined) {
      const written = calendar(row, data)
      rendered.calendar = written.timeZone?.trim() ? written : { ...written, timeZone: helpers.timeZone }
    }
    if (images.length > 0)
      rendered.inline = [...inline, ...images.map((image) => ({ kind: 'content', ...image }) as const)]
    return rendered
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
const NONE: readonly never[] = []

const locales = new Set<string>()

function checkedLocale(tag: string, origin: Origin): string {
  if (locales.has(tag)) return tag
  try {
    const [canonical = tag] = Intl.getCanonicalLocales(tag.replace('_', '-'))
    if (canonical === tag) locales.add(tag)
    return canonical
  } catch {
    const message = `'${tag.slice(0, 40)}' is no language tag`
    throw new DataError(message, {
      problems: [
        { severity: 'error', code: 'bad-locale', message, file: origin.file, hint: 'Write en, de-AT, pt-BR ...' },
      ],
    })
  }
}

function preheaded(html: Snippet, preheader: string | undefined, look: (snippet: Snippet) => Snippet): Snippet {
  if (preheader === undefined) return html
  look({ ...html, text: preheader })
  return { ...html, text: withPreheader(html.text, preheader) }
}

function attachmentRenderer(
  one: NonNullable<MessageFields['attachments']>[number],
  options: RendererOptions,
  field: (text: string | undefined, how?: CompileOptions) => Compiled | undefined,
): AttachmentRenderer {
  const when = 'when' in one ? field(one.when) : undefined
  const wanted = (row: RowData, data: Readonly<Record<string, unknown>>): boolean =>
    when === undefined || !/^\s*(|false|no|0)\s*$/i.test(when(row, data))
  if ('path' in one) {
    // Marked as addresses are: a star in a row's value is a star, not a pattern that fits other people's files.
    const path = field(one.path, MARKED)
    const name = 'name' in one ? field(one.name) : undefined
    const more = {
      ...('type' in one && one.type !== undefined ? { type: one.type } : {}),
      ...('optional' in one && one.optional ? { optional: true } : {}),
    }
    return (row, data) => {
      if (!wanted(row, data)) return undefined
      const where = path?.(row, data).trim() ?? ''
      if (where.replace(MARKS, '').trim() === '' && 'optional' in one && one.optional) return undefined
      return { kind: 'file', path: where, ...(name === undefined ? {} : { name: name(row, data) }), ...more }
    }
  }
  const name = field(one.name)
  if ('pdf' in one) {
    // Marked too: a value is text in the document, whatever it would mean in Markdown.
    const source = options.textEngine.compile(options.look(options.attachmentTemplate(one.pdf)), MARKED)
    return (row, data) =>
      wanted(row, data) ? { kind: 'pdf', name: name?.(row, data) ?? '', source: source(row, data) } : undefined
  }
  const snippet = options.look(options.attachmentTemplate(one.template))
  const isHtml = /html/.test(one.type ?? '') || /\.html?$/i.test(one.name)
  const content = (isHtml ? options.htmlEngine : options.textEngine).compile(snippet, isHtml ? MARKUP : PLAIN)
  const { type } = one
  return (row, data) =>
    wanted(row, data)
      ? {
          kind: 'content',
          name: name?.(row, data) ?? '',
          content: content(row, data),
          ...(type === undefined ? {} : { type }),
        }
      : undefined
}

function calendarRenderer(
  calendar: MessageFields['calendar'],
  field: (text: string | undefined, how?: CompileOptions) => Compiled | undefined,
): ((row: RowData, data: Readonly<Record<string, unknown>>) => RenderedCalendar) | undefined {
  if (calendar === undefined) return undefined
  const entries = Object.entries(calendar).flatMap(([key, value]) => {
    const compiled = field(value, key === 'organizer' || key === 'attendee' ? MARKED : PLAIN)
    return compiled === undefined ? [] : [[key, compiled] as const]
  })
  return (row, data) =>
    Object.fromEntries(entries.map(([key, value]) => [key, value(row, data)])) as unknown as RenderedCalendar
}

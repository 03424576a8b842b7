/** `message.yaml` and front matter: which fields there are and what they may hold. Owns their names; renders nothing. */

import { type Document, LineCounter, parseDocument, visit } from 'yaml'
import { z } from 'zod'
import { nearest } from '../../did-you-mean.ts'
import { docsPage } from '../../docs-page.ts'
import { failure, type Origin, type Place, placeOf, type Snippet } from './place.ts'

const text = z.union([z.string(), z.number(), z.boolean()], { error: 'it must be a text' }).transform(String)
/** Addresses: a text, or a list of texts. */
const addresses = z.union([text, z.array(text).transform((list) => list.join(', '))], {
  error: 'it must be a text or a list of texts',
})
const yesOrNo = z.boolean({ error: 'it must be true or false' })

const file = z.strictObject({
  path: text,
  name: text.optional(),
  type: text.optional(),
  optional: yesOrNo.optional(),
  when: text.optional(),
})
const content = z.strictObject({ template: text, name: text, type: text.optional(), when: text.optional() })
const pdf = z.strictObject({ pdf: text, name: text, when: text.optional() })

type Attachment = z.output<typeof file> | z.output<typeof content> | z.output<typeof pdf>

/** One attachment or a list of them; which kind each is, its own keys say, so that a mistake is reported as one of that kind. */
const attachments = z.unknown().transform((value, context): readonly Attachment[] =>
  (Array.isArray(value) ? value : [value]).flatMap((one: unknown, index): readonly Attachment[] => {
    const result = attachmentKind(one).safeParse(typeof one === 'object' ? one : { path: one })
    if (result.success) return [result.data]
    const at = Array.isArray(value) ? [index] : []
    for (const issue of result.error.issues)
      context.issues.push({ ...issue, path: [...at, ...issue.path], input: one } as z.core.$ZodRawIssue)
    return []
  }),
)

function attachmentKind(one: unknown): typeof file | typeof content | typeof pdf {
  if (typeof one !== 'object' || one === null) return file
  return 'pdf' in one ? pdf : 'template' in one ? content : file
}

const calendar = z.strictObject({
  method: text.default('request'),
  uid: text.optional(),
  sequence: text.optional(),
  start: text,
  end: text.optional(),
  duration: text.optional(),
  timeZone: text.optional(),
  summary: text,
  location: text.optional(),
  description: text.optional(),
  url: text.optional(),
  organizer: text.optional(),
  attendee: text.optional(),
  alarm: text.optional(),
})

/** Every key of message.yaml; each text is a Handlebars text. */
export const messageFields = z.strictObject({
  from: addresses.optional(),
  to: addresses.optional(),
  cc: addresses.optional(),
  bcc: addresses.optional(),
  replyTo: addresses.optional(),
  envelopeFrom: text.optional(),
  subject: text.optional(),
  preheader: text.optional(),
  locale: text.optional(),
  layout: z.union([z.literal(false), text]).optional(),
  attachments: attachments.optional(),
  headers: z.record(z.string(), text).optional(),
  listId: text.optional(),
  feedbackId: text.optional(),
  autoSubmitted: text.optional(),
  inReplyTo: text.optional(),
  references: text.optional(),
  calendar: calendar.optional(),
  /** Tables for the helper of that name: `tables: { greeting: { de: Hallo } }`. */
  tables: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
})

export type MessageFields = z.output<typeof messageFields>

/** Fields, and where in the YAML each begins. */
export interface ReadFields {
  readonly fields: MessageFields
  readonly offsetOf: (path: readonly (string | number)[]) => number | undefined
}

/**
 * Reads the YAML of a message.
 * @throws DataError with file and line for wrong YAML, an unknown key (naming the nearest) or a value of a wrong kind.
 */
export function readMessageFields(snippet: Snippet): ReadFields {
  const lines = new LineCounter()
  const document = parseDocument(snippet.text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col - 1 }
  }
  const [problem] = document.errors
  if (problem !== undefined) throw failure(snippet, 'yaml', problem.message, YAML_HINT, at(problem.pos[0]))
  const unquoted = unquotedMustache(document, snippet.text)
  if (unquoted !== undefined) {
    const message = 'a value that begins with {{ needs quotes'
    throw failure(snippet, 'yaml', message, 'Write, for example: to: "{{email}}"', at(unquoted))
  }
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: 50 }) ?? {}
  } catch (error) {
    throw failure(snippet, 'yaml', error instanceof Error ? error.message : 'wrong YAML')
  }
  // A key that is missing is missed where the others are.
  const offsetOf = (path: readonly (string | number)[]): number | undefined => {
    const node = document.getIn(path, true) as { readonly range?: readonly number[] } | undefined
    return node?.range?.[0] ?? (path.length === 0 ? undefined : offsetOf(path.slice(0, -1)))
  }
  const fields = checkFields(data, snippet, (path) => {
    const offset = offsetOf(path)
    return offset === undefined ? undefined : placeOf(snippet.text, offset)
  })
  return { fields, offsetOf }
}

type PlaceOf = (path: readonly (string | number)[]) => Place | undefined

/** @throws DataError as `readMessageFields` does, for fields that come from elsewhere than YAML. */
export function checkFields(data: unknown, origin: Origin, place: PlaceOf = () => undefined): MessageFields {
  const result = messageFields.safeParse(data)
  if (result.success) return result.data
  const { issues } = result.error
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  const path = (issue?.path ?? []).filter((step) => typeof step !== 'symbol')
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const known = Object.keys(keysOf(path, data))
    const guess = nearest(key, known)
    const hint = guess === undefined ? `There are ${known.join(', ')}.` : `Did you mean '${guess}'?`
    throw failure(
      origin,
      'unknown-field',
      `there is no field '${[...path, key].join('.')}'`,
      hint,
      place([...path, key]),
    )
  }
  const name = path.join('.') || 'the message'
  throw failure(
    origin,
    'bad-field',
    `${name}: ${issue?.message ?? 'wrong'}`,
    `${docsPage('templates')} shows what each field may hold.`,
    place(path),
  )
}

function keysOf([field, ...rest]: readonly (string | number)[], data: unknown): object {
  if (field === undefined) return messageFields.shape
  if (field === 'calendar') return calendar.shape
  const given: unknown = Reflect.get(Object(data), field)
  return attachmentKind(rest.length === 0 ? given : Reflect.get(Object(given), rest[0] ?? '')).shape
}

const YAML_HINT = 'Check the indentation, and put quotes around values with a colon or with {{ at their beginning.'

/** To YAML `{{email}}` is a map within a map. */
function unquotedMustache(document: Document, text: string): number | undefined {
  let found: number | undefined
  visit(document, {
    Map(_, { flow, range }) {
      if (!flow || range === undefined || range === null || !text.startsWith('{{', range[0])) return undefined
      found = range[0]
      return visit.BREAK
    },
  })
  return found
}

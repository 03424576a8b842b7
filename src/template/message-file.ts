/** `message.yaml` and front matter: which fields there are and what they may hold. Owns their names; renders nothing. */
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { nearest } from '../nearest.ts'
import { failure, type Origin, type Snippet } from './engine.ts'

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String)

const attachment = z.union([
  text.transform((path) => ({ path })),
  z.strictObject({
    path: text,
    name: text.optional(),
    type: text.optional(),
    optional: z.boolean().optional(),
    when: text.optional(),
  }),
  z.strictObject({ template: text, name: text, type: text.optional(), when: text.optional() }),
  z.strictObject({ pdf: text, name: text, when: text.optional() }),
])

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
  from: text.optional(),
  to: text.optional(),
  cc: text.optional(),
  bcc: text.optional(),
  replyTo: text.optional(),
  envelopeFrom: text.optional(),
  subject: text.optional(),
  preheader: text.optional(),
  locale: text.optional(),
  layout: z.union([text, z.literal(false)]).optional(),
  attachments: z.union([attachment.transform((one) => [one]), z.array(attachment)]).optional(),
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

/**
 * Reads the YAML of a message.
 * @throws DataError with file and line for wrong YAML, an unknown key (naming the nearest) or a value of a wrong kind.
 */
export function readMessageFields(snippet: Snippet): MessageFields {
  const lines = new LineCounter()
  const document = parseDocument(snippet.text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col - 1 }
  }
  const [problem] = document.errors
  if (problem !== undefined) throw failure(snippet, 'yaml', problem.message, yamlHint(snippet), at(problem.pos[0]))
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: 50 }) ?? {}
  } catch (error) {
    throw failure(snippet, 'yaml', error instanceof Error ? error.message : 'wrong YAML')
  }
  return checkFields(data, snippet, (path) => {
    const node = document.getIn(path, true) as { range?: readonly number[] } | undefined
    return node?.range?.[0] === undefined ? undefined : at(node.range[0])
  })
}

type Place = (path: readonly (string | number)[]) => { line: number; column: number } | undefined

/** @throws DataError as `readMessageFields` does, for fields that come from elsewhere than YAML. */
export function checkFields(data: unknown, origin: Origin, place: Place = () => undefined): MessageFields {
  const result = messageFields.safeParse(data)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = (issue?.path ?? []).filter((step) => typeof step !== 'symbol')
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const known = path.length === 0 ? Object.keys(messageFields.shape) : Object.keys(calendar.shape)
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
    'docs/templates.md shows what each field may hold.',
    place(path),
  )
}

function yamlHint(snippet: Snippet): string {
  return /^\s*[\w-]+:\s*\{\{/m.test(snippet.text)
    ? 'A value that begins with {{ needs quotes: to: "{{email}}".'
    : 'Check the indentation, and put quotes around values with a colon.'
}

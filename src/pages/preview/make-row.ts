/** One row made into the message that a run would send, and all that its page shows of it. Reads no file, and keeps nothing. */
import { type LinkSample, secretsOf } from '../../check/links/links.ts'
import type { Settings } from '../../config/settings.ts'
import { MailmergeError, type Problem } from '../../errors.ts'
import type { Row } from '../../source/source.ts'
import type { Template } from '../../template/template.ts'
import { remoteHosts } from '../message/frame.ts'
import { type ReadMessage, readMessage, viewOf } from '../message/read.ts'
import { errorFields } from '../server.ts'
import type { ErrorFields, FilePlace, HeaderView, MessageView, RowMessageView } from '../wire.ts'
import type { Looked } from './findings.ts'
import type { LinkFindings } from './links.ts'
import type { Places } from './places.ts'
import type { Project } from './project.ts'
import { unaskedFilters } from './spam.ts'

export interface RowMaker {
  readonly project: Project
  readonly places: Places
  readonly findings: (looked: Looked) => MessageView['findings']
  readonly links: LinkFindings
}

export interface MadeRow {
  readonly view: RowMessageView
  /** What its links are asked with; undefined where there is no message. */
  readonly sample: LinkSample | undefined
  readonly message: ReadMessage | undefined
}

/** What keeps a row from becoming a message is part of what is shown. */
export async function makeRow(
  { project, findings, places, links }: RowMaker,
  row: Row,
  view: RowMessageView,
): Promise<MadeRow> {
  const list = project.inputs.source.name
  const problems = (row.problems ?? []).filter(({ severity }) => severity === 'error')
  try {
    const { checked, message } = await project.message(row)
    const read = await readMessage(Buffer.concat(message.chunks))
    const shown = viewOf(read)
    const { rendered, address, variant } = checked
    const looked = rendered && { ...rendered, ...bodies(read) }
    const { htmlSize } = shown
    const whole = templateOf(project, variant)
    const template = whole.versions.get(rendered?.language ?? '') ?? whole
    const sample = looked && { row: row.number, address, rendered: looked, secrets: secretsOf(row.data) }
    const of = looked === undefined ? [] : findings({ cells: row.data, address, rendered: looked, htmlSize, template })
    const envelope = envelopeOf(message.envelope, read)
    return {
      view: {
        ...view,
        error: problems.length > 0 ? rowError(problems, list, row) : duplicateError(view, project.settings),
        message: {
          ...shown,
          headers: shown.headers.map((header) => ({ ...header, place: headerPlace(header, places) })),
          remoteHosts: read.html === undefined ? [] : remoteHosts(read.html),
          findings:
            sample === undefined ? of : [...of, ...links.of(sample, places), ...unaskedFilters(project.settings)],
          envelope,
          account: project.accountOf(checked),
        },
      },
      message: read,
      sample,
    }
  } catch (error) {
    if (!(error instanceof MailmergeError)) throw error
    const found = error.problems.length > 0 ? error.problems : undefined
    return {
      view: { ...view, error: found === undefined ? errorFields(error) : rowError(found, list, row) },
      message: undefined,
      sample: undefined,
    }
  }
}

function templateOf({ inputs: { content } }: Project, variant: string | undefined): Template {
  return (variant === undefined ? undefined : content.split?.named(variant)?.template) ?? content.template
}

/** Headers that a field of the template makes under another name. */
const FIELDS: Readonly<Record<string, string>> = {
  'list-id': 'listId',
  'reply-to': 'replyTo',
  'list-unsubscribe': 'unsubscribe',
}

function headerPlace({ name }: HeaderView, places: Places): FilePlace | undefined {
  if (/^(?:date|message-id|mime-version|content-|dkim-|list-unsubscribe-post)/i.test(name)) return undefined
  return places.field(FIELDS[name.toLowerCase()] ?? name) ?? places.field(name)
}

function bodies({ text, html }: ReadMessage): { readonly text?: string; readonly html?: string } {
  const both: { text?: string; html?: string } = {}
  if (text !== undefined) both.text = text
  if (html !== undefined) both.html = html
  return both
}

function rowError(problems: readonly Problem[], list: string, row: Row): ErrorFields {
  const placed = problems.map((problem) => ({ ...problem, row: problem.row ?? row.number, file: problem.file ?? list }))
  return { message: placed[0]?.message ?? '', problems: placed }
}

function duplicateError({ row, duplicateOf }: RowMessageView, { duplicates, key }: Settings): ErrorFields | undefined {
  if (duplicateOf === undefined || duplicates !== 'error') return undefined
  return {
    message: `row ${row} has the same ${key ?? 'address'} as row ${duplicateOf}`,
    hint: 'Remove one of them, or choose --duplicates skip (the first counts) or --duplicates all.',
  }
}

/** Where the envelope is not what the headers say. */
function envelopeOf({ from, to }: { readonly from: string; readonly to: readonly string[] }, read: ReadMessage) {
  const holds = (field: string, address: string): boolean => field.toLowerCase().includes(address.toLowerCase())
  const isPlain = holds(read.from, from) && from !== '' && to.length === 1 && to.every((one) => holds(read.to, one))
  return isPlain ? undefined : { from, to }
}

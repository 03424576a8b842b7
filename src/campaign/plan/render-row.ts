/**
 * One row to one message, the same way wherever it is asked for: planning, preview, dry run, sandbox and sending. Owns the
 * order of template, recipient and composer, and the Message-ID; reads no source and sends nothing.
 */
import { hash } from 'node:crypto'
import type { DkimKey, RateLimit } from '../../config/settings.ts'
import { NEVER_ALLOWED_HINT, whyNeverAllowed } from '../../config/units.ts'
import { DataError, UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import type { DueRow } from '../../ledger/records.ts'
import { andThen, type MaybePromise } from '../../maybe-promise.ts'
import { parseRecipient } from '../../message/address/address.ts'
import { parseAddressList } from '../../message/address/list.ts'
import { createAttachmentStore } from '../../message/attachment/attachment.ts'
import { createComposer } from '../../message/compose.ts'
import type { FileFacts } from '../../message/files/library.ts'
import type { Identity, Message } from '../../message/message.ts'
import { returnPathOf } from '../../return-path.ts'
import type { Row, RowData } from '../../source/source.ts'
import { type MarkedText, ownText, unmark } from '../../template/marked-text.ts'
import type { RenderContext, Rendered, Template } from '../../template/template.ts'
import type { UnsubscribeLinks } from '../../unsubscribe/links.ts'
import { type MessageGroup, refuseDifferences } from './one-message.ts'
import {
  addressOf,
  identify,
  keyOf,
  likelyAddress,
  type RecipientRules,
  type RowIdentity,
  rowError,
} from './recipient.ts'
import { restoreRow, type StoredRow, storeRow, type Thread, threaded } from './row-data.ts'
import type { Split } from './variants.ts'

export interface RowRendererOptions {
  /** Without it the cells of a row are checked and nothing is rendered. */
  readonly template: Template | undefined
  /** Sender where the template sets none: the account's. */
  readonly from: string | undefined
  /** Variants of the template, where the campaign is split. */
  readonly split: Split | undefined
  readonly campaign: { readonly name: string; readonly token: string }
  readonly recipients: RecipientRules
  /** Every message goes here instead (`--test-to`). */
  readonly testTo: string | undefined
  /** `check` renders bodies also where they need no check, for a caller that reads them. */
  readonly bodies: boolean
  /** How the recipient of an address unsubscribes. */
  readonly unsubscribeLinks: ((address: string) => UnsubscribeLinks) | undefined
  readonly locale: string | undefined
  readonly timeZone: string | undefined
  readonly rates: readonly RateLimit[]
  /** Return path with a `*` for the token of each message. */
  readonly returnPath: string | undefined
  /** Name of the service where messages go from its mailbox alone, whatever their envelope says. */
  readonly fixedSender: string | undefined
  readonly dkim: readonly DkimKey[]
  /** The project, further folders that files may come from, and files that no row may have; absolute. */
  readonly files: { readonly root: string; readonly roots: readonly string[]; readonly never: readonly string[] }
}

/** A row that may be sent. */
export interface CheckedRow extends RowIdentity {
  readonly data: string
  /** Bodies that need no check are left out; undefined where there is no template. */
  readonly rendered: Rendered | undefined
  /** Variant that the row fell to. */
  readonly variant: string | undefined
  /** Account that the row names. */
  readonly account?: string | undefined
  /** Rows that the message is made of. */
  readonly rows: number
}

/** The first lines of a message. */
export interface MessagePreview {
  readonly address: string
  readonly from: string
  readonly subject: string
}

export interface RowRenderer {
  /**
   * Renders, composes and checks a row, or the message of a group by its first row, without reading what is attached.
   * @throws DataError whose problems name row and column.
   */
  check(row: Row, now: Date, thread?: Thread, group?: MessageGroup): MaybePromise<CheckedRow>
  /** Key and address of a row as far as the cells say them, for one that is not sent. Never throws. */
  identify(row: Row): RowIdentity
  /** What a person sees of a planned row before it is sent. */
  preview(due: DueRow, date: Date): MessagePreview
  /** The message of a planned row. `date` is its Date header. @throws DataError for what changed since planning. */
  render(due: DueRow, date: Date): MaybePromise<Message>
}

const NO_LINKS: UnsubscribeLinks = { url: undefined, mailto: undefined }

/** As good as any other left side of a Message-ID, to check a message with. */
const SAMPLE_LOCAL = '0'.repeat(32)

/** Stands in for an address that is not known before the template is rendered, or is not valid: the link is there all the same. */
const SAMPLE_ADDRESS = 'recipient@example.com'

export function createRowRenderer(options: RowRendererOptions): RowRenderer {
  const { template, split, campaign, recipients } = options
  const attachments = createAttachmentStore(options.files)
  const boundarySeed = hash('sha256', `boundary\n${campaign.token}`, 'hex')
  const composer = createComposer({ boundarySeed, root: options.files.root, attachments, dkim: options.dkim })
  const test = options.testTo === undefined ? undefined : testAddress(options.testTo)

  const surroundings = given({ locale: options.locale, timeZone: options.timeZone, from: options.from })

  /** A link in a test mail unsubscribes its reader, never the person of the row. */
  const linksOf = (address: string): UnsubscribeLinks => options.unsubscribeLinks?.(test ?? address) ?? NO_LINKS

  function contextOf(
    row: number,
    now: Date,
    address: string | undefined,
    rows: readonly RowData[] | undefined,
  ): RenderContext {
    const { url } = address === undefined ? NO_LINKS : linksOf(address)
    return { ...surroundings, row, campaign: campaign.name, now, unsubscribeUrl: url, rows }
  }

  /** Left side of a Message-ID. */
  function localOf(key: string, occurrence: number): string {
    return hash('sha256', `${campaign.token}\n${occurrence}\n${key}`, 'hex').slice(0, 32)
  }

  function identityOf(rendered: Rendered, local: string, address: string, date: Date): Identity {
    const { url, mailto } = linksOf(address)
    return {
      messageId: `<${local}@${domainOf(rendered.from)}>`,
      date,
      recipient: address,
      unsubscribeUrl: url,
      unsubscribeMailto: mailto,
    }
  }

  /** Each message with a return path of its own, where the project wants it and the template sets no other. */
  function returned(rendered: Rendered, { messageId }: Identity): Rendered {
    const { returnPath } = options
    if (returnPath === undefined || rendered.envelopeFrom !== undefined) return rendered
    return { ...rendered, envelopeFrom: ownText(returnPathOf(returnPath, messageId)) }
  }

  /** What was planned is sent: the variant that a row fell to is kept with it. */
  function plannedTemplate({ variant }: DueRow): Template {
    const planned = variant === undefined ? template : split?.named(variant)?.template
    if (planned !== undefined) return planned
    throw new DataError(`the variant '${variant}' that a row was planned with is gone`, {
      hint: 'Give the run command again: it plans with the variants as they are now, and sends what is not yet sent.',
    })
  }

  function check(
    row: Row,
    now: Date,
    thread: Thread | undefined,
    group: MessageGroup | undefined,
  ): MaybePromise<CheckedRow> {
    const variant = split?.ofRow(row.data, recipients)
    const chosen = variant?.template ?? template
    if (chosen === undefined) return dataAlone(row, group)
    const address = options.unsubscribeLinks && (likelyAddress(row.data, recipients) ?? SAMPLE_ADDRESS)
    const context = contextOf(
      row.number,
      now,
      address,
      group?.rows.map(({ data }) => data),
    )
    const own = options.bodies ? chosen.render(row.data, context) : chosen.check(row.data, context)
    const rendered = thread === undefined ? own : threaded(own, thread)
    if (rendered.subject.trim() === '') {
      throw rowError('no-subject', 'there is no subject', undefined, {
        hint: 'Set subject: in the template, or fill the cells that it is made of.',
      })
    }
    if (options.fixedSender !== undefined && rendered.envelopeFrom !== undefined) {
      throw rowError(
        'envelope-sender',
        `${options.fixedSender} cannot carry an envelope sender of its own`,
        undefined,
        {
          hint: 'Leave envelopeFrom out of the template, or send by SMTP.',
        },
      )
    }
    if (group !== undefined) {
      refuseDifferences(group, own, recipients, {
        languageFrom: chosen.languageFrom,
        alone: ({ number, data }) => chosen.check(data, contextOf(number, now, address, [data])),
      })
    }
    const identified = withKey(row, addressOf(row.data, rendered.to, recipients), group)
    const identity = identityOf(rendered, SAMPLE_LOCAL, identified.address, now)
    const { to } = composer.check(returned(rendered, identity), identity)
    if (to.length > 1) refuseEndless(options.rates, to.length)
    const finish = (files: readonly FileFacts[]): CheckedRow => ({
      ...identified,
      data: storeRow(row.data, files, thread, to.slice(1), othersOf(group)),
      rendered,
      variant: variant?.name,
      rows: group?.rows.length ?? 1,
    })
    if (rendered.attachments.length === 0 && rendered.inline.length === 0) return finish([])
    return andThen(attachments.inspect(rendered.attachments, rendered.inline), finish)
  }

  function renderPlanned(due: DueRow, { cells, thread, others }: StoredRow, date: Date): Rendered {
    const rows = others && [cells, ...others.map(([, other]) => other)]
    const own = plannedTemplate(due).render(cells, contextOf(due.row, date, due.address, rows))
    return thread === undefined ? own : threaded(own, thread)
  }

  function dataAlone(row: Row, group: MessageGroup | undefined): CheckedRow {
    const identified = withKey(row, addressOf(row.data, undefined, recipients), group)
    const data = storeRow(row.data, [], undefined, [], othersOf(group))
    return { ...identified, data, rendered: undefined, variant: undefined, rows: group?.rows.length ?? 1 }
  }

  function withKey({ data }: Row, address: string, group: MessageGroup | undefined): RowIdentity {
    return { key: group?.key ?? keyOf(data, address, recipients), address }
  }

  return {
    check,
    identify: ({ data }) => identify(data, recipients),
    preview(due, date) {
      const { from, subject } = renderPlanned(due, restoreRow(due.data), date)
      return { address: due.address, from: unmark(from), subject }
    },
    render(due, date) {
      const stored = restoreRow(due.data)
      const rendered = renderPlanned(due, stored, date)
      const identity = identityOf(rendered, localOf(due.key, due.occurrence), due.address, date)
      const composed = composer.compose(returned(rendered, identity), identity, stored.files ?? [])
      return test === undefined ? composed : andThen(composed, (message) => sentTo(test, message))
    },
  }
}

function othersOf(group: MessageGroup | undefined): StoredRow['others'] {
  return group?.rows.slice(1).map(({ number, data }) => [number, data] as const)
}

/** @throws DataError for a message whose recipients no rate ever lets through together. */
function refuseEndless(rates: readonly RateLimit[], recipients: number): void {
  const never = whyNeverAllowed(rates, recipients)
  if (never !== undefined) throw rowError('too-many-recipients', never, undefined, { hint: NEVER_ALLOWED_HINT })
}

function sentTo(address: string, message: Message): Message {
  return { ...message, envelope: { ...message.envelope, to: [address] } }
}

function testAddress(text: string): string {
  const judged = parseRecipient(text)
  if ('mailbox' in judged) return judged.mailbox.wire
  throw new UsageError(`--test-to is not a valid address: ${judged.fault}`, {
    hint: 'Give one: --test-to you@example.com',
  })
}

/** Domain of the first author, for the right side of the Message-ID (RFC 5322 section 3.6.4). */
function domainOf(from: MarkedText): string {
  const wire = parseAddressList(from).mailboxes[0]?.wire ?? ''
  return wire.slice(wire.lastIndexOf('@') + 1) || 'localhost'
}

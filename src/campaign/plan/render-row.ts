/**
 * One row to one message, the same way wherever it is asked for: planning, preview, dry run, sandbox and sending. Owns
 * the recipient of a row, its key and its Message-ID; reads no source and sends nothing.
 */

import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import type { RateLimit, Settings } from '../../config/settings.ts'
import { NEVER_ALLOWED_HINT, whyNeverAllowed } from '../../config/units.ts'
import { DataError, type Problem, UsageError } from '../../errors.ts'
import type { DueRow } from '../../ledger/records.ts'
import { andThen, type MaybePromise } from '../../maybe-promise.ts'
import { gmailKey, normalizeAddress } from '../../message/address/key.ts'
import { parseAddressList } from '../../message/address/list.ts'
import { parseRecipient } from '../../message/address/recipient.ts'
import { createAttachmentStore } from '../../message/attachment/attachment.ts'
import { createComposer } from '../../message/compose.ts'
import type { FileFacts } from '../../message/files/library.ts'
import type { Identity, Message } from '../../message/message.ts'
import { returnPathOf } from '../../return-path.ts'
import type { Row, RowData } from '../../source/source.ts'
import { type MarkedText, ownText, unmark } from '../../template/marked-text.ts'
import type { RenderContext, Rendered, Template } from '../../template/template.ts'
import type { UnsubscribeLinks } from '../../unsubscribe/links.ts'
import { type Thread, threaded } from '../run/follow-up.ts'
import { restoreRow, storeRow } from './row-data.ts'
import type { Split } from './variants.ts'

export interface PreparerOptions {
  readonly settings: Settings
  readonly template: Template
  /** Variants of the template, where the campaign is split. */
  readonly split?: Split
  readonly campaign: { readonly name: string; readonly token: string }
  /** Column that holds the address; needed where the template sets no `to`. */
  readonly emailColumn?: string
  /** Every message goes here instead (`--test-to`). */
  readonly testTo?: string
  /** `check` gives bodies also where they need no check, for one who reads them. */
  readonly bodies?: boolean
  /** How the recipient of an address leaves. */
  readonly unsubscribeLinks?: (address: string) => UnsubscribeLinks
}

/** A row that may be sent. */
export interface Prepared {
  readonly key: string
  readonly address: string
  readonly data: string
  /** Bodies that need no check are left out. */
  readonly rendered: Rendered
  /** Variant that the row fell to. */
  readonly variant?: string
}

export interface Preparer {
  /**
   * Renders, composes and checks a row without reading what is attached.
   * @throws DataError whose problems name row and column.
   */
  check(row: Row, now: Date, thread?: Thread): MaybePromise<Prepared>
  /** Key and address of a row as far as they can be told, for one that is not sent. Never throws. */
  identify(row: Row): { readonly key: string; readonly address: string }
  /** The message of a planned row. `date` is its Date header. */
  message(due: DueRow, date: Date): MaybePromise<Message>
}

const NO_SUBJECT = problem('no-subject', 'there is no subject', undefined, {
  hint: 'Set subject: in the template, or fill the cells that it is made of.',
})

/** As good as any other left side of a Message-ID, to check a message with. */
const SAMPLE_LOCAL = '0'.repeat(32)

export function createPreparer(options: PreparerOptions): Preparer {
  const { settings, template, split, campaign, emailColumn, testTo } = options
  const attachments = createAttachmentStore({
    root: settings.root,
    roots: settings.attachmentRoots,
    never: privateFiles(settings),
  })
  const boundarySeed = hash('sha256', `boundary\n${campaign.token}`, 'hex')
  const composer = createComposer({ boundarySeed, root: settings.root, attachments, dkim: settings.dkim })
  const personOf = settings.foldGmail ? gmailKey : normalizeAddress
  const test = testTo === undefined ? undefined : testAddress(testTo)

  /** A link in a test mail lets its reader leave, never the person of the row. */
  const unsubscribeLinks = (address: string): UnsubscribeLinks =>
    options.unsubscribeLinks?.(test ?? address) ?? { url: undefined, mailto: undefined }

  function contextOf(row: number, now: Date, address: string | undefined): RenderContext {
    const { url } = address === undefined ? {} : unsubscribeLinks(address)
    return {
      row,
      campaign: campaign.name,
      now,
      ...(settings.locale === undefined ? {} : { locale: settings.locale }),
      ...(settings.timeZone === undefined ? {} : { timeZone: settings.timeZone }),
      ...(url === undefined ? {} : { unsubscribeUrl: url }),
    }
  }

  /** Left side of a Message-ID. */
  function localOf(key: string, occurrence: number): string {
    return hash('sha256', `${campaign.token}\n${occurrence}\n${key}`, 'hex').slice(0, 32)
  }

  function identityOf(rendered: Rendered, local: string, address: string, date: Date): Identity {
    const { url, mailto } = unsubscribeLinks(address)
    return {
      messageId: `<${local}@${messageIdDomain(rendered.from)}>`,
      date,
      recipient: address,
      ...(url === undefined ? {} : { unsubscribeUrl: url }),
      ...(mailto === undefined ? {} : { unsubscribeMailto: mailto }),
    }
  }

  /** The address in its column, for links that a template shows; judged later. */
  function likelyAddress(cells: RowData): string | undefined {
    if (options.unsubscribeLinks === undefined || emailColumn === undefined) return undefined
    const judged = parseRecipient(cellText(cells[emailColumn]))
    return 'mailbox' in judged ? judged.mailbox.wire : undefined
  }

  /** The template's `to` has the say; without one it is the address column. */
  function addressOf(cells: RowData, rendered: Rendered): string {
    if (rendered.to === undefined) {
      if (emailColumn !== undefined) return recipientOf(cellText(cells[emailColumn]), emailColumn)
      throw problem('no-address-column', "the list has no address column and the template sets no 'to'", undefined, {
        hint: 'Name the column with emailColumn in mailmerge.yaml, or write to: in the template.',
      })
    }
    const { mailboxes, faults } = parseAddressList(rendered.to)
    const first = mailboxes[0]
    if (first !== undefined && faults.length === 0) return first.wire
    throw problem('bad-address', faults[0] ?? 'there is no address', emailColumn ?? 'to', {
      value: unmark(rendered.to),
    })
  }

  function keyOf(cells: RowData, address: string): string {
    if (settings.key === undefined) return personOf(address)
    const key = cellText(cells[settings.key]).trim()
    if (key === '') {
      throw problem('empty-key', `the key column '${settings.key}' is empty`, settings.key, {
        hint: 'Give every row a key, or leave --key out so that the address is the key.',
      })
    }
    return key
  }

  function identify({ data }: Row): { readonly key: string; readonly address: string } {
    const judged = emailColumn === undefined ? undefined : parseRecipient(cellText(data[emailColumn]))
    const address = judged !== undefined && 'mailbox' in judged ? judged.mailbox.wire : ''
    if (settings.key !== undefined) return { key: cellText(data[settings.key]).trim(), address }
    return { key: address === '' ? '' : personOf(address), address }
  }

  /** Each message with a return path of its own, where the project wants it and the template says no other. */
  function returned(rendered: Rendered, { messageId }: Identity): Rendered {
    const { returnPath } = settings.bounces
    if (returnPath === undefined || rendered.envelopeFrom !== undefined) return rendered
    return { ...rendered, envelopeFrom: ownText(returnPathOf(returnPath, messageId)) }
  }

  /** What was planned is sent: the variant that a row fell to is kept with it. */
  function plannedTemplate({ variant }: DueRow): Template {
    if (variant === undefined) return template
    const planned = split?.named(variant)
    if (planned !== undefined) return planned.template
    throw new DataError(`the variant '${variant}' that a row was planned with is no more`, {
      hint: 'Give the run command again: it plans anew with the variants as they are now, and sends what is not yet sent.',
    })
  }

  return {
    check(row, now, thread) {
      // A row without an address column has no key before it is rendered: its cells stand for it.
      const variant = split?.of(identify(row).key || storeRow(row.data, []))
      const chosen = variant?.template ?? template
      const context = contextOf(row.number, now, likelyAddress(row.data))
      const own = options.bodies ? chosen.render(row.data, context) : chosen.check(row.data, context)
      const rendered = thread === undefined ? own : threaded(own, thread)
      if (rendered.subject.trim() === '') throw NO_SUBJECT
      const address = addressOf(row.data, rendered)
      const key = keyOf(row.data, address)
      const identity = identityOf(rendered, SAMPLE_LOCAL, address, now)
      const { to } = composer.check(returned(rendered, identity), identity)
      if (to.length > 1) refuseEndless(settings.delivery.rates, to.length)
      const finish = (files: readonly FileFacts[]): Prepared => ({
        key,
        address,
        data: storeRow(row.data, files, thread),
        rendered,
        ...(variant === undefined ? {} : { variant: variant.name }),
      })
      if (rendered.attachments.length === 0 && rendered.inline.length === 0) return finish([])
      return andThen(attachments.inspect(rendered.attachments, rendered.inline), finish)
    },
    identify,
    message(due, date) {
      const { cells, files, thread } = restoreRow(due.data)
      const own = plannedTemplate(due).render(cells, contextOf(due.row, date, due.address))
      const rendered = thread === undefined ? own : threaded(own, thread)
      const identity = identityOf(rendered, localOf(due.key, due.occurrence), due.address, date)
      const composed = composer.compose(returned(rendered, identity), identity, files ?? [])
      return test === undefined ? composed : andThen(composed, (message) => sentTo(test, message))
    },
  }
}

/** What no row may give away, although it lies in the project: configuration, keys, the list, the ledger. */
function privateFiles({ configFile, dkim, ledger, source }: Settings): readonly string[] {
  const own = [configFile, source.path, source.sql?.database, ledger, ...dkim.map(({ key }) => key)]
  return own.flatMap((path) => (path === undefined || path === '-' || path.includes('://') ? [] : [resolve(path)]))
}

function cellText(cell: unknown): string {
  return cell === null || cell === undefined ? '' : String(cell)
}

/** @throws DataError for a message whose recipients no rate ever lets through together. */
function refuseEndless(rates: readonly RateLimit[], recipients: number): void {
  const never = whyNeverAllowed(rates, recipients)
  if (never !== undefined) throw problem('too-many-recipients', never, undefined, { hint: NEVER_ALLOWED_HINT })
}

function sentTo(address: string, message: Message): Message {
  return { ...message, envelope: { ...message.envelope, to: [address] } }
}

function testAddress(text: string): string {
  const judged = parseRecipient(text)
  if ('mailbox' in judged) return judged.mailbox.wire
  throw new UsageError(`--test-to is no address: ${judged.fault}`, { hint: 'Give one: --test-to you@example.com' })
}

function recipientOf(cell: string, column: string): string {
  const judged = parseRecipient(cell)
  if ('mailbox' in judged) return judged.mailbox.wire
  throw problem('bad-address', cell.trim() === '' ? 'the address is empty' : judged.fault, column, { value: cell })
}

function problem(
  code: string,
  message: string,
  column: string | undefined,
  more: Pick<Problem, 'hint' | 'value'> = {},
): DataError {
  return new DataError(message, {
    problems: [{ severity: 'error', code, message, ...(column === undefined ? {} : { column }), ...more }],
  })
}

/** Domain of the first author, for the right side of the Message-ID (RFC 5322 section 3.6.4). */
function messageIdDomain(from: MarkedText): string {
  const wire = parseAddressList(from).mailboxes[0]?.wire ?? ''
  return wire.slice(wire.lastIndexOf('@') + 1) || 'localhost'
}

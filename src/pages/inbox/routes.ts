/** What the page of an inbox asks, and programs that test what they send. Owns its addresses; the messages are the mailbox's. */

import { readDuration } from '../../config/units.ts'
import { DataError, UsageError } from '../../errors.ts'
import { faultsFrom } from '../../inbox/faults.ts'
import { ownText } from '../../template/marked-text.ts'
import type { Rendered } from '../../template/template.ts'
import { remoteHosts } from '../message/frame.ts'
import { type ReadMessage, viewOf } from '../message/read.ts'
import { messageRoutes } from '../message/routes.ts'
import { createFindings } from '../preview/findings.ts'
import { bytes, json, type PageAnswer, type PageRequest, type Route } from '../route.ts'
import {
  type FaultsView,
  type InboxView,
  MAIL_FILTERS,
  type MailMessageView,
  type MailRowsView,
  type MessageView,
  type TestView,
} from '../wire.ts'
import type { Mailbox } from './mailbox.ts'

export interface InboxRoutesOptions {
  readonly mailbox: Mailbox
  /** `localhost:2525` */
  readonly server: string | undefined
  readonly folder: string | undefined
  readonly faults: () => FaultsView
  readonly setFaults: (faults: FaultsView) => void
  /** Sends a message on; undefined where there is no server to send it through. */
  readonly sendOn: (message: ReadMessage, from: string, to: string) => Promise<TestView>
}

const PREFIX = '/api/messages'
const MOST_ROWS = 500
const LONGEST_WAIT = 300_000

export function inboxRoutes(options: InboxRoutesOptions): readonly Route[] {
  const { mailbox } = options
  /** An answer about the message of the number in the path. */
  const about =
    (work: (message: ReadMessage, id: number, request: PageRequest) => PageAnswer | Promise<PageAnswer>) =>
    async (request: PageRequest): Promise<PageAnswer | undefined> => {
      const id = Number(request.match[0])
      const message = await mailbox.message(id)
      return message === undefined ? undefined : work(message, id, request)
    }
  const at = (rest: string): RegExp => new RegExp(`^${PREFIX}/(\\d{1,10})${rest}$`)
  return [
    { method: 'GET', path: /^\/health$/, open: true, answer: () => json({ ok: true }) },
    { method: 'GET', path: /^\/api\/inbox$/, answer: async () => json(await statusOf(options)) },
    { method: 'GET', path: /^\/api\/messages$/, answer: async ({ query }) => json(await pageOf(mailbox, query)) },
    { method: 'GET', path: /^\/api\/messages\/latest$/, answer: (request) => latest(mailbox, request) },
    {
      method: 'DELETE',
      path: /^\/api\/messages$/,
      answer: async ({ query }) => json({ deleted: await mailbox.remove({ search: query.get('q') ?? '' }) }),
    },
    {
      method: 'DELETE',
      path: at(''),
      answer: async ({ match: [id] }) => json({ deleted: await mailbox.remove({ id: Number(id) }) }),
    },
    {
      method: 'GET',
      path: at(''),
      answer: about(async (message, id) => {
        const row = await mailbox.row(id)
        if (row === undefined) return json({ error: { message: 'the message is gone' } }, 404)
        return json({ ...row, message: messageView(mailbox, message, id) } satisfies MailMessageView)
      }),
    },
    { method: 'GET', path: at('/text'), answer: about(({ text }) => bytes(text ?? '', 'text/plain; charset=utf-8')) },
    { method: 'GET', path: at('/checks'), answer: about((message) => json({ findings: findingsOf(message) })) },
    {
      method: 'POST',
      path: at('/seen'),
      answer({ match: [id] }) {
        mailbox.markSeen(Number(id))
        return json({ seen: true })
      },
    },
    {
      method: 'POST',
      path: at('/send'),
      answer: about(async (message, id, { body }) => {
        const to = (body as { readonly to?: unknown } | undefined)?.to
        if (typeof to !== 'string' || to.trim() === '') throw new UsageError('there is no address to send it to')
        const from =
          mailbox.envelopeOf(id)?.from ?? /<([^<>]*)>|^([^\s@]+@\S+)$/.exec(message.from)?.slice(1).join('') ?? ''
        if (from === '') throw new DataError('the message does not say who sent it')
        return json(await options.sendOn(message, from, to.trim()))
      }),
    },
    {
      method: 'POST',
      path: /^\/api\/faults$/,
      async answer({ body }) {
        options.setFaults(faultsFrom(body))
        return json(await statusOf(options))
      },
    },
    // What a mail loads would report that it was read: only what came with it is shown, until a person asks.
    ...messageRoutes({ prefix: PREFIX, find: (id) => mailbox.message(id), trustedHosts: () => [] }),
  ]
}

async function statusOf({ mailbox, server, folder, faults }: InboxRoutesOptions): Promise<InboxView> {
  return { counts: await mailbox.counts(), server, folder, faults: faults() }
}

async function pageOf(mailbox: Mailbox, query: URLSearchParams): Promise<MailRowsView> {
  const filter = MAIL_FILTERS.find((one) => one === query.get('filter')) ?? 'all'
  const after = query.get('after')
  const near = query.get('near')
  const where =
    after !== null
      ? { after: numberOf(after, 0) }
      : near !== null
        ? { near: numberOf(near, 0) }
        : { from: numberOf(query.get('from'), 0) }
  const limit = Math.min(MOST_ROWS, numberOf(query.get('limit'), 100))
  return mailbox.page({ search: query.get('q') ?? '', filter }, where, limit)
}

/** Waits for the message that a test expects: `?to=ada@example.com&wait=10s&after=41`. */
async function latest(mailbox: Mailbox, { query, signal }: PageRequest): Promise<PageAnswer> {
  const wait = query.get('wait')
  const waitMs = wait === null ? 0 : readDuration(/^\d+$/.test(wait) ? `${wait}s` : wait)
  if (waitMs === undefined || waitMs > LONGEST_WAIT) {
    throw new UsageError(`wait=${wait} is not a time`, { hint: 'Write wait=10s; five minutes at most.' })
  }
  const to = query.get('to')
  const search = [...(to === null ? [] : [`to:"${to.replaceAll('"', '')}"`]), query.get('q') ?? ''].join(' ')
  const row = await mailbox.latest(search, { after: numberOf(query.get('after'), 0), waitMs, signal })
  if (row === undefined) return json({ error: { message: 'no message like this has come' } }, 404)
  const message = await mailbox.message(row.id)
  if (message === undefined) return json({ error: { message: 'the message is gone' } }, 404)
  return json({ ...row, message: messageView(mailbox, message, row.id) } satisfies MailMessageView)
}

function messageView(mailbox: Mailbox, message: ReadMessage, id: number): MessageView {
  return {
    ...viewOf(message),
    remoteHosts: message.html === undefined ? [] : remoteHosts(message.html),
    findings: findingsOf(message),
    envelope: differing(mailbox.envelopeOf(id), message),
  }
}

/** The envelope where it is not what the headers say. */
function differing(
  envelope: { readonly from: string; readonly to: readonly string[] } | undefined,
  { from, to }: ReadMessage,
): MessageView['envelope'] {
  if (envelope === undefined) return undefined
  const holds = (field: string, address: string): boolean => field.toLowerCase().includes(address.toLowerCase())
  const isPlain =
    envelope.from !== '' && holds(from, envelope.from) && envelope.to.every((address) => holds(to, address))
  return isPlain ? undefined : { from: envelope.from, to: envelope.to }
}

const findings = createFindings({ columns: [], emailColumn: undefined, project: undefined })

/** What can be said of a message without its template. */
function findingsOf({ from, subject, text, html, headers, parts }: ReadMessage): MessageView['findings'] {
  const rendered: Rendered = {
    from: ownText(from),
    subject,
    headers: headers.map(({ name, value }) => [name, ownText(value)]),
    attachments: [],
    inline: parts.flatMap(({ contentId, name, type, content }) =>
      contentId === undefined ? [] : [{ kind: 'content' as const, cid: contentId, name, type, content }],
    ),
    ...(text === undefined ? {} : { text }),
    ...(html === undefined ? {} : { html }),
  }
  const htmlSize = html === undefined ? undefined : Buffer.byteLength(html)
  return findings({ cells: {}, address: '', rendered, htmlSize, template: undefined })
}

function numberOf(text: string | null, otherwise: number): number {
  const number = Number(text ?? otherwise)
  return Number.isInteger(number) && number >= 0 ? number : otherwise
}

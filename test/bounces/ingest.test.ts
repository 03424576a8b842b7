import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type IngestOptions, ingest } from '../../src/bounces/ingest.ts'
import type { InboundMessage } from '../../src/bounces/mailbox.ts'
import { readInbound } from '../../src/bounces/read.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Suppression } from '../../src/ledger/records.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'

const NOW = new Date('2026-05-01T10:00:00Z')
const DAY = 86_400_000

let dir: string
let ledger: Ledger

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-intake-'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
})
afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Sends a campaign to some people; the token of each message is `<campaign><row>`. */
function sent(name: string, ...addresses: readonly string[]): Promise<void> {
  return sentRows(
    name,
    addresses.map((address) => ({ address, data: '{}' })),
  )
}

async function sentRows(
  name: string,
  rows: readonly { readonly address: string; readonly data: string }[],
): Promise<void> {
  const campaign = await ledger.campaigns.open(name)
  const run = { id: `run-${name}`, campaign, startedAt: NOW, source: 's', template: 't', templateHash: '' }
  await ledger.runs.create({ ...run, columns: [], options: {} })
  await ledger.plans.add(
    run.id,
    rows.map(({ address, data }, index) => ({ row: index + 1, key: address, address, data })),
  )
  await ledger.plans.complete(run.id, { duplicates: 'skip' })
  const due = await ledger.deliveries.due(run.id, { now: NOW, after: 0, limit: 100 })
  const facts = { kind: 'row-updated', lane: 1, at: NOW, status: 'sent', attempted: true } as const
  await ledger.deliveries.record(
    due.map(({ recipient, row }) => ({ ...facts, recipient, messageId: `<${name}${row}@example.org>` })),
  )
}

function report(
  token: string | undefined,
  status: string,
  said: string,
  more: { to?: string; id?: number } = {},
): InboundMessage {
  const lines = [
    'From: MAILER-DAEMON@mx.example.net',
    `To: ${more.to ?? 'bounces@example.org'}`,
    'Subject: Undelivered Mail Returned to Sender',
    `X-Number: ${more.id ?? 0}`,
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.net',
    '',
    'Final-Recipient: rfc822; whoever@forwarded.example',
    'Action: failed',
    `Status: ${status}`,
    `Diagnostic-Code: smtp; ${said}`,
    '',
    ...(token === undefined
      ? []
      : ['--b', 'Content-Type: message/rfc822', '', `Message-ID: <${token}@example.org>`, 'Subject: News', '', 'x']),
    '--b--',
  ]
  return { file: 'a.eml', bytes: Buffer.from(lines.join('\r\n')) }
}

function answer(subject: string, headers: readonly string[] = []): InboundMessage {
  const lines = [
    'From: Ada <ada@private.example>',
    'To: news@example.org',
    `Subject: ${subject}`,
    ...headers,
    '',
    'Hello',
  ]
  return { file: 'b.eml', bytes: Buffer.from(lines.join('\r\n')) }
}

const read: IngestOptions['read'] = async (bytes) => readInbound(bytes)

function options(more: Partial<IngestOptions> = {}): IngestOptions {
  const usual = { ledger, read, softLimit: 3, softDays: 30, openToken: () => undefined, now: NOW }
  return { ...usual, returnPath: undefined, group: undefined, ...more }
}

async function suppressions(): Promise<readonly Suppression[]> {
  const all: Suppression[] = []
  for await (const batch of ledger.suppressions.list()) all.push(...batch)
  return all
}

const outcomes = async (
  messages: readonly InboundMessage[],
  more: Partial<IngestOptions> = {},
): Promise<readonly string[]> => (await ingest(messages, options(more))).map(({ outcome }) => outcome)

describe('a bounce', () => {
  test('for good suppresses the address that was written to, in all groups, with the reason', async () => {
    await sent('news', 'ada@example.com', 'bob@example.com')
    expect(await outcomes([report('news1', '5.1.1', '550 user unknown')])).toEqual(['suppressed'])
    expect(await suppressions()).toMatchObject([
      { address: 'ada@example.com', group: '', reason: 'hard_bounce', note: 'mailbox unknown', addedAt: NOW },
    ])
  })

  test('taken in again changes nothing', async () => {
    await sent('news', 'ada@example.com')
    const inbound = report('news1', '5.1.1', '550 user unknown')
    await ingest([inbound], options())
    await ledger.suppressions.remove(['ada@example.com'], '')
    expect(await outcomes([inbound, inbound])).toEqual(['known', 'known'])
  })

  test.each([
    ['no token', report(undefined, '5.1.1', '550 user unknown')],
    ['a wrong token', report('news9', '5.1.1', '550 user unknown')],
    ['a token of nobody with wild cards', report('%', '5.1.1', '550 user unknown')],
    ['a return path of nobody', report(undefined, '5.1.1', '550 x', { to: 'bounces+news9@example.org' })],
  ])('with %s changes nothing', async (_name, inbound) => {
    await sent('news', 'ada@example.com', 'whoever@forwarded.example')
    expect(await outcomes([inbound], { returnPath: 'bounces+*@example.org' })).toEqual(['foreign'])
    expect(await suppressions()).toEqual([])
  })

  test('is known by the return path that it was sent to, whatever letters somebody made capital', async () => {
    await sent('news', 'ada@example.com')
    const inbound = report(undefined, '5.1.1', '550 user unknown', { to: 'BOUNCES+News1@Example.org' })
    expect(await outcomes([inbound], { returnPath: 'bounces+*@example.org' })).toEqual(['suppressed'])
  })

  test('for now suppresses when there are too many of different messages in the days that count', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await sent(name, 'ada@example.com')
    const soft = (token: string, id = 0): InboundMessage => report(token, '4.2.2', '452 mailbox full', { id })
    const old = new Date(NOW.getTime() - 31 * DAY)
    expect(await outcomes([soft('a1')], { now: old })).toEqual(['recorded'])
    expect(await outcomes([soft('b1'), soft('b1', 1), soft('c1')])).toEqual(['recorded', 'recorded', 'recorded'])
    expect(await suppressions()).toEqual([])
    expect(await outcomes([soft('d1')])).toEqual(['suppressed'])
    expect(await suppressions()).toMatchObject([
      { address: 'ada@example.com', reason: 'soft_bounces', note: '3 soft bounces in 30 days, the last: mailbox full' },
    ])
  })

  test('for now never suppresses where the limit is 0', async () => {
    await sent('a', 'ada@example.com')
    expect(await outcomes([report('a1', '4.2.2', '452 full')], { softLimit: 0 })).toEqual(['recorded'])
  })
})

describe('people', () => {
  const complaint = (token: string): InboundMessage => ({
    file: 'c.eml',
    bytes: Buffer.from(
      `From: fbl@isp.example\r\nTo: abuse@example.org\r\nSubject: x\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <${token}@example.org>\r\n\r\nx\r\n--b--\r\n`,
    ),
  })

  test('who complain get nothing more from anybody here', async () => {
    await sent('news', 'ada@example.com')
    expect(await outcomes([complaint('news1')])).toEqual(['suppressed'])
    expect(await suppressions()).toMatchObject([{ address: 'ada@example.com', group: '', reason: 'complaint' }])
  })

  test('who ask to leave in answer to a message leave its group, by the address that it went to', async () => {
    await sent('news', 'ada@example.com')
    const inbound = answer('Unsubscribe', ['In-Reply-To: <news1@example.org>'])
    expect(await outcomes([inbound])).toEqual(['suppressed'])
    expect(await suppressions()).toMatchObject([{ address: 'ada@example.com', group: 'news', reason: 'unsubscribed' }])
    expect(await outcomes([inbound], { group: 'club' })).toEqual(['known'])
  })

  test('who ask to leave by the link for mail programs leave what its token says', async () => {
    const openToken = (token: string) =>
      token === 'A-token_of_enough_letters' ? { address: 'Bob@Example.com', group: 'club' } : undefined
    expect(await outcomes([answer('unsubscribe A-token_of_enough_letters')], { openToken })).toEqual(['suppressed'])
    expect(await outcomes([answer('unsubscribe a-token_of_enough_letters')], { openToken })).toEqual(['foreign'])
    expect(await suppressions()).toMatchObject([{ address: 'bob@example.com', group: 'club', reason: 'unsubscribed' }])
  })

  test('who ask to leave without any proof of who they are are not believed', async () => {
    await sent('news', 'ada@private.example')
    expect(await outcomes([answer('unsubscribe')])).toEqual(['foreign'])
    expect(await suppressions()).toEqual([])
  })

  test('and programs that answer are recorded and stay; messages of others are nobody\u2019s matter', async () => {
    await sent('news', 'ada@example.com')
    const taken = await ingest(
      [
        answer('Re: News', ['References: <x@y> <news1@example.org>']),
        answer('Out of office', ['In-Reply-To: <news1@example.org>', 'Auto-Submitted: auto-replied']),
        answer('Lunch?'),
        answer('Re: something else', ['In-Reply-To: <other@example.org>']),
      ],
      options(),
    )
    expect(taken.map(({ outcome, report }) => `${report?.kind ?? 'reply'} ${outcome}`)).toEqual([
      'reply recorded',
      'auto_reply recorded',
    ])
    expect(await suppressions()).toEqual([])
  })

  test("the bounce of a copy is the copy's: who the message was for is still written to, and her row has no bounce", async () => {
    await sent('news', 'fay@example.com')
    const copy = report('news1', '5.1.1', '550 user unknown')
    const text = Buffer.from(copy.bytes)
      .toString()
      .replace('Message-ID: <news1', 'To: fay@example.com\r\nCc: whoever@forwarded.example\r\nMessage-ID: <news1')
    expect(await outcomes([{ ...copy, bytes: Buffer.from(text) }])).toEqual(['suppressed'])
    expect(await suppressions()).toMatchObject([{ address: 'whoever@forwarded.example', reason: 'hard_bounce' }])
    expect(await ledger.feedback.counts('run-news')).toEqual(new Map())
  })

  describe('of a message with copies that stand in no header and in no cell', () => {
    const constantCopy = JSON.stringify({ cells: {}, copies: ['Archive@Example.org'] })

    async function bounceOf(address: string, more: readonly string[] = []): Promise<readonly string[]> {
      await sentRows('news', [{ address: 'fay@example.com', data: constantCopy }])
      const inbound = report('news1', '5.1.1', '550 user unknown')
      const text = Buffer.from(inbound.bytes).toString()
      const named = [`Final-Recipient: rfc822; ${address}`, ...more].join('\r\n')
      const bytes = Buffer.from(text.replace('Final-Recipient: rfc822; whoever@forwarded.example', named))
      return outcomes([{ ...inbound, bytes }])
    }
    const struck = async () => (await suppressions()).map(({ address }) => address)

    test('a report that names the copy is about the copy alone', async () => {
      expect(await bounceOf('archive@example.org')).toEqual(['suppressed'])
      expect(await struck()).toEqual(['archive@example.org'])
      expect(await ledger.feedback.counts('run-news')).toEqual(new Map())
    })

    test('a report that names the recipient is about the recipient', async () => {
      expect(await bounceOf('fay@example.com')).toEqual(['suppressed'])
      expect(await struck()).toEqual(['fay@example.com'])
    })

    test('a report that says where we wrote to is about that address, wherever it was forwarded', async () => {
      expect(await bounceOf('x@elsewhere.example', ['Original-Recipient: rfc822; fay@example.com'])).toEqual([
        'suppressed',
      ])
      expect(await struck()).toEqual(['fay@example.com'])
    })

    test('a report on an address that is none of them blames nobody', async () => {
      expect(await bounceOf('x@elsewhere.example')).toEqual(['recorded'])
      expect(await struck()).toEqual([])
      expect(await ledger.feedback.counts('run-news')).toEqual(new Map())
    })
  })

  test('a delay says nothing yet: no bounce is recorded', async () => {
    await sent('news', 'ada@example.com')
    const delayed = report('news1', '4.4.1', '450 timed out')
    const text = Buffer.from(delayed.bytes).toString().replace('Action: failed', 'Action: delayed')
    expect(await outcomes([{ ...delayed, bytes: Buffer.from(text) }], { softLimit: 1 })).toEqual(['recorded'])
    expect(await ledger.feedback.counts('run-news')).toEqual(new Map())
    expect(await suppressions()).toEqual([])
  })

  test('a message of the empty sender to our return path is a report, though nobody can read it', async () => {
    await sent('news', 'hal@example.com')
    const lines = [
      'Return-Path: <>',
      'From: x@isp.example',
      'To: bounces+news1@example.org',
      'Subject: x',
      '',
      '送信できませんでした',
    ]
    const unread = { file: 'c.eml', bytes: Buffer.from(lines.join('\r\n')) }
    expect(await outcomes([unread], { returnPath: 'bounces+*@example.org' })).toEqual(['recorded'])
    expect(await outcomes([unread])).toEqual([])
    expect(await suppressions()).toEqual([])
  })

  test('a complaint that quotes our return path takes the person off every list', async () => {
    await sent('news', 'tom@example.com')
    const lines = [
      'From: fbl@isp.example',
      'To: abuse@example.org',
      'Subject: complaint',
      'Content-Type: multipart/report; report-type=feedback-report; boundary=b',
      '',
      '--b',
      'Content-Type: message/feedback-report',
      '',
      'Feedback-Type: abuse',
      'Original-Mail-From: <bounces+news1@example.org>',
      'Original-Rcpt-To: redacted@isp.example',
      '',
      '--b--',
    ]
    const complaint = { file: 'd.eml', bytes: Buffer.from(lines.join('\r\n')) }
    expect(await outcomes([complaint], { returnPath: 'bounces+*@example.org' })).toEqual(['suppressed'])
    expect(await suppressions()).toMatchObject([{ address: 'tom@example.com', group: '', reason: 'complaint' }])
  })
})

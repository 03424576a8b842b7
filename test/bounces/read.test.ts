import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readInbound } from '../../src/bounces/read.ts'
import type { Report, ReportKind } from '../../src/bounces/report.ts'

const CORPUS = resolve(import.meta.dirname, '../../../shared/corpora/bounces')

const readReports = (bytes: Uint8Array): readonly Report[] => readInbound(bytes).reports

/** Where we say otherwise than the corpus whether an address is gone. */
const DISAGREEMENTS: Readonly<Record<string, string>> = {
  'lhost-activehunter-02': UNKNOWN(),
  'lhost-amazonses-02': UNKNOWN(),
  'lhost-mailfoundry-01': UNKNOWN(),
  'lhost-messagingserver-08': UNKNOWN(),
  'lhost-mxlogic-03': UNKNOWN(),
  'lhost-postfix-07': UNKNOWN(),
  'lhost-receivingses-01': UNKNOWN(),
  'lhost-surfcontrol-01': UNKNOWN(),
  'lhost-x1-01': UNKNOWN(),
  'lhost-x1-02': UNKNOWN(),
  'lhost-x2-02': UNKNOWN(),
  'lhost-bigfoot-02': 'a refusal by policy (5.7.1) never strikes an address off, whatever words go with it',
  'lhost-exim-31': 'the report itself says that the address may not exist or may be refused: in doubt it is kept',
  'lhost-sendmail-14': 'a report that a person forwarded is no report',
}

function UNKNOWN(): string {
  return 'the server says that there is no such user; the corpus guesses a filter from the software that says so'
}

interface Expected {
  readonly hard: boolean
}

describe.skipIf(!existsSync(CORPUS))(
  'real reports (skipped where the public corpora are not beside the project)',
  () => {
    const read = (name: string): Buffer => readFileSync(`${CORPUS}/${name}`)
    const expected = existsSync(CORPUS)
      ? (JSON.parse(read('expected.json').toString()) as Readonly<Record<string, readonly Expected[]>>)
      : {}

    test('are hard or not as the corpus says, but for those with a reason', () => {
      const others: string[] = []
      for (const [name, recipients] of Object.entries(expected)) {
        const hard = readReports(read(`${name}.eml`)).some(({ kind }) => kind === 'hard')
        if (hard !== recipients.some((recipient) => recipient.hard)) others.push(name)
      }
      expect(others.sort()).toEqual(Object.keys(DISAGREEMENTS).sort())
      expect(1 - others.length / Object.keys(expected).length).toBeGreaterThanOrEqual(0.95)
    })

    test('of complaints and of holidays are distinguished from bounces', () => {
      const kindsOf = (name: string): readonly ReportKind[] => readReports(read(name)).map(({ kind }) => kind)
      for (const name of Object.keys(expected).filter((one) => one.startsWith('arf-'))) {
        const kinds = kindsOf(`${name}.eml`)
        expect(kinds.length, name).toBeGreaterThan(0)
        expect(
          kinds.every((kind) => ['complaint', 'unsubscribe', 'unknown'].includes(kind)),
          `${name}: ${kinds}`,
        ).toBe(true)
      }
    })

    test('keep their verdict with any line ends, and cost nothing when they are torn', () => {
      const names = Object.keys(expected).filter((_, index) => index % 7 === 0)
      for (const name of names) {
        const bytes = read(`${name}.eml`)
        const text = bytes.toString('latin1').replace(/\r\n?/g, '\n')
        const verdict = (ends: string): readonly string[] =>
          readReports(Buffer.from(text.replaceAll('\n', ends), 'latin1')).map(
            ({ kind, address }) => `${kind} ${address}`,
          )
        expect(verdict('\r\n'), name).toEqual(verdict('\n'))
        expect(verdict('\r'), name).toEqual(verdict('\n'))
      }
      fc.assert(
        fc.property(
          fc.constantFrom(...names),
          fc.nat(),
          fc.nat(),
          fc.string({ unit: 'binary' }),
          (name, at, size, junk) => {
            const bytes = read(`${name}.eml`)
            const cut = at % bytes.length
            const torn = Buffer.concat([bytes.subarray(0, cut), Buffer.from(junk), bytes.subarray(cut + (size % 200))])
            for (const { kind } of readReports(torn)) expect(KINDS).toContain(kind)
          },
        ),
        { numRuns: Number(process.env['MAILMERGE_TEST_MUTATIONS'] ?? 300) },
      )
    })
  },
)

const KINDS: readonly ReportKind[] = ['hard', 'soft', 'complaint', 'auto_reply', 'delivered', 'unsubscribe', 'unknown']

function mail(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n`)
}

/** A report as RFC 3464 wants it, of one or more blocks of recipient fields. */
function dsn(
  blocks: readonly (readonly string[])[],
  human = 'It could not be delivered.',
  more: readonly string[] = [],
): Buffer {
  return mail([
    'From: MAILER-DAEMON@mx.example.net (Mail Delivery System)',
    'To: bounces@example.org',
    'Subject: Undelivered Mail Returned to Sender',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"',
    ...more,
    '',
    '--b1',
    'Content-Type: text/plain',
    '',
    human,
    '--b1',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.net',
    '',
    ...blocks.flatMap((block) => [...block, '']),
    '--b1',
    'Content-Type: message/rfc822',
    '',
    'From: news@example.org',
    'To: ada@example.com',
    'Message-ID: <abc123@example.org>',
    'Subject: News',
    '',
    'Hello',
    '--b1--',
  ])
}

function recipient(status: string, said: string, action = 'failed', address = 'ada@example.com'): readonly string[] {
  return [
    `Final-Recipient: rfc822; ${address}`,
    `Action: ${action}`,
    `Status: ${status}`,
    `Diagnostic-Code: smtp; ${said}`,
  ]
}

function only(bytes: Uint8Array): Report {
  const reports = readReports(bytes)
  expect(reports).toHaveLength(1)
  return reports[0] as Report
}

describe('a delivery report', () => {
  test('says whom, why, with which codes, and about which message', () => {
    expect(only(dsn([recipient('5.1.1', '550 5.1.1 <ada@example.com>: User unknown')]))).toEqual({
      kind: 'hard',
      address: 'ada@example.com',
      enhancedCode: '5.1.1',
      smtpCode: 550,
      reason: 'mailbox unknown',
      messageId: '<abc123@example.org>',
      deliveredTo: ['bounces@example.org'],
      returnedTo: ['ada@example.com'],
    })
  })

  test.each<[string, string, ReportKind]>([
    ['5.1.1', '550 5.1.1 User unknown', 'hard'],
    ['5.1.2', '550 5.1.2 Bad destination system: no such domain', 'hard'],
    ['5.1.10', '556 5.1.10 Recipient address has null MX', 'hard'],
    ['5.2.2', '552 5.2.2 Mailbox full', 'soft'],
    ['5.2.2', '550 5.2.2 user unknown or over quota', 'soft'],
    ['5.3.4', '552 5.3.4 Message too big for system', 'soft'],
    ['5.7.1', '550 5.7.1 Message refused as spam', 'soft'],
    ['5.7.1', '550 5.7.1 user unknown', 'soft'],
    ['5.7.26', '550 5.7.26 Unauthenticated email is not accepted', 'soft'],
    ['5.1.8', '550 5.1.8 Sender address rejected: Domain not found', 'soft'],
    ['5.1.7', '550 5.1.7 Bad sender address', 'soft'],
    ['4.2.2', '452 4.2.2 Mailbox full', 'soft'],
    ['4.1.1', '450 4.1.1 User unknown in virtual table', 'soft'],
    ['4.4.1', '', 'soft'],
    ['4.4.7', 'delivery time expired', 'soft'],
    ['5.6.0', '554 5.6.0 content not accepted', 'soft'],
    ['5.0.0', '554 Service unavailable', 'soft'],
  ])('of %s %s is %s', (status, said, kind) => {
    expect(only(dsn([recipient(status, said)])).kind).toBe(kind)
  })

  test.each<[string, string, string]>([
    ['5.7.1', '554 5.7.1 <ada@example.com>: Recipient address rejected: Access denied', 'refused by policy or as spam'],
    ['5.1.7', '550 5.1.7 user unknown', 'sender address refused'],
    ['5.2.2', '550 5.2.2 user unknown', 'mailbox full'],
    ['5.0.0', "554 relay.example.net You've reached your daily relay quota", 'sending limit of the account reached'],
    ['5.4.1', '550 5.4.1 Recipient address rejected: Access denied', 'mailbox unknown'],
  ])('of %s %s has the reason of the code where the sentence alone would be wrong', (status, said, reason) => {
    expect(only(dsn([recipient(status, said)])).reason).toBe(reason)
  })

  test('in plain text names nobody of the copy below it', () => {
    const text = mail([
      'From: Mailer Daemon <MAILER-DAEMON@mx.example.net>',
      'To: bounces@example.org',
      'Subject: Delivery status notification: error',
      '',
      'An error has occurred while attempting to deliver a message for the following list of recipients:',
      '',
      'ada@example.com: Envelope expired',
      '',
      '    Below is a copy of the original message:',
      '',
      'Message-ID: <abc123@example.org>',
      'From: News <news@example.org>',
      'To: ada@example.com',
      '',
      'Hello',
    ])
    expect(only(text)).toMatchObject({ kind: 'soft', address: 'ada@example.com', reason: 'given up' })
  })

  test('that only says that it is still tried is soft; delivered, relayed and expanded are not bounces', () => {
    expect(only(dsn([recipient('4.4.1', '', 'delayed')])).kind).toBe('soft')
    for (const action of ['delivered', 'relayed', 'expanded'])
      expect(only(dsn([recipient('2.0.0', '250 OK', action)])).kind).toBe('delivered')
  })

  test('on many recipients judges each by its own words', () => {
    const reports = readReports(
      dsn([
        recipient('5.1.1', '550 user unknown', 'failed', 'gone@example.com'),
        recipient('5.2.2', '552 mailbox full', 'failed', 'full@example.com'),
        ...Array.from({ length: 50 }, (_, index) =>
          recipient('5.1.1', '550 no such user', 'failed', `p${index}@example.com`),
        ),
      ]),
    )
    expect(reports).toHaveLength(52)
    const kind = (address: string): ReportKind | undefined => reports.find((one) => one.address === address)?.kind
    expect(kind('gone@example.com')).toBe('hard')
    expect(kind('full@example.com')).toBe('soft')
    expect(kind('p49@example.com')).toBe('hard')
  })

  test('names the address that was written to, not the one that it was forwarded to', () => {
    const block = [
      'Original-Recipient: rfc822; ada@example.com',
      ...recipient('5.1.1', '550 unknown', 'failed', 'al@x.net'),
    ]
    expect(only(dsn([block])).address).toBe('ada@example.com')
  })

  test('answered after the whole message comes from a filter, whatever it pretends', () => {
    const said = 'host mx.example.com said: 550 User unknown (in reply to end of DATA command)'
    expect(only(dsn([recipient('5.0.0', '550 User unknown')], said)).kind).toBe('soft')
  })

  test('on a report that we sent ourselves is read like any other', () => {
    const inner = dsn([recipient('5.1.1', '550 user unknown')]).toString()
    const outer = mail([
      'From: postmaster@example.net',
      'To: bounces@example.org',
      'Subject: Delivery Status Notification (Failure)',
      'Content-Type: multipart/report; report-type=delivery-status; boundary="o1"',
      '',
      '--o1',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; x',
      '',
      ...recipient('5.1.1', '550 user unknown', 'failed', 'postmaster@example.com'),
      '',
      '--o1',
      'Content-Type: message/rfc822',
      '',
      inner,
      '--o1--',
    ])
    expect(readReports(outer).map(({ address }) => address)).toEqual(['postmaster@example.com'])
  })
})

describe('what people and programs answer', () => {
  const answer = (subject: string, more: readonly string[] = []): Buffer =>
    mail([
      'From: Ada <ada@example.com>',
      'To: news@example.org',
      `Subject: ${subject}`,
      'In-Reply-To: <abc123@example.org>',
      ...more,
      '',
      'Thank you for your message. I am away until Monday.',
    ])

  test.each<[string, Buffer, ReportKind]>([
    ['a holiday note by RFC 3834', answer('Away', ['Auto-Submitted: auto-replied (vacation)']), 'auto_reply'],
    ['a holiday note by its title', answer('Out of Office: News'), 'auto_reply'],
    ['one in German', answer('Automatische Antwort: News'), 'auto_reply'],
    ['a wish to leave', answer('unsubscribe'), 'unsubscribe'],
    ['a wish to leave in French', answer('=?utf-8?Q?d=C3=A9sabonnement?='), 'unsubscribe'],
  ])('%s is %s', (_name, bytes, kind) => {
    expect(only(bytes)).toMatchObject({ kind, address: 'ada@example.com', messageId: '<abc123@example.org>' })
  })

  test.each<[string, Buffer, ReportKind]>([
    [
      'a note marked in any language',
      answer('Risposta automatica: News', ['Auto-Submitted: auto-generated']),
      'auto_reply',
    ],
    ['a note of Exchange', answer('Abwesend: News', ['X-Auto-Response-Suppress: OOF, AutoReply']), 'auto_reply'],
    ['a ticket', answer('[Request received] News', ['Auto-Submitted: auto-generated']), 'auto_reply'],
    ['a note behind Re:', answer('Re: Out of office: News'), 'auto_reply'],
    ['a note in brackets', answer('[Auto-Reply] News'), 'auto_reply'],
    ['a note with a date', answer('On vacation until 5 May'), 'auto_reply'],
    ['a note in Japanese', answer('=?utf-8?b?6Ieq5YuV5b+c562UOiBOZXdz?='), 'auto_reply'],
    ['a challenge', answer('Your email requires verification verify#AbC123'), 'auto_reply'],
    ['a wish behind a tag', answer(`[EXTERN] unsubscribe ${'t'.repeat(70)}`), 'unsubscribe'],
    ['a wish with a plus', answer(`unsubscribe+${'t'.repeat(70)}`), 'unsubscribe'],
    ['a wish in a sentence', answer('Please unsubscribe me'), 'unsubscribe'],
    ['a wish in German', answer('Abbestellen'), 'unsubscribe'],
    ['a wish in Spanish', answer('Darme de baja'), 'unsubscribe'],
  ])('%s is %s in any form', (_name, bytes, kind) => {
    expect(only(bytes)).toMatchObject({ kind, address: 'ada@example.com' })
  })

  test.each([
    ['an answer that begins with the word of a campaign', answer('Re: Remove plastic from your kitchen')],
    ['another one', answer('Re: Unsubscribe from stress this spring')],
    ['a question from a holiday', answer('On holiday in Rome: can I still come?')],
    ['an answer that says that it is none of a program', answer('Re: News', ['Auto-Submitted: no'])],
    ['an answer', answer('Re: News')],
    ['a newsletter', answer('News', ['Precedence: bulk', 'List-Id: <x.example.org>'])],
    ['a talk about bounces', answer('Mail delivery failed yesterday, what now?')],
    ['nothing at all', Buffer.alloc(0)],
    ['bytes of no meaning', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 256))],
  ])('%s says nothing of anybody', (_name, bytes) => {
    expect(readReports(bytes)).toEqual([])
  })

  test('a complaint by RFC 5965 names recipient and message; "not spam" is none', () => {
    const arf = (type: string): Buffer =>
      mail([
        'From: feedback@isp.example',
        'To: abuse@example.org',
        'Subject: FW: News',
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"',
        '',
        '--b1',
        'Content-Type: message/feedback-report',
        '',
        `Feedback-Type: ${type}`,
        'Version: 1',
        'Original-Rcpt-To: ada@example.com',
        '',
        '--b1',
        'Content-Type: message/rfc822',
        '',
        'Message-ID: <abc123@example.org>',
        'To: ada@example.com',
        '',
        'x',
        '--b1--',
      ])
    expect(only(arf('abuse'))).toMatchObject({
      kind: 'complaint',
      address: 'ada@example.com',
      messageId: '<abc123@example.org>',
    })
    expect(only(arf('not-spam')).kind).toBe('unknown')
    expect(only(arf('opt-out')).kind).toBe('unsubscribe')
  })
})

describe('a report', () => {
  const plain = (from: string, subject: string, ...lines: readonly string[]): Buffer =>
    mail([`From: ${from}`, 'To: news@example.org', `Subject: ${subject}`, '', ...lines])

  test.each<[string, Buffer, object]>([
    [
      'of a gateway for text messages is known by its sender',
      plain('post_master@sms.example.net', 'Re:News', '550 - no such user here', '', 'RCPT TO: ada@example.com'),
      { kind: 'hard', address: 'ada@example.com' },
    ],
    [
      'on a role address is about it when a code stands beside it',
      plain('MAILER-DAEMON@x.example', 'Undelivered Mail', '<support@example.com>: 550 5.1.1 User unknown'),
      { kind: 'hard', address: 'support@example.com', enhancedCode: '5.1.1' },
    ],
    [
      'that names nobody tells its codes',
      plain('MAILER-DAEMON@x.example', 'Returned mail: User unknown', '550 5.1.1 User unknown'),
      { kind: 'hard', address: '', enhancedCode: '5.1.1', smtpCode: 550 },
    ],
    [
      'with a class in its field tells the code of the line beside the address',
      dsn(
        [['Final-Recipient: rfc822; ada@example.com', 'Action: failed', 'Status: 5.0.0']],
        'ada@example.com: 550 5.1.1 no such user',
      ),
      { kind: 'hard', enhancedCode: '5.1.1', smtpCode: 550 },
    ],
    [
      'tells the code of the innermost answer',
      dsn([
        recipient(
          '5.0.0',
          "5.1.0 - Unknown address error 550-'5.2.2 <ada@example.com>... Mailbox Full' (delivery attempts: 0)",
        ),
      ]),
      { kind: 'soft', enhancedCode: '5.2.2', reason: 'mailbox full' },
    ],
    [
      'of two stories keeps the address',
      dsn([recipient('5.0.0', '550 user unknown')], 'The account is disabled.\n\n<ada@example.com>: 550 user unknown'),
      { kind: 'soft', reason: 'mailbox disabled' },
    ],
    [
      'that folds a sentence of Postfix is read whole',
      dsn([recipient('5.4.4', 'Name service error\r\n    for name=gone.example.com type=AAAA: Host not found')]),
      { kind: 'hard', address: 'ada@example.com' },
    ],
  ])('%s', (_, bytes, report) => {
    expect(only(bytes)).toMatchObject(report)
  })

  test('that a gateway wrapped is the report that it is, and one that a person forwards is none', () => {
    const wrapped = (from: string): Buffer =>
      mail([
        `From: ${from}`,
        'To: postmaster@gate.example.com',
        'Subject: Returned mail: User unknown',
        'Content-Type: multipart/mixed; boundary="out"',
        '',
        '--out',
        'Content-Type: message/rfc822',
        '',
        dsn([recipient('5.1.1', '550 5.1.1 User unknown')]).toString(),
        '--out--',
      ])
    expect(only(wrapped('MAILER-DAEMON@example.com'))).toMatchObject({ kind: 'hard', address: 'ada@example.com' })
    expect(readReports(wrapped('Ada <ada@example.com>'))).toEqual([])
  })
})

describe('hostile messages', () => {
  test.each<[string, () => Buffer]>([
    [
      'parts nested a thousand deep',
      () => {
        let text = 'x'
        for (let depth = 0; depth < 1000; depth++)
          text = `Content-Type: multipart/mixed; boundary="b${depth}"\n\n--b${depth}\n${text}\n--b${depth}--\n`
        return Buffer.from(`Subject: Undelivered mail\nFrom: MAILER-DAEMON\n${text}`)
      },
    ],
    ['a header without end', () => Buffer.from(`From: MAILER-DAEMON\nSubject: ${'failure '.repeat(500_000)}`)],
    ['ten million blank folds', () => Buffer.from(`From: MAILER-DAEMON\nSubject: a\n${' \n'.repeat(5_000_000)}`)],
    ['a hundred megabytes', () => Buffer.alloc(100_000_000, 'From: a@b.cd user unknown <x@y.zz> 550 ')],
    [
      'a charset that is none',
      () =>
        mail([
          'From: postmaster@x',
          'Subject: Undeliverable',
          'Content-Type: text/plain; charset="\u0000"',
          '',
          'user unknown',
        ]),
    ],
    [
      'addresses without end',
      () => Buffer.from(`From: MAILER-DAEMON\nSubject: failure notice\n\n${'a@b.cd '.repeat(200_000)}`),
    ],
    [
      'an address of a million letters',
      () => Buffer.from(`From: MAILER-DAEMON\nSubject: failure notice\n\n${'a'.repeat(1_000_000)}@b.cd`),
    ],
  ])('%s are read within bounds', { timeout: 20_000 }, (_name, make) => {
    for (const { kind } of readReports(make())) expect(KINDS).toContain(kind)
  })
})

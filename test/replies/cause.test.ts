import { describe, expect, test } from 'vitest'
import { causeOf } from '../../src/replies/cause.ts'
import { endsSession, isThrottling } from '../../src/replies/reply.ts'
import { SenderBlockDetector } from '../../src/replies/sender-block-detector.ts'

function reply(line: string): { code: number; enhanced?: string; text: string } {
  const [, code, enhanced, text = ''] = /^(\d{3}) (?:([245]\.\d+\.\d+) )?(.*)$/.exec(line) ?? []
  return { code: Number(code), text, ...(enhanced === undefined ? {} : { enhanced }) }
}

describe('a limit or a state of the sender is one by whatever code it is reported', () => {
  test.each([
    ['550 5.4.5 Daily user sending limit exceeded.', 'account-limit'],
    ['550 5.7.1 Your message was rejected due to sending limit exceeded', 'account-limit'],
    ['554 5.7.1 You have exceeded your outgoing mail quota', 'account-limit'],
    ['550 Domain a.example has exceeded the max emails per hour (100/100 (100%)) allowed.', 'account-limit'],
    ['550 Request failed; Mailbox unavailable. Daily message limit exceeded', 'account-limit'],
    ['554 5.2.0 The message cannot be submitted because the sender submission quota was exceeded.', 'account-limit'],
    ['554 5.7.1 <p@b.example>: Recipient address rejected: Policy Rejection- Quota Exceeded.', 'account-limit'],
    ['454 Throttling failure: Daily message quota exceeded.', 'account-limit'],
    ['421 Domain a.example is not allowed to send: recipient limit exceeded, try again after: 5', 'account-limit'],
    ['451 Maximum credits exceeded', 'account-limit'],
    ['550 5.7.1 Not enough credits to send this message', 'account-limit'],
    [
      '550 Domain a.example has exceeded the max defers and failures per hour (5/5 (100%)) allowed. Message discarded.',
      'account-limit',
    ],
    ['550 5.7.1 Mail limit exceeded: 500 mails per hour', 'account-limit'],
    ['554 5.7.1 You have reached your limit of 200 e-mails today', 'account-limit'],
    ["550 Sender's email count (1001) exceeds limit (1000)", 'account-limit'],
    [
      '450 4.7.1 <p@b.example>: Recipient address rejected: sorry, max 100 recipients per hour exceeded',
      'account-limit',
    ],
    ['554 5.7.1 Free plan limit reached, upgrade your plan', 'account-limit'],
    ['550 5.7.1 Ihr Tageslimit wurde erreicht', 'account-limit'],
    ["550 5.7.1 quota d'envoi atteint", 'account-limit'],
    ['554 Message rejected: Sending paused for this account.', 'account-blocked'],
    ['550 Domain a.example has an outgoing mail suspension.  Message discarded.', 'account-blocked'],
    ['554 5.7.1 Your account is blocked due to spam', 'account-blocked'],
    ['550 5.7.1 Your account has been temporarily suspended', 'account-blocked'],
    ['502 5.7.0 Your SMTP account is not yet activated. Please contact us', 'account-blocked'],
    ['554 5.7.1 While your account is pending approval, all recipients must share its domain', 'account-blocked'],
    ['554 5.1.8 Email Outgoing Blocked', 'account-blocked'],
    ['554 Access denied: User x is not authorized to perform ses:SendRawEmail', 'sender-not-allowed'],
    ['451 4.7.500 Server busy. Please try again later from [192.0.2.1].', 'rate'],
    ['450 4.7.1 You are sending mail too quickly', 'rate'],
    ['450 4.7.1 Message frequency too high', 'rate'],
    ['550 5.4.6 Unusual sending activity detected. Please try after sometime', 'account-blocked'],
    ['450 4.7.1 Error: too much mail from 192.0.2.1', 'rate'],
    ['550 5.7.0 Requested action not taken: too many emails per second', 'rate'],
    ['521 5.3.2 Connection rate limit exceeded', 'rate'],
    ['451 You have exceeded your messaging limits', 'rate'],
    ['450 4.7.1 <p@b.example>: Recipient address rejected: Policy: too many recipients in the last hour', 'rate'],
    ['451 Requested action aborted Mails per session limit exceeded.', 'session-limit'],
    ['504 5.5.2 <[127.0.0.1]>: Helo command rejected: need fully-qualified hostname', 'helo-rejected'],
    ['554 Message rejected: Email address is not verified.', 'sender-unverified'],
    ['550 5.1.1 <p@b.example>: greylisted, please come back in 300 seconds', 'greylisted'],
  ])('%s: %s', (line, cause) => {
    expect(causeOf(reply(line))?.cause).toBe(cause)
  })
})

describe('what is about the recipient or the message stays so', () => {
  test.each([
    ['552 5.2.2 The mailbox of the recipient is over its quota', 'mailbox-full'],
    ['452 4.2.2 mailbox full', 'mailbox-full'],
    [
      '550 5.1.1 <spam@b.example>: Recipient address rejected: User unknown in virtual mailbox table',
      'mailbox-unknown',
    ],
    ['452 4.5.3 Too many recipients', 'too-many-recipients'],
    ['452 Too many recipients', 'too-many-recipients'],
    ['552 5.2.3 Message size exceeds the daily limit of this mailbox', 'message-too-large'],
    ['450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents more', 'mailbox-busy'],
    ['450 4.2.1 The recipient has exceeded message rate limit. Try again later.', 'mailbox-busy'],
    ['550 5.2.1 The email account that you tried to reach is disabled', 'mailbox-disabled'],
    ['554 5.7.1 This account has been suspended', 'mailbox-disabled'],
    ['552 5.3.4 Message size limit exceeded', 'message-too-large'],
    ['550 5.5.3 Recipient limit exceeded', 'too-many-recipients'],
    ['550 5.1.1 unverified address: Address lookup failed', 'mailbox-unknown'],
    ['550 5.7.0 This message was blocked because its content presents a potential security issue', 'content'],
    ['550 5.4.6 Hop count exceeded - possible mail loop', 'loop'],
  ])('%s: %s', (line, cause) => {
    expect(causeOf(reply(line))?.cause).toBe(cause)
  })
})

test('the end of a session is distinguished from a limit of the account and from a limit over time', () => {
  expect(endsSession(reply('451 Mails per session limit exceeded.'))).toBe(true)
  expect(endsSession(reply('452 4.5.3 Too many messages in this session'))).toBe(true)
  expect(endsSession(reply('450 too many messages in the last hour'))).toBe(false)
  expect(isThrottling(reply('450 too many messages in the last hour'))).toBe(true)
  expect(isThrottling(reply('452 4.5.3 Too many recipients'))).toBe(false)
})

describe('whom a refusal blames', () => {
  const envelope = { sender: 'news@a.example', recipient: 'p1@b.example' }
  const unverified = (address: string) => reply(`554 Email address is not verified. Failed: ${address}`)

  test('an address that is not verified is the row where it is the recipient, else the sender', () => {
    const detector = new SenderBlockDetector()
    expect(detector.refused(unverified('p1@b.example'), 'end-of-data', envelope)).toEqual({ blames: 'row' })
    expect(detector.refused(unverified('news@a.example'), 'end-of-data', envelope).blames).toBe('sender')
    detector.refused(unverified('news@a.example'), 'end-of-data', envelope)
    expect(detector.refused(unverified('news@a.example'), 'end-of-data', envelope).stop).toMatchObject({
      kind: 'sender',
      cause: 'sender-unverified',
    })
  })

  test('a server that relays for nobody stops the run before a row fails, one that relays for others fails the row', () => {
    const denied = reply('550 5.7.1 Unable to relay')
    const nobody = new SenderBlockDetector()
    const blames = Array.from({ length: 10 }, () => nobody.refused(denied, 'rcpt', envelope))
    expect(blames.every((one) => one.blames === 'sender')).toBe(true)
    expect(blames.map(({ stop }) => stop !== undefined).indexOf(true)).toBe(9)
    const others = new SenderBlockDetector()
    others.accepted()
    expect(others.refused(denied, 'rcpt', envelope)).toEqual({ blames: 'row' })
  })

  test('a login or TLS that the server wants stops the run at once', () => {
    const detector = new SenderBlockDetector()
    expect(detector.refused(reply('530 5.7.0 Authentication required'), 'mail', envelope).stop?.kind).toBe('login')
    expect(detector.refused(reply('530 5.7.0 Must issue a STARTTLS command first'), 'mail', envelope).stop?.kind).toBe(
      'tls',
    )
  })

  test('an unknown mailbox is the row, at whatever stage it is reported', () => {
    const detector = new SenderBlockDetector()
    for (const stage of ['rcpt', 'end-of-data'] as const)
      expect(detector.refused(reply('550 5.1.1 no such user'), stage, envelope)).toEqual({ blames: 'row' })
  })
})

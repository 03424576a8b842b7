import { describe, expect, test } from 'vitest'
import type { Message } from '../../src/message/message.ts'
import { readExtensions } from '../../src/transport/smtp/connect/extensions.ts'
import { mailCommand, rcptCommand, unfit } from '../../src/transport/smtp/envelope.ts'
import { letter } from './smtp-lane.ts'

const ALL = readExtensions(['PIPELINING', 'SIZE 100000', '8bitmime', 'SmtpUtf8', 'ENHANCEDSTATUSCODES'])
const NONE = readExtensions([])

const message = (more: Partial<Message> = {}): Message => ({ ...letter(1), ...more })
const to = (...addresses: string[]): Partial<Message> => ({ envelope: { from: 's@example.org', to: addresses } })

describe('extensions', () => {
  test('are read without regard to case, with their numbers', () => {
    expect(ALL).toMatchObject({ pipelining: true, eightBitMime: true, smtputf8: true, size: true, maxSize: 100_000 })
    expect(NONE).toMatchObject({ pipelining: false, eightBitMime: false, smtputf8: false, size: false, maxSize: 0 })
    expect(readExtensions(['SIZE']).maxSize).toBe(0)
    expect(readExtensions(['SIZE nonsense', 'SIZE -5']).maxSize).toBe(0)
    expect(readExtensions(['LIMITS MAILMAX=7 RCPTMAX=50 RCPTDOMAINMAX=1'])).toMatchObject({
      maxMessages: 7,
      maxRecipients: 50,
      maxDomains: 1,
    })
    expect(readExtensions(['LIMITS MAILMAX=0 RCPTMAX=x']).maxMessages).toBeUndefined()
    expect(readExtensions(['XPIPELINING', 'NOPIPELINING']).pipelining).toBe(false)
  })
})

describe('MAIL and RCPT', () => {
  test('carry only parameters that the server offers', () => {
    const foreign = message({ eightBit: true, smtputf8: true, size: 1234 })
    expect(mailCommand(foreign, ALL)).toBe('MAIL FROM:<sender@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8\r\n')
    expect(mailCommand(message({ size: 1234 }), NONE)).toBe('MAIL FROM:<sender@example.org>\r\n')
    expect(mailCommand(message({ envelope: { from: '', to: ['a@b.example'] } }), NONE)).toBe('MAIL FROM:<>\r\n')
    expect(rcptCommand('"a b"@c.example', ALL)).toBe('RCPT TO:<"a b"@c.example>\r\n')
  })

  test('ask for delivery reports where that is wanted and offered, in letters that cannot end the word', () => {
    const offered = readExtensions(['DSN'])
    const dsn = { notify: ['failure', 'delay'], return: 'headers' } as const
    expect(mailCommand(message({ id: '<a+b=c@example.org>' }), offered, { dsn })).toBe(
      'MAIL FROM:<sender@example.org> RET=HDRS ENVID=a+2Bb+3Dc@example.org\r\n',
    )
    expect(rcptCommand('p+q@c.example', offered, { dsn })).toBe(
      'RCPT TO:<p+q@c.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;p+2Bq@c.example\r\n',
    )
    expect(rcptCommand('"a b"@c.example', offered, { dsn: { notify: ['never'] } })).toBe(
      'RCPT TO:<"a b"@c.example> NOTIFY=NEVER\r\n',
    )
    expect(rcptCommand('jürgen@c.example', offered, { dsn })).not.toContain('ORCPT')
    expect(mailCommand(message({ id: `<${'x'.repeat(101)}>` }), offered, { dsn: {} })).not.toContain('ENVID')
    expect(mailCommand(message(), NONE, { dsn })).toBe('MAIL FROM:<sender@example.org>\r\n')
    expect(rcptCommand('a@c.example', NONE, { dsn })).toBe('RCPT TO:<a@c.example>\r\n')
  })

  test('ask for TLS on the whole way where that is wanted; who does not offer it gets nothing', () => {
    const offered = readExtensions(['REQUIRETLS'])
    expect(mailCommand(message(), offered, { requireTls: true })).toBe('MAIL FROM:<sender@example.org> REQUIRETLS\r\n')
    expect(unfit(message(), 'clean', offered, { requireTls: true })).toBeUndefined()
    expect(unfit(message(), 'clean', ALL, { requireTls: true })).toMatchObject({ code: 554, enhanced: '5.7.30' })
  })

  test('an address beyond ASCII asks for SMTPUTF8 even when nobody said so', () => {
    expect(mailCommand(message(to('jürgen@example.com')), ALL)).toContain(' SMTPUTF8')
  })
})

describe('what must not be put to a server', () => {
  test.each([
    'a@b.example>\r\nRCPT TO:<c@d.example',
    'a@b.example\r\nDATA',
    'a@b.example\nx',
    'a@b.example\rx',
    'a\0@b.example',
    'a@b.example> SIZE=1',
    '<a@b.example>',
    'a b@c.example',
    'a@b.example\u2028',
    'a@b.example\u0085',
    '"a\r\nb"@c.example',
    '"a"b c@d.example',
    '"a" <b@c.example',
    '',
  ])('recipient %j', (address) => {
    expect(unfit(message(to(address)), 'clean', ALL)).toMatchObject({ code: 553, enhanced: '5.1.3' })
  })

  test('sender with a command in it', () => {
    const envelope = { from: 'a@b.example>\r\nRCPT TO:<c@d.example', to: ['x@y.example'] }
    expect(unfit(message({ envelope }), 'clean', ALL)).toMatchObject({ code: 553 })
  })

  test.each(['a@b.example', '"a b"@c.example', '"a\\"<>b"@c.example', 'a+b=c@d.example', 'postmaster@[192.0.2.1]'])(
    'recipient %j may',
    (address) => {
      expect(unfit(message(to(address)), 'clean', ALL)).toBeUndefined()
    },
  )

  test('no recipient at all', () => {
    expect(unfit(message(to()), 'clean', ALL)).toMatchObject({ code: 553 })
  })

  test('too large: both sizes are named', () => {
    const reply = unfit(message({ size: 100_001 }), 'clean', ALL)
    expect(reply).toMatchObject({ code: 552, enhanced: '5.3.4' })
    expect(reply?.text).toMatch(/100001.*100000/)
  })

  test('international mail for a server that takes none, and 8-bit content likewise', () => {
    expect(unfit(message({ smtputf8: true, eightBit: true }), 'clean', NONE)).toMatchObject({ enhanced: '5.6.7' })
    expect(unfit(message(to('jürgen@example.com')), 'clean', NONE)).toMatchObject({ enhanced: '5.6.7' })
    expect(unfit(message({ eightBit: true }), 'clean', NONE)).toMatchObject({ enhanced: '5.6.3' })
    expect(unfit(message({ smtputf8: true, eightBit: true }), 'clean', ALL)).toBeUndefined()
  })

  test('content with a bare line break', () => {
    expect(unfit(message(), 'impure', ALL)).toMatchObject({ code: 554, enhanced: '5.6.0' })
  })
})

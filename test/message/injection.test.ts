import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import type { Identity } from '../../src/message/message.ts'
import type { WrittenMessage } from '../support/marked.ts'
import { compose, faultsOf, hole, namesOf, octetsOf } from './judges.ts'

const ATTACKS: Readonly<Record<string, string>> = {
  CR: '\rBcc: eve@example.net',
  LF: '\nBcc: eve@example.net',
  CRLF: '\r\nBcc: eve@example.net',
  'CRLF CRLF': '\r\n\r\n<b>other</b>',
  'CRLF space': '\r\n Bcc: eve@example.net',
  NUL: '\0Bcc: eve@example.net',
  DEL: '\u007fBcc: eve@example.net',
  'U+0085': '\u0085Bcc: eve@example.net',
  'U+2028': '\u2028Bcc: eve@example.net',
  'U+2029': '\u2029Bcc: eve@example.net',
  'VT and FF': '\u000b\u000cBcc: eve@example.net',
  'CRLF in an encoded word': '=?UTF-8?Q?=0D=0ABcc:_eve@example.net?=',
  'CRLF in base64': '=?UTF-8?B?DQpCY2M6IGV2ZUBleGFtcGxlLm5ldA==?=',
  'CRLF in percents': '%0D%0ABcc: eve@example.net',
  'CRLF with high octets': '\u010d\u010aBcc: eve@example.net',
  'a second address': '>, <eve@example.net>, "x" <y',
  'a quote': '", eve@example.net, "',
  'a parameter': '"; name="evil.exe',
}

/** Where a value can go: what the message is made of when it goes there. */
type Place = (value: string) => { readonly rendered?: Partial<WrittenMessage>; readonly identity?: Partial<Identity> }
const CALENDAR = { method: 'request', start: '2026-12-11 19:00', timeZone: 'Europe/Paris', summary: 'Party' }
const header = (name: string, before = '', after = ''): Place => {
  return (value) => ({ rendered: { headers: [[name, before + value + after]] } })
}
const file = (more: object): Partial<WrittenMessage> => ({
  attachments: [{ kind: 'content', name: 'a.txt', type: 'text/plain', content: 'a', ...more } as never],
})
const calendar = (key: string, marked = false): Place => {
  return (value) => ({ rendered: { calendar: { ...CALENDAR, [key]: marked ? hole(value) : value } } })
}

const PLACES: Readonly<Record<string, Place>> = {
  'the name in from': (value) => ({ rendered: { from: `"${hole(`Ada${value}`)}" <a@example.org>` } }),
  'the address in from': (value) => ({ rendered: { from: `Ada <${hole(`a@example.org${value}`)}>` } }),
  'the name in to': (value) => ({ rendered: { to: `"${hole(`Ada${value}`)}" <ada@example.com>` } }),
  'the address in to': (value) => ({ rendered: { to: hole(`ada@example.com${value}`) } }),
  'cc as one value': (value) => ({ rendered: { cc: hole(`bob@example.com${value}`) } }),
  'the name in cc': (value) => ({ rendered: { cc: `${hole(`Bob${value}`)} <bob@example.com>` } }),
  bcc: (value) => ({ rendered: { bcc: hole(`bob@example.com${value}`) } }),
  'reply-to': (value) => ({ rendered: { replyTo: `"${hole(`Bob${value}`)}" <bob@example.com>` } }),
  subject: (value) => ({ rendered: { subject: `Hello${value}` } }),
  'the value of a header': header('X-Custom', 'a'),
  'the name of a header': (value) => ({ rendered: { headers: [[`X-Custom${value}`, 'a']] } }),
  'the left of a Message-ID': (value) => ({ identity: { messageId: `<row${value}@example.org>` } }),
  'the right of a Message-ID': (value) => ({ identity: { messageId: `<row@example.org${value}>` } }),
  'the name of a file': (value) => ({ rendered: file({ name: `a${value}.txt` }) }),
  'the type of a file': (value) => ({ rendered: file({ type: `text/plain${value}` }) }),
  'a Content-ID': (value) => ({
    rendered: {
      html: 'a',
      inline: [{ kind: 'content', cid: `logo${value}`, name: 'a.png', type: 'image/png', content: new Uint8Array(1) }],
    },
  }),
  'List-Id': header('List-Id', 'Our news', ' <news.example.org>'),
  'the identifier in List-Id': header('List-Id', '<news.example.org', '>'),
  'List-Unsubscribe': (value) => header('List-Unsubscribe', '<https://example.org/leave?', '>')(hole(value)),
  'List-Help': (value) => header('List-Help', '<mailto:help@example.org?subject=', '>')(hole(value)),
  'Feedback-ID': header('Feedback-ID', '1:2:3:'),
  References: header('References', '<a@example.org', '>'),
  'In-Reply-To': header('In-Reply-To', '<a@example.org', '>'),
  'Disposition-Notification-To': (value) => header('Disposition-Notification-To')(hole(`a@example.org${value}`)),
  'the unsubscribe address': (value) => ({ identity: { unsubscribeUrl: `https://example.org/u?${value}` } }),
  'the unsubscribe mailbox': (value) => ({ identity: { unsubscribeMailto: `leave@example.org?subject=${value}` } }),
  'the sender of the envelope': (value) => ({ rendered: { envelopeFrom: hole(`b@example.org${value}`) } }),
  'the recipient of the envelope': (value) => ({ identity: { recipient: `ada@example.com${value}` } }),
  'the recipient where there is no to': (value) => ({
    rendered: { to: undefined as never },
    identity: { recipient: `ada@example.com${value}` },
  }),
  'the method of an invitation': calendar('method'),
  'the uid of an invitation': calendar('uid'),
  'the summary of an invitation': calendar('summary'),
  'the location of an invitation': calendar('location'),
  'the description of an invitation': calendar('description'),
  'the organizer of an invitation': calendar('organizer', true),
  'the attendee of an invitation': calendar('attendee', true),
  'the web address of an invitation': calendar('url'),
  'the start of an invitation': calendar('start'),
  'the alarm of an invitation': calendar('alarm'),
}

async function composeAt(place: Place, value: string): Promise<ReturnType<typeof compose>> {
  const { rendered, identity } = place(value)
  const { to, ...rest } = rendered ?? {}
  const message = compose({ text: 'a', ...rest, ...(to === undefined ? {} : { to }) }, identity)
  return message
}

describe.each(Object.entries(PLACES))('a value in %s', (where, place) => {
  test.each(Object.entries(ATTACKS))('breaks out of nothing with %s', async (_attack, value) => {
    // What the place makes without an attack, where that is right by itself.
    const calm = await composeAt(place, '').catch(() => undefined)
    let message: Awaited<ReturnType<typeof compose>>
    try {
      message = await composeAt(place, value)
    } catch (error) {
      expect(error).toBeInstanceOf(DataError)
      const { problems } = error as DataError
      expect(problems[0]?.message.length).toBeGreaterThan(5)
      expect(problems[0]?.hint ?? problems[0]?.message, where).toBeTruthy()
      expect(problems[0]?.message).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
      return
    }
    expect(faultsOf(message)).toEqual([])
    const octets = octetsOf(message)
    const known = new Set(['From', 'To', 'Cc', 'Reply-To', 'Subject', 'Date', 'Message-ID', 'MIME-Version'])
    const names = namesOf(octets)
    if (calm !== undefined) expect(names).toEqual(namesOf(octetsOf(calm)))
    else
      for (const name of names) expect(known.has(name) || /^(?:List-|Content-|X-|Feedback)/.test(name), name).toBe(true)
    expect(message.envelope.to.filter((one) => one.includes('eve') && !one.startsWith('"'))).toEqual([])
    expect(message.envelope.to.every((one) => !/[\r\n<>\0]/.test(one))).toBe(true)
    expect(partNames(octets)).toEqual(
      partNames(octets).filter((name) => /^Content-(?:Type|Transfer-Encoding|Disposition|ID)$/.test(name)),
    )
  })
})

/** Names of the fields of all parts. */
function partNames(octets: Buffer): readonly string[] {
  return octets
    .toString('latin1')
    .split(/\r\n(?=--=_)/)
    .slice(1)
    .filter((part) => !/^[^\r]*--\r\n/.test(part))
    .flatMap((part) => {
      const [, ...fields] = (part.split('\r\n\r\n')[0] ?? '').split(/\r\n(?![ \t])/)
      return fields.map((line) => line.split(':')[0] ?? '')
    })
    .filter((name) => name !== '')
}

import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import type { WrittenMessage } from '../support/marked.ts'
import { compose, faultsOf, fieldOf, fieldsOf, hole, octetsOf } from './judges.ts'

async function fieldWith(name: string, value: string): Promise<string | undefined> {
  const message = await compose({ headers: [[name, value]] })
  expect(faultsOf(message)).toEqual([])
  return fieldOf(octetsOf(message), name)
}

async function refusal(headers: WrittenMessage['headers']): Promise<string> {
  try {
    await compose({ headers })
  } catch (error) {
    expect(error).toBeInstanceOf(DataError)
    expect((error as DataError).problems[0]?.hint).toBeTruthy()
    return (error as DataError).message
  }
  throw new Error('it was not refused')
}

describe('a way out of a list', () => {
  const ways = async (
    identity: object,
    headers: WrittenMessage['headers'] = [],
  ): Promise<readonly (string | undefined)[]> => {
    const octets = octetsOf(await compose({ headers }, identity))
    return ['List-Unsubscribe', 'List-Unsubscribe-Post'].map((name) => fieldOf(octets, name))
  }
  const web = { unsubscribeUrl: 'https://example.org/u/abc' }
  const mail = { unsubscribeMailto: 'leave@example.org?subject=leave now' }

  test('by one click has both fields of RFC 8058', async () => {
    expect(await ways(web)).toEqual(['<https://example.org/u/abc>', 'List-Unsubscribe=One-Click'])
    expect(await ways({ ...web, ...mail })).toEqual([
      '<https://example.org/u/abc>, <mailto:leave@example.org?subject=leave%20now>',
      'List-Unsubscribe=One-Click',
    ])
  })

  test('by mail, or over a plain connection, promises no one click', async () => {
    expect(await ways(mail)).toEqual(['<mailto:leave@example.org?subject=leave%20now>', undefined])
    expect(await ways({ unsubscribeUrl: 'http://localhost/u' })).toEqual(['<http://localhost/u>', undefined])
    expect(await ways({})).toEqual([undefined, undefined])
  })

  test("is the template's where it names one, and ours where the row leaves it empty", async () => {
    expect(await ways(web, [['List-Unsubscribe', '<mailto:me@example.org>']])).toEqual([
      '<mailto:me@example.org>',
      undefined,
    ])
    expect(await ways(web, [['list-unsubscribe', ' ']])).toEqual([
      '<https://example.org/u/abc>',
      'List-Unsubscribe=One-Click',
    ])
  })
})

describe('fields with a grammar of their own', () => {
  test.each([
    ['List-Id', 'News <news.example.org>', 'News <news.example.org>'],
    ['List-Id', 'news.example.org', '<news.example.org>'],
    ['List-Id', '"News, old" <news.example.org>', '"News, old" <news.example.org>'],
    ['List-Id', 'Größe <news.example.org>', '=?UTF-8?B?R3LDtsOfZQ==?= <news.example.org>'],
    ['List-Help', 'https://example.org/help', '<https://example.org/help>'],
    ['List-Help', '<https://example.org/größe>', '<https://example.org/gr%C3%B6%C3%9Fe>'],
    ['List-Post', 'NO (announcements only)', 'NO (announcements only)'],
    ['In-Reply-To', 'a@example.org', '<a@example.org>'],
    ['References', '<a@example.org>  <b@example.org>', '<a@example.org> <b@example.org>'],
    ['Auto-Submitted', 'auto-generated', 'auto-generated'],
    ['Feedback-ID', '1:2:3:shop', '1:2:3:shop'],
    ['Disposition-Notification-To', 'Jörg <a@example.org>', '=?UTF-8?Q?J=C3=B6rg?= <a@example.org>'],
    ['X-Custom', 'Schöne Grüße', '=?UTF-8?Q?Sch=C3=B6ne_Gr=C3=BC=C3=9Fe?='],
  ])('%s: %s', async (name, value, written) => {
    expect(await fieldWith(name, value)).toBe(written)
  })

  test('are folded when they are long', async () => {
    const many = Array.from({ length: 60 }, (_, index) => `<message-${index}@example.org>`).join(' ')
    expect(await fieldWith('References', many)).toBe(many)
  })

  test.each([
    ['List-Id', 'Our news', /List-Id holds no list identifier/],
    ['List-Unsubscribe', 'ask us', /List-Unsubscribe is not a list of addresses/],
    ['List-Unsubscribe', `<https://example.org/${'x'.repeat(1_000)}>`, /longer than a line/],
    ['In-Reply-To', 'the last one', /In-Reply-To holds no Message-ID/],
    ['Disposition-Notification-To', 'me', /Disposition-Notification-To: 'me' is not an address/],
  ])('%s: %s is refused by its name', async (name, value, why) => {
    expect(await refusal([[name, value]])).toMatch(why)
  })
})

describe('a value of a row in a list of links', () => {
  test('is part of the link that the template puts it into, whatever it holds', async () => {
    const evil = `1>, <mailto:eve@example.net`
    expect(await fieldWith('List-Unsubscribe', `<https://example.org/u?${hole(evil)}>`)).toBe(
      '<https://example.org/u?1%3E%2C%20%3Cmailto:eve@example.net>',
    )
  })

  test('is the list where it stands alone', async () => {
    const list = '<https://example.org/u>, <mailto:leave@example.org>'
    expect(await fieldWith('List-Unsubscribe', hole(list))).toBe(list)
    expect(await fieldWith('List-Unsubscribe', hole(''))).toBeUndefined()
  })

  test('adds no reader of receipts', async () => {
    expect(await refusal([['Disposition-Notification-To', hole('a@example.org, eve@example.net')]])).toMatch(
      /more than one address/,
    )
  })
})

test.each([
  'From',
  'To',
  'Bcc',
  'Date',
  'message-id',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
  'Sender',
  'Return-Path',
  'Received',
  'DKIM-Signature',
  'Resent-From',
  'Resent-Bcc',
])('%s is ours to write', async (name) => {
  expect(await refusal([[name, 'x']])).toMatch(/is written by mailmerge itself/)
})

test.each(['', 'X Y', 'X:Y', 'Größe', '.X', '-X', 'X\r\nBcc', `X${'y'.repeat(70)}`])(
  '%j is not a header name',
  async (name) => {
    expect(await refusal([[name, 'x']])).toMatch(/is not a header name/)
  },
)

test('no field is there twice, however it is spelt', async () => {
  expect(
    await refusal([
      ['List-Id', '<a.example.org>'],
      ['list-id', '<b.example.org>'],
    ]),
  ).toMatch(/list-id is set twice/)
  const message = await compose({
    headers: [
      ['X-A', ''],
      ['x-a', 'b'],
    ],
  })
  expect(fieldsOf(octetsOf(message)).filter(([name]) => name.toLowerCase() === 'x-a')).toEqual([['x-a', 'b']])
})

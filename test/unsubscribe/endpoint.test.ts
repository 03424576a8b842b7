import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite/sqlite.ts'
import { type LinkAnswer, type LinkRequest, UnsubscribeEndpoint } from '../../src/unsubscribe/endpoint.ts'
import { suppressionOf } from '../../src/unsubscribe/suppression-list.ts'
import { UnsubscribeTokens } from '../../src/unsubscribe/token.ts'
import { chooseLanguage, LANGUAGES } from '../../src/unsubscribe/translations.ts'

const ONE_CLICK = 'List-Unsubscribe=One-Click'
const tokens = new UnsubscribeTokens('the secret of this project')
const token = tokens.seal({ address: 'Ada@example.com', group: 'news' })

let dir: string
let ledger: Ledger
let endpoint: UnsubscribeEndpoint
let now: Date

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-unsubscribe-'))
  ledger = await openSqliteLedger(join(dir, 'ledger.db'))
  now = new Date('2026-12-01T09:00:00Z')
  endpoint = new UnsubscribeEndpoint({
    ledger,
    tokens,
    lists: { news: 'Weekly <news>' },
    sender: 'Example',
    now: () => now,
  })
})

afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

async function ask(request: Partial<LinkRequest> & { readonly form?: string } = {}): Promise<LinkAnswer> {
  const { form = ONE_CLICK, ...rest } = request
  const asked = { method: 'POST', token, client: '192.0.2.1', ...rest }
  const answer = endpoint.answer(asked)
  return typeof answer === 'function' ? answer(Buffer.from(form)) : answer
}

async function suppressed(): Promise<string[]> {
  const found: string[] = []
  for await (const page of ledger.suppressions.list()) {
    for (const { address, group, reason } of page) found.push(`${address} ${group} ${reason}`)
  }
  return found
}

describe('a one-click request', () => {
  test('takes its recipient off its list, and says so with 200, no cookie and no redirect', async () => {
    const answer = await ask()
    expect(answer).toMatchObject({ status: 200, did: 'unsubscribed' })
    expect(Object.keys(answer.headers)).not.toContain('set-cookie')
    expect(Object.keys(answer.headers)).not.toContain('location')
    expect(await suppressed()).toEqual(['ada@example.com news unsubscribed'])
  })

  test.each([
    'List-Unsubscribe=One-Click\r\n',
    '\nList-Unsubscribe=One-Click',
    'a=1&List-Unsubscribe=One-Click',
    'List-Unsubscribe=One-Click&scope=',
    'list-unsubscribe=one-click',
    'List-Unsubscribe=One%2DClick',
    '{"List-Unsubscribe": "One-Click"}',
    '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    '--b\nContent-Disposition: form-data; name="List-Unsubscribe"\n\nOne-Click\n--b--\n',
    '--b\nContent-Disposition: form-data; name=List-Unsubscribe\nContent-Type: text/plain\n\nOne-Click\n--b--',
    '\r\n--b b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b b\r\ncontent-disposition:form-data;name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b b--',
  ])('may come as %j', async (form) => {
    expect(await ask({ form })).toMatchObject({ status: 200 })
    expect(await suppressed()).toEqual(['ada@example.com news unsubscribed'])
  })

  test('twice is once', async () => {
    await ask()
    const again = await ask()
    expect(again.status).toBe(200)
    expect(again.did).toBeUndefined()
    expect(await suppressed()).toHaveLength(1)
  })

  test('of many at the same moment takes each off', async () => {
    const links = Array.from({ length: 200 }, (_, i) => tokens.seal({ address: `p${i}@example.com`, group: 'news' }))
    const answers = await Promise.all(links.map((link) => ask({ token: link })))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(await suppressed()).toHaveLength(200)
  })

  test('that cannot be written down is answered with 503, never with 200', async () => {
    await ledger.close()
    expect((await ask()).status).toBe(503)
  })
})

describe('nobody is taken off by', () => {
  test.each([
    '',
    '\r\n',
    'One-Click',
    'List-Unsubscribe',
    'List-Unsubscribe=',
    'List-Unsubscribe=Two-Clicks',
    'x=1',
    '{}',
    '{"List-Unsubscribe"',
    '[1]',
    '--b',
    '--b\n\nOne-Click\n--b--',
    '--b\nContent-Disposition: form-data; name="x"\n\nList-Unsubscribe=One-Click\n--b--',
  ])('a POST of %j', async (form) => {
    expect((await ask({ form })).status).toBe(400)
    expect(await suppressed()).toEqual([])
  })
  test.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('%s', async (method) => {
    const answer = await ask({ method })
    expect(answer.status).toBe(405)
    expect(answer.headers['allow']).toBe('GET, HEAD, POST')
    expect(await suppressed()).toEqual([])
  })
  test.each(['GET', 'HEAD'])('a scanner that asks for the link with %s', async (method) => {
    const { status, body } = await ask({ method })
    expect(status).toBe(200)
    expect(body).toContain('<form method="post">')
    expect(await suppressed()).toEqual([])
  })
  test('a link in which any letter was changed', async () => {
    for (let i = 0; i < token.length; i++) {
      const forged = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1)
      if (Buffer.from(forged, 'base64url').equals(Buffer.from(token, 'base64url'))) continue
      expect([404, 429]).toContain((await ask({ token: forged })).status)
    }
    expect(await suppressed()).toEqual([])
  })
  test('the link of another project', async () => {
    const foreign = new UnsubscribeTokens('the secret of another project').seal({
      address: 'ada@example.com',
      group: 'news',
    })
    expect((await ask({ token: foreign })).status).toBe(404)
    expect(await suppressed()).toEqual([])
  })
})

/** What a browser sends when the only button of a page is pressed: the fields of its form as they are set. */
function pressed(html: string): string {
  expect(html).not.toMatch(/<script|<link|<img|\bon\w+=|src=|url\(/i)
  const fields = [...html.matchAll(/<input ([^>]*)>/g)].map(([, text = '']) => ({
    name: /name="([^"]*)"/.exec(text)?.[1] ?? '',
    value: /value="([^"]*)"/.exec(text)?.[1] ?? '',
    sent: text.includes('type="hidden"') || text.includes('checked'),
  }))
  const sent = fields.filter((field) => field.sent)
  return new URLSearchParams(sent.map(({ name, value }): [string, string] => [name, value])).toString()
}

describe('a person on the page', () => {
  test('presses its buttons, and needs no scripts for it', async () => {
    const asked = await ask({ method: 'GET' })
    const left = await ask({ form: pressed(asked.body) })
    expect(await suppressed()).toEqual(['ada@example.com news unsubscribed'])
    const back = await ask({ form: pressed(left.body) })
    expect(back.did).toBe('subscribed')
    expect(await suppressed()).toEqual([])
  })

  test('leaves one list or all', async () => {
    await ask({ form: `${ONE_CLICK}&scope=all` })
    expect(await suppressed()).toEqual(['ada@example.com  unsubscribed'])
  })

  test('comes back, from the list and from all', async () => {
    await ask({ form: `${ONE_CLICK}&scope=list` })
    await ask({ form: `${ONE_CLICK}&scope=all` })
    expect(await suppressed()).toHaveLength(2)
    expect(await ask({ form: 'action=subscribe&scope=list' })).toMatchObject({ status: 200, did: 'subscribed' })
    expect(await suppressed()).toEqual([])
    expect(await ask()).toMatchObject({ did: 'unsubscribed' })
    expect(await suppressed()).toHaveLength(1)
  })

  test('takes back no bounce, no complaint and nothing that was said by hand', async () => {
    const own = { group: 'news', addedAt: now }
    await ledger.suppressions.add([
      suppressionOf('ada@example.com', { ...own, reason: 'complaint' }),
      suppressionOf('@example.com', { ...own, reason: 'unsubscribed' }),
    ])
    const { body } = await ask({ form: 'action=subscribe' })
    expect(await suppressed()).toHaveLength(2)
    // Who is still kept off is not promised any emails.
    expect(body).toContain(LANGUAGES.en.keptOffTitle)
    expect(body).not.toContain(LANGUAGES.en.backTitle)
  })

  test('leaves as often as wished, but does not come back without end', async () => {
    const backs: number[] = []
    for (let i = 0; i < 8; i++) {
      expect((await ask()).status).toBe(200)
      backs.push((await ask({ form: 'action=subscribe' })).status)
    }
    expect(backs).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
    expect(await suppressed()).toHaveLength(1)
  })

  test('sees the own address in part only, and names as text', async () => {
    const { body, headers } = await ask({ method: 'GET' })
    expect(body).not.toMatch(/Ada@example/i)
    expect(body).toContain('A…@example.com')
    expect(body).toContain('Weekly &lt;news&gt;')
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['referrer-policy']).toBe('no-referrer')
  })

  test.each(Object.keys(LANGUAGES))('reads %s', async (lang) => {
    const { body } = await ask({ method: 'GET', lang })
    const direction = lang === 'ar' || lang === 'he' ? ' dir="rtl"' : ''
    expect(body).toContain(`<html lang="${lang}"${direction}>`)
    for (const form of [ONE_CLICK, 'action=subscribe']) {
      const answer = await ask({ form, lang, token: tokens.seal({ address: `${lang}@example.com`, group: 'news' }) })
      expect(answer.body).not.toMatch(/\{\w+\}|undefined/)
    }
  })
})

test('the language is the one asked for, else the one the browser likes best, else English', () => {
  expect(chooseLanguage('fr', 'de')).toBe('fr')
  expect(chooseLanguage('xx', 'ja, de-AT;q=0.7, es;q=0.8')).toBe('es')
  expect(chooseLanguage(undefined, 'de;q=0, *')).toBe('en')
  expect(chooseLanguage(undefined, undefined)).toBe('en')
  expect(chooseLanguage('constructor', '__proto__')).toBe('en')
})

test('a client that tries links at random is held back, and true links of the same client are not', async () => {
  const statuses: number[] = []
  for (let i = 0; i < 40; i++) statuses.push((await ask({ token: `wrong${i}`, client: '192.0.2.9' })).status)
  expect(statuses.filter((status) => status === 404)).toHaveLength(30)
  expect(statuses.filter((status) => status === 429)).toHaveLength(10)
  expect((await ask({ token: 'wrong', client: '192.0.2.10' })).status).toBe(404)
  expect((await ask({ client: '192.0.2.9' })).status).toBe(200)
  now = new Date(now.getTime() + 2_000)
  expect((await ask({ token: 'wrong', client: '192.0.2.9' })).status).toBe(404)
})

test('a true link that one client asks for without end is refused to that client for a while, and to nobody else', async () => {
  const statuses: number[] = []
  for (let i = 0; i < 40; i++) statuses.push((await ask({ form: 'something=else' })).status)
  expect(statuses.filter((status) => status === 400)).toHaveLength(30)
  expect(statuses.filter((status) => status === 429)).toHaveLength(10)
  expect((await ask()).status).toBe(429)
  expect((await ask({ client: '192.0.2.2' })).status).toBe(200)
  now = new Date(now.getTime() + 2000)
  expect((await ask()).status).toBe(200)
})

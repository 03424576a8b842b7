import { request as ask } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EventHub } from '../../src/pages/events.ts'
import { json } from '../../src/pages/route.ts'
import { type Pages, startPages } from '../../src/pages/server.ts'

const TOKEN = 'the-token-of-this-page'
let pages: Pages
let port: number
const changes: unknown[] = []

beforeAll(async () => {
  pages = await startPages({
    ...{ port: 0, token: TOKEN, page: 'preview', title: 'A <page>', events: new EventHub() },
    routes: [
      { method: 'GET', path: /^\/api\/thing$/, answer: () => json({ thing: 1 }) },
      { method: 'GET', path: /^\/inline\/secret$/, open: true, answer: () => json({ picture: 1 }) },
      {
        method: 'POST',
        path: /^\/api\/thing$/,
        answer({ body }) {
          changes.push(body)
          return json({ done: true })
        },
      },
    ],
    onError: (error) => {
      throw error
    },
  })
  port = Number(new URL(pages.address).port)
})

afterAll(() => pages.close())

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** As any program can ask, with whatever headers. */
function send(path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = ask({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** What a browser has once it was opened with the token. */
async function cookie(): Promise<string> {
  const { headers } = await send(`/?token=${TOKEN}`, { accept: 'text/html' })
  return String(headers['set-cookie']).split(';')[0] ?? ''
}

describe('the token', () => {
  test('in the first address becomes a cookie, and the browser is led to the address without it', async () => {
    const { status, headers } = await send(`/?row=3&token=${TOKEN}`, { accept: 'text/html,*/*' })
    expect(status).toBe(303)
    expect(headers['location']).toBe('/?row=3')
    expect(String(headers['set-cookie'])).toMatch(
      new RegExp(`^mailmerge_${port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`),
    )
    expect(String(headers['set-cookie'])).not.toContain(TOKEN)
  })

  test('is never led to another host, whatever the path looks like', async () => {
    const { headers } = await send(`//evil.example/?token=${TOKEN}`, { accept: 'text/html' })
    expect(headers['location'] ?? '/').toMatch(/^\/(?!\/)/)
  })

  test('opens the JSON to a program, which gets no cookie', async () => {
    const bearer = await send('/api/thing', { authorization: `Bearer ${TOKEN}` })
    expect(bearer).toMatchObject({ status: 200, body: '{"thing":1}\n' })
    const inAddress = await send(`/api/thing?token=${TOKEN}`)
    expect(inAddress.status).toBe(200)
    expect(inAddress.headers['set-cookie']).toBeUndefined()
  })

  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer the-token-of-that-page' }],
    ['the cookie of another port', { cookie: `mailmerge_1=${TOKEN}` }],
    ['the token itself as the cookie', { cookie: `mailmerge_PORT=${TOKEN}` }],
  ])('is needed: %s is refused', async (_, headers) => {
    const sent = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(port))]),
    )
    expect((await send('/api/thing', sent)).status).toBe(401)
    expect((await send('/', { accept: 'text/html', ...sent })).status).toBe(401)
  })
})

test.each(['evil.example', 'evil.example:PORT', '127.0.0.1', '127.0.0.1:1', 'localhost.evil.example:PORT'])(
  'the host %j is answered with 421, also with the token',
  async (host) => {
    const headers = { host: host.replace('PORT', String(port)), authorization: `Bearer ${TOKEN}` }
    expect((await send('/api/thing', headers)).status).toBe(421)
    expect((await send('/inline/secret', headers)).status).toBe(421)
  },
)

test.each(['127.0.0.1:PORT', 'localhost:PORT', '[::1]:PORT', 'LOCALHOST:PORT'])('the host %s is ours', async (host) => {
  const headers = { host: host.replace('PORT', String(port)), authorization: `Bearer ${TOKEN}` }
  expect((await send('/api/thing', headers)).status).toBe(200)
})

describe('with the cookie', () => {
  test.each([
    ['our own page', { 'sec-fetch-site': 'same-origin' }, 200],
    ['a person who types the address', { 'sec-fetch-site': 'none' }, 200],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of another port of this machine', { 'sec-fetch-site': 'same-site' }, 403],
    ['a browser without these headers, of another origin', { origin: 'http://localhost:1' }, 403],
  ])('%s asks', async (_, headers, status) => {
    expect((await send('/api/thing', { cookie: await cookie(), ...headers })).status).toBe(status)
    if (status !== 200) {
      expect((await send('/api/events', { cookie: await cookie(), ...headers })).status).toBe(status)
    }
  })

  test.each([
    ['our own page, as JSON', { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }, 200],
    ['our own page, as a form', { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' }, 415],
    ['another site', { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }, 403],
    ['another port', { 'sec-fetch-site': 'same-site', 'content-type': 'application/json' }, 403],
    ['nobody known', { 'content-type': 'application/json' }, 403],
    ['our own origin', { origin: 'http://127.0.0.1:PORT', 'content-type': 'application/json' }, 200],
    ['another origin', { origin: 'http://127.0.0.1:1', 'content-type': 'application/json' }, 403],
  ])('%s changes something', async (_, headers, status) => {
    const before = changes.length
    const sent: Record<string, string> = { cookie: await cookie(), host: `127.0.0.1:${port}`, ...headers }
    if (sent['origin'] !== undefined) sent['origin'] = sent['origin'].replace('PORT', String(port))
    expect((await send('/api/thing', sent, 'POST', '{"to":1}')).status).toBe(status)
    expect(changes.length - before).toBe(status === 200 ? 1 : 0)
  })
})

test('what a frame of a mail loads needs no cookie, because its path cannot be guessed', async () => {
  expect((await send('/inline/secret', { 'sec-fetch-site': 'cross-site' })).status).toBe(200)
})

test('the page runs its own script alone, and its title is text', async () => {
  const { body, headers } = await send('/', { cookie: await cookie(), accept: 'text/html' })
  expect(body).toContain('<title>A &#60;page&#62;</title>')
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  )
})

test.each(['/assets/../../package.json', '/assets/%2e%2e/wire.ts', '/assets/preview.ts', '/assets/tokens.css'])(
  'there is no file at %s',
  async (path) => {
    expect((await send(path, { authorization: `Bearer ${TOKEN}` })).status).toBe(404)
  },
)

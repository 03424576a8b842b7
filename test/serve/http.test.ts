import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type HttpServer, listen } from '../../src/serve/http.ts'
import type { LinkRequest } from '../../src/unsubscribe/endpoint.ts'

let server: HttpServer
let asked: (LinkRequest & { readonly body: Uint8Array })[]
let wrong: unknown[]

async function start(proxies = 0): Promise<void> {
  asked = []
  wrong = []
  server = await listen({
    host: '127.0.0.1',
    port: 0,
    token: 'secret',
    proxies,
    links: {
      answer: (request) => (body) => {
        asked.push({ ...request, body })
        return Promise.resolve({ status: 200, headers: {}, body: 'done' })
      },
    },
    data: () => Promise.resolve(undefined),
    healthy: () => true,
    onChange: () => {},
    onError: (error) => wrong.push(error),
    onFull: () => {},
  })
}

beforeEach(() => start())
afterEach(() => server.close())

/** Writes bytes as they are, and gives all that comes until the server hangs up. */
async function raw(...parts: readonly string[]): Promise<string> {
  const socket = connect(Number(new URL(server.address).port), '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('error', () => {})
  const closed = new Promise<void>((done) => socket.on('close', () => done()))
  for (const part of parts) {
    if (socket.destroyed) break
    if (!socket.write(part)) await Promise.race([new Promise((done) => socket.once('drain', done)), closed])
  }
  await closed
  return text
}

const status = (text: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])

describe('what is too much is refused, and the next one is served', () => {
  afterEach(async () => {
    const good = await fetch(`${server.address}/u/token`, { method: 'POST', body: 'a=b' })
    expect(good.status).toBe(200)
    expect(wrong).toEqual([])
  })

  test('a hundred thousand headers', async () => {
    const headers = Array.from({ length: 100_000 }, (_, i) => `x-${i}: y\r\n`).join('')
    // A hasty reset may take the answer along.
    expect([431, Number.NaN]).toContain(status(await raw(`POST /u/token HTTP/1.1\r\nhost: a\r\n${headers}\r\n`)))
  })

  test('a body without end', async () => {
    const piece = 'x'.repeat(1_000_000)
    const answer = await raw(
      'POST /u/token HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n',
      ...Array.from({ length: 50 }, () => piece),
    )
    expect([413, Number.NaN]).toContain(status(answer))
    expect(asked).toEqual([])
  })

  test('a chunked body without end', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const head = 'POST /u/token HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
    expect([413, Number.NaN]).toContain(status(await raw(head, ...Array.from({ length: 50 }, () => chunk))))
    expect(asked).toEqual([])
  })

  test('a client that hangs up in the middle of its body', async () => {
    const socket = connect(Number(new URL(server.address).port), '127.0.0.1')
    socket.write('POST /u/token HTTP/1.1\r\nhost: a\r\ncontent-length: 26\r\n\r\nList-')
    await once(socket, 'connect')
    socket.destroy()
    await new Promise((done) => setTimeout(done, 50))
    expect(asked).toEqual([])
  })

  test('a client that asks again and again without waiting for answers', async () => {
    const one = 'POST /u/token HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na=b'
    await raw(one.repeat(300))
    expect(asked.length).toBeLessThanOrEqual(1)
  })

  test('what is not HTTP', async () => {
    expect(status(await raw('EHLO example.com\r\n\r\n'))).toBe(400)
    expect(status(await raw('GET //[ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'))).toBe(400)
  })
})

test('the client is who the connection is from, unless a proxy of ours says it', async () => {
  const forwarded = { 'x-forwarded-for': '203.0.113.7, 198.51.100.2' }
  await fetch(`${server.address}/u/token`, { headers: forwarded })
  expect(asked[0]?.client).toBe('127.0.0.1')
  await server.close()
  await start(1)
  await fetch(`${server.address}/u/token`, { headers: forwarded })
  await fetch(`${server.address}/u/token`, { headers: { 'x-forwarded-for': '2001:db8:1:2:3:4:5:6' } })
  await fetch(`${server.address}/u/token`)
  expect(asked.map(({ client }) => client)).toEqual(['198.51.100.2', '2001:db8:1:2', '127.0.0.1'])
})

test('a path that does not exist is 404 whoever asks, and the private pages answer no foreign host', async () => {
  const get = (path: string): Promise<string> =>
    raw(`GET ${path} HTTP/1.1\r\nhost: news.example.com\r\nconnection: close\r\n\r\n`)
  expect([status(await get('/robots.txt')), status(await get('/U/x')), status(await get('/runsx'))]).toEqual([
    404, 404, 404,
  ])
  expect([status(await get('/')), status(await get('/runs/x')), status(await get('/schedules'))]).toEqual([
    421, 421, 421,
  ])
})

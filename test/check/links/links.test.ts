/** Links of a few messages are asked once and carefully: never into a private network, never one that acts for its reader. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { checkLinks, type LinkSample } from '../../../src/check/links/links.ts'
import { ASK, askLink, isPublicAddress, type LinkOptions } from '../../../src/check/links/request.ts'
import type { Rendered } from '../../../src/template/template.ts'
import { written } from '../../support/marked.ts'

interface Site {
  readonly port: number
  readonly asked: string[]
  /** The most requests at a time. */
  most: number
}

async function site(): Promise<Site> {
  const asked: string[] = []
  let now = 0
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host?.split(':')[0]} ${request.url}`)
    found.most = Math.max(found.most, ++now)
    const path = request.url ?? ''
    setTimeout(() => {
      now--
      if (path === '/no-head' && request.method === 'HEAD') response.writeHead(405).end()
      else if (path === '/to-good') response.writeHead(302, { location: '/good' }).end()
      else if (path === '/round') response.writeHead(302, { location: '/round' }).end()
      else if (path === '/inward') response.writeHead(302, { location: 'http://inside.test/' }).end()
      else if (path === '/file') response.writeHead(302, { location: 'file:///etc/passwd' }).end()
      else response.writeHead(path.startsWith('/gone') ? 404 : 200).end('x')
    }, 20)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const found: Site = { port: (server.address() as AddressInfo).port, asked, most: 0 }
  return found
}

/** The site's own address counts as public; `inside.test` is the address of a router. */
const options: LinkOptions = {
  timeout: 2_000,
  resolve: async (host) =>
    host === 'inside.test' ? ['192.168.1.1'] : host === 'both.test' ? ['127.0.0.1', '10.0.0.1'] : ['127.0.0.1'],
  isPublic: (address) => address === '127.0.0.1',
}

test('an answer is good, a status or why it was not asked', async () => {
  const { port, asked } = await site()
  const ask = (path: string, host = 'public.test') => askLink(`http://${host}:${port}${path}`, options)
  expect(await ask('/good')).toEqual({ kind: 'good' })
  expect(await ask('/no-head')).toEqual({ kind: 'good' })
  expect(await ask('/to-good')).toEqual({ kind: 'good' })
  expect(await ask('/gone')).toEqual({ kind: 'status', status: 404 })
  expect(await ask('/round')).toEqual({ kind: 'refused', why: 'redirects' })
  expect(await ask('/inward')).toEqual({ kind: 'refused', why: 'private' })
  expect(await ask('/file')).toEqual({ kind: 'refused', why: 'scheme' })
  expect(asked).toContain('GET public.test /no-head')
  const before = asked.length
  expect(await ask('/x', 'inside.test')).toEqual({ kind: 'refused', why: 'private' })
  expect(await ask('/x', 'both.test')).toEqual({ kind: 'refused', why: 'private' })
  expect(asked.length).toBe(before)
})

test.each([
  'http://127.0.0.1:1/',
  'http://[::1]:1/',
  'http://localhost:1/',
  'http://2130706433:1/',
  'http://0x7f.1:1/',
  'http://[::ffff:127.0.0.1]:1/',
])('%s is not asked', async (link) => {
  expect(await askLink(link, ASK)).toEqual({ kind: 'refused', why: 'private' })
})

test('addresses of private and special networks are not public', () => {
  const inner =
    '0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.2.1 192.168.1.1 198.18.0.1 203.0.113.9 224.0.0.1 255.255.255.255 :: ::1 ::ffff:8.8.8.8 64:ff9b::808:808 fe80::1 fc00::1 2001:db8::1 2001::1 2002:7f00:1::1 3fff::1 ff02::1 x'
  for (const address of inner.split(' ')) expect(isPublicAddress(address), address).toBe(false)
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])
    expect(isPublicAddress(address), address).toBe(true)
})

test('each link of the samples is asked once, two at a time of a host, and none of its reader alone', async () => {
  const place = await site()
  const { port, asked } = place
  const web = `http://public.test:${port}`
  const sample = (row: number, more = ''): LinkSample => ({
    row,
    address: `p${row}@example.com`,
    secrets: [`0123456789abcdef-${row}`],
    rendered: written<Rendered>({
      from: 'a@example.org',
      subject: 'x',
      headers: [],
      attachments: [],
      inline: [],
      html: `<a href="${web}/a#x">x</a><a href="${web}/a">x</a><img src="${web}/b.png"><a href="mailto:a@example.org">x</a><a href="${web}/unsubscribe/1">x</a><a href="${web}/t?u=p${row}%40example.com">x</a><a href="${web}/t/0123456789abcdef-${row}">x</a>${more}`,
      text: `See ${web}/gone${row}.`,
    }),
  })
  const report = await checkLinks(
    [
      sample(1),
      sample(
        2,
        `<a href="${web}/c">x</a><a href="${web}/t?k=a8Fh3kd93jLs02mNbXq4">x</a><a href="${web}/how-to-grow-20-tomatoes-in-2026">x</a>`,
      ),
    ],
    options,
  )
  expect(asked.toSorted()).toEqual(
    ['/a', '/b.png', '/c', '/gone1', '/gone2', '/how-to-grow-20-tomatoes-in-2026'].map(
      (path) => `HEAD public.test ${path}`,
    ),
  )
  expect(report).toMatchObject({ asked: 6, left: 6 })
  expect(report.problems).toMatchObject([
    { code: 'dead-link', row: 1, value: `${web}/gone1`, message: 'a link answers with 404' },
    { code: 'dead-link', row: 2, value: `${web}/gone2` },
  ])
  expect(place.most).toBeLessThanOrEqual(2)
})

test('a text with a link full of brackets is read in one go', async () => {
  const address = 'ada@example.com'
  const text = `https://example.org/?of=${address}${')'.repeat(200_000)}x`
  const rendered = written<Rendered>({
    ...{ from: 'a@example.org', subject: 'x', headers: [], attachments: [], inline: [] },
    text,
  })
  expect(await checkLinks([{ row: 1, address, secrets: [], rendered }], options)).toMatchObject({ asked: 0, left: 1 })
})

import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { EventHub } from '../../src/pages/events.ts'

const closing: (() => void)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

interface Heard {
  readonly id: string
  readonly name: string
  readonly data: unknown
}

/** A hub behind a real server, and a way to listen to it. */
async function serve(hub: EventHub) {
  const server = createServer((request, response) =>
    hub.subscribe(response, String(request.headers['last-event-id'] ?? '')),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  closing.push(() => {
    hub.close()
    server.closeAllConnections()
    server.close()
  })
  return async (lastId?: string) => {
    const heard: Heard[] = []
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
    const response = await new Promise<IncomingMessage>((resolve) => get({ port, headers }, resolve))
    let text = ''
    response.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [id, name, data] = ['id', 'event', 'data'].map(
          (field) => new RegExp(`^${field}: (.*)$`, 'm').exec(text.slice(0, end))?.[1],
        )
        if (id !== undefined) heard.push({ id, name: name ?? '', data: JSON.parse(data ?? 'null') })
        text = text.slice(end + 2)
      }
    })
    return {
      heard,
      async until(count: number) {
        for (let waited = 0; heard.length < count && waited < 5_000; waited += 10)
          await new Promise((resolve) => setTimeout(resolve, 10))
        return heard.map(({ name, data }) => [name, data])
      },
      leave: () => response.destroy(),
    }
  }
}

test('events of one name that follow each other at once are joined', async () => {
  const hub = new EventHub({ added: (before, after) => Number(before) + Number(after) })
  const listen = await serve(hub)
  const page = await listen()
  await page.until(1)
  for (let mail = 0; mail < 1_000; mail++) hub.publish('added', 1)
  hub.publish('changed', 'once')
  expect(await page.until(4)).toEqual([
    ['hello', null],
    ['added', 1],
    ['changed', 'once'],
    ['added', 999],
  ])
})

test('a page that comes back gets what it missed, and no more', async () => {
  const hub = new EventHub()
  const listen = await serve(hub)
  const page = await listen()
  await page.until(1)
  hub.publish('a', 1)
  await page.until(2)
  page.leave()
  hub.publish('b', 2)
  hub.publish('c', 3)
  const again = await listen(page.heard.at(-1)?.id)
  expect(await again.until(2)).toEqual([
    ['b', 2],
    ['c', 3],
  ])
})

test('a page that missed more than is kept asks for everything again', async () => {
  const hub = new EventHub()
  const listen = await serve(hub)
  const page = await listen()
  await page.until(1)
  for (let n = 0; n < 300; n++) hub.publish(`name-${n}`, n)
  const again = await listen(page.heard[0]?.id)
  expect((await again.until(1))[0]).toEqual(['resync', null])
})

test('an id of an earlier life of the server means nothing to this one', async () => {
  const listen = await serve(new EventHub())
  const page = await listen('abc-7')
  expect(await page.until(1)).toEqual([['resync', null]])
})

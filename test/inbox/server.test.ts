/** The server of the sandbox, over real sockets: what it takes is what was sent, and what is not SMTP is refused. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OutputError } from '../../src/errors.ts'
import { type Inbox, startInbox } from '../../src/inbox/server.ts'

let dir: string
let inbox: Inbox
let clients: Socket[]

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'mailmerge-inbox-'))
  inbox = await startInbox({ dir })
  clients = []
})
afterEach(async () => {
  for (const client of clients) client.destroy()
  await inbox.close()
  rmSync(dir, { recursive: true })
})

interface Client {
  /** Writes, and gives the next replies, as many as are asked for; each with all of its lines. */
  say(text: string | Uint8Array, replies?: number): Promise<readonly string[]>
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>
}

async function client(): Promise<Client> {
  const socket = connect(inbox.port, inbox.host)
  clients.push(socket)
  socket.on('error', () => {})
  let heard = ''
  let wake = (): void => {}
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text
    wake()
  })
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve()
      wake()
    })
  })
  const next = async (): Promise<string> => {
    for (;;) {
      const reply = /^(?:\d{3}-.*\r\n)*\d{3} (.*)\r\n/.exec(heard)?.[0]
      if (reply !== undefined) {
        heard = heard.slice(reply.length)
        return reply.trimEnd()
      }
      if (socket.closed) throw new Error(`closed after '${heard}'`)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  expect(await next()).toMatch(/^220 /)
  return {
    closed,
    async say(text, replies = 1) {
      socket.write(text)
      const found: string[] = []
      while (found.length < replies) found.push(await next())
      return found
    },
  }
}

const ENVELOPE = 'MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<"c <d>"@example.com>\r\nDATA\r\n'

/** What is kept, once everything is on the disk. */
async function kept(): Promise<{
  readonly index: readonly Record<string, unknown>[]
  readonly mails: readonly string[]
}> {
  await inbox.close()
  const index = readFileSync(join(dir, 'index.ndjson'), 'utf8').trimEnd().split('\n')
  const mails = readdirSync(dir).filter((name) => name.endsWith('.eml'))
  return {
    index: index.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>),
    mails: mails.toSorted().map((name) => readFileSync(join(dir, name), 'latin1')),
  }
}

test('a message is kept byte for byte, and the index says for whom it was', async () => {
  const { say } = await client()
  await say('EHLO me\r\n')
  const content = 'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n..dots\r\nlast'
  await say(ENVELOPE, 4)
  expect(await say(`${content}\r\n.\r\n`)).toEqual(['250 2.0.0 kept as 000001.eml'])
  expect(inbox.received).toBe(1)
  const { index, mails } = await kept()
  expect(mails).toEqual(['Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n.dots\r\nlast\r\n'])
  expect(index).toMatchObject([
    { file: '000001.eml', from: 'a@example.org', to: ['b@example.com', '"c <d>"@example.com'], subject: 'Grüße' },
  ])
})

test('a pipelined conversation is answered in order, whatever pieces it comes in', async () => {
  const { say } = await client()
  const one = `RSET\r\n${ENVELOPE}Subject: 1\r\n\r\none\r\n.\r\n`
  const replies = ['250', '250', '250', '250', '354', '250']
  const whole = await say(one + one, 12)
  expect(whole.map((reply) => reply.slice(0, 3))).toEqual([...replies, ...replies])
  const last = Buffer.from(one)
  for (const octet of last.subarray(0, -1)) await say(Uint8Array.of(octet), 0)
  expect((await say(last.subarray(-1), 6)).map((reply) => reply.slice(0, 3))).toEqual(replies)
  expect((await kept()).mails).toEqual(Array(3).fill('Subject: 1\r\n\r\none\r\n'))
})

test('only CRLF.CRLF ends a message, and nothing that looks like it', async () => {
  const { say } = await client()
  await say(ENVELOPE, 4)
  await say('one\n.\nMAIL FROM:<eve@example.net>\r\n.\nRCPT TO:<x@example.net>\n.\r\n', 0)
  expect(await say('end\r\n.\r\n')).toEqual(['250 2.0.0 kept as 000001.eml'])
  expect((await kept()).mails).toEqual([
    'one\n.\nMAIL FROM:<eve@example.net>\r\n\nRCPT TO:<x@example.net>\n.\r\nend\r\n',
  ])
})

test.each([
  ['DATA\r\n', '503'],
  ['RCPT TO:<b@example.com>\r\n', '503'],
  ['MAIL FROM:a@example.org\r\n', '501'],
  ['VRFY b\r\n', '500'],
  ['EHLO me\0\r\n', '501'],
  ['NOOP\nMAIL FROM:<a@example.org>\r\n', '501'],
])('%j is refused with %s, and the conversation goes on', async (command, code) => {
  const { say } = await client()
  expect((await say(command))[0]).toMatch(new RegExp(`^${code} `))
  expect((await say('NOOP\r\n'))[0]).toMatch(/^250 /)
})

test('a second MAIL within a message is refused, and RSET forgets the first', async () => {
  const { say } = await client()
  const codes = await say('MAIL FROM:<a@x.org>\r\nMAIL FROM:<b@x.org>\r\nRSET\r\nMAIL FROM:<>\r\n', 4)
  expect(codes.map((reply) => reply.slice(0, 3))).toEqual(['250', '503', '250', '250'])
})

test('a line without an end closes the connection, and recipients have a bound', async () => {
  const flood = await client()
  expect((await flood.say('x'.repeat(5000)))[0]).toMatch(/^500 /)
  await flood.closed
  const { say } = await client()
  await say('MAIL FROM:<a@example.org>\r\n')
  const all = await say('RCPT TO:<b@example.com>\r\n'.repeat(1001), 1001)
  expect(all.at(-1)).toMatch(/^452 4\.5\.3/)
  expect(all.filter((reply) => reply.startsWith('250'))).toHaveLength(1000)
})

test('closing cuts those who are connected, and keeps what was taken', async () => {
  const { say, closed } = await client()
  await say(`${ENVELOPE}Subject: kept\r\n\r\n.\r\n`, 5)
  await say('MAIL FROM:<a@example.org>\r\n')
  const { mails } = await kept()
  await closed
  expect(mails).toEqual(['Subject: kept\r\n\r\n'])
})

test('a port that is taken and a folder that cannot be made are errors in words', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  await expect(startInbox({ dir: join(dir, 'two'), port })).rejects.toThrow(OutputError)
  await expect(startInbox({ dir: '/dev/null/x' })).rejects.toThrow(/^the folder \/dev\/null\/x cannot be written: /)
  other.close()
})

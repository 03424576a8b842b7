/** `mailmerge inbox`: what rehearsals wrote and programs sent, as JSON for programs that test what they send. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createTransport, type SendMailOptions } from 'nodemailer'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { InboxView, MailMessageView, MailRowsView } from '../../../src/pages/wire.ts'
import { type Previewing, startPage } from '../../support/previewing.ts'
import { makeProject, type Project } from '../../support/program.ts'

const LETTER = `---
from: Author <author@example.org>
subject: "Hello {{name}}"
attachments:
  - { path: "files/{{file}}", when: "{{file}}" }
---
Dear {{name}},

this is for you.
`

let project: Project
let page: Previewing | undefined
beforeEach(() => {
  project = makeProject({
    'list.csv': 'email,name,file\nada@example.com,Ada,\njose@example.com,José,notes.txt\nomar@example.org,عمر,\n',
    'files/notes.txt': 'the notes\n',
    'templates/letter.md': LETTER,
  })
})
afterEach(async () => {
  await page?.stop()
  page = undefined
  project.remove()
})

async function openInbox(...args: readonly string[]): Promise<Previewing> {
  page = await startPage(project, ['inbox', ...args])
  return page
}

const rehearse = (...args: readonly string[]) => project.run(['run', '--csv', 'list.csv', '-t', 'letter', ...args])
const list = (query = ''): Promise<MailRowsView> => page!.get(`/api/messages${query}`)

/** A request that changes something, with its JSON. */
async function change(method: 'POST' | 'DELETE', path: string, body: unknown = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${page?.token}`, 'content-type': 'application/json' }
  return fetch(`${page?.address}${path}`, { method, headers, body: JSON.stringify(body) })
}

/** The catch-all server says where it is on the second line. */
async function smtpAddress(inbox: Previewing): Promise<string> {
  const { server } = await inbox.get<InboxView>('/api/inbox')
  return `smtp://${server}`
}

async function send(url: string, mail: SendMailOptions): Promise<string> {
  const transport = createTransport(`${url.replace('smtp://', 'smtp://any:thing@')}?ignoreTLS=true`)
  try {
    return (await transport.sendMail({ from: 'app@example.org', text: 'x', ...mail })).response
  } finally {
    transport.close()
  }
}

test('what a sandbox run wrote is listed newest first, with rows, searched by field, and each part is there to have', async () => {
  expect(await rehearse('--sandbox')).toMatchObject({ code: 0 })
  await openInbox()
  const { total, rows } = await list()
  expect(total).toBe(3)
  expect(rows.map(({ row }) => row).sort()).toEqual([1, 2, 3])
  expect(rows.map(({ id }) => id)).toEqual([3, 2, 1])
  expect(rows.find(({ row }) => row === 2)).toMatchObject({
    subject: 'Hello José',
    from: 'Author <author@example.org>',
    preheader: expect.stringContaining('Dear José'),
    hasAttachment: true,
    isNew: false,
    source: 'sandbox',
  })
  for (const [search, found] of [
    ['to:jose@', [2]],
    ['subject:"hello jose"', [2]],
    ['from:author row:3', [3]],
    ['has:attachment', [2]],
    ['عمر', [3]],
    ['subject:hello -nothing', []],
    ['is:new', []],
    ['after:2000-01-01', [1, 2, 3]],
    ['after:2000-01-01 before:2000-01-02', []],
  ] as const) {
    const query = `?q=${encodeURIComponent(search)}`
    expect((await list(query)).rows.map(({ row }) => row).sort(), search).toEqual(found)
  }
  const older = await list(`?after=3&limit=1`)
  expect(older.rows.map(({ id }) => id)).toEqual([2])

  const { id } = rows.find(({ row }) => row === 2) ?? { id: 0 }
  const { message } = await page!.get<MailMessageView>(`/api/messages/${id}`)
  expect(message.parts).toMatchObject([{ name: 'notes.txt', type: 'text/plain' }])
  const ask = (path: string) =>
    fetch(`${page?.address}/api/messages/${id}${path}`, { headers: { authorization: `Bearer ${page?.token}` } })
  expect(await (await ask('/parts/0')).text()).toBe('the notes\n')
  expect(await (await ask('/text')).text()).toContain('this is for you')
  expect(await (await ask('/raw')).text()).toContain('Subject: =?UTF-8?Q?Hello_Jos=C3=A9?=')
  const html = await ask('/html')
  expect(html.headers.get('content-security-policy')).toMatch(/default-src 'none'.*sandbox/)
  expect(await ask('/parts/9')).toMatchObject({ status: 404 })
})

test('a message that comes later is reported live, and is what a program waits for', async () => {
  await openInbox()
  expect((await list()).total).toBe(0)
  const stream = await fetch(`${page!.address}/api/events`, { headers: { authorization: `Bearer ${page!.token}` } })
  const waiting = page!.get<MailMessageView>('/api/messages/latest?to=omar@example.org&wait=60s')
  expect(await rehearse('--dry-run')).toMatchObject({ code: 0 })
  expect(await waiting).toMatchObject({ row: 3, isNew: true, source: 'dry-run', message: { subject: 'Hello عمر' } })
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ''
  while (!heard.includes('event: added')) heard += (await reader.read()).value
  await reader.cancel()
  const { counts } = await page!.get<InboxView>('/api/inbox')
  expect(counts).toEqual({ all: 3, new: 3, attachments: 1, refused: 0 })
  await change('POST', `/api/messages/${(await waiting).id}/seen`)
  expect((await page!.get<InboxView>('/api/inbox')).counts.new).toBe(2)
  // A rehearsal that is repeated replaces its messages, and one that was asked for before is not new.
  const { id } = await waiting
  const late = await fetch(`${page!.address}/api/messages/latest?to=omar&after=${id}`, {
    headers: { authorization: `Bearer ${page!.token}` },
  })
  expect(late.status).toBe(404)
  expect(await rehearse('--dry-run', '--rows', '3')).toMatchObject({ code: 0 })
  const again = await page!.get<MailMessageView>(`/api/messages/latest?to=omar&after=${id}&wait=60s`)
  expect(again.id).toBeGreaterThan(id)
  expect((await list()).total).toBe(1)
})

test('the catch-all server takes mail from any program, with any login, and keeps it for the next time', async () => {
  await openInbox('--smtp-port', '0')
  const url = await smtpAddress(page!)
  const attachments = [{ filename: 'a.pdf', content: 'not really' }]
  await send(url, { to: 'Ada <ada@example.com>', bcc: 'boss@example.com', subject: 'Password reset', attachments })
  const found = await page!.get<MailMessageView>('/api/messages/latest?to=boss@example.com&wait=20s')
  expect(found).toMatchObject({ who: 'Ada', subject: 'Password reset', hasAttachment: true, source: 'inbox' })
  // Whoever is only in the envelope is shown.
  expect(found.message.envelope).toEqual({ from: 'app@example.org', to: ['ada@example.com', 'boss@example.com'] })
  await page!.stop()
  await openInbox('--smtp-port', '0')
  await send(await smtpAddress(page!), { to: 'ben@example.com', subject: 'Second' })
  await page!.get('/api/messages/latest?to=ben&wait=20s')
  expect((await list()).rows.map(({ subject }) => subject)).toEqual(['Second', 'Password reset'])
})

test('faults on order are met by their share of the messages, and only by those whom they are for', async () => {
  await openInbox('--smtp-port', '0', '--fault', 'refuse=100%', '--fault', 'for=example.net')
  const url = await smtpAddress(page!)
  expect(await send(url, { to: 'a@example.com' })).toMatch(/^250/)
  await expect(send(url, { to: 'a@example.net' })).rejects.toMatchObject({ responseCode: 550 })
  expect((await change('POST', '/api/faults', { defer: 1 })).status).toBe(200)
  await expect(send(url, { to: 'b@example.com' })).rejects.toMatchObject({ responseCode: 451 })
  await change('POST', '/api/faults', { drop: 1 })
  await expect(send(url, { to: 'c@example.com' })).rejects.toMatchObject({ code: 'ECONNECTION' })
  await change('POST', '/api/faults', { slow: 0.2 })
  const began = Date.now()
  expect(await send(url, { to: 'd@example.com' })).toMatch(/^250/)
  // Greeting, EHLO, AUTH, MAIL, RCPT, DATA and its end wait each.
  expect(Date.now() - began).toBeGreaterThan(1300)
  const refused = await list('?filter=refused')
  expect(refused.rows.map(({ to, fault }) => [to, fault])).toEqual([
    ['c@example.com', 'drop'],
    ['b@example.com', 'defer'],
    ['a@example.net', 'refuse'],
  ])
  const wrong = await change('POST', '/api/faults', { refuse: 7 })
  expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('from 0 to 1')])
})

test('a message is sent on to one address, through the server of the project', async () => {
  const { startScriptedServer } = await import('../../support/scripted-server.ts')
  const server = await startScriptedServer()
  project.write('mailmerge.yaml', `smtp: { host: 127.0.0.1, port: ${server.port} }\n`)
  await rehearse('--dry-run', '--rows', '1')
  await openInbox()
  const sent = await change('POST', '/api/messages/1/send', { to: 'me@example.com' })
  expect(await sent.json()).toMatchObject({ address: 'me@example.com', server: '127.0.0.1' })
  expect(server.messages.map(({ from, to }) => [from, to])).toEqual([['author@example.org', ['me@example.com']]])
  for (const to of ['', 'nobody', 'a@example.com, b@example.com'])
    expect((await change('POST', '/api/messages/1/send', { to })).status).toBe(422)
  expect(server.messages).toHaveLength(1)
  await server.close()
})

test('messages of the project are deleted on request, those in a folder of the user never', async () => {
  await rehearse('--dry-run', '--out', 'mails')
  await rehearse('--dry-run')
  await openInbox('mails')
  expect((await list()).total).toBe(3)
  const refused = await change('DELETE', '/api/messages')
  expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('your own')])
  expect(readdirSync(join(project.dir, 'mails')).filter((name) => name.endsWith('.eml'))).toHaveLength(3)
  await page!.stop()
  await openInbox()
  expect(await (await change('DELETE', '/api/messages?q=to:ada')).json()).toEqual({ deleted: 1 })
  expect((await list()).total).toBe(2)
  expect(await (await change('DELETE', '/api/messages')).json()).toEqual({ deleted: 2 })
  expect(existsSync(join(project.dir, '.mailmerge/dry-run'))).toBe(true)
})

test('nobody without the token reads a message or takes one away', async () => {
  await rehearse('--dry-run')
  await openInbox()
  for (const path of ['/api/messages', '/api/messages/1', '/api/messages/1/raw', '/api/messages/latest'])
    expect((await fetch(`${page?.address}${path}`)).status).toBe(401)
  expect((await fetch(`${page?.address}/api/messages`, { method: 'DELETE' })).status).toBe(401)
  expect(await (await fetch(`${page?.address}/health`)).json()).toEqual({ ok: true })
  expect((await list()).total).toBe(3)
})

test.each([
  [['--smtp-port', '99999'], '--smtp-port 99999 is not a valid port'],
  [['--fault', 'refuse=5%'], '--fault is for messages that come over SMTP'],
  [['--smtp-port', '0', '--fault', 'refuse=500%'], 'is not a valid fault'],
])('%j is wrong usage', async (args, words) => {
  const { code, stderr } = await project.run(['inbox', '--no-open', ...args])
  expect([code, stderr]).toEqual([64, expect.stringContaining(words)])
})

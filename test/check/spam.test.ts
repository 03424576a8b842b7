/** rspamd and spamd are asked in their own protocols, and what goes wrong is an answer, not an error. */
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { checkMerge } from '../../src/check/check.ts'
import { askRspamd, askSpamd } from '../../src/check/spam.ts'
import { makeCheckedProject } from './project.ts'

const MESSAGE = Buffer.from('Subject: x\r\n\r\nhello\r\n')

async function rspamd(status: number, body: string): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = []
  const server = createHttpServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    asked.push(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`)
    response.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

async function spamd(answer: string): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('end', () => {
      asked.push(text)
      socket.end(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

test('rspamd gets the message, and its score and the rules that raised it are read', async () => {
  const symbols = { A: { score: 0.5 }, B: { score: 3 }, C: { score: -2 }, D: {} }
  const { address, asked } = await rspamd(200, JSON.stringify({ score: 1.5, required_score: 15, symbols }))
  expect(await askRspamd(address, MESSAGE)).toEqual({ score: 1.5, limit: 15, rules: ['B', 'A'] })
  expect(asked).toEqual([`POST /checkv2 ${MESSAGE.toString()}`])
})

test('spamd gets the message, and its score and rules are read', async () => {
  const { address, asked } = await spamd(
    'SPAMD/1.1 0 EX_OK\r\nContent-length: 20\r\nSpam: True ; 15.5 / 5.0\r\n\r\nHTML_ONLY,NO_SUBJECT\r\n',
  )
  expect(await askSpamd(address, MESSAGE)).toEqual({ score: 15.5, limit: 5, rules: ['HTML_ONLY', 'NO_SUBJECT'] })
  expect(asked).toEqual([`SYMBOLS SPAMC/1.5\r\nContent-length: ${MESSAGE.length}\r\n\r\n${MESSAGE.toString()}`])
})

test('one that is not there, or is something else, is said to be so', async () => {
  expect(await askRspamd((await rspamd(403, '')).address, MESSAGE)).toEqual({ failed: 'it answers with 403' })
  expect(await askRspamd((await rspamd(200, '{"a":1}')).address, MESSAGE)).toEqual({
    failed: 'it does not answer as rspamd',
  })
  expect(await askSpamd((await spamd('220 mail.example.org ESMTP\r\n')).address, MESSAGE)).toEqual({
    failed: 'it does not answer as spamd',
  })
  expect(await askSpamd((await spamd('SPAMD/1.0 76 Bad header line\r\n\r\n')).address, MESSAGE)).toEqual({
    failed: 'it answers with Bad',
  })
  expect(await askSpamd((await spamd('')).address, MESSAGE)).toEqual({ failed: 'it does not answer as spamd' })
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  expect(await askSpamd(`127.0.0.1:${port}`, MESSAGE)).toMatchObject({ failed: expect.stringContaining('refused') })
  expect(await askRspamd(`http://127.0.0.1:${port}`, MESSAGE)).toMatchObject({
    failed: expect.stringContaining('refused'),
  })
})

test('a filter gets the first message as the account that its row names would send it', async () => {
  const { address, asked } = await rspamd(200, JSON.stringify({ score: 1, required_score: 15, symbols: {} }))
  const project = makeCheckedProject({
    'list.csv': 'email,dept\nada@example.com,two\n',
    'templates/letter.txt': '---\nsubject: Hello\n---\nDear reader\n',
    'mailmerge.yaml': `csv: list.csv
template: letter
accounts:
  one: { smtp: { host: one.example }, from: one@example.org }
  two: { smtp: { host: two.example }, from: two@example.org }
account: { column: dept }
check: { rspamd: '${address}' }
`,
  })
  onTestFinished(() => project.remove())
  await checkMerge(await project.settings())
  expect(asked).toEqual([expect.stringContaining('From: two@example.org\r\n')])
})

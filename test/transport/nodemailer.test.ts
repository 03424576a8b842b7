/** Transports of nodemailer, modules of the user's own, and SES: what their answers and errors mean. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import type { SMTPTransportOptions } from 'nodemailer/lib/smtp-transport'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Settings } from '../../src/config/settings.ts'
import type { Message } from '../../src/message/message.ts'
import { isThrottling } from '../../src/replies/reply.ts'
import { createNodemailerTransport } from '../../src/transport/nodemailer.ts'
import { openTransport } from '../../src/transport/open.ts'
import type { Lane, LaneEnd, Outcome, Transport } from '../../src/transport/transport.ts'
import {
  type Rule,
  type ScriptedServer,
  type ScriptedServerOptions,
  startScriptedServer,
} from '../support/scripted-server.ts'
import { letter } from './smtp-lane.ts'

async function deliver(
  transport: Transport,
  messages: readonly Message[],
  during?: (lane: Lane) => void,
): Promise<{ outcomes: Outcome[]; end: LaneEnd }> {
  const outcomes: Outcome[] = []
  const waiting = messages.map((message) => ({ message }))
  const lane = await transport.open()
  const running = lane.run({
    next: () => waiting.shift(),
    begin: () => Promise.resolve(),
    end: (_job, outcome) => void outcomes.push(outcome),
  })
  during?.(lane)
  return { outcomes, end: await running }
}

/** A plugin that ends as told. */
function ending(error: unknown, info: object = {}): Transport {
  const plugin = {
    name: 'test',
    version: '1',
    send: (_mail: unknown, done: (error: unknown, info?: object) => void) => setImmediate(() => done(error, info)),
  }
  return createNodemailerTransport({ name: 'test', plugin: plugin as never })
}

const outcomeOf = async (error: unknown, info?: object): Promise<Outcome | undefined> =>
  (await deliver(ending(error, info), [letter(1)])).outcomes[0]
const error = (fields: object): Error => Object.assign(new Error('so it is'), fields)

describe('an error', () => {
  test.each([
    [{ responseCode: 550, response: '550 5.1.1 unknown', command: 'RCPT TO' }, 'rejected', 'rcpt', '5.1.1'],
    [{ responseCode: 554, response: '554 5.7.1 spam', command: 'DATA' }, 'rejected', 'end-of-data', '5.7.1'],
    [{ responseCode: 550, response: '550 4.1.1 mixed up', command: 'MAIL FROM' }, 'rejected', 'mail', undefined],
    [{ responseCode: 451, response: '451 4.7.1 later', command: 'RCPT TO' }, 'deferred', 'rcpt', '4.7.1'],
    [{ code: 'EENVELOPE' }, 'rejected', 'rcpt', '5.1.3'],
    [{ $metadata: { httpStatusCode: 400 }, name: 'MessageRejected' }, 'rejected', 'end-of-data', undefined],
    [{ $metadata: { httpStatusCode: 400 }, name: 'LimitExceededException' }, 'deferred', 'end-of-data', '4.7.28'],
    [{ statusCode: 429 }, 'deferred', 'end-of-data', '4.7.28'],
    [{ status: 503 }, 'deferred', 'end-of-data', '4.7.28'],
  ])('with %j -> %s', async (fields, kind, stage, enhanced) => {
    const outcome = await outcomeOf(error(fields))
    expect(outcome).toMatchObject({ kind, stage })
    expect(outcome !== undefined && 'reply' in outcome && outcome.reply.enhanced).toBe(enhanced)
  })

  test.each([['so it is'], ['Quota exceeded for this metric'], ['the account service is unavailable']])(
    'with HTTP 429 asks for less, whatever its words: %s',
    async (text) => {
      const outcome = await outcomeOf(Object.assign(new Error(text), { statusCode: 429 }))
      expect(outcome?.kind === 'deferred' && isThrottling(outcome.reply)).toBe(true)
    },
  )

  test.each([
    [{}],
    [{ code: 'ECONNECTION', command: 'CONN' }],
    [{ code: 'ESOCKET', command: 'CONN' }],
    [{ code: 'ETIMEDOUT', command: 'CONN' }],
    [{ code: 'ECONNRESET', syscall: 'read' }],
    [{ status: 500 }],
    [{ status: 408 }],
    [{ $metadata: { httpStatusCode: 502 } }],
  ])('with %j proves nothing -> in doubt', async (fields) => {
    expect((await outcomeOf(error(fields)))?.kind).toBe('in_doubt')
  })

  test.each([
    [{ code: 'EDNS' }],
    [{ code: 'ESOCKET', syscall: 'connect' }],
    [{ code: 'ETLS' }],
    [{ responseCode: 421, response: '421 busy', command: 'CONN' }],
  ])('with %j came before anything was handed over -> unsent, and the server is away for now', async (fields) => {
    const transport = ending(error(fields))
    const { outcomes, end } = await deliver(transport, [letter(1), letter(2)])
    expect([outcomes.map(({ kind }) => kind), end.kind]).toEqual([['unsent'], 'lost'])
    await expect(transport.open()).rejects.toMatchObject({ exitCode: 69 })
    await transport.open()
  })

  test.each([[{ code: 'EAUTH', responseCode: 535 }], [{ status: 401 }], [{ name: 'CredentialsProviderError' }]])(
    'with %j is a refused login -> unsent, one try, exit 77',
    async (fields) => {
      const transport = ending(error(fields))
      const { outcomes } = await deliver(transport, [letter(1), letter(2)])
      expect(outcomes.map(({ kind }) => kind)).toEqual(['unsent'])
      await expect(transport.open()).rejects.toMatchObject({ exitCode: 77 })
      await expect(transport.open()).rejects.toMatchObject({ exitCode: 77 })
    },
  )

  test('shows no control characters of a stranger', async () => {
    expect(inspect(await outcomeOf(error({ responseCode: 550, response: '550 5.1.1 a\u001b[2Jb\nc' })))).not.toMatch(
      /\\x1B|\\n/,
    )
  })
})

describe('an answer', () => {
  test.each([
    [{ response: '250 2.0.0 Ok: queued as 4XYZ' }, { code: 250, enhanced: '2.0.0', text: 'Ok: queued as 4XYZ' }],
    [{ response: '0100018c-id' }, { code: 250, text: '0100018c-id' }],
    [{ messageId: '<id@test>' }, { code: 250, text: '<id@test>' }],
  ])('%j is accepted in its own words', async (info, reply) => {
    expect(await outcomeOf(null, info)).toEqual({ kind: 'accepted', reply })
  })

  test('that took the row but not a copy reports the copy', async () => {
    const message = letter(1, { to: ['r@example.com', 'copy@example.com'] })
    const info = {
      rejected: ['copy@example.com'],
      rejectedErrors: [
        error({ recipient: 'copy@example.com', responseCode: 550, response: '550 5.1.1 no', command: 'RCPT TO' }),
      ],
    }
    const { outcomes } = await deliver(ending(null, info), [message])
    expect(outcomes[0]).toMatchObject({
      kind: 'accepted',
      copies: [{ address: 'copy@example.com', reply: { code: 550, enhanced: '5.1.1', text: 'no' } }],
    })
  })

  test('that took a copy but not the row is a refusal of the row', async () => {
    const message = letter(1, { to: ['r@example.com', 'copy@example.com'] })
    const { outcomes } = await deliver(ending(null, { rejected: ['r@example.com'] }), [message])
    expect(outcomes[0]).toMatchObject({ kind: 'rejected', stage: 'rcpt' })
  })

  test('that never comes is in doubt when the run is cut off', async () => {
    const plugin = { name: 'test', version: '1', send: () => {} }
    const transport = createNodemailerTransport({ name: 'test', plugin: plugin as never })
    const { outcomes } = await deliver(transport, [letter(1)], (lane) => setTimeout(() => lane.abort(), 20))
    expect(outcomes.map(({ kind }) => kind)).toEqual(['in_doubt'])
  })
})

describe("nodemailer's own SMTP", () => {
  let server: ScriptedServer
  afterEach(() => server?.close())

  const plainTo = (port: number): SMTPTransportOptions => ({ host: '127.0.0.1', port, ignoreTLS: true })

  async function through(options: ScriptedServerOptions, message = letter(1)): Promise<Outcome | undefined> {
    server = await startScriptedServer(options)
    const { port } = server
    const transport = createNodemailerTransport({ name: 'test', plugin: plainTo(port) })
    return (await deliver(transport, [message])).outcomes[0]
  }

  test('gets the message octet for octet, to the envelope alone', async () => {
    const message = letter(1, {
      to: ['r@example.com', '"x,y"@example.com'],
      body: 'To: evil@example.net\r\n.\r\nend\r\n',
    })
    expect((await through({}, message))?.kind).toBe('accepted')
    expect(server.messages[0]).toMatchObject({ from: 'sender@example.org', to: message.envelope.to })
    expect(server.messages[0]?.octets.equals(Buffer.concat(message.chunks))).toBe(true)
  })

  test.each([
    ['refused at RCPT', { rcpt: () => '550 5.1.1 unknown' }, 'rejected'],
    ['deferred at MAIL', { mail: () => '451 4.3.0 later' }, 'deferred'],
    ['refused at its end', { end: () => '554 5.7.1 spam' }, 'rejected'],
    ['cut off behind its end', { end: (() => ({ drop: true })) as Rule }, 'in_doubt'],
    [
      'cut off behind EHLO',
      { ehlo: (({ connection }) => (connection === 1 ? undefined : { drop: true })) as Rule },
      'in_doubt',
    ],
  ])('%s', async (_what, options, kind) => {
    expect((await through(options))?.kind).toBe(kind)
  })

  test('that turns us away, or refuses the login once, is reported before a message waits for it', async () => {
    server = await startScriptedServer({ greeting: () => '554 no' })
    const away = createNodemailerTransport({ name: 'test', plugin: plainTo(server.port) })
    await expect(away.open()).rejects.toMatchObject({ exitCode: 69 })
    await server.close()
    server = await startScriptedServer({ auth: () => '535 5.7.8 no' })
    const auth = { user: 'ada', pass: 'canary' }
    const closed = createNodemailerTransport({ name: 'test', plugin: { ...plainTo(server.port), auth } as never })
    await expect(closed.open()).rejects.toMatchObject({ exitCode: 77, message: expect.not.stringContaining('canary') })
    await expect(closed.open()).rejects.toMatchObject({ exitCode: 77 })
    expect(server.commands.filter((line) => line.startsWith('AUTH'))).toHaveLength(1)
  })
})

describe('a module of the user', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mailmerge-module-'))
    writeFileSync(join(root, 'mailmerge.yaml'), '')
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const open = (transport: Settings['transport']): Promise<Transport> =>
    openTransport({ root, ...(transport === undefined ? {} : { transport }) } as Settings)
  const SENDS =
    "{ name: 'own', version: '1', send(mail, done) { done(null, { response: '250 ' + (this.word ?? 'own') }) } }"

  test.each([
    ['a plugin', `export default ${SENDS}`, 'own'],
    ['a function that is given the options', `export default ({ word }) => ({ ...${SENDS}, word })`, 'hello'],
    ['a promise of one, by name', `export const transport = async ({ word }) => ({ ...${SENDS}, word })`, 'hello'],
    ['settings of nodemailer', 'export default { jsonTransport: true }', undefined],
  ])('may export %s', async (_what, source, text) => {
    writeFileSync(join(root, 'own.mjs'), source)
    const transport = await open({ module: './own.mjs', options: { word: 'hello' } })
    const { outcomes } = await deliver(transport, [letter(1)])
    expect(outcomes[0]?.kind).toBe('accepted')
    if (text !== undefined) expect(outcomes[0]).toHaveProperty('reply.text', text)
  })

  test.each([
    [{ module: './own.mjs', option: { word: 'x' } }, "'option'", "'options'"],
    [{ sendmail: '/usr/bin/msmtp', arg: ['-a'] }, "'arg'", "'args'"],
    [{ maildir: 'archive', folder: 'x' }, "'folder'", 'maildir:PATH'],
  ])('a setting that it does not have is reported: %j', async (transport, says, advises) => {
    await expect(open(transport)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining(says),
      hint: expect.stringContaining(advises),
    })
  })

  test('may be CommonJS, and a package of the project', async () => {
    mkdirSync(join(root, 'node_modules', 'our-transport'), { recursive: true })
    writeFileSync(join(root, 'node_modules', 'our-transport', 'index.js'), `module.exports = () => (${SENDS})`)
    expect((await deliver(await open('our-transport'), [letter(1)])).outcomes[0]?.kind).toBe('accepted')
  })

  test.each([
    ['./nowhere.mjs', 'there is no transport ./nowhere.mjs'],
    ['not-installed', 'the package not-installed is not installed'],
    ['./broken.mjs', 'cannot be loaded'],
    ['./nothing.mjs', 'does not export a transport'],
    ['./throws.mjs', 'failed: no key'],
    ['maildor:x', "there is no transport 'maildor:x'"],
    ['maildir', 'has no path'],
    [{ modul: 'x' }, "there is no transport 'modul'"],
  ])('%j -> wrong configuration: %s', async (transport, says) => {
    writeFileSync(join(root, 'broken.mjs'), 'export default {')
    writeFileSync(join(root, 'nothing.mjs'), 'export default 7')
    writeFileSync(join(root, 'throws.mjs'), "export default () => { throw new Error('no key') }")
    await expect(open(transport)).rejects.toMatchObject({ exitCode: 78, message: expect.stringContaining(says) })
  })

  test('paths of mailboxes start at the project', async () => {
    expect((await open('maildir:mails')).name).toBe(`maildir ${join(root, 'mails')}`)
    expect((await open({ mbox: 'box' })).name).toBe(`mbox ${join(root, 'box')}`)
    expect((await open({ sendmail: { path: './sm', args: ['-v'] } })).name).toBe(`sendmail ${join(root, 'sm')}`)
  })
})

describe('SES, by the SDK of Amazon', () => {
  let api: Server
  let transport: Transport
  const asked: { readonly path: string; readonly body: string }[] = []
  let answer = { status: 200, body: '{"MessageId":"0100018c-id"}', type: '' }
  beforeEach(async () => {
    asked.length = 0
    api = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        asked.push({ path: request.url ?? '', body })
        const { status, type } = answer
        response.writeHead(status, {
          'content-type': 'application/json',
          ...(type === '' ? {} : { 'x-amzn-errortype': type }),
        })
        response.end(answer.body)
      })
    })
    await new Promise<void>((done) => api.listen(0, '127.0.0.1', done))
    const endpoint = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
    const credentials = { accessKeyId: 'canary-id', secretAccessKey: 'canary-key' }
    // The SDK is a package of the project that uses it.
    const root = resolve(import.meta.dirname, '../..')
    transport = await openTransport({
      root,
      transport: { ses: { region: 'eu-west-1', endpoint, credentials } },
    } as unknown as Settings)
  })
  afterEach(async () => {
    api.closeAllConnections()
    await new Promise((done) => api.close(done))
  })

  test('gets the message octet for octet, with its envelope', async () => {
    answer = { status: 200, body: '{"MessageId":"0100018c-id"}', type: '' }
    const message = letter(1, { to: ['r@example.com', 'copy@example.com'] })
    const { outcomes } = await deliver(transport, [message])
    expect(outcomes).toEqual([{ kind: 'accepted', reply: { code: 250, text: '0100018c-id' } }])
    const { FromEmailAddress, Destination, Content } = JSON.parse(asked[0]?.body ?? '{}')
    expect([FromEmailAddress, Destination.ToAddresses]).toEqual(['sender@example.org', message.envelope.to])
    expect(Buffer.from(Content.Raw.Data, 'base64').equals(Buffer.concat(message.chunks))).toBe(true)
    expect(transport.name).toBe('ses eu-west-1')
  })

  test.each([
    [400, 'MessageRejected', 'rejected'],
    [400, 'MailFromDomainNotVerifiedException', 'rejected'],
    [429, 'TooManyRequestsException', 'deferred'],
    [400, 'LimitExceededException', 'deferred'],
    [503, 'ServiceUnavailable', 'deferred'],
    [500, 'InternalFailure', 'in_doubt'],
    [403, 'SignatureDoesNotMatch', 'unsent'],
  ])('%i %s -> %s, asked once', async (status, type, kind) => {
    answer = { status, body: '{"message":"so it is"}', type }
    const { outcomes } = await deliver(transport, [letter(1)])
    expect(outcomes.map((outcome) => outcome.kind)).toEqual([kind])
    expect(asked).toHaveLength(1)
    expect(inspect(outcomes)).not.toContain('canary')
  })
})

/** The Gmail API and Microsoft Graph as transports: what is asked, what each answer means, and what a broken request leaves open. */
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { MailApiSettings } from '../../src/config/mail-api.ts'
import { ConfigError, LoginError, UnfinishedError } from '../../src/errors.ts'
import type { Message } from '../../src/message/message.ts'
import { causeOf } from '../../src/replies/cause.ts'
import { Secret } from '../../src/secret.ts'
import { createApiTransport } from '../../src/transport/api/api-transport.ts'
import { gmail } from '../../src/transport/api/gmail.ts'
import { graphFor } from '../../src/transport/api/graph.ts'
import { addressedBytes } from '../../src/transport/api/recipients.ts'
import type { Job, LaneEnd, Outcome, Transport } from '../../src/transport/transport.ts'
import {
  gmailError,
  graphError,
  type MailService,
  type MailServiceOptions,
  type Order,
  startMailService,
} from '../support/mail-service.ts'

let service: MailService
afterEach(() => service?.close())

function letter(to: readonly string[], head = 'To: Ada <ada@example.com>', body = 'Hello'): Message {
  const bytes = Buffer.from(
    `From: News <news@example.org>\r\n${head}\r\nSubject: x\r\nMessage-ID: <1@test>\r\n\r\n${body}\r\n`,
  )
  const envelope = { from: 'news@example.org', to }
  return { id: '<1@test>', envelope, chunks: [bytes], size: bytes.length, eightBit: false, smtputf8: false }
}

const USER = 'news@example.org'
const tokenOf = (...tokens: readonly string[]) => {
  let at = 0
  return async () => new Secret(tokens[Math.min(at++, tokens.length - 1)] ?? '')
}

function transportOf(name: 'gmail-api' | 'graph', url: string, command = tokenOf('good')): Transport {
  const settings: MailApiSettings = { service: name, user: USER, url, token: { command } }
  return createApiTransport(settings, name === 'graph' ? graphFor(settings) : gmail)
}

async function deliver(transport: Transport, messages: readonly Message[]) {
  const jobs: Job[] = messages.map((message) => ({ message }))
  const outcomes: Outcome[] = []
  const lane = await transport.open()
  const end: LaneEnd = await lane.run({
    next: () => jobs.shift() as never,
    begin: () => Promise.resolve(),
    end: (_, outcome) => void outcomes.push(outcome),
  })
  return { outcomes, end }
}

async function answered(name: 'gmail-api' | 'graph', order: Order, options: MailServiceOptions = {}) {
  service = await startMailService({ ...options, order: () => order })
  const transport = transportOf(name, service.url)
  const { outcomes, end } = await deliver(transport, [letter(['ada@example.com'])])
  const next = await transport.open().then(
    () => undefined,
    (error: unknown) => error,
  )
  await transport.close()
  return { outcome: outcomes[0], end, next }
}

test('Gmail gets the bytes of each message, and its id is the answer', async () => {
  service = await startMailService()
  const transport = transportOf('gmail-api', service.url)
  const messages = [letter(['ada@example.com']), letter(['bob@example.com'], 'To: bob@example.com')]
  const { outcomes, end } = await deliver(transport, messages)
  await transport.close()
  expect(service.taken.map(({ message }) => message.toString())).toEqual(
    messages.map(({ chunks }) => String(chunks[0])),
  )
  expect(service.taken.map(({ type }) => type)).toEqual(['message/rfc822', 'message/rfc822'])
  expect(outcomes).toMatchObject([
    { kind: 'accepted', reply: { text: 'accepted, id m1' } },
    { kind: 'accepted', reply: { text: 'accepted, id m2' } },
  ])
  expect(end).toEqual({ kind: 'drained' })
})

test('Graph gets them in base64, at the mailbox that a token of another program names', async () => {
  service = await startMailService()
  const transport = transportOf('graph', service.url)
  const message = letter(['ada@example.com'], 'To: ada@example.com', 'Grüße '.repeat(200))
  const { outcomes } = await deliver(transport, [message])
  await transport.close()
  expect(service.taken).toMatchObject([{ path: '/users/news%40example.org/sendMail', type: 'text/plain' }])
  expect(service.taken[0]?.message.equals(Buffer.concat(message.chunks))).toBe(true)
  expect(outcomes).toMatchObject([{ kind: 'accepted', reply: { text: 'accepted (HTTP 202)' } }])
})

test('recipients are those of the envelope: blind ones are named, and nobody else is', () => {
  const head = (to: readonly string[], fields: string): string =>
    addressedBytes(letter(to, fields)).toString().split('\r\n\r\n')[0] ?? ''
  const fields = 'To: "Lovelace, Ada" <ada@example.com>\r\nCc: bob@example.com,\r\n carl@example.com'
  const all = ['ada@example.com', 'bob@example.com', 'carl@example.com']
  expect(head(all, fields)).toContain(`\r\n${fields}\r\n`)
  expect(head(all, fields)).not.toMatch(/^Bcc:/m)
  expect(head([...all, 'box@example.org'], fields)).toMatch(/^Bcc: box@example\.org\r\nFrom:/)
  // A test, and a copy that is sent later, are not for the people of the fields.
  const test = head(['me@example.net'], fields)
  expect(test).toMatch(/^To: me@example\.net\r\nFrom:/)
  expect(test).toMatch(
    /\r\nX-Original-To: "Lovelace, Ada" <ada@example\.com>\r\nX-Original-Cc: bob@example\.com,\r\n carl@example\.com\r\n/,
  )
  expect(test.match(/^(?:to|cc|bcc):/gim)).toEqual(['To:'])
})

test.each<[string, 'gmail-api' | 'graph', Order, string, string | undefined]>([
  [
    'a refused recipient',
    'gmail-api',
    { status: 400, body: gmailError(400, 'invalidArgument', 'Invalid To header') },
    'rejected',
    undefined,
  ],
  ['a message that is too large', 'gmail-api', { status: 413 }, 'rejected', 'message-too-large'],
  ['too many at once', 'gmail-api', { status: 429, body: gmailError(429, 'rateLimitExceeded') }, 'deferred', 'rate'],
  [
    'too many of a user, under 403',
    'gmail-api',
    { status: 403, body: gmailError(403, 'userRateLimitExceeded') },
    'deferred',
    'rate',
  ],
  [
    'the limit of a day',
    'gmail-api',
    { status: 403, body: gmailError(403, 'dailyLimitExceeded') },
    'deferred',
    'account-limit',
  ],
  [
    'a limit that ends in hours',
    'gmail-api',
    { status: 429, headers: { 'retry-after': '7200' }, body: gmailError(429, 'userRateLimitExceeded') },
    'deferred',
    'account-limit',
  ],
  ['a service that is away', 'gmail-api', { status: 503 }, 'deferred', undefined],
  [
    'a service that failed with the message in hand',
    'gmail-api',
    { status: 500, body: gmailError(500, 'backendError') },
    'in_doubt',
    undefined,
  ],
  [
    'recipients that are not valid',
    'graph',
    { status: 400, body: graphError('ErrorInvalidRecipients') },
    'rejected',
    'mailbox-unknown',
  ],
  [
    'a message that is too large',
    'graph',
    { status: 413, body: graphError('RequestEntityTooLarge') },
    'rejected',
    'message-too-large',
  ],
  [
    'a From that the mailbox may not use',
    'graph',
    { status: 403, body: graphError('ErrorSendAsDenied') },
    'rejected',
    'sender-not-allowed',
  ],
  [
    'throttling',
    'graph',
    { status: 429, headers: { 'retry-after': '12' }, body: graphError('ApplicationThrottled') },
    'deferred',
    'rate',
  ],
  [
    'the recipients of a day',
    'graph',
    { status: 429, body: graphError('ErrorExceededMessageLimit') },
    'deferred',
    'account-limit',
  ],
  [
    'an account that may not send',
    'graph',
    { status: 403, body: graphError('ErrorMessageSubmissionBlocked') },
    'deferred',
    'account-blocked',
  ],
  ['a gateway that waited in vain', 'graph', { status: 504 }, 'in_doubt', undefined],
])('%s (%s)', async (_, name, order, kind, cause) => {
  const { outcome, next } = await answered(name, order)
  expect(outcome?.kind).toBe(kind)
  if (outcome !== undefined && 'reply' in outcome) {
    expect(causeOf(outcome.reply)?.cause).toBe(cause)
    expect(outcome.reply.service).toBeDefined()
  }
  expect(service.asked).toHaveLength(1)
  expect(next).toBeUndefined()
})

test('the words of a service decide nothing, and its wait is believed', async () => {
  const body = graphError('ErrorInvalidRecipients', '550 5.4.5 Daily sending quota exceeded, try again in 3 hours')
  const { outcome } = await answered('graph', { status: 400, body })
  expect(outcome).toMatchObject({ kind: 'rejected', reply: { service: { cause: 'mailbox-unknown' } } })
  await service.close()
  const throttled = await answered('graph', { status: 429, headers: { 'retry-after': '12' } })
  expect(throttled.outcome).toMatchObject({ reply: { service: { cause: 'rate', wait: 12_000 } } })
})

test.each<[string, 'gmail-api' | 'graph', Order, typeof LoginError | typeof UnfinishedError]>([
  [
    'a scope that may not send',
    'gmail-api',
    { status: 403, body: gmailError(403, 'insufficientPermissions') },
    UnfinishedError,
  ],
  [
    'an interface that is not enabled',
    'gmail-api',
    { status: 403, body: gmailError(403, 'accessNotConfigured') },
    UnfinishedError,
  ],
  ['a permission that is missing', 'graph', { status: 403, body: graphError('ErrorAccessDenied') }, UnfinishedError],
  ['a mailbox elsewhere', 'graph', { status: 404, body: graphError('MailboxNotEnabledForRESTAPI') }, UnfinishedError],
  ['what nobody knows', 'graph', { status: 418 }, UnfinishedError],
  ['a redirect', 'gmail-api', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, UnfinishedError],
  ['a token that is not good', 'graph', { status: 401, body: graphError('InvalidAuthenticationToken') }, LoginError],
])('%s stops everything, and no message failed (%s)', async (_, name, order, kind) => {
  const { outcome, end, next } = await answered(name, order)
  expect(outcome?.kind).toBe('unsent')
  expect(end.kind).toBe('lost')
  expect(next).toBeInstanceOf(kind)
})

test('a token that is renewed meanwhile is tried once', async () => {
  service = await startMailService({ tokens: new Set(['new']) })
  const transport = transportOf('gmail-api', service.url, tokenOf('old', 'new'))
  const { outcomes } = await deliver(transport, [letter(['ada@example.com'])])
  await transport.close()
  expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted'])
  expect(service.taken).toHaveLength(1)
})

test('a command that prints the token is run once for all messages, and stops the run when it fails', async () => {
  let runs = 0
  const command = async (): Promise<Secret> => {
    if (++runs > 1) throw new ConfigError('the tokenCommand ended with code 1')
    return new Secret('good')
  }
  let isGood = true
  service = await startMailService({ order: () => (isGood ? undefined : { status: 401 }) })
  const transport = transportOf('gmail-api', service.url, command)
  const letters = Array.from({ length: 3 }, () => letter(['ada@example.com']))
  expect((await deliver(transport, letters)).outcomes.map(({ kind }) => kind)).toEqual([
    'accepted',
    'accepted',
    'accepted',
  ])
  expect(runs).toBe(1)
  runs = 0
  isGood = false
  const { outcomes } = await deliver(transport, letters)
  expect(outcomes.map(({ kind }) => kind)).toEqual(['unsent'])
  await expect(transport.open()).rejects.toThrow('the tokenCommand ended with code 1')
  await transport.close()
})

test.each(['untaken', 'taken'] as const)(
  'a connection that is cut behind the message (%s) leaves it in doubt, and nothing is asked again',
  async (cut) => {
    const { outcome, end } = await answered('graph', { cut })
    expect(outcome?.kind).toBe('in_doubt')
    expect(end.kind).toBe('lost')
    expect(service.asked).toHaveLength(1)
  },
)

test('a service that cannot be reached, or goes before the message is whole, has not got it', async () => {
  const away = createServer()
  await new Promise<void>((done) => away.listen(0, '127.0.0.1', done))
  const { port } = away.address() as { port: number }
  // Reads a little of what is larger than the system takes, and resets the connection.
  away.on('connection', (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const transport = transportOf('gmail-api', `http://127.0.0.1:${port}`)
  const large = letter(['ada@example.com'], 'To: ada@example.com', 'x'.repeat(30_000_000))
  const cut = await deliver(transport, [large])
  expect(cut.outcomes.map(({ kind }) => kind)).toEqual(['unsent'])
  await new Promise<void>((done) => void away.close(() => done()))
  const { outcomes } = await deliver(transport, [letter(['ada@example.com'])])
  await transport.close()
  expect(outcomes.map(({ kind }) => kind)).toEqual(['unsent'])
})

test('a message over the limit of the service is not handed over', async () => {
  service = await startMailService()
  const transport = transportOf('graph', service.url)
  const { outcomes } = await deliver(transport, [
    letter(['ada@example.com'], 'To: ada@example.com', 'x'.repeat(3_200_000)),
  ])
  await transport.close()
  expect(outcomes).toMatchObject([{ kind: 'rejected', reply: { service: { cause: 'message-too-large' } } }])
  expect(service.connections).toBe(0)
})

test('verify asks for nothing but the token', async () => {
  service = await startMailService()
  expect(await transportOf('gmail-api', service.url).verify()).toMatchObject({ authenticated: true, secure: false })
  await expect(transportOf('graph', service.url, tokenOf('bad')).verify()).rejects.toThrow(LoginError)
  expect(service.asked).toHaveLength(0)
})

import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigError } from '../../src/errors.ts'
import { createSigner } from '../../src/message/dkim/dkim.ts'
import type { WrittenMessage } from '../support/marked.ts'
import { anyText, attachment, headerValue } from './arbitraries.ts'
import { DEBIAN_JUDGES, recordOf, verdictsOfMailauth } from './dkim-judges.ts'
import { BARE, composerWith, faultsOf, fieldsOf, hole, IDENTITY, octetsOf } from './judges.ts'

/** The long form is 1,000. */
const RUNS = Math.min(1_000, Number(process.env['MAILMERGE_TEST_MESSAGES'] ?? 60))
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')
const RECORDS = {
  'r1._domainkey.example.org': recordOf(rsa.publicKey),
  'e1._domainkey.example.org': recordOf(ed25519.publicKey),
}
const KEYS = [
  { domain: 'example.org', selector: 'r1', key: 'keys/rsa.pem' },
  { domain: 'example.org', selector: 'e1', key: 'keys/ed25519.pem' },
]
const BOTH = [
  { algorithm: 'rsa-sha256', result: 'pass' },
  { algorithm: 'ed25519-sha256', result: 'pass' },
]
const WITH_LEAVE = { ...IDENTITY, unsubscribeUrl: 'https://example.org/u/abc', unsubscribeMailto: 'leave@example.org' }

let root = ''
let composer: ReturnType<typeof composerWith>

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'mailmerge-dkim-'))
  mkdirSync(join(root, 'keys'))
  for (const [name, { privateKey }] of Object.entries({ rsa, ed25519 }))
    writeFileSync(join(root, `keys/${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  composer = composerWith({ dkim: KEYS, root })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** White space of every kind, in all places where relaxing changes it. */
const body = fc.oneof(
  anyText,
  fc
    .array(fc.constantFrom(' ', '\t', '\n', 'a', '  \n', '\n\n\n', 'b  c', '\u00e9'), { maxLength: 30 })
    .map((all) => all.join('')),
)
const letter: fc.Arbitrary<WrittenMessage> = fc
  .record({
    name: headerValue,
    subject: headerValue,
    custom: headerValue,
    text: body,
    html: fc.option(body, { nil: undefined }),
    attachments: fc.array(attachment, { maxLength: 2 }),
  })
  .map(({ name, subject, custom, text, html, attachments }) => ({
    ...BARE,
    to: `"${hole(name)}" <ada@example.com>`,
    subject,
    headers: [
      ['List-Id', 'News <news.example.org>'],
      ['X-Custom', custom],
    ],
    text,
    attachments,
    ...(html === undefined ? {} : { html }),
  }))

test(`signatures of both kinds hold, whatever is signed, ${RUNS} times`, async () => {
  await fc.assert(
    fc.asyncProperty(letter, async (rendered) => {
      const message = await composer.compose(rendered, WITH_LEAVE)
      expect(faultsOf(message)).toEqual([])
      expect(await verdictsOfMailauth(octetsOf(message), RECORDS)).toEqual(BOTH)
    }),
    { numRuns: RUNS },
  )
}, 300_000)

describe.each(DEBIAN_JUDGES)('$name', ({ missing, verify, knowsEd25519 }) => {
  test('says the same', async ({ skip }) => {
    const why = missing()
    if (why !== undefined) return skip(why)
    const letters = fc.sample(letter, RUNS)
    const messages = await Promise.all(letters.map(async (one) => octetsOf(await composer.compose(one, WITH_LEAVE))))
    expect(verify(messages, RECORDS)).toEqual(messages.map(() => [true, knowsEd25519]))
  }, 400_000)
})

test('a message with international addresses is signed as it stands', async () => {
  const rendered = { ...BARE, to: 'Jörg <jörg@bücher.example>', text: 'grün' }
  const message = await composer.compose(rendered, { ...IDENTITY, recipient: 'jörg@bücher.example' })
  expect(await verdictsOfMailauth(octetsOf(message), RECORDS)).toEqual(BOTH)
})

test.each(['', '\n\n\n', ' \n\t\n', '\n\na\n\n', 'a \t b \n', 'a'])(
  'the end of a body is signed as receivers read it: %j',
  async (text) => {
    const message = await composer.compose({ ...BARE, text }, IDENTITY)
    expect(await verdictsOfMailauth(octetsOf(message), RECORDS)).toEqual(BOTH)
  },
)

test('a shared file of a megabyte is part of what is signed, time and again', async () => {
  const content = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, at) => at * at))
  const part = { disposition: 'attachment', name: 'a', type: 'application/x-a', content, shared: true } as const
  const own = composerWith({ dkim: KEYS, root, attachments: { load: () => [part], inspect: () => [] } })
  for (const subject of ['one', 'two']) {
    const message = await own.compose({ ...BARE, subject, attachments: [{ kind: 'file', path: 'a' }] }, IDENTITY)
    expect(await verdictsOfMailauth(octetsOf(message), RECORDS)).toEqual(BOTH)
  }
})

describe('the list of signed fields', () => {
  const namesIn = async (rendered: Partial<WrittenMessage> = {}): Promise<readonly (readonly string[])[]> => {
    const message = await composer.compose({ ...BARE, ...rendered, text: 'a' }, WITH_LEAVE)
    return fieldsOf(octetsOf(message))
      .filter(([name]) => name === 'DKIM-Signature')
      .map(([, value]) => /h=([^;]+)/.exec(value)?.[1]?.replace(/\s/g, '').split(':') ?? [])
  }

  test('holds what is there, and once more what nobody may add', async () => {
    const lists = await namesIn({ cc: 'bob@example.com', replyTo: 'me@example.org', headers: [['List-Id', '<a.b>']] })
    expect(lists).toHaveLength(2)
    for (const names of lists) {
      const count = (name: string): number => names.filter((one) => one === name).length
      for (const name of ['from', 'to', 'cc', 'reply-to', 'subject', 'date', 'message-id'])
        expect(count(name), name).toBe(2)
      for (const name of ['list-unsubscribe', 'list-unsubscribe-post']) expect(count(name), name).toBe(2)
      for (const name of ['mime-version', 'content-type', 'list-id']) expect(count(name), name).toBe(1)
    }
  })

  test.each([
    ['From: Eve <eve@example.net>'],
    ['Subject: Other'],
    ['Reply-To: eve@example.net'],
    ['List-Unsubscribe: <https://example.net/>'],
    ['List-Unsubscribe-Post: x'],
    ['Sender: eve@example.net'],
  ])('makes the signature fail when somebody adds %s', async (line) => {
    const octets = octetsOf(await composer.compose({ ...BARE, text: 'a' }, IDENTITY))
    const changed = Buffer.concat([Buffer.from(`${line}\r\n`), octets])
    for (const { result } of await verdictsOfMailauth(changed, RECORDS)) expect(result).not.toBe('pass')
  })
})

test('each line of a signature is short', async () => {
  const octets = octetsOf(await composer.compose({ ...BARE, text: 'a' }, WITH_LEAVE)).toString()
  for (const line of octets.slice(0, octets.indexOf('\r\nFrom:')).split('\r\n'))
    expect(line.length).toBeLessThanOrEqual(78)
})

describe('a key that cannot sign is said by its file, with what to do', () => {
  const pem = (key: ReturnType<typeof generateKeyPairSync>['privateKey'] | typeof rsa.privateKey, more = {}): string =>
    (key as typeof rsa.privateKey).export({ type: 'pkcs8', format: 'pem', ...more } as never) as string

  test.each<[string, () => string | undefined, RegExp, RegExp]>([
    ['that is not there', () => undefined, /keys\/x\.pem does not exist/, /openssl genrsa -out keys\/x\.pem 2048/],
    ['that is empty', () => '', /not a private key in PEM form/, /BEGIN PRIVATE KEY/],
    ['that is something else', () => '\x89PNG', /not a private key in PEM form/, /BEGIN PRIVATE KEY/],
    [
      'that is the public half',
      () => rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string,
      /is the public half/,
      /file of the private key/,
    ],
    [
      'with a passphrase',
      () => pem(rsa.privateKey, { cipher: 'aes-256-cbc', passphrase: 'x' }),
      /protected by a passphrase/,
      /openssl pkey/,
    ],
    [
      'of another kind',
      () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      /of type ec/,
      /RSA and Ed25519/,
    ],
    [
      'that is too short',
      () => pem(generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey),
      /has 512 bits/,
      /2048/,
    ],
  ])('%s', (_name, content, message, hint) => {
    const text = content()
    rmSync(join(root, 'keys/x.pem'), { force: true })
    if (text !== undefined) writeFileSync(join(root, 'keys/x.pem'), text)
    const make = (): unknown => createSigner([{ domain: 'example.org', selector: 'r1', key: 'keys/x.pem' }], root)
    expect(make).toThrow(ConfigError)
    expect(make).toThrow(message)
    try {
      make()
    } catch (error) {
      expect((error as ConfigError).hint).toMatch(hint)
    }
  })

  test('and so is a domain or selector that is not a name', () => {
    for (const wrong of [{ domain: 'example.org; s=x' }, { selector: 'a b' }, { selector: '' }, { domain: 'a\r\nb' }])
      expect(() => createSigner([{ ...KEYS[0]!, ...wrong }], root)).toThrow(/is not a name/)
  })

  test('while a domain in other letters is one', async () => {
    const own = composerWith({ dkim: [{ ...KEYS[0]!, domain: 'bücher.example' }], root })
    const octets = octetsOf(await own.compose({ ...BARE, from: 'a@bücher.example', text: 'a' }, IDENTITY))
    expect(octets.toString()).toContain('d=xn--bcher-kva.example;')
  })
})

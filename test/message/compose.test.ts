import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endingOf } from '../../src/message/attachment/media-type.ts'
import { safeName } from '../../src/message/files/file-name.ts'
import type { RenderedInline } from '../../src/template/template.ts'
import type { WrittenMessage } from '../support/marked.ts'
import { address, anyText, attachment, headerValue } from './arbitraries.ts'
import { BARE, compose, composerWith, faultsOf, fieldOf, hole, IDENTITY, judge, octetsOf, SEED } from './judges.ts'
import { judgeByPython, whyNoPython } from './python-judge.ts'

/** The long form is 10,000. */
const RUNS = Number(process.env['MAILMERGE_TEST_MESSAGES'] ?? 200)
const PNG: RenderedInline = {
  kind: 'content',
  cid: 'logo@example.org',
  name: 'logo.png',
  type: 'image/png',
  content: Buffer.from('89504e470d0a1a0a', 'hex'),
}

interface Letter {
  readonly name: string
  readonly subject: string
  readonly text: string | undefined
  readonly html: string | undefined
  readonly copies: readonly string[]
  readonly headers: readonly string[]
  readonly attachments: WrittenMessage['attachments']
  readonly inline: boolean
}

const letter: fc.Arbitrary<Letter> = fc.record({
  name: headerValue,
  subject: headerValue,
  text: fc.option(anyText, { nil: undefined }),
  html: fc.option(anyText, { nil: undefined }),
  copies: fc.array(address, { maxLength: 12 }),
  headers: fc.array(headerValue, { maxLength: 3 }),
  attachments: fc.array(attachment, { maxLength: 4 }),
  inline: fc.boolean(),
})

function renderedOf(one: Letter): WrittenMessage {
  return {
    from: 'Gesellschaft für Größe <society@example.org>',
    to: `"${hole(one.name)}" <${hole('ada@example.com')}>`,
    subject: one.subject,
    headers: one.headers.map((value, index) => [`X-Custom-${index}`, value]),
    attachments: one.attachments,
    inline: one.inline && one.html !== undefined ? [PNG] : [],
    ...(one.copies.length === 0 ? {} : { cc: hole(one.copies.join(', ')) }),
    ...(one.text === undefined ? {} : { text: one.text }),
    ...(one.html === undefined ? {} : { html: one.html }),
  }
}

const inHeader = (value: string): string => value.toWellFormed().replaceAll('\t', ' ').trim()
/** Line ends of any kind are line breaks. Those at the end of a part parsers count differently, and readers not at all. */
const asText = (text: string | undefined): string =>
  (text ?? '')
    .replace(/\r\n?/g, '\n')
    .toWellFormed()
    .replace(/^\uFEFF/, '')
    .replace(/\n+$/, '')

describe('whatever a row and a template hold', () => {
  test(`comes back from two parsers by other authors as it was, ${RUNS} times`, async () => {
    await fc.assert(
      fc.asyncProperty(letter, async (one) => {
        const rendered = renderedOf(one)
        const message = await compose(rendered)
        expect(faultsOf(message)).toEqual([])
        const octets = octetsOf(message)
        for (const [who, read] of await judge(octets)) {
          expect(read.subject ?? '', who).toBe(inHeader(one.subject))
          expect(read.to, who).toEqual([{ name: inHeader(one.name), address: 'ada@example.com' }])
          expect(read.from, who).toEqual([{ name: 'Gesellschaft für Größe', address: 'society@example.org' }])
          expect(read.cc.length, who).toBe(one.copies.length)
          expect(asText(read.text), who).toBe(asText(one.text))
          expect(asText(read.html), who).toBe(asText(one.html))
          const files = read.files.filter(({ name }) => name !== 'logo.png')
          expect(
            files.map(({ name }) => name),
            who,
          ).toEqual(one.attachments.map((file) => nameOf(file)))
          expect(
            files.map(({ content }) => content.toString('hex')),
            who,
          ).toEqual(one.attachments.map((file) => ('content' in file ? Buffer.from(file.content).toString('hex') : '')))
        }
        for (const [index, value] of one.headers.entries()) {
          if (/^[ -~]*$/.test(value) && !value.includes('=?') && value.length < 200)
            expect(fieldOf(octets, `X-Custom-${index}`) ?? '').toBe(value.trim())
        }
      }),
      { numRuns: RUNS },
    )
  }, 600_000)

  test("comes back from Python's email package as it was", async ({ skip }) => {
    const why = whyNoPython()
    if (why !== undefined) return skip(why)
    const letters = fc.sample(letter, Math.min(RUNS, 2_000))
    const messages = await Promise.all(letters.map((one) => compose(renderedOf(one))))
    const read = judgeByPython(messages.map(octetsOf))
    for (const [index, one] of letters.entries()) {
      const mail = read[index]!
      expect(mail.subject).toBe(inHeader(one.subject))
      expect(asText(mail.text)).toBe(asText(one.text))
      expect(asText(mail.html)).toBe(asText(one.html))
      const files = mail.files.filter(({ name }) => name !== 'logo.png')
      expect(files.map(({ name }) => name)).toEqual(one.attachments.map((file) => nameOf(file)))
      expect(files.map(({ content }) => content)).toEqual(
        one.attachments.map((file) => ('content' in file ? Buffer.from(file.content).toString('base64') : '')),
      )
    }
  }, 600_000)
})

describe('the structure has what is needed and no more', () => {
  const file = { kind: 'content', name: 'a.bin', type: 'application/x-a', content: 'a' } as const
  const calendar = { method: 'request', start: '2026-12-11 19:00', timeZone: 'Europe/Paris', summary: 'Party' }

  test.each<[string, Partial<WrittenMessage>, string]>([
    ['a text', { text: 'a' }, 'text/plain'],
    ['nothing', {}, 'text/plain'],
    ['HTML', { html: 'a' }, 'text/html'],
    ['both', { text: 'a', html: 'b' }, 'alternative(text/plain text/html)'],
    ['a text and a file', { text: 'a', attachments: [file] }, 'mixed(text/plain application/x-a)'],
    ['a file alone', { attachments: [file] }, 'mixed(text/plain application/x-a)'],
    ['HTML with an image', { html: 'a', inline: [PNG] }, 'related(text/html image/png)'],
    [
      'both with an image',
      { text: 'a', html: 'b', inline: [PNG] },
      'alternative(text/plain related(text/html image/png))',
    ],
    [
      'all of it',
      { text: 'a', html: 'b', inline: [PNG], attachments: [file], calendar },
      'mixed(alternative(text/plain related(text/html image/png) text/calendar) application/x-a application/ics)',
    ],
    ['an invitation', { text: 'a', calendar }, 'mixed(alternative(text/plain text/calendar) application/ics)'],
    [
      'a message that is passed on',
      { text: 'a', attachments: [{ kind: 'content', name: 'a.eml', type: 'message/rfc822', content: 'To: b\n\nc' }] },
      'mixed(text/plain message/rfc822)',
    ],
    [
      'a message that cannot go plain',
      { text: 'a', attachments: [{ kind: 'content', name: 'a.eml', type: 'message/rfc822', content: 'To: b\n\nö' }] },
      'mixed(text/plain application/octet-stream)',
    ],
    [
      'a type that takes no encoding',
      { text: 'a', attachments: [{ kind: 'content', name: 'a', type: 'multipart/mixed', content: 'a' }] },
      'mixed(text/plain application/octet-stream)',
    ],
  ])('for %s', async (_name, over, shape) => {
    const message = await compose(over)
    expect(faultsOf(message)).toEqual([])
    expect(shapeOf(octetsOf(message).toString('latin1'))).toBe(shape)
  })
})

/** `mixed(text/plain image/png)`, from the bytes alone. */
function shapeOf(entity: string): string {
  const [head = ''] = entity.split('\r\n\r\n', 1)
  const type = /^content-type: ([^;\r]+)/im.exec(head)?.[1] ?? ''
  const boundary = /boundary="([^"]+)"/.exec(head)?.[1]
  if (boundary === undefined) return type
  const parts = entity.slice(head.length + 2).split(`\r\n--${boundary}`)
  expect(parts.at(-1)).toMatch(/^--(?:\r\n)?$/)
  return `${type.replace('multipart/', '')}(${parts
    .slice(1, -1)
    .map((part) => shapeOf(part.slice(2)))
    .join(' ')})`
}

test('images say to the HTML what they are called', async () => {
  const octets = octetsOf(await compose({ html: '<img src="cid:logo@example.org">', inline: [PNG] })).toString()
  expect(octets).toContain('Content-ID: <logo@example.org>\r\n')
  expect(octets).toContain('Content-Disposition: inline;')
  expect(octets).toContain('Content-Type: multipart/related; type="text/html";')
})

describe('boundaries', () => {
  test('are made of enough chance, of letters that need no quotes, and differ between campaigns', async () => {
    const other = await composerWith({ boundarySeed: 'fedcba9876543210fedcba9876543210' }).compose(
      { ...BARE, text: 'a', html: 'b' },
      IDENTITY,
    )
    const [mine, theirs] = [await compose({ text: 'a', html: 'b' }), other].map(
      (message) => /boundary="([^"]*)"/.exec(octetsOf(message).toString())?.[1] ?? '',
    )
    expect(mine).toMatch(/^[A-Za-z0-9_=]{30,70}$/)
    expect(theirs).not.toBe(mine)
  })

  test('never collide with content that holds them', async () => {
    const all = ['r', 'a', 'm'].flatMap((level) => [`--=_${level}_${SEED}`, `--=_${level}_${SEED}--`])
    const held = [...all, ...all.map((one) => `a\n${one}`), all.join('\n'), `${all.join('\n\n')}\n`]
    for (const text of held) {
      const content = `Subject: x\n\n${text}\n`
      const message = await compose({
        subject: text.replaceAll('\n', ' '),
        text,
        html: text,
        inline: [{ ...PNG, content: Buffer.from(text) }],
        attachments: [
          { kind: 'content', name: text, type: 'text/plain', content: text },
          { kind: 'content', name: 'a.eml', type: 'message/rfc822', content },
        ],
      })
      expect(faultsOf(message)).toEqual([])
      const octets = octetsOf(message)
      expect(shapeOf(octets.toString('latin1'))).toBe(
        'mixed(alternative(text/plain related(text/html image/png)) text/plain application/octet-stream)',
      )
      for (const [who, read] of await judge(octets)) {
        expect(asText(read.text), who).toBe(asText(text))
        expect(asText(read.html), who).toBe(asText(text))
        expect(read.files.map(({ content }) => content.toString()).sort(), who).toEqual([text, text, content].sort())
      }
    }
  })
})

describe('the envelope', () => {
  test('holds everybody once, the row first; who gets a blind copy stands in no header', async () => {
    const message = await compose({
      to: 'bob@example.com, ada@example.com',
      cc: 'Carl <carl@example.com>, bob@example.com',
      bcc: hole('dora@example.com; Ada <ada@example.com>'),
      text: 'a',
    })
    expect(message.envelope).toEqual({
      from: 'society@example.org',
      to: ['ada@example.com', 'bob@example.com', 'carl@example.com', 'dora@example.com'],
    })
    expect(octetsOf(message).toString()).not.toContain('dora')
    expect(faultsOf(message)).toEqual([])
  })

  test('has the sender that the template names, or the null one', async () => {
    expect((await compose({ envelopeFrom: 'bounce+1@example.org' })).envelope.from).toBe('bounce+1@example.org')
    expect((await compose({ envelopeFrom: '<>' })).envelope.from).toBe('')
    expect((await compose({ envelopeFrom: ' ' })).envelope.from).toBe('society@example.org')
  })

  test('asks for SMTPUTF8 only where an address cannot be written without it', async () => {
    const plain = await compose({ to: 'Jörg Größe <joerg@bücher.example>', text: 'grün' })
    expect([plain.smtputf8, plain.eightBit]).toEqual([false, false])
    expect(octetsOf(plain).toString()).toContain('<joerg@xn--bcher-kva.example>')
    const message = await compose(
      { to: 'Jörg <jörg@bücher.example>', text: 'grün' },
      { recipient: 'jörg@bücher.example' },
    )
    expect([message.smtputf8, message.eightBit]).toEqual([true, true])
    expect(message.envelope.to).toEqual(['jörg@xn--bcher-kva.example'])
    expect(faultsOf(message)).toEqual([])
    expect(octetsOf(message).toString('utf8')).toContain('<jörg@bücher.example>')
    for (const [who, read] of await judge(octetsOf(message)))
      expect(read.to, who).toEqual([{ name: 'Jörg', address: 'jörg@bücher.example' }])
  })
})

test('two authors need a sender, which is the first of them', async () => {
  const octets = octetsOf(await compose({ from: 'Ada <ada@example.org>, bob@example.org' }))
  expect(fieldOf(octets, 'From')).toBe('Ada <ada@example.org>, bob@example.org')
  expect(fieldOf(octets, 'Sender')).toBe('Ada <ada@example.org>')
  expect(fieldOf(octetsOf(await compose()), 'Sender')).toBeUndefined()
})

test('the same row makes the same bytes, however often and by which composer', async () => {
  const rendered: WrittenMessage = {
    ...BARE,
    text: 'grün',
    html: '<b>grün</b>',
    inline: [PNG],
    attachments: [{ kind: 'content', name: 'a.txt', content: 'a' }],
    calendar: { method: 'request', start: '2026-12-11 19:00', timeZone: 'Europe/Paris', summary: 'Party' },
  }
  const first = octetsOf(await composerWith().compose(rendered, IDENTITY))
  const composer = composerWith()
  for (let turn = 0; turn < 3; turn++) expect(octetsOf(await composer.compose(rendered, IDENTITY))).toEqual(first)
  expect(fieldOf(first, 'Message-ID')).toBe('<row-1.run@example.org>')
  expect(fieldOf(first, 'Date')).toBe('Fri, 2 Jan 2026 03:04:05 +0000')
})

test('a file that rows share is encoded once: each message holds the very same bytes', async () => {
  const part = {
    disposition: 'attachment',
    name: 'a',
    type: 'application/x-a',
    content: Buffer.alloc(100),
    shared: true,
  } as const
  const load = () => [part]
  const composer = composerWith({ attachments: { load, inspect: () => [] } })
  const attachments = [{ kind: 'file', path: 'a' }] as const
  const messages = ['one', 'two'].map((subject) => composer.compose({ ...BARE, subject, attachments }, IDENTITY))
  const [one, two] = await Promise.all(messages)
  const same = one?.chunks.filter((chunk) => two?.chunks.includes(chunk))
  expect(same).toHaveLength(1)
  expect(same?.[0]?.length).toBeGreaterThan(100)
})

test('a message with 200 files and 500 addresses is like any other', async () => {
  const people = Array.from({ length: 500 }, (_, index) => `"Leser ${index} Größe" <reader${index}@example.com>`)
  const message = await compose({
    to: people.join(', '),
    text: 'a',
    attachments: Array.from({ length: 200 }, (_, index) => ({
      kind: 'content',
      name: `Anlage ${index} ö.txt`,
      type: 'text/plain',
      content: String(index),
    })),
  })
  expect(faultsOf(message)).toEqual([])
  expect(message.envelope.to).toHaveLength(501)
  for (const [who, { files, to }] of await judge(octetsOf(message))) {
    expect(to, who).toEqual(
      people.map((_, index) => ({ name: `Leser ${index} Größe`, address: `reader${index}@example.com` })),
    )
    expect(
      files.map(({ content }) => Number(content.toString())),
      who,
    ).toEqual(Array.from({ length: 200 }, (_, at) => at))
  }
}, 60_000)

function nameOf(file: WrittenMessage['attachments'][number]): string {
  const type = 'type' in file ? (file.type ?? '') : ''
  return safeName('name' in file ? (file.name ?? '') : '', `attachment${endingOf(type)}`)
}

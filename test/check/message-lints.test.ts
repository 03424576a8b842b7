/** Advice on messages that are right and yet not good: each kind is reported, and what is good is left in peace. */
import { describe, expect, test } from 'vitest'
import { createMessageLints, GMAIL_CLIP } from '../../src/check/lints/message-lints.ts'
import type { Rendered } from '../../src/template/template.ts'
import { type WrittenMessage, written } from '../support/marked.ts'

const lintOf = createMessageLints(['name', 'first name', 'seat'])
const lint = (rendered: WrittenMessage) => lintOf(written<Rendered>(rendered))

function message(parts: Partial<WrittenMessage>): WrittenMessage {
  return {
    from: 'a@example.org',
    subject: 'Your seat',
    text: 'Dear Ada,\nhello.\n',
    headers: [],
    attachments: [],
    inline: [],
    ...parts,
  }
}

function codes(parts: Partial<WrittenMessage>): readonly string[] {
  return lint(message(parts)).advice.map(({ code }) => code)
}

const page = (body: string): Partial<WrittenMessage> => ({ html: `<html><body><p>Dear Ada,</p>${body}</body></html>` })

test('a good message gets no advice', () => {
  const html =
    '<html><head><title>x</title><style>p{color:red}</style></head><body><p>Dear Ada,</p><a href="https://example.com/?a=1&amp;b=2">see</a><img src="cid:1@x" alt=""><img src="https://example.com/i.png" alt="A hall"><a href="#top">up</a><a href="mailto:a@example.com">write</a><a href="tel:+431234">call</a></body></html>'
  const inline = [{ kind: 'file' as const, cid: '1@x', path: 'a.png' }]
  expect(codes({ html, text: 'Dear Ada,\n\nsee https://example.com/a_(b).\n', inline })).toEqual([])
})

describe('subjects', () => {
  test.each<[string, readonly string[]]>([
    ['', ['missing-subject']],
    ['  ', ['missing-subject']],
    ['x'.repeat(70), []],
    ['x'.repeat(71), ['long-subject']],
    ['👩‍🚀'.repeat(24), ['long-subject']],
    ['Hi , your seat', ['empty-greeting']],
    ['Your seat, {{name}}', ['merge-tag']],
  ])('%j', (subject, expected) => {
    expect(codes({ subject })).toEqual(expected)
  })
})

test('a placeholder that the template is known to hold is not reported for each message, another one is', () => {
  const knowing = createMessageLints(['name'], new Set(['{name}', '%%X%%']))
  const found = (text: string) => knowing(written<Rendered>(message({ text }))).advice.map(({ value }) => value)
  expect(found('Dear Ada, {name} %%X%%')).toEqual([])
  expect(found('Dear Ada, {name} %%X%% *|Y|*')).toEqual(['*|Y|*'])
})

describe('bodies', () => {
  test('that say nothing, in any part', () => {
    expect(codes({ text: '' })).toEqual(['empty-body'])
    expect(codes({ text: ' \n', html: '<html><body><!-- x --><style>p{}</style></body></html>' })).toEqual([
      'empty-body',
    ])
    expect(lint({ from: '', subject: 'x', headers: [], attachments: [], inline: [] }).advice[0]?.code).toBe(
      'empty-body',
    )
  })

  test('without a text part', () => {
    expect(codes({ text: '', ...page('<p>hello</p>') })).toEqual(['missing-text'])
    expect(codes({ text: '\n', html: '<img src="https://example.com/i.png" alt="All in a picture">' })).toEqual([
      'missing-text',
    ])
  })

  test('over what Gmail shows, in bytes and not in letters', () => {
    expect(codes(page('x'.repeat(GMAIL_CLIP)))).toContain('clipped')
    expect(codes(page('ä'.repeat(GMAIL_CLIP / 2)))).toContain('clipped')
    expect(codes(page('x'.repeat(GMAIL_CLIP - 200)))).toEqual([])
  })
})

describe('links', () => {
  test.each<[string, readonly string[]]>([
    ['http://example.com/a', ['insecure-link']],
    ['', ['broken-link']],
    ['#', ['broken-link']],
    ['www.example.com', ['broken-link']],
    ['/about', ['broken-link']],
    ['https://', ['broken-link']],
    ['https://example.com/a b', ['broken-link']],
    ['https://localhost:3000/x', ['broken-link']],
    ['https://192.168.1.5/x', ['broken-link']],
    ['https://intranet/x', ['broken-link']],
    ['javascript:alert(1)', ['broken-link']],
    ['file:///c/x', ['broken-link']],
    ['data:text/plain,x', ['broken-link']],
    ['mailto:', ['broken-link']],
    ['mailto:?subject=x', ['broken-link']],
    ['mailto:ada@example.com?subject=x', []],
    ['https://example.com/%7Eada', []],
    ['https://müller.example/ü', []],
  ])('%j', (href, expected) => {
    expect(codes(page(`<a href="${href}">x</a>`))).toEqual(expected)
  })

  test('in the text part are looked at without the sentence around them', () => {
    expect(codes({ text: 'See http://example.com/a, or (https://example.com/b).' })).toEqual(['insecure-link'])
  })

  test('to a part of the message lead to one', () => {
    const inline = [
      { kind: 'content' as const, cid: 'logo 1@x', name: 'l', type: 'image/png', content: new Uint8Array() },
    ]
    expect(
      codes({ ...page('<img src="cid:logo%201@x" alt=""><p style="background:url(cid:logo%201@x)">x</p>'), inline }),
    ).toEqual([])
    const missing = lint(
      message({ ...page('<img src="CID:nowhere" alt=""><td background="cid:Logo%201@x">x</td>'), inline }),
    )
    expect(missing.advice).toMatchObject([
      { code: 'missing-cid', severity: 'warning', value: 'cid:nowhere' },
      { code: 'missing-cid', value: 'cid:Logo 1@x' },
    ])
  })

  test('that differ in their query alone are reported once', () => {
    const { advice } = lint(
      message(page('<a href="http://example.com/a?u=1">x</a><a href="http://example.com/a?u=2">y</a>')),
    )
    expect(advice).toMatchObject([{ code: 'insecure-link', value: 'http://example.com/a' }])
  })
})

describe('images', () => {
  test.each<[string, readonly string[]]>([
    ['<img src="https://example.com/a.png">', ['missing-alt']],
    ['<img src="https://example.com/a.png" alt>', []],
    ['<IMG SRC="https://example.com/a.png" ALT="a">', []],
    ['<img src="http://example.com/a.png" alt="a">', ['insecure-link']],
    ['<img src="a.png" alt="a">', ['broken-link']],
    ['<img alt="a">', ['broken-link']],
    ['<img src="data:image/png;base64,AA" alt="a">', ['data-image']],
  ])('%s', (image, expected) => {
    expect(codes(page(image))).toEqual(expected)
  })
})

describe('merge tags that stayed', () => {
  test.each([
    '{{name}}',
    '{{ anything }}',
    '*|FNAME|*',
    '%%name%%',
    '[[name]]',
    '<%= name %>',
    '{name}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a merge tag of other programs
    '${name}',
    '<<name>>',
    '«name»',
    '[first name]',
    '%seat%',
    '[object Object]',
    'Invalid Date',
  ])('%s', (tag) => {
    expect(codes({ text: `Dear Ada,\n${tag}\n` })).toContain('merge-tag')
    expect(codes({ headers: [['X-Note', tag]] })).toContain('merge-tag')
  })

  test.each(['{x}', 'a [note]', '50 % of 100 %', '{ color: red }', '[1]', '<seat>', 'f(name)', '{{\n}}'])(
    '%s is none',
    (text) => {
      expect(codes({ text: `Dear Ada,\n${text}\n` })).toEqual([])
    },
  )
})

describe('greetings', () => {
  test.each([
    'Dear ,',
    'Dear,',
    'Hi ,',
    'Hello  ,',
    'Liebe ,',
    'Sehr geehrter Herr ,',
    'Cher ,',
    'Estimado ,',
    'Gentile ,',
    'Уважаемый ,',
    'Dear undefined,',
    'Hi null,',
    'Dear #N/A,',
  ])('%j has no name', (greeting) => {
    expect(codes({ text: `${greeting}\n\nwelcome` })).toEqual(['empty-greeting'])
    expect(codes({ text: '', html: `<p>${greeting.replace(/ {2}/, '&nbsp; ')}</p><p>welcome</p>` })).toContain(
      'empty-greeting',
    )
  })

  test.each([
    'Dear Ada,',
    'Hello,',
    'Hi!',
    'Hello everybody,',
    'Liebe Gäste,',
    'Dear friends,',
    'Bonjour,',
    'Oh dear, what now',
  ])('%j is one', (greeting) => {
    expect(codes({ text: `${greeting}\n\nwelcome` })).toEqual([])
  })
})

describe('a way to leave', () => {
  test.each([
    'Unsubscribe: https://example.com/u',
    'Sie können sich hier abmelden.',
    'Se désabonner',
    'darte de baja',
    'Uitschrijven',
    '配信停止はこちら',
  ])('%s', (words) => {
    expect(lint(message({ text: words })).unsubscribe).toBe(true)
  })

  test('in a header or a link counts, and none is none', () => {
    expect(lint(message({ headers: [['List-Unsubscribe', '<mailto:leave@example.org>']] })).unsubscribe).toBe(true)
    expect(lint(message(page('<a href="https://example.com/unsubscribe?id=1">here</a>'))).unsubscribe).toBe(true)
    expect(lint(message({})).unsubscribe).toBe(false)
  })
})

test('one sort of advice in one place is given once a message', () => {
  expect(codes(page('<a href="#">a</a><a href="#">b</a><a href="#">c</a>'))).toEqual(['broken-link'])
})

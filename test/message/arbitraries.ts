/** Texts of all kinds that a row or a template may hold. */
import fc from 'fast-check'
import type { WrittenMessage } from '../support/marked.ts'

const DIFFICULT = [
  'שלום עולם',
  'مرحبا بالعالم \u200fabc\u200e',
  'نامه\u200cها',
  '👩‍👩‍👧‍👦 🏳️‍🌈 é e\u0301',
  '=?UTF-8?Q?not_a_word?=',
  '=?utf-8?b?w4Q=?= =?',
  '"quoted", \\back\\ <eve@example.net>',
  'a; b: c, (d) [e]',
  '\u202eexe.txt',
  "filename*=UTF-8''x%20y",
  '--=_m_0123456789abcdef0123456789abcdef',
  '--=_a_0123456789abcdef0123456789abcdef--',
  'From the start',
  '.',
  '..',
  '.\r\n.',
  '-- ',
  '{{name}}',
  ' ',
  '',
  'x'.repeat(3_000),
  'ö'.repeat(3_000),
  '語'.repeat(1_500),
  'word '.repeat(400),
  'a'.repeat(997),
  'a'.repeat(998),
  'a'.repeat(999),
]
const LINE_ENDS = [
  '\n',
  '\r\n',
  '\r',
  '\n\n',
  '\r\n\r\n',
  ' \n',
  '\t\r\n',
  '\n.',
  '\nFrom ',
  ' ',
  '\u2028',
  '\u0085',
  '\0',
  '\u000b',
]

/** Any Unicode, also halves of surrogate pairs. */
const letters = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(...DIFFICULT),
)

/** A text with line ends of any kind. */
export const anyText: fc.Arbitrary<string> = fc
  .array(fc.tuple(letters, fc.constantFrom(...LINE_ENDS)), { maxLength: 8 })
  .map((pieces) => pieces.flat().join(''))

/** What can stand in a header: the same without what ends a line somewhere, which is refused. */
export const headerValue: fc.Arbitrary<string> = fc
  .array(letters, { minLength: 1, maxLength: 3 })
  .map((pieces) => pieces.join(' ').replace(/[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029]/g, ''))

export const address: fc.Arbitrary<string> = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9+_-]{0,60}$/),
    fc.constantFrom('example.com', 'mail.example.org', 'bücher.example', `${'long-label.'.repeat(15)}example`),
  )
  .map(([local, domain]) => `${local}@${domain}`)

export const attachment: fc.Arbitrary<WrittenMessage['attachments'][number]> = fc
  .tuple(
    fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      anyText.map((text) => new Uint8Array(Buffer.from(text))),
    ),
    letters,
    fc.constantFrom('application/octet-stream', 'text/plain', 'text/csv; charset=utf-8', 'image/png', 'no type at all'),
  )
  .map(([content, name, type]) => ({ kind: 'content' as const, content, name, type }))

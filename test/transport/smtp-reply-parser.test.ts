import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Reply, readable } from '../../src/replies/reply.ts'
import { ReplyParser } from '../../src/transport/smtp/dialogue.ts'

interface Heard {
  readonly replies: readonly Reply[]
  readonly broken: readonly string[]
}

function hear(chunks: readonly (string | Buffer)[]): Heard {
  const replies: Reply[] = []
  const broken: string[] = []
  const parser = new ReplyParser({
    reply: (reply) => replies.push(reply),
    broken: (reason) => broken.push(reason),
  })
  for (const chunk of chunks) parser.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk)
  return { replies, broken }
}

describe('what is a reply', () => {
  test.each([
    ['250 ok\r\n', { code: 250, text: 'ok' }],
    ['250\r\n', { code: 250, text: '' }],
    ['250 2.1.0 Ok\r\n', { code: 250, enhanced: '2.1.0', text: 'Ok' }],
    ['250 2.1.0\r\n', { code: 250, enhanced: '2.1.0', text: '' }],
    ['550 2.1.0 two classes\r\n', { code: 550, text: '2.1.0 two classes' }],
    ['250 2.1.0x no code\r\n', { code: 250, text: '2.1.0x no code' }],
    ['354 go on\n', { code: 354, text: 'go on' }],
    [
      '550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1 third\r\n',
      { code: 550, enhanced: '5.7.1', text: 'first second third' },
    ],
    ['550-one\r\n550 two\r\n', { code: 550, text: 'one two' }],
    ['550 #5.1.0 Address rejected.\r\n', { code: 550, enhanced: '5.1.0', text: 'Address rejected.' }],
    ['571 unknown, so by its first digit\r\n', { code: 571, text: 'unknown, so by its first digit' }],
    ['250-\r\n250 \r\n', { code: 250, text: '' }],
    ['559 unknown, so by its first digit\r\n', { code: 559, text: 'unknown, so by its first digit' }],
  ])('%j', (octets, reply) => {
    expect(hear([octets])).toEqual({ replies: [reply], broken: [] })
  })

  test.each([
    'garbage\r\n',
    '\r\n',
    '25\r\n',
    '2500 x\r\n',
    '250x\r\n',
    '999 x\r\n',
    '150 wait\r\n',
    ' 250 x\r\n',
    '250_x\r\n',
    '250-a\r\n251 b\r\n',
    '250-a\r\ngarbage\r\n',
    '250 a\rb\r\n',
    '\x00\x01\x02\xFF\r\n',
    `250 ${'x'.repeat(5000)}\r\n`,
    'x'.repeat(5000),
    '250-x\r\n'.repeat(20_000),
  ])('%.20j is none, and nothing after it counts', (octets) => {
    const { replies, broken } = hear([octets, '250 ok\r\n'])
    expect(replies).toEqual([])
    expect(broken).toHaveLength(1)
    expect(broken[0]?.length).toBeLessThan(200)
  })
})

const line = fc.stringMatching(/^[ -~]{0,60}$/)
const reply = fc
  .tuple(
    fc.integer({ min: 2, max: 5 }),
    fc.integer({ min: 0, max: 5 }),
    fc.integer({ min: 0, max: 9 }),
    fc.array(line, { minLength: 1, maxLength: 4 }),
  )
  .map(([a, b, c, lines]) =>
    lines.map((text, at) => `${a}${b}${c}${at === lines.length - 1 ? ' ' : '-'}${text}\r\n`).join(''),
  )

test('the same replies come out, however the octets are cut', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 6 }), fc.array(fc.nat(40), { maxLength: 60 }), (replies, cuts) => {
      const octets = replies.join('')
      const chunks: string[] = []
      let at = 0
      for (const cut of cuts) {
        chunks.push(octets.slice(at, at + cut))
        at += cut
      }
      chunks.push(octets.slice(at))
      const whole = hear([octets])
      expect(whole.broken).toEqual([])
      expect(whole.replies).toHaveLength(replies.length)
      expect(hear(chunks)).toEqual(whole)
      expect(hear([...octets])).toEqual(whole)
    }),
    { numRuns: 100 },
  )
})

test('any octets end in replies or in one complaint, and what is held stays small', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (chunks) => {
      const { replies, broken } = hear(chunks.map((chunk) => Buffer.from(chunk)))
      expect(broken.length).toBeLessThan(2)
      for (const { code, text } of replies) {
        expect(code).toBeGreaterThanOrEqual(200)
        expect(code).toBeLessThan(560)
        expect(text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
      }
    }),
    { numRuns: 200 },
  )
})

describe('a server text for people', () => {
  test('is UTF-8 where it is UTF-8, and Latin-1 otherwise', () => {
    expect(hear([Buffer.from('550 Empfänger unbekannt – ok\r\n')]).replies[0]?.text).toBe('Empfänger unbekannt – ok')
    expect(hear([Buffer.from('550 Empfänger\r\n', 'latin1')]).replies[0]?.text).toBe('Empfänger')
  })

  test('holds nothing that moves a cursor, turns text around or breaks a line', () => {
    const hostile = '\x1b[2Jred\x07 \u202Eevil\u2028next\u0085\x9b31m'
    const text = hear([Buffer.from(`550 ${hostile}\r\n`)]).replies[0]?.text ?? ''
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(text).toContain('red')
  })

  test('is cut to what can be shown', () => {
    expect(readable('x'.repeat(4000))).toHaveLength(500)
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeOctets, encodeText } from '../../src/message/mime.ts'
import { anyText } from './arbitraries.ts'

const RUNS = Number(process.env['MAILMERGE_TEST_MESSAGES'] ?? 500)

/** The text again, by the letter of RFC 2045 section 6.7 and 6.8. */
function decode({ encoding, content }: ReturnType<typeof encodeText>): string {
  const octets =
    encoding === 'base64'
      ? Buffer.from(content, 'base64')
      : encoding === '7bit'
        ? Buffer.from(content, 'latin1')
        : Buffer.from(
            content
              .replace(/=\r\n/g, '')
              .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
            'latin1',
          )
  return octets.toString('utf8').replaceAll('\r\n', '\n')
}

test('any text comes back, in lines that may go over any wire', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const body = encodeText(text)
      expect(body.content).toMatch(/^[\t\r\n -~]*\r\n$/)
      expect(body.content.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
      const lines = body.content.split('\r\n')
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(body.encoding === '7bit' ? 998 : 76)
      expect(lines.filter((line) => /^(?:\.|From )/.test(line))).toEqual([])
      expect(body.content.includes('=_')).toBe(false)
      if (body.encoding === 'quoted-printable') {
        expect(lines.filter((line) => /[ \t]$/.test(line))).toEqual([])
        expect(body.content.replace(/=(?:\r\n|[0-9A-F]{2})/g, '')).not.toContain('=')
      }
      const expected = text.replace(/\r\n?/g, '\n').toWellFormed()
      expect(decode(body).replace(/\n$/, '')).toBe(expected.replace(/\n$/, ''))
    }),
    { numRuns: RUNS },
  )
})

describe('the encoding is the smallest that is safe', () => {
  test.each([
    ['plain text', 'Hello\nyou\n', '7bit'],
    ['nothing', '', '7bit'],
    ['a line of 998', 'x'.repeat(998), '7bit'],
    ['a line of 999', 'x'.repeat(999), 'quoted-printable'],
    ['a dot at the start of a line', 'a\n.b', 'quoted-printable'],
    ['From at the start of a line', 'From here', 'quoted-printable'],
    ['a boundary', '--=_m_0', 'quoted-printable'],
    ['a control character', 'a\u0007', 'quoted-printable'],
    ['some other letters', 'Schöne Grüße aus München und bis bald', 'quoted-printable'],
    ['many other letters', 'Здравствуйте, приглашаем вас', 'base64'],
    ['a few letters of any kind', '語', 'quoted-printable'],
  ])('for %s', (_name, text, encoding) => {
    expect(encodeText(text).encoding).toBe(encoding)
  })

  test('and never much larger than the other would be', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { encoding, content } = encodeText(text)
        const octets = Buffer.from(text.toWellFormed())
        const other = encodeOctets(octets).length
        if (encoding === 'quoted-printable') expect(content.length).toBeLessThanOrEqual(other * 1.2 + 60)
      }),
      { numRuns: RUNS },
    )
  })
})

test('bytes of any kind are lines of base64', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
      const written = encodeOctets(octets).toString('latin1')
      expect(written).toMatch(/^(?:[A-Za-z0-9+/]{76}\r\n)*(?:[A-Za-z0-9+/]{0,74}={0,2}\r\n)?$/)
      expect(written.endsWith('\r\n')).toBe(true)
      expect(Buffer.from(written, 'base64')).toEqual(Buffer.from(octets))
    }),
    { numRuns: RUNS },
  )
})

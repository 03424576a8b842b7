import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scanContent } from '../../src/transport/line-endings.ts'
import { dotStuffed, endMark, pieces } from '../../src/transport/smtp/content-writer.ts'

const RUNS = Number(process.env['MAILMERGE_TEST_RUNS'] ?? 300)

function chunksOf(text: string, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (const cut of cuts) {
    chunks.push(Buffer.from(text.slice(at, at + cut), 'latin1'))
    at += cut
  }
  chunks.push(Buffer.from(text.slice(at), 'latin1'))
  return chunks
}

const wire = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString('latin1')
/** As a server reads it: RFC 5321 section 4.5.2. */
const unstuffed = (text: string): string => text.replace(/(^|\r\n)\./g, '$1')
const cuts = fc.array(fc.nat(12), { maxLength: 20 })

describe('octets that must not go', () => {
  test.each([
    ['bare LF', 'a\nb\r\n'],
    ['bare CR', 'a\rb\r\n'],
    ['LF CR', 'a\n\rb\r\n'],
    ['CR CR LF', 'a\r\r\nb\r\n'],
    ['LF at the start', '\na\r\n'],
    ['CR at the end', 'a\r\n\r'],
    ['NUL', 'a\0b\r\n'],
    ['LF . LF', 'a\n.\nb\r\n'],
    ['LF . CR', 'a\n.\rb\r\n'],
    ['CR . LF', 'a\r.\nb\r\n'],
    ['CR . CR', 'a\r.\rb\r\n'],
    ['LF . CRLF', 'a\n.\r\nb\r\n'],
    ['CR . CRLF', 'a\r.\r\nb\r\n'],
    ['CRLF . CR CRLF', 'a\r\n.\r\r\nb\r\n'],
    ['CR CRLF . CR CRLF', 'a\r\r\n.\r\r\nb\r\n'],
    ['CRLF NUL . CRLF', 'a\r\n\0.\r\nb\r\n'],
  ])('%s is found, wherever the chunks are cut', (_name, text) => {
    expect(scanContent([Buffer.from(text)])).toBe('impure')
    for (let at = 1; at < text.length; at++) expect(scanContent(chunksOf(text, [at])), `cut at ${at}`).toBe('impure')
    expect(scanContent([...text].map((octet) => Buffer.from(octet)))).toBe('impure')
    // Also in a part so large that its scan is remembered.
    const large = Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(500) + text)
    expect(scanContent([large])).toBe('impure')
    expect(scanContent([large])).toBe('impure')
  })

  test('every text is judged as a plain reading of it says', () => {
    const text = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', '.', 'a', '\0'), { maxLength: 12 })
      .map((all) => all.join(''))
    fc.assert(
      fc.property(text, cuts, (octets, at) => {
        const impure = octets.includes('\0') || /[\r\n]/.test(octets.replaceAll('\r\n', ''))
        const dots = /(^|\n)\./.test(octets)
        expect(scanContent(chunksOf(octets, at))).toBe(impure ? 'impure' : dots ? 'dots' : 'clean')
      }),
      { numRuns: RUNS },
    )
  })
})

test('lines that begin with dots arrive as they were, wherever the chunks are cut', () => {
  const line = fc.array(fc.constantFrom('.', '..', 'a', ' ', 'b.'), { maxLength: 5 }).map((all) => all.join(''))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), cuts, (lines, at) => {
      const text = lines.map((one) => `${one}\r\n`).join('')
      const chunks = chunksOf(text, at)
      const out = scanContent(chunks) === 'dots' ? dotStuffed(chunks) : chunks
      const sent = wire(out) + endMark(out)
      expect(`\r\n${sent}`.indexOf('\r\n.\r\n')).toBe(sent.length - 3)
      expect(unstuffed(wire(out))).toBe(text)
    }),
    { numRuns: RUNS },
  )
})

test('content without a line end at its end gets one', () => {
  expect(endMark([Buffer.from('no end')])).toBe('\r\n.\r\n')
  expect(endMark([Buffer.from('end\r\n'), Buffer.alloc(0)])).toBe('.\r\n')
  expect(endMark([])).toBe('.\r\n')
})

test('pieces are the same octets, each but the last of the size asked for, and copy only across chunks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 16 }),
      (chunks, most) => {
        const all = [...pieces(chunks, most)]
        expect(Buffer.concat(all)).toEqual(Buffer.concat(chunks))
        expect(all.slice(0, -1).every(({ length }) => length === most)).toBe(true)
      },
    ),
  )
  const large = Buffer.alloc(1000)
  for (const piece of pieces([large], 100)) expect(piece.buffer).toBe(large.buffer)
})

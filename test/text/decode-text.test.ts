/** Files that people write, in the encodings that editors save. */
import { expect, test } from 'vitest'
import { decodeText } from '../../src/text/decode-text.ts'

const TEXT = 'Grüße\n世界 👍\n'

test.each<[string, Buffer]>([
  ['UTF-8', Buffer.from(TEXT)],
  ['UTF-8 with its mark', Buffer.from(`\uFEFF${TEXT}`)],
  ['UTF-16 little-endian by its mark', Buffer.from(`\uFEFF${TEXT}`, 'utf16le')],
  ['UTF-16 big-endian by its mark', Buffer.from(`\uFEFF${TEXT}`, 'utf16le').swap16()],
])('%s is read as it is', (_, bytes) => {
  expect(decodeText(bytes)).toEqual({ text: TEXT })
})

test.each<[string, Buffer, number]>([
  ['Windows-1252', Buffer.from('a\nb\nGr\xfc\xdfe\n', 'latin1'), 3],
  ['a letter that is cut off at the end', Buffer.from([0x61, 0x0a, 0xc3]), 2],
  ['UTF-16 without a mark', Buffer.from('ab', 'utf16le'), 1],
  ['a file of a program', Buffer.from([0x50, 0x4b, 3, 4, 0, 0]), 1],
])('%s is refused, with the line of the first wrong byte', (_, bytes, line) => {
  expect(decodeText(bytes)).toEqual({ fault: expect.stringContaining('UTF-8'), line })
})

test('a sign for a lost letter that the file itself holds is not a fault', () => {
  expect(decodeText(Buffer.from('a \uFFFD'))).toEqual({ text: 'a \uFFFD' })
})

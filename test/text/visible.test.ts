import { describe, expect, test } from 'vitest'
import { blankInvisible, escapeInvisible, excerpt, hasInvisible, oneLine } from '../../src/text/visible.ts'

/** One of each kind that hides or moves text: control, C1 control, direction mark, zero width, separator, soft hyphen, tag. */
const INVISIBLE = ['\u001b', '\u0085', '\u202e', '\u200b', '\u2028', '\u00ad', '\u{e0041}', '\ud800', '\ufeff']

describe('characters that cannot be seen', () => {
  test.each(INVISIBLE)('are found, escaped and blanked, whichever kind they are (%j)', (character) => {
    const text = `a${character}b`
    expect(hasInvisible(text)).toBe(true)
    expect(hasInvisible(escapeInvisible(text))).toBe(false)
    expect(escapeInvisible(text)).toMatch(/^a\\u(?:[0-9a-f]{4}|\{[0-9a-f]+\})b$/)
    expect(blankInvisible(text)).toBe('a b')
    expect(oneLine(text)).toBe('a b')
  })

  test('the common controls are escaped by their names', () => {
    expect(escapeInvisible('a\tb\r\nc\u0000')).toBe('a\\tb\\r\\nc\\0')
  })

  test('letters, marks, emoji and spaces stay as they are', () => {
    for (const text of ['Zoë', 'é', '岩田 聡', '😀', 'a\u00a0b']) {
      expect(escapeInvisible(text)).toBe(text)
      expect(blankInvisible(text)).toBe(text)
    }
  })

  test('an excerpt is cut after escaping, and says so', () => {
    expect(excerpt('short', 10)).toBe('short')
    expect(excerpt('x'.repeat(50), 10)).toBe('xxxxxxx...')
    expect(excerpt('\n'.repeat(50), 10)).toBe('\\n\\n\\n\\...')
  })

  test('somebody else’s words become one line', () => {
    expect(oneLine('  one\r\n\ttwo\u2029three  ')).toBe('one two three')
  })
})

/** Marked text: that forgetting to take marks off, or to set them, does not compile, and what each reading gives. */
import { expect, test } from 'vitest'
import {
  holdsValue,
  isBlank,
  joinPieces,
  type MarkedText,
  markValue,
  onlyValue,
  ownText,
  piecesOf,
  replaceValues,
  trimMarked,
  unmark,
} from '../../src/template/marked-text.ts'
import { marked, value } from '../support/marked.ts'

const ATTACK = '<eve@example.net>,'

test('marked text is not a string to the compiler, and a string is not marked text', () => {
  const show = (text: string): string => text
  const read = (text: MarkedText): string => unmark(text)
  const text = markValue(ATTACK)
  // @ts-expect-error a text with marks is shown to nobody before they are taken off
  expect(show(text)).not.toBe(ATTACK)
  // @ts-expect-error nor compared, cut or measured
  expect(text.length).not.toBe(ATTACK.length)
  // @ts-expect-error a value of a row is not the template's own text by accident
  expect(read(ATTACK)).toBe(ATTACK)
  expect([show(unmark(text)), read(ownText(ATTACK))]).toEqual([ATTACK, ATTACK])
})

test('a value cannot end its own marks, nor begin others', () => {
  const close = value('').slice(-2)
  const open = value('').slice(0, 2)
  const hostile = markValue(`a${close} <eve@example.net>, ${open}b`)
  expect(piecesOf(hostile)).toEqual([{ isValue: true, text: 'a <eve@example.net>, b' }])
  expect(holdsValue(ownText(`${open}x${close}`))).toBe(false)
})

test('stretches keep what is the row and what is the template apart, also when they are joined again', () => {
  const text = marked(`Dear ${value('a, b')}; ${value('')}x`)
  const pieces = [
    { isValue: false, text: 'Dear ' },
    { isValue: true, text: 'a, b' },
    { isValue: false, text: '; ' },
    { isValue: true, text: '' },
    { isValue: false, text: 'x' },
  ]
  expect(piecesOf(text)).toEqual(pieces)
  expect(piecesOf(joinPieces(pieces))).toEqual(pieces)
  expect(unmark(text)).toBe('Dear a, b; x')
})

test('readings of a whole text', () => {
  expect(onlyValue(markValue('a'))).toBe('a')
  expect(onlyValue(marked(`${value('a')}${value('b')}`))).toBeUndefined()
  expect(onlyValue(ownText('a'))).toBeUndefined()
  expect(isBlank(marked(` ${value(' ')}`))).toBe(true)
  expect(isBlank(markValue('x'))).toBe(false)
  expect(unmark(trimMarked(marked(` ${value(' a ')} `)))).toBe(' a ')
  expect(replaceValues(marked(`x=${value('a b')}&y=${value('c')}`), encodeURIComponent)).toBe('x=a%20b&y=c')
})

import { expect, test } from 'vitest'
import { replaceSpans, spansOf } from '../../src/text/spans.ts'

const [OPEN, CLOSE] = [/<style\b[^<>]*>/gi, /<\/style>/gi]

test('parts between a beginning and the nearest end, in order, the last one unfinished', () => {
  const text = 'a<style>1</style>b<STYLE x>2<style></style>c<style>3'
  expect([...spansOf(text, OPEN, CLOSE)].map(({ open, inner }) => [open, inner])).toEqual([
    ['<style>', '1'],
    ['<STYLE x>', '2<style>'],
  ])
  expect(replaceSpans(text, OPEN, CLOSE, ({ inner }) => `[${inner}]`)).toBe('a[1]b[2<style>]c<style>3')
})

test('a text of beginnings without an end costs one search', () => {
  const text = '<style>'.repeat(500_000)
  const before = process.cpuUsage()
  expect([...spansOf(text, OPEN, CLOSE)]).toEqual([])
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000)
})

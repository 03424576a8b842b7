/** A message says something, or its row is bad; `allowEmpty` lets it say nothing. */
import { describe, expect, test } from 'vitest'
import { load, NOW, problems, rowOf } from './project.ts'

const STRICT = { allowEmpty: false }
const context = { row: 1, campaign: 'test', now: NOW }

/** What a plan and a send say of a row: nothing, or the code of the problem. */
async function codes(
  files: Readonly<Record<string, string>>,
  row: Readonly<Record<string, unknown>>,
  options = STRICT,
) {
  const template = await load('t', { 'templates/t/message.yaml': 'subject: x\n', ...files }, options)
  return Promise.all(
    (['check', 'render'] as const).map(async (how) => {
      const work = async () => template[how](rowOf(row), context)
      return (
        await work().then(
          () => [],
          () => problems(work()),
        )
      )[0]?.code
    }),
  )
}

describe('a body that comes out empty is a problem of its row', () => {
  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, unknown>>]>([
    ['a text of an empty cell', { 'templates/t/text.hbs': '{{note}}\n' }, { note: '' }],
    ['white space that cannot be seen', { 'templates/t/text.hbs': '{{note}}' }, { note: '\u00A0\u200B \t' }],
    ['a loop without turns', { 'templates/t/text.hbs': '{{#each items}}x{{/each}}' }, { items: [] }],
    [
      'HTML around nothing',
      {
        'templates/t/html.hbs':
          '<html><head><title>x</title><style>p{color:red}</style></head><body><p>{{note}}&nbsp;</p></body></html>',
      },
      { note: ' ' },
    ],
    [
      'a line beside the subject alone',
      { 'templates/t/message.yaml': 'subject: x\npreheader: Read this\n', 'templates/t/html.hbs': '<p>{{note}}</p>' },
      { note: '' },
    ],
    ['Markdown', { 'templates/t/body.md': '{{#if note}}Hello{{/if}}\n' }, { note: '' }],
  ])('%s', async (_, files, row) => {
    expect(await codes(files, row)).toEqual(['empty-body', 'empty-body'])
    expect(await codes(files, row, { allowEmpty: true })).toEqual([undefined, undefined])
  })
})

describe('a short body is a body', () => {
  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, unknown>>]>([
    ['a dot', { 'templates/t/text.hbs': '.' }, {}],
    ['one word of a cell', { 'templates/t/text.hbs': '{{note}}' }, { note: 'ok' }],
    ['a number', { 'templates/t/text.hbs': '{{note}}' }, { note: 0 }],
    ['one picture', { 'templates/t/html.hbs': '<img src="https://example.org/a.png" alt="">' }, {}],
    ['a table', { 'templates/t/html.hbs': '<table><tr><td>{{note}}</td></tr></table>' }, { note: 'x' }],
    [
      'HTML beside an empty text',
      { 'templates/t/html.hbs': '<p>{{note}}</p>', 'templates/t/text.hbs': '{{none}}' },
      { note: 'x', none: '' },
    ],
    [
      'an invitation alone',
      { 'templates/t/message.yaml': 'subject: x\ncalendar: { start: 2026-12-11, summary: Party }\n' },
      {},
    ],
  ])('%s', async (_, files, row) => {
    expect(await codes(files, row)).toEqual([undefined, undefined])
  })
})

test('a template without any body is reported once, before the list is read', async () => {
  const files = { 'templates/t/message.yaml': 'subject: x\n' }
  expect(await problems(load('t', files, STRICT))).toMatchObject([
    { code: 'no-body', file: 'templates/t/message.yaml' },
  ])
  expect((await load('t', files, { allowEmpty: true })).name).toBe('t')
})

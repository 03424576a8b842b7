/** A look ahead at a row: it fails where rendering fails, and spares itself the bodies that cannot. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CONTEXT, load, rowOf } from './project.ts'

const ROW = { name: 'Ada', amount: 3, paid: true, date: '2026-11-25', empty: '' }

test.each([
  ['no cell', 'Dear reader'],
  ['cells', 'Dear {{name}}, {{amount}} {{paid}}{{empty}}'],
  ['a comment', '{{! of old }}Dear {{name}}'],
  ['a cell at the very beginning', '{{amount}}{{name}}'],
  ['a cell with the name of a helper that needs a value', '{{date}} {{./name}}'],
])('a body of %s is left out', async (_what, body) => {
  const template = await load('t', { 'templates/t.txt': body })
  expect(template.render(rowOf(ROW), CONTEXT).text).toBeTypeOf('string')
  expect(template.check(rowOf(ROW), CONTEXT).text).toBeUndefined()
})

test.each([
  ['a helper', 'Dear {{upper name}}'],
  ['a block', '{{#if name}}Dear {{name}}{{/if}}'],
  ['a part', '{{> foot}}'],
  ['something of the merge', '{{@merge.row}}'],
  ['a field of a cell', '{{name.first}}'],
  ['the row itself', '{{this}}'],
])('a body with %s is written', async (_what, body) => {
  const template = await load('t', { 'templates/t.txt': body, 'templates/_partials/foot.hbs': 'Yours' })
  const row = rowOf(body.includes('name.first') ? { name: { first: 'Ada' } } : ROW)
  let rendered: unknown
  try {
    rendered = template.render(row, CONTEXT)
  } catch (error) {
    expect(() => template.check(row, CONTEXT)).toThrow((error as Error).message)
    return
  }
  expect(template.check(row, CONTEXT)).toEqual(rendered)
})

test.each([
  ['a cell that is not there', { other: 'x' }],
  ['a cell that holds an object', { name: { first: 'Ada' } }],
  ['cells that make a text of more than 20 million characters', { name: 'x'.repeat(7_000_001) }],
])('%s is reported as in rendering', async (_what, cells) => {
  const template = await load('t', { 'templates/t.html': '<p>{{name}} {{name}} {{name}}</p>' })
  const told = (look: 'render' | 'check'): string => {
    try {
      template[look](rowOf(cells), CONTEXT)
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  expect(told('render')).not.toBe('')
  expect(told('check')).toBe(told('render'))
})

test('over any row, a look ahead fails exactly where rendering fails', async () => {
  const template = await load('t', {
    'templates/t.txt': 'Dear {{name}}, {{{amount}}}',
    'templates/t.html': '<p>{{name}} owes {{amount}}</p>',
  })
  const cell = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.date({ noInvalidDate: true }),
    fc.array(fc.string()),
    fc.record({ first: fc.string() }),
  )
  const rows = fc.record({ name: cell, amount: cell }, { requiredKeys: [] })
  const told = (look: () => unknown): string => {
    try {
      look()
      return 'nothing'
    } catch (error) {
      return (error as Error).message
    }
  }
  fc.assert(
    fc.property(rows, (cells) => {
      const row = rowOf(cells)
      expect(told(() => template.check(row, CONTEXT))).toBe(told(() => template.render(row, CONTEXT)))
    }),
    { numRuns: 500 },
  )
})

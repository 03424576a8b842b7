import { expect, test } from 'vitest'
import { rehearse, textTemplate } from './rehearsal.ts'

const list = 'email,first name,fee\nann@example.com,Ann,12.5\n'
const project = (computed: string, more: Readonly<Record<string, string>> = {}) => ({
  'mailmerge.yaml': `message: { from: s@example.org }\ncolumns:\n  computed:\n    made: '${computed}'\n`,
  'list.csv': list,
  'templates/t.txt': textTemplate('{{made}}'),
  ...more,
})

test.each([
  ['{{upper [first name]}}', 'ANN'],
  ['{{#if (gt fee 10)}}{{currency fee "EUR"}}{{else}}free{{/if}}', '€12.50'],
  ['{{default missing [first name]}}', /uses 'missing', which .*list.csv does not have/],
  ['{{uper email}}', /there is no helper 'uper'/],
  ['{{qr email}}', /there is no helper 'qr'/],
])('a computed column %s uses the helpers of templates', async (computed, expected) => {
  const rehearsal = rehearse(project(computed))
  if (typeof expected === 'string') expect(await rehearsal).toEqual({ 'ann@example.com': expected })
  else await expect(rehearsal).rejects.toThrow(expected)
})

test('a computed column uses the helpers of the project', async () => {
  const helpers = { 'templates/_helpers/own.js': 'export const initial = (name) => String(name)[0]\n' }
  expect(await rehearse(project('{{initial [first name]}}.', helpers))).toEqual({ 'ann@example.com': 'A.' })
})

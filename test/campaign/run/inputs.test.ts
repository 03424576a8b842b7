/** `--sample cases`: the few rows of a run that show all of its template. */
import { expect, test } from 'vitest'
import { rehearse, textTemplate } from './rehearsal.ts'

test('the cases are those of the rows that --not-in leaves', async () => {
  const files = {
    'list.csv': 'email,vip\np1@example.com,yes\np2@example.com,yes\np3@example.com,\np4@example.com,\n',
    'members.csv': 'email\np1@example.com\np3@example.com\n',
    'templates/t.txt': textTemplate('{{#if vip}}in front{{else}}anywhere{{/if}}'),
  }
  expect(await rehearse(files, { sample: 'cases', notIn: ['members.csv'] })).toEqual({
    'p2@example.com': 'in front',
    'p4@example.com': 'anywhere',
  })
})

test('the cases of a split are those of the variants that the rows get, also without an address column', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `u${10 + i},${i % 2 === 0 ? 'yes' : ''}`)
  const templateOf = (name: string): string =>
    textTemplate(
      `{{#if vip}}${name} in front{{else}}${name} anywhere{{/if}}`,
      'to: "{{user}}@example.com"\nsubject: x\n',
    )
  const files = {
    'list.csv': `user,vip\n${rows.join('\n')}\n`,
    'mailmerge.yaml': 'message: { from: s@example.org }\nvariants: { a: { template: ta }, b: { template: tb } }\n',
    'templates/t.txt': templateOf('t'),
    'templates/ta.txt': templateOf('a'),
    'templates/tb.txt': templateOf('b'),
  }
  const shown = new Set(Object.values(await rehearse(files, { sample: 'cases' })))
  expect([...shown].sort()).toEqual(['a anywhere', 'a in front', 'b anywhere', 'b in front'])
})

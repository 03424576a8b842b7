/** Placeholders of other programs in a template: found with file, line and the column meant; ordinary text is left in peace. */
import { describe, expect, test } from 'vitest'
import { foreignTags, foreignTagsIn } from '../../src/template/foreign-tags.ts'
import { load } from './project.ts'

const COLUMNS = ['name', 'first name', 'Amount_Due', 'email']

test.each([
  '{name}',
  '{Name}',
  '{first name}',
  '{FIRST_NAME}',
  '{ MERGEFIELD First_Name \\* MERGEFORMAT }',
  '{!Contact.FirstName}',
  '[Name]',
  '[First Name]',
  '[firstname,fallback=there]',
  '[[data]]',
  '[[data:firstname:"friend"]]',
  '[Your Name]',
  '[E-Mail]',
  '*|FNAME|*',
  '*|MC:SUBJECT|*',
  '%%LAST%%',
  '%%First Name%%',
  '%name%',
  '%FIRSTNAME%',
  '%(first)s',
  '$\u007Bfirst}',
  '$name$',
  '<<Town>>',
  '<<First Name>>',
  '&lt;&lt;Town&gt;&gt;',
  '«name»',
  '«First_Name»',
  '<%= user.name %>',
  '<% if x %>',
  '{% if x %}',
  '#name#',
  '##email##',
  '@@name@@',
  '||name||',
  '{Amount Due}',
  '{vorname}',
])('%s is one', (tag) => {
  for (const text of [tag, `Dear ${tag}, hello`, `(${tag})`])
    expect(foreignTagsIn(text, COLUMNS).map((one) => one.tag)).toEqual([tag])
})

test.each([
  '50% off [1], see {a, b} & #1 of x<y. Price: 5 $, 20%',
  'a {b} [c] «Bonjour» %d% #x#',
  '- [x] done\n- [ ] open',
  '[name](https://example.org) and [name][1]\n\n[name]: https://e.org',
  '{ color: red }',
  '100 % [sic] {!}',
  '[[]] <<>> $\u007B} **bold**',
  '«Le nom» {seat 4} [see below] a|b || c',
  'x <- y << z >> 2',
  '#hashtag and #another',
  'a_b [12] [A-Z]',
])('%j holds none', (text) => {
  expect(foreignTagsIn(text, COLUMNS)).toEqual([])
})

describe('in a template', () => {
  test('they are found in every file, by its own line', async () => {
    const { written } = await load('t', {
      'templates/t/message.yaml': 'from: s@example.org\nlayout: l\nsubject: Hi {name}\n',
      'templates/t/html.hbs': '<style>p { name: x } .{name}</style>\n<p>Dear [Name],\n{{name}} {{> foot}}</p>\n',
      'templates/t/text.hbs': 'Dear {{name}},\n\n*|LNAME|* and *|LNAME|*',
      'templates/_partials/foot.hbs': '\n<i>%%x%%</i>',
      'templates/_partials/other.hbs': '%%unused%%',
      'templates/_layouts/l.hbs': '<body>\n{{{body}}}<<Town>></body>',
    })
    const found = foreignTags(written, COLUMNS).map(
      ({ tag, file, line, column, means }) => `${file}:${line}:${column} ${tag} ${means ?? ''}`,
    )
    expect(found.toSorted()).toEqual([
      'templates/_layouts/l.hbs:2:11 <<Town>> ',
      'templates/_partials/foot.hbs:2:4 %%x%% ',
      'templates/t/html.hbs:2:9 [Name] name',
      'templates/t/message.yaml:3:13 {name} name',
      'templates/t/text.hbs:3:1 *|LNAME|* ',
    ])
  })

  test('they are found in one file with front matter', async () => {
    const { written } = await load('t', { 'templates/t.md': '---\nsubject: x\n---\nHello {name}' })
    expect(foreignTags(written, COLUMNS)).toEqual([
      { tag: '{name}', file: 'templates/t.md', line: 4, column: 7, means: 'name' },
    ])
  })
})

test('a text of signs that open and do not close is read at once', () => {
  for (const sign of ['{a', '[[a ', '<<', '%%', '«a', '<%', '{%', '{{a', '$a', '[a,', '##a', '{ MERGEFIELD '])
    foreignTagsIn(sign.repeat(100_000), COLUMNS)
}, 10_000)

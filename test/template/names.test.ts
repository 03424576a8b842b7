/** Names that a list has not, and mistakes in templates: each is reported by file, line and column, with what to do. */
import { describe, expect, test } from 'vitest'
import { CONTEXT, html, load, problems, render, rowOf, text } from './project.ts'

const ADA = { name: 'Ada', email: 'ada@example.com', 'first name': 'Ada', date: '2026-12-24', 'a-b': 'x' }

describe('a name that is not a column', () => {
  test.each([
    ['text', 'Dear\n  {{nmae}}', 2, '5', 'nmae'],
    ['a helper', 'Dear {{upper nmae}}', 1, '14', 'nmae'],
    ['a helper within a helper', '{{upper (lower nmae)}}', 1, '16', 'nmae'],
    ['a helper’s named value', '{{date date zone=nmae}}', 1, '18', 'nmae'],
    ['a condition', '{{#if nmae}}x{{/if}}', 1, '7', 'nmae'],
    ['a block of a condition', '{{#if name}}\n{{nmae}}{{/if}}', 2, '3', 'nmae'],
    ['the other branch', '{{#if name}}x{{else}}\n{{nmae}}{{/if}}', 2, '3', 'nmae'],
    ['a loop', '{{#each nmae}}x{{/each}}', 1, '9', 'nmae'],
    ['a loop that names the row', '{{#each name}}{{../nmae}}{{/each}}', 1, '17', 'nmae'],
    ['a loop that names the root', '{{#each name}}{{@root.nmae}}{{/each}}', 1, '17', 'nmae'],
    ['this', '{{this.nmae}}', 1, '3', 'nmae'],
    ['unescaped', '{{{nmae}}}', 1, '4', 'nmae'],
    ['a section', '{{#nmae}}x{{/nmae}}', 1, '4', 'nmae'],
  ])('in %s is named with the nearest', async (_, body, line, column, name) => {
    const found = await problems(render('t', { 'templates/t.txt': body }, ADA))
    expect(found).toMatchObject([
      { code: 'unknown-column', file: 'templates/t.txt', line, column, message: `the list has no column '${name}'` },
    ])
    expect(found[0]?.hint).toBe("Did you mean 'name'?")
  })

  test.each([
    ['front matter', 't.txt', '---\nfrom: a@example.org\nsubject: Hello {{nmae}}\n---\nbody', 3, '18'],
    ['a quoted field', 't.txt', '---\nsubject: "Hello {{nmae}}"\n---\nbody', 2, '19'],
    ['a folded field', 't.txt', '---\nsubject: >\n  Hello\n  {{nmae}}\n---\nbody', 4, '5'],
    ['a header', 't.txt', '---\nheaders:\n  X-A: "{{name}}"\n  X-B: "{{nmae}}"\n---\nbody', 4, '11'],
    ['an attachment', 't.txt', '---\nattachments:\n  - path: "{{name}}.pdf"\n    name: "{{nmae}}"\n---\nbody', 4, '14'],
    ['the preheader', 't.html', '---\npreheader: for {{nmae}}\n---\n<p>x</p>', 2, '18'],
    ['a body below front matter', 't.html', '---\nsubject: x\n---\n<p>\n{{nmae}}</p>', 5, '3'],
    ['HTML with styles', 't.html', '<style>p{color:red}</style>\n<p>{{nmae}}</p>', 2, '6'],
    ['Markdown', 't.md', '# A\n\nDear **{{nmae}}**', 3, '10'],
  ])('in %s is found at its place in the file', async (_, file, content, line, column) => {
    const found = await problems(render('t', { [`templates/${file}`]: content }, ADA))
    expect(found).toMatchObject([{ code: 'unknown-column', file: `templates/${file}`, line, column }])
  })

  test('is reported for each of them at once, and once where it stands once', async () => {
    const body = '{{nmae}} {{emial}}\n{{zzz}}'
    const found = await problems(render('t', { 'templates/t.html': body }, ADA))
    expect(found.map(({ message, line }) => `${line} ${message}`)).toEqual([
      "1 the list has no column 'nmae'",
      "1 the list has no column 'emial'",
      "2 the list has no column 'zzz'",
    ])
    expect(found[2]?.hint).toMatch(/^The list has the columns name, email/)
  })

  test('in the settings is reported without a line', async () => {
    const refused = render('t', { 'templates/t.txt': 'x' }, ADA, { message: { subject: '{{nmae}}' } })
    const [found] = await problems(refused)
    expect(found).toMatchObject({ file: 'mailmerge.yaml (message)', hint: "Did you mean 'name'?" })
    expect(found).not.toHaveProperty('line')
  })

  test('within a loop is found when a row is rendered, with its place', async () => {
    const template = await load('t', { 'templates/t.txt': 'x\n{{#each items}}{{currency prize "EUR"}}{{/each}}' })
    template.bind(['items'])
    const row = rowOf({ items: [{ price: 3 }] })
    expect(() => template.render(row, CONTEXT)).toThrow("templates/t.txt:2:27: there is no 'prize' here")
  })
})

describe('a column', () => {
  test.each([
    ['with a blank in its name', '{{[first name]}} {{upper [first name]}}', 'Ada ADA'],
    ['with a hyphen', '{{a-b}} {{[a-b]}}', 'x x'],
    ['that has the name of a helper', '{{date}}', '2026-12-24'],
    ['that has the name of a helper, as its value', '{{date date}}', 'December 24, 2026'],
    ['of this row, asked for by `this`', '{{this.name}} {{./name}}', 'Ada Ada'],
  ])('%s can be used', async (_, body, expected) => {
    expect(await text(body, ADA)).toBe(expected)
  })

  test.each([
    'date',
    'list',
    'number',
    'table',
    'in',
    'default',
    'yes',
    'log',
    'if',
    'with',
    'lookup',
    'each',
    'count',
  ])('named %s is a column where it stands alone', async (name) => {
    expect(await text(`{{${name}}}`, { [name]: 'cell' })).toBe('cell')
    expect(await html(`<p>{{${name}}}</p>`, { [name]: 'cell' })).toBe('<p>cell</p>')
  })

  test('that a helper’s name was meant for is explained', async () => {
    const [found] = await problems(render('t', { 'templates/t.txt': '{{currency}}' }, ADA))
    expect(found?.hint).toMatch(/The helper of that name needs a value: \{\{currency column\}\}/)
  })

  test('that holds an object is not a text, and says which fields it has', async () => {
    const cells = { address: rowOf({ street: 'Main St', city: 'York' }) }
    expect(await problems(render('t', { 'templates/t.txt': '{{address}}' }, cells))).toMatchObject([
      { code: 'no-text', message: 'a value used here is not text: it has the fields street, city' },
    ])
    expect(await text('{{address.city}}', cells)).toBe('York')
  })

  test('of lists and objects can be gone through, with the row in sight', async () => {
    const cells = { who: 'Ada', tags: ['a', 'b'], map: rowOf({ x: 1 }) }
    const body = '{{#each tags}}{{@index}}{{this}}{{../who}} {{/each}}{{#each map}}{{@key}}={{this}}{{/each}}'
    expect(await text(body, cells)).toBe('0aAda 1bAda x=1')
  })

  test('that is empty, null or zero is what it is', async () => {
    expect(await text('[{{a}}|{{b}}|{{c}}|{{d}}]', { a: '', b: null, c: 0, d: undefined })).toBe('[||0|]')
  })
})

describe('a mistake', () => {
  test.each([
    ['a tag that is not closed', 'a\nb {{name', 'template-syntax', 2],
    ['a tag with one brace too few', 'a\nb\n{{name} x', 'template-syntax', 3],
    ['a block that is not closed', 'a\n{{#if name}}x', 'template-syntax', 2],
    ['a block closed by another', 'a\n{{#if name}}x{{/each}}', 'template-syntax', 2],
    ['a block that was not opened', 'a\n\nb{{/if}}', 'template-syntax', 3],
    ['a value without a helper', 'a\n{{nmae "x"}}', 'missing-helper', 2],
    ['a helper that is not there', 'a\n{{uper name}}', 'missing-helper', 2],
    ['a helper that is not there, within', '{{upper (uper name)}}', 'missing-helper', 1],
    ['a block helper that is not there', '\n\n{{#iff name}}x{{/iff}}', 'missing-helper', 3],
    ['a partial that is not there', 'a\n {{> foter}}', 'missing-partial', 2],
    ['a partial named by the row', 'a\n{{> (lookup this "name")}}', 'dynamic-partial', 2],
    ['a decorator', 'a\n{{* name}}', 'decorator', 2],
    ['a block decorator', 'a\n{{#*evil "x"}}y{{/evil}}', 'decorator', 2],
    ['a date that is none', 'a\n{{date name}}', 'helper-failed', 2],
    ['a number that is none', '{{#if name}}\n{{number name}}{{/if}}', 'helper-failed', 2],
    ['money without a currency', '\n{{currency 3}}', 'helper-failed', 2],
    ['a currency that is none', '{{currency 3 "EURO"}}', 'helper-failed', 1],
    ['a time zone that is none', '{{datetime "2026-01-01 10:00" zone="Europe/Viena"}}', 'helper-failed', 1],
    ['a locale that is none', '{{number 3 locale="x"}}', 'helper-failed', 1],
    ['a table that is not there', '{{table "x" name}}', 'helper-failed', 1],
    ['a loop without a list', '{{#each}}x{{/each}}', 'template-failed', undefined],
  ])('%s is reported by file and line', async (_, body, code, line) => {
    const refused = render('t', { 'templates/t.txt': body, 'templates/_partials/footer.hbs': 'f' }, ADA)
    const [found] = await problems(refused)
    expect(found).toMatchObject({ code, file: 'templates/t.txt' })
    expect(found?.line).toBe(line)
  })

  test.each([
    ['an unknown field', 'subjct: x', 'unknown-field', 2, "Did you mean 'subject'?"],
    ['an unknown field of the calendar', 'calendar:\n  begin: x', 'unknown-field', 3, undefined],
    ['a field of a wrong kind', 'subject: [a, b]', 'bad-field', 2, undefined],
    ['an address that needs quotes', 'to: {{email}}', 'yaml', 2, 'Write, for example: to: "{{email}}"'],
    ['an attachment with an unknown key', 'attachments:\n  - pth: x', 'unknown-field', 3, "Did you mean 'path'?"],
    ['a PDF without a name', 'attachments:\n  - pdf: x', 'bad-field', 3, undefined],
    ['YAML that is none', 'subject: "x', 'yaml', undefined, undefined],
    ['a field given twice', 'subject: x\nsubject: y', 'yaml', 3, undefined],
  ])('in the fields: %s', async (_, fields, code, line, hint) => {
    const [found] = await problems(load('t', { 'templates/t.txt': `---\n${fields}\n---\nx` }))
    expect(found).toMatchObject({ code, file: 'templates/t.txt' })
    if (line !== undefined) expect(found?.line).toBe(line)
    if (hint !== undefined) expect(found?.hint).toBe(hint)
  })

  test('in a row of HTML with styles is reported at the line of the file', async () => {
    const body = '<style>p { color: red }</style>\n<p>Dear</p>\n<p>{{date when}}</p>'
    const template = await load('t', { 'templates/t.html': body })
    expect(() => template.render(rowOf({ when: 'soon' }), CONTEXT)).toThrow(
      "templates/t.html:3:4: date: 'soon' is not a date such as 2026-12-24",
    )
  })

  test('in a partial is reported at the line of the partial, also within what its caller gave it', async () => {
    const files = {
      'templates/_partials/when.hbs': '\n{{date day}}',
      'templates/_partials/box.hbs': '[{{> @partial-block}}]',
      'templates/a.txt': '\n\n{{> when day=name}}',
      'templates/b.txt': '\n\n{{#> box}}\n{{date name}}{{/box}}',
    }
    const row = rowOf(ADA)
    const [a, b] = [await load('a', files), await load('b', files)]
    expect(() => a.render(row, CONTEXT)).toThrow('templates/_partials/when.hbs:2:1: date:')
    expect(() => b.render(row, CONTEXT)).toThrow('templates/b.txt:4:1: date:')
  })

  test('of the campaign’s own names is reported', async () => {
    const [found] = await problems(render('t', { 'templates/t.txt': '{{@merge.unsubscribeUrl}}' }, ADA))
    expect(found).toMatchObject({ code: 'unknown-name', hint: expect.stringContaining('unsubscribe:') })
  })
})

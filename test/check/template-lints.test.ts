/** Advice on a template as it is written, by its files and lines. */
import { describe, expect, test } from 'vitest'
import { ColumnSurvey } from '../../src/check/column-survey.ts'
import { columnAdvice, templateAdvice } from '../../src/check/lints/template-lints.ts'
import { type Files, load, rowOf } from '../template/project.ts'

const place = ({
  file,
  line,
  column,
}: {
  file?: string | undefined
  line?: number | undefined
  column?: string | undefined
}): string => `${file}:${line}:${column}`

describe('broken HTML is reported', () => {
  test('by the line of the file that it is in', async () => {
    const { written } = await load('t', {
      'templates/t.html': '---\nsubject: x\n---\n<p>{{name}}</p>\n<div>\n{{> foot}}',
      'templates/_partials/foot.hbs': '<p>bye</p>\n  <b>{{name}}\n',
      'templates/_layouts/l.hbs': '',
    })
    const { problems } = templateAdvice(written, ['name'])
    expect(problems.map((one) => `${place(one)} ${one.message}`)).toEqual([
      'templates/t.html:5:1 <div> is not closed',
      'templates/_partials/foot.hbs:2:3 <b> is not closed',
    ])
  })

  test('beside styles, which are written into the elements', async () => {
    const { written } = await load('t', {
      'templates/t.html': '<style>b{color:red}</style>\n<p>x</p>\n<p>x</p><b>{{name}}\n',
    })
    expect(templateAdvice(written, ['name']).problems.map(place)).toEqual(['templates/t.html:3:9'])
  })

  test('in HTML of Markdown, and not in what Markdown and MJML make', async () => {
    const { written } = await load('t', { 'templates/t.md': 'Dear **{{name}}**\n\n- a\n- b\n\n<div>\n\nx\n' })
    expect(templateAdvice(written, ['name']).problems.map(place)).toEqual(['templates/t.md:6:1'])
    const mjml =
      '<mjml><mj-body><mj-section><mj-column><mj-text>{{name}}</mj-text></mj-column></mj-section></mj-body></mjml>'
    expect(templateAdvice((await load('t', { 'templates/t.mjml': mjml })).written, ['name']).problems).toEqual([])
  })
})

async function advice(files: Files, cells: readonly Readonly<Record<string, unknown>>[]): Promise<readonly string[]> {
  const { written } = await load('t', files)
  const columns = Object.keys(cells[0] ?? {})
  const survey = new ColumnSurvey({ reading: { locale: undefined }, columns, types: {}, used: new Set() })
  for (const row of cells) survey.see(rowOf(row))
  return columnAdvice(written, survey.habits()).map(({ severity, code, message, hint, ...at }) => {
    expect(severity).toBe('warning')
    return `${code} ${place(at)} ${message}. ${hint}`
  })
}

test('a layout and its body are whole each by itself', async () => {
  const { written } = await load('t', {
    'templates/t.html': '---\nlayout: l\n---\n<div>{{name}}\n',
    'templates/_layouts/l.hbs': '<body>\n<div>{{{body}}}</div>\n<b>{{> foot}}</body>',
    'templates/_partials/foot.hbs': '<i>bye</i></u>',
  })
  expect(templateAdvice(written, ['name']).problems.map((one) => `${place(one)} ${one.message}`)).toEqual([
    'templates/t.html:4:1 <div> is not closed',
    'templates/_layouts/l.hbs:3:1 <b> is not closed',
    'templates/_partials/foot.hbs:1:11 </u> closes nothing',
  ])
})

describe('a condition over a column of yes and no', () => {
  const rows = (...cells: readonly unknown[]) => cells.map((coming) => ({ coming }))
  const text = (body: string): Files => ({ 'templates/t.txt': `---\nsubject: x\n---\n${body}` })

  test.each([
    ['{{#if coming}}a{{/if}}', 7],
    ['{{#unless coming}}a{{/unless}}', 11],
    ['{{#coming}}a{{/coming}}', 4],
    ['{{#if (and coming coming)}}a{{/if}}', 12],
    ['{{#if (not coming)}}a{{/if}}', 12],
  ])('%s is reported', async (body, column) => {
    const [one] = await advice(text(body), rows('yes', 'No', '', 'NO'))
    expect(one).toMatch(`yes-or-no templates/t.txt:4:${column}`)
    expect(one).toMatch(
      "{{#if coming}} only asks whether the cell is filled, and 2 cells say 'No'. Write {{#if (yes coming)}}.",
    )
  })

  test.each([
    ['{{#yes coming}}a{{/yes}}', rows('yes', 'no')],
    ['{{#if (yes coming)}}a{{/if}}', rows('yes', 'no')],
    ['{{#if (eq coming "no")}}a{{/if}}', rows('yes', 'no')],
    ['{{coming}}', rows('yes', 'no')],
    ['{{#if coming}}a{{/if}}', rows('yes', '', 'x')],
    ['{{#if coming}}a{{/if}}', rows('no', 'maybe', 'yes')],
    ['{{#if coming}}a{{/if}}', rows(true, false)],
  ])('%s over %j is not', async (body, cells) => {
    expect(await advice(text(body), cells)).toEqual([])
  })

  test.each(['nein', 'non', 'FALSE', '0', 'n', 'нет'])('knows %s', async (no) => {
    expect(await advice(text('{{#if coming}}a{{/if}}'), rows(no, '1'))).toHaveLength(1)
  })
})

describe('a cell with line breaks in HTML', () => {
  const cells = [{ street: '1 Main St\nYork', name: 'Ann' }]
  test.each<[string, Files]>([
    ['HTML', { 'templates/t.html': '<p>{{street}} {{name}}</p>' }],
    ['Markdown', { 'templates/t.md': '---\nlayout: false\n---\n{{street}}' }],
    ['a partial', { 'templates/t.html': '<p>{{> x}}</p>', 'templates/_partials/x.hbs': '{{street}}' }],
  ])('is reported in %s', async (_, files) => {
    const [one, another] = await advice(files, cells)
    expect(one).toMatch(
      /lost-lines templates\/.* \{\{street\}\} is put into HTML as it is, and 1 cell has line breaks.* Write \{\{lines street\}\}\./,
    )
    expect(another).toBeUndefined()
  })

  test.each<[string, Files]>([
    ['lines', { 'templates/t.html': '<p>{{lines street}}</p>' }],
    ['an attribute', { 'templates/t.html': '<p title="a {{street}}">x</p>' }],
    ['a text alone', { 'templates/t.txt': '{{street}}' }],
    ['a text beside HTML', { 'templates/t/html.hbs': '<p>{{name}}</p>', 'templates/t/text.hbs': '{{street}}' }],
    ['text that keeps its lines', { 'templates/t.html': '<p style="white-space: pre-line">{{street}}</p>' }],
  ])('is not in %s', async (_, files) => {
    expect(await advice(files, cells)).toEqual([])
  })
})

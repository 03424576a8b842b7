/** Versions of a template in several languages, and which of them a row gets. */
import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { templateNames } from '../../src/template/files/find.ts'
import { CONTEXT, folderOf, load, problems, render, rowOf } from './project.ts'

const FOLDER = {
  'templates/t/message.yaml': 'from: a@example.org\nsubject: Hello {{name}}\nheaders: { X-One: "1", X-Two: "2" }\n',
  'templates/t/message.de.yaml': 'subject: Hallo {{name}}\nheaders: { X-Two: zwei }\n',
  'templates/t/text.hbs': 'It costs {{number price}}.\n',
  'templates/t/text.de.hbs': 'Es kostet {{number price}}.\n',
  'templates/t/html.fr.hbs': '<p>Bonjour {{name}}</p>',
  'templates/t/text.pt-BR.hbs': 'Custa {{number price}}.\n',
}

function inLanguage(lang: string, context = {}) {
  return render('t', FOLDER, { name: 'Ada', price: '1234.5', lang }, {}, context)
}

describe('a row gets the version', () => {
  test.each([
    ['de', 'Hallo Ada', 'Es kostet 1.234,5.\n'],
    ['de-CH', 'Hallo Ada', "Es kostet 1'234.5.\n"],
    ['DE_at', 'Hallo Ada', 'Es kostet 1 234,5.\n'],
    ['pt-BR', 'Hello Ada', 'Custa 1.234,5.\n'],
    // There is none in the Portuguese of Portugal.
    ['pt-PT', 'Hello Ada', 'It costs 1,234.5.\n'],
    ['it', 'Hello Ada', 'It costs 1,234.5.\n'],
    ['', 'Hello Ada', 'It costs 1,234.5.\n'],
  ])('for %s', async (lang, subject, text) => {
    const rendered = await inLanguage(lang)
    expect({ subject: rendered.subject, text: rendered.text?.replaceAll('\u00A0', ' ').replace('’', "'") }).toEqual({
      subject,
      text,
    })
  })

  test('with a body of one language alone: no English text beside French HTML', async () => {
    const { html, text, language } = await inLanguage('fr')
    expect({ html, text: text?.trim(), language }).toEqual({
      html: '<p>Bonjour Ada</p>',
      text: 'Bonjour Ada',
      language: 'fr',
    })
  })

  test('with the fields of the template that it does not set itself, header by header', async () => {
    const { headers, from } = await inLanguage('de')
    expect([String(from), headers.map(([name, value]) => `${name}: ${value}`)]).toEqual([
      'a@example.org',
      ['X-One: 1', 'X-Two: zwei'],
    ])
  })

  test('within the time of a row: a helper in locale that never ends is ended', { timeout: 60_000 }, async () => {
    const files = {
      ...FOLDER,
      'templates/_helpers/x.mjs': 'export const spin = () => { for (;;); }',
      'templates/t/message.yaml': 'from: a@example.org\nsubject: Hello\nlocale: "{{spin}}"\n',
    }
    expect(await problems(render('t', files, { name: '', price: '' }))).toMatchObject([
      { code: 'endless-helper', file: 'templates/_helpers/x.mjs' },
    ])
  })

  test('while numbers of the list are read as the list writes them', async () => {
    const files = { ...FOLDER, 'templates/t/text.de.hbs': '{{number price}}' }
    const { text } = await render('t', files, { name: '', price: '1,234', lang: 'de' }, {}, { locale: 'en-GB' })
    expect(text).toBe('1.234')
  })

  test('that locale says, where the template has that field', async () => {
    const files = {
      't.md': '',
      'templates/t.md': '---\nsubject: Hello\nlocale: "{{Sprache}}"\nfrom: a@b.org\n---\nHello\n',
      'templates/t.de.md': '---\nsubject: Hallo\n---\nHallo\n',
    }
    const subjectOf = async (Sprache: string) => (await render('t', files, { Sprache, lang: 'en' })).subject
    expect(await subjectOf('de-AT')).toBe('Hallo')
    expect(await subjectOf('en')).toBe('Hello')
    expect(await subjectOf('')).toBe('Hello')
  })
})

test('a cell that is not a language is an error of its row, with the language that is meant', async () => {
  const template = await load('t', FOLDER)
  template.bind(['name', 'price', 'lang'])
  const row = rowOf({ name: 'Ada', price: '1', lang: 'German' })
  for (const how of ['check', 'render'] as const) {
    const [problem] = problemsOf(() => template[how](row, CONTEXT))
    expect(problem).toMatchObject({ code: 'bad-language', column: 'lang', value: 'German', hint: 'Write de.' })
  }
})

test('a version is checked like the template: its columns, its fields, its syntax, each with its file', async () => {
  const broken = { ...FOLDER, 'templates/t/text.de.hbs': '{{#if name}}' }
  expect(await problems(load('t', broken))).toMatchObject([{ file: 'templates/t/text.de.hbs' }])
  const unknown = { ...FOLDER, 'templates/t/message.fr.yaml': 'subject: "{{nam}}"' }
  expect(await problems(render('t', unknown, { name: 'Ada', price: '1', lang: '' }))).toMatchObject([
    { file: 'templates/t/message.fr.yaml', line: 1 },
  ])
  const field = { ...FOLDER, 'templates/t/message.fr.yaml': 'subjet: Bonjour' }
  expect(await problems(load('t', field))).toMatchObject([{ file: 'templates/t/message.fr.yaml' }])
})

test('all versions are part of the template: its files, its hash, the columns that it reads', async () => {
  const template = await load('t', FOLDER)
  template.bind(['name', 'price', 'Language'])
  expect(template.files.filter((file) => file.includes('.de.'))).toEqual([
    'templates/t/message.de.yaml',
    'templates/t/text.de.hbs',
  ])
  expect(template.columns).toContain('Language')
  expect(template.languageFrom).toBe('Language')
  template.bind(['name', 'price'])
  expect(template.languageFrom).toBeUndefined()
  expect(template.unread).toEqual([])
  expect([...template.versions.keys()]).toEqual(['de', 'fr', 'pt-BR'])
  const other = await load('t', { ...FOLDER, 'templates/t/text.de.hbs': 'Es kostet viel.' })
  expect(other.hash).not.toBe(template.hash)
})

test('a template of one file and its versions are one template; a name that ends otherwise is its own', async () => {
  const files = {
    'templates/invite.md': '---\nfrom: a@b.org\nsubject: Hello\n---\nHello\n',
    'templates/invite.de.html': '<p>Hallo</p>',
    'templates/invite.old1.md': 'x',
    'templates/other.fr.md': 'y',
  }
  expect(templateNames(folderOf(files))).toEqual(['invite', 'invite.old1', 'other.fr'])
  const { subject, html } = await render('invite', files, { lang: 'de' })
  expect([subject, html]).toEqual(['Hello', '<p>Hallo</p>'])
})

function problemsOf(action: () => unknown) {
  try {
    action()
  } catch (error) {
    if (error instanceof DataError) return error.problems
    throw error
  }
  return []
}

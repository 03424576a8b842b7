/** docs/templates.md: every example that says what comes out of it is run, and every helper is in it. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { messageFields } from '../../src/template/files/message-file.ts'
import { HELPERS } from '../../src/template/helpers/helpers.ts'
import { load, render, text } from './project.ts'

const DOCS = readFileSync(new URL('../../docs/templates.md', import.meta.url), 'utf8')
const HELPERS_PART = DOCS.slice(DOCS.indexOf('\n## Helpers\n'), DOCS.indexOf('\n## Helpers of your own\n'))
const ROW = parse(/```yaml\n([\s\S]*?)```/.exec(HELPERS_PART)?.[1] ?? '') as Readonly<Record<string, unknown>>
const TABLES = '---\ntables: { greeting: { de: Guten Tag, en: Hello } }\n---\n'

/** Rows of the tables `write | get`. */
const EXAMPLES = [...HELPERS_PART.matchAll(/\n\| write \| get \|\n\| --- \| --- \|\n((?:\|.*\n)+)/g)].flatMap(
  ([, rows = '']) =>
    rows
      .trimEnd()
      .split('\n')
      .map((row): readonly [string, string] => {
        const [, write = '', get = ''] = /^\| `(.*?)` \| ?(.*?) ?\|$/.exec(row) ?? []
        return [write, get]
      }),
)

describe('examples', () => {
  test('are found', () => {
    expect(EXAMPLES.length).toBeGreaterThanOrEqual(45)
    for (const [write] of EXAMPLES) expect(write).not.toBe('')
  })

  test.each(EXAMPLES)('%s gives %s', async (write, get) => {
    const made = await text(TABLES + write, ROW)
    expect(made.replace(/[\u00A0\u202F]/g, ' ').trim()).toBe(get)
  })

  test('of blocks of code render', async () => {
    const blocks = [...DOCS.matchAll(/```handlebars\n([\s\S]*?)```/g)].map(([, block = '']) => block)
    expect(blocks.length).toBeGreaterThanOrEqual(3)
    const cells = { ...ROW, venue: 'Hall', seat: 'A1' }
    for (const block of blocks) expect((await render('t', { 'templates/t.md': block }, cells)).html).not.toContain('{{')
  })

  test('of helpers of one’s own do what they say', async () => {
    const code = /```js\n([\s\S]*?)```/.exec(DOCS)?.[1] ?? ''
    const files = { 'templates/_helpers/own.mjs': code, 'templates/t.html': '{{initials name}} {{bold name}}' }
    expect((await render('t', files, ROW)).html).toBe('AL <b>Ada Lovelace</b>')
  })

  test('of fields in YAML are fields', async () => {
    const blocks = [...DOCS.matchAll(/```yaml\n((?:attachments|calendar):[\s\S]*?)```/g)].map(([, block = '']) => block)
    expect(blocks).toHaveLength(2)
    const made = { 'templates/receipt.csv.hbs': '{{csv code}}', 'templates/certificate.md': '# {{name}}' }
    for (const block of blocks) await load('t', { ...made, 'templates/t.txt': `---\n${block}---\nx` })
  })
})

test('every helper and every field is explained', () => {
  for (const name of Object.keys(HELPERS)) expect(HELPERS_PART, name).toMatch(new RegExp(`[{(#\`]${name}[\\s\`]`))
  const fields = DOCS.slice(DOCS.indexOf('\n## Fields\n'), DOCS.indexOf('\n## Layouts'))
  for (const name of Object.keys(messageFields.shape)) expect(fields, name).toContain(`\`${name}\``)
})

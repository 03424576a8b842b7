/** What people write in a template by habit, and what they read. */
import { expect, test } from 'vitest'
import { load, problems, render } from './project.ts'

const FIELDS = '---\nsubject: x\n---\n'

test.each([
  ['first name', 'Dear {{first name}}'],
  ['First Name', 'Dear {{first name}}'],
  ['last name', 'Dear {{last name}}'],
])('a column of two words, %j, is written in brackets', async (column, body) => {
  const refused = load('t', { 'templates/t.txt': FIELDS + body }).then((template) => template.bind(['name', column]))
  const [found] = await problems(refused)
  expect(found?.hint?.toLowerCase()).toContain(`{{[${column.toLowerCase()}]}}`)
})

test('a helper with a column stays a call where no column has both words', async () => {
  const { text } = await render('t', { 'templates/t.txt': `${FIELDS}{{first name}}` }, { name: 'a; b' })
  expect(text).toBe('a')
})

test.each([
  ['{{#if name}}\nyes\n', '{{#if}}', 4],
  ['a\n{{#each items}}{{#if x}}b{{/if}}\n', '{{#each}}', 5],
  ['a\n{{#if x}}\n{{#if y}}b{{/if}}', '{{#if}}', 5],
])('a block that is not closed is named, with the line where it begins: %j', async (body, block, line) => {
  const [found] = await problems(load('t', { 'templates/t.txt': FIELDS + body }))
  expect(found).toMatchObject({ code: 'template-syntax', line, message: `the block ${block} is not closed` })
})

test.each([
  ['{{name.first}}', { name: 'Ada' }, "'name' is a plain value and has no 'first'", 4],
  ['a\n{{#if name}}{{name.first}}{{/if}}', { name: 'Ada' }, "'name' is a plain value", 5],
  ['{{name.first.x}}', { name: { first: 'Ada' } }, "'name.first' is a plain value", 4],
  ['{{upper name.first}}', { name: 7 }, "'name' is a plain value", 4],
])('a dotted name of a plain value: %s', async (body, row, message, line) => {
  const [found] = await problems(render('t', { 'templates/t.txt': FIELDS + body }, row))
  expect(found).toMatchObject({ file: 'templates/t.txt', line })
  expect(found?.message).toContain(message)
})

test('to, cc and their like may be lists of addresses', async () => {
  const fields = '---\nsubject: x\nto: ["{{a}}", "Bob <{{b}}>"]\ncc:\n  - c@example.org\n  - "{{d}}"\n---\nx'
  const { to, cc } = await render('t', { 'templates/t.txt': fields }, { a: 'a@example.org', b: 'b@example.org', d: '' })
  expect([to, cc].map((text) => String(text).replace(/[\u{F0000}\u{F0001}]/gu, ''))).toEqual([
    'a@example.org, Bob <b@example.org>',
    'c@example.org, ',
  ])
})

test('a helper of the project that ends the program is reported as a mistake of that helper', async () => {
  const files = {
    'templates/_helpers/stop.mjs': 'export const stop = () => process.exit(0)\n',
    'templates/t.txt': `${FIELDS}{{stop name}}`,
  }
  const [found] = await problems(render('t', files, { name: 'Ada' }))
  expect(found).toMatchObject({
    file: 'templates/t.txt',
    line: 4,
    message: expect.stringContaining('stop: it calls process.exit'),
  })
})

test('a file of helpers that ends the program while it is loaded is named', async () => {
  const files = { 'templates/_helpers/end.mjs': 'process.exit(0)\n', 'templates/t.txt': `${FIELDS}x` }
  await expect(load('t', files)).rejects.toThrow(/templates\/_helpers\/end\.mjs cannot be loaded.*process\.exit/)
})

test('a helper that was stopped is not taken for the one at work afterwards', async () => {
  const files = {
    'templates/_helpers/loop.mjs': 'export const loop = () => { for (;;); }\n',
    'templates/t.txt': `${FIELDS}{{loop name}}`,
  }
  await problems(render('t', files, { name: 'Ada' }))
  // The test runner keeps its own process from exiting; a helper would be refused before, in other words.
  expect(() => process.exit(0)).toThrow(/unexpectedly called/)
})

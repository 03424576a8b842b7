/**
 * What people know of Handlebars 4.7 holds here. The departures, each on purpose, are the last table: strict names, no
 * prototypes, no decorators but inline partials, no partial that a row names, no log, columns before helpers of their name.
 */
import { describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { html, render, text } from './project.ts'

test.each<[string, string, Readonly<Record<string, unknown>>, string]>([
  ['a value', 'Goodbye\n{{adj}} world!', { adj: 'cruel' }, 'Goodbye\ncruel world!'],
  ['a path', '{{alan.expression}}', { alan: { expression: 'beautiful' } }, 'beautiful'],
  ['a path with slashes', '{{alan/expression}}', { alan: { expression: 'beautiful' } }, 'beautiful'],
  ['a segment in brackets', '{{foo.[bar baz].x}}', { foo: { 'bar baz': { x: 1 } } }, '1'],
  ['an index', '{{list.[1]}} {{list.[0]}}', { list: ['a', 'b'] }, 'b a'],
  ['the length of a list', '{{list.length}}', { list: ['a', 'b'] }, '2'],
  ['a comment', 'a{{! no }}b{{!-- {{x}} --}}c', {}, 'abc'],
  ['an escaped mustache', '\\{{x}} {{x}}', { x: 1 }, '{{x}} 1'],
  ['a raw value', '{{{x}}}{{&x}}', { x: '&' }, '&&'],
  ['true and false', '{{t}}{{f}}', { t: true, f: false }, 'truefalse'],
  ['zero', '{{#if z}}y{{else}}n{{/if}}{{#if z includeZero=true}}y{{/if}}', { z: 0 }, 'ny'],
  [
    'literals',
    '{{default 12}} {{default -1.5}} {{default "x"}} {{default true}} {{default null}}',
    {},
    '12 -1.5 x true ',
  ],
  ['white space that ~ takes', 'a {{~x~}} b', { x: 1 }, 'a1b'],
  ['lines that only hold a block', 'a\n{{#if t}}\nb\n{{/if}}\nc\n', { t: 1 }, 'a\nb\nc\n'],
  ['lines that only hold a comment', 'a\n  {{! x }}\nb', {}, 'a\nb'],
  ['if', '{{#if a}}1{{else if b}}2{{else}}3{{/if}}', { a: '', b: 'x' }, '2'],
  ['if of an empty list', '{{#if l}}1{{else}}2{{/if}}', { l: [] }, '2'],
  ['if turned round by ^', '{{^a}}1{{/a}}{{#a}}2{{^}}3{{/a}}', { a: '' }, '13'],
  ['unless', '{{#unless a}}1{{else}}2{{/unless}}', { a: 0 }, '1'],
  [
    'each of a list',
    '{{#each l}}{{@index}}{{#if @first}}^{{/if}}{{this}}{{#if @last}}!{{/if}}{{/each}}',
    { l: ['a', 'b'] },
    '0^a1b!',
  ],
  ['each of an object', '{{#each o}}{{@key}}={{this}};{{/each}}', { o: { a: 1, b: 2 } }, 'a=1;b=2;'],
  ['each of nothing', '{{#each l}}x{{else}}none{{/each}}', { l: [] }, 'none'],
  ['each with names of its own', '{{#each l as |item i|}}{{i}}{{item.n}}{{/each}}', { l: [{ n: 'a' }] }, '0a'],
  [
    'each in each',
    '{{#each l}}{{@index}}{{#each this}}{{@../index}}{{this}}{{/each}}{{/each}}',
    { l: [['a'], ['b', 'c']] },
    '00a11b1c',
  ],
  ['the row from within', '{{#each l}}{{../n}}{{@root.n}}{{/each}}', { l: [1, 2], n: 'x' }, 'xxxx'],
  ['with', '{{#with p}}{{a}}{{../b}}{{else}}none{{/with}}', { p: { a: 1 }, b: 2 }, '12'],
  ['with a name of its own', '{{#with p as |q|}}{{q.a}}{{b}}{{/with}}', { p: { a: 1, b: 2 } }, '12'],
  ['with nothing', '{{#with p}}x{{else}}none{{/with}}', { p: null }, 'none'],
  ['lookup', '{{lookup m k}}{{lookup l 1}}', { m: { a: 'x' }, k: 'a', l: ['p', 'q'] }, 'xq'],
  ['a section of a list', '{{#l}}{{n}}{{/l}}', { l: [{ n: 1 }, { n: 2 }] }, '12'],
  ['a section of an object', '{{#p}}{{n}}{{/p}}', { p: { n: 1 } }, '1'],
  ['a section of a truth', '{{#t}}y{{/t}}{{#f}}n{{/f}}', { t: true, f: false }, 'y'],
  ['helpers in helpers', '{{upper (default a (lower "B"))}}', { a: '' }, 'B'],
  ['a named value', '{{join l " "}}{{number n digits=(default 1 2)}}', { l: ['a', 'b'], n: 1 }, 'a b1.0'],
  ['an inline partial', '{{#*inline "p"}}[{{x}}]{{/inline}}{{> p}}{{> p x=2}}', { x: 1 }, '[1][2]'],
])('%s', async (_, body, cells, expected) => {
  expect(await text(body, cells)).toBe(expected)
})

test('HTML escapes the seven signs that could end a text or an attribute', async () => {
  expect(await html('{{x}}', { x: `& < > " ' \` =` })).toBe('&amp; &lt; &gt; &quot; &#x27; &#x60; &#x3D;')
})

test('partials take a context, values, a block, and a fallback for one that is not there', async () => {
  const files = { 'templates/_partials/p.hbs': '({{n}}{{x}})', 'templates/_partials/b.hbs': '<{{> @partial-block}}>' }
  const body = '{{> p o x="!"}}{{#each l}}{{> p x="?"}}{{/each}}{{#> b}}{{n}}{{/b}}'
  const { text } = await render('t', { ...files, 'templates/t.txt': body }, { o: { n: 1 }, l: [{ n: 2 }], n: 3 })
  expect(text).toBe('(1!)(2?)<3>')
})

describe('on purpose otherwise', () => {
  test.each<[string, string, Readonly<Record<string, unknown>>]>([
    ['a name that is not there is a mistake, not an empty text', '{{missing}}', { x: 1 }],
    ['so is one within an object', '{{x.missing}}', { x: { y: 1 } }],
    ['no prototype is read, not even of a string', '{{x.trim}}', { x: 'a' }],
    ['decorators are refused', '{{#*deco "x"}}{{/deco}}', { x: 1 }],
    ['a partial has its name in the template', '{{> (lookup this "x")}}', { x: 'p' }],
    ['a partial that is not there is a mistake, also with a fallback', '{{#> none}}x{{/none}}', { x: 1 }],
    ['a value that is a function is not called', '{{x}}{{#x}}{{/x}}{{missing}}', { x: 1 }],
  ])('%s', async (_, body, cells) => {
    await expect(text(body, cells)).rejects.toThrow(DataError)
  })

  test('log writes nothing', async () => {
    expect(await text('a{{log "x" level="error"}}b', {})).toBe('ab')
  })

  test('a column comes before a helper of its name', async () => {
    expect(await text('{{list}} {{list l}}', { list: 'x', l: 'a;b' })).toBe('x a and b')
  })

  test('a loop in an inner partial keeps the indentation of its own lines', async () => {
    const files = { 'templates/_partials/p.hbs': 'a\nb\n', 'templates/t.txt': '  {{> p}}\n' }
    expect((await render('t', files)).text).toBe('  a\nb\n')
  })
})

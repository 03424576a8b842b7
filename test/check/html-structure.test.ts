/** Elements that are not closed, close nothing or cross each other, through conditions and loops of the template. */
import { describe, expect, test } from 'vitest'
import { structureFaults } from '../../src/check/lints/html-structure.ts'

const faults = (page: string): readonly string[] =>
  structureFaults(page).map(({ kind, element, other, at, length }) => {
    expect(page.slice(at, at + length)).toMatch(/^<.*>$/s)
    return `${kind} ${element}${other === undefined ? '' : ` in ${other}`} ${page.slice(0, at).split('\n').length}`
  })

describe('whole', () => {
  test.each([
    '<!doctype html><html lang=en><body><p>Hello {{name}}<br>bye<ul><li>one<li>two</ul><hr></body></html>',
    '<table><tr><td>a<td>b<tr><td>c</table>',
    '<P>a</p><IMG src="a>b.png" alt=\'<b>\'><input value="{{x}}">',
    '<style>p > a { color: red } </style><script>if (a<b) { "<b>" }</script><title>a <b> c</title>',
    '<!-- <b> --><!--[if mso]><table><tr><td><![endif]--><p>x</p><!--[if mso]></td></tr></table><![endif]-->',
    '<svg viewBox="0 0 1 1"><path d="M0 0"/><circle r="1"/></svg><v:fill type="frame"/>',
    '{{#if a}}<b>{{name}}</b>{{else}}<i>x</i>{{/if}}',
    '{{#each items}}<tr><td>{{this}}</td></tr>{{/each}}',
    '{{#if a}}<a href="{{url}}">{{/if}}x{{#if a}}</a>{{/if}}',
    '{{#if a}}<td class="x">{{else}}<td>{{/if}}<b>y</b></td>',
    '{{#if a}}<div class="x">{{else}}<div>{{/if}}<b>y</b></div>',
    '{{#if a}}<div>{{else if b}}<div class="b">{{else}}<p>{{/if}}</div>',
    '<a {{#if x}}href="{{url}}"{{/if}} title="{{#if y}}a > b{{/if}}">x</a>',
    '<p {{! <b> }}>a</p>{{!-- <b> --}}{{> box}}',
    '{{#unless a}}<b>x</b>{{/unless}}{{^b}}y{{/b}}',
    '1 < 2 and a<b, {{x}}',
  ])('%s', (page) => {
    expect(faults(page)).toEqual([])
  })
})

test.each<[string, readonly string[]]>([
  ['<table><tr><td><b>Hello {{name}}</td></tr></body>', ['unclosed table 1', 'unclosed b 1', 'stray body 1']],
  ['<div>\n<span>x\n</div>', ['unclosed span 2']],
  ['<p>a</p>\n</div>', ['stray div 2']],
  ['<b><i>x</b></i>', ['crossing i in b 1']],
  ['<b>\n<i>x</b> y', ['unclosed i 2']],
  ['<p>\n<a href="x">y</p>', ['unclosed a 2']],
  ['<span/>x', ['unclosed span 1']],
  ['{{#if a}}\n<b>x\n{{else}}\n<b>y{{/if}}', ['unclosed b 2']],
  ['{{#if a}}<b><i>x</b>{{/if}}', ['unclosed i 1']],
  ['{{#each x}}<b>{{/each}}\n<u>y', ['unclosed u 2']],
  ['<em>{{#if a}}<b>{{/if}}', ['unclosed em 1']],
  ['<h1>x</h2>', ['unclosed h1 1', 'stray h2 1']],
])('%j', (page, expected) => {
  expect(faults(page)).toEqual(expected)
})

test('a page of tags without an end is read at once', () => {
  expect(structureFaults('<b>'.repeat(20_000))).toHaveLength(20)
  expect(structureFaults('<b '.repeat(50_000))).toEqual([])
  expect(structureFaults(`<a href="${'<b '.repeat(50_000)}`)).toEqual([])
}, 5_000)

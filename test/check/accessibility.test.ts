/** What keeps people from reading a page, by rule and place; a page that everybody can read has no finding. */
import { expect, test } from 'vitest'
import { accessibilityFaults } from '../../src/check/lints/accessibility.ts'

const faults = (page: string): readonly string[] =>
  accessibilityFaults(page).map(({ rule, detail, at }) => `${rule} ${detail} ${page.slice(0, at).split('\n').length}`)

test.each([
  '<html lang="{{lang}}"><head><title>{{subject}}</title></head><body><h1>A</h1><h2>B</h2><h1>C</h1><p>{{name}}</p></body></html>',
  '<table role="presentation"><tr><td>x</td></tr></table><table><tr><th>a</th></tr><tr><td>b</td></tr></table>',
  '<a href="x">Your ticket</a><a href="x"><img src="a.png" alt="Home"></a><a href="x" aria-label="Home"></a><a href="x">{{name}}</a>',
  '<p style="color:#fff;background:#000">x</p><p style="color:{{c}}">x</p><p style="color:#767676">x</p>',
  '<p style="color:#fff;background:url(a.png)">x</p><table role=none background="a.png"><tr><td style="color:white">x</td></tr></table>',
  '<h1 style="color:#888;font-size:24px">x</h1><p style="font-size:12px">x</p><p style="font-size:0;display:none">x</p>',
  '<div style="color:#fff;max-height:0;overflow:hidden">preheader</div><p>x</p>',
  '<td bgcolor="#003366"><a href="x" style="color:#ffffff">Your ticket</a></td>',
])('%s', (page) => {
  expect(faults(page)).toEqual([])
})

test.each<[string, readonly string[]]>([
  ['<html><body><p>x</p></body></html>', ['no-lang  1', 'no-title  1']],
  [
    '<a href="x"></a>\n<a href="x"><img src="a.png" alt=""></a><p>x</p><button> </button>',
    ['empty-link a 1', 'empty-link a 2', 'empty-link button 2'],
  ],
  [
    '<p>x</p>\n<a href="x">Click here!</a><a href="x"><b>hier</b></a>',
    ['vague-link Click here! 2', 'vague-link hier 2'],
  ],
  ['<h1>A</h1>\n<h3>B</h3>', ['heading-order h1 h3 2']],
  ['<table><tr><td>x</td></tr></table>', ['layout-table  1']],
  ['<p style="color:#777777">x</p>', ['low-contrast 4.4 4.5 1']],
  ['<div style="background-color:#eee"><p style="color: #999">a</p></div>', ['low-contrast 2.4 4.5 1']],
  ['<td bgcolor="yellow"><font color="white">x</font></td>', ['low-contrast 1.0 4.5 1']],
  ['<p style="color:rgb(150, 150, 150)">x <b>y</b></p>', ['low-contrast 2.9 4.5 1', 'low-contrast 2.9 4.5 1']],
  ['<p style="font-size:11px">x</p><p style="font-size:8pt">y</p>', ['small-text 11 px 1', 'small-text 10.7 px 1']],
  ['<p><img src="a.png" alt="All of it"></p>', ['images-only  1']],
])('%s has %j', (page, expected) => {
  expect(faults(page)).toEqual(expected)
})

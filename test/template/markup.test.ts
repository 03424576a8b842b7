/** Markdown, MJML, styles, images and the text part: made once, with every mustache whole. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CONTEXT, html, load, problems, render, rowOf } from './project.ts'

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

const FIELDS = '---\nsubject: x\n---\n'

async function markdown(
  body: string,
  cells: Readonly<Record<string, unknown>> = {},
): Promise<{ html: string; text: string }> {
  const { html = '', text = '' } = await render('t', { 'templates/t.md': `---\nlayout: false\n---\n${body}` }, cells)
  return { html: html.replace(/\s*\n\s*/g, ' ').trim(), text }
}

describe('Markdown', () => {
  test.each([
    ['emphasis', 'Dear **{{n}}**, _please_', '<p>Dear <strong>A</strong>, <em>please</em></p>', 'Dear A, please'],
    ['headings', '# For {{n}}\n\nText', '<h1>For A</h1> <p>Text</p>', 'For A\n\nText'],
    [
      'a link',
      '[See {{n}}](https://example.com/{{urlencode n}}?a=1)',
      '<p><a href="https://example.com/A?a=1">See A</a></p>',
      'See A (https://example.com/A?a=1)',
    ],
    [
      'a helper with brackets in a link',
      '[x](https://example.com/{{urlencode (upper n)}})',
      '<p><a href="https://example.com/A">x</a></p>',
      'x (https://example.com/A)',
    ],
    [
      'a bare link',
      'https://example.com/{{n}}',
      '<p><a href="https://example.com/A">https://example.com/A</a></p>',
      'https://example.com/A',
    ],
    ['underscores in names', '{{a_b}} and {{c_d}}', '<p>1 and 2</p>', '1 and 2'],
    ['a condition', '{{#if n}}\nyes\n{{else}}\nno\n{{/if}}', '<p>yes</p>', 'yes\n'],
    ['a condition within a line', 'a{{#if n}} b{{/if}} c', '<p>a b c</p>', 'a b c'],
    ['a loop over items', '{{#each list}}\n- {{this}}\n{{/each}}', '<ul> <li>1</li> <li>2</li> </ul>', '- 1\n- 2\n'],
    [
      'a loop over numbers',
      '{{#each list}}\n1. {{this}}\n{{/each}}',
      '<ol> <li>1</li> <li>2</li> </ol>',
      '1. 1\n1. 2\n',
    ],
    [
      'two loops after each other',
      '{{#each list}}\n- {{this}}\n{{/each}}\n{{#each list}}\n- {{this}}\n{{/each}}',
      '<ul> <li>1</li> <li>2</li> </ul><ul> <li>1</li> <li>2</li> </ul>',
      undefined,
    ],
    ['a quote', '> {{n}}', '<blockquote> <p>A</p> </blockquote>', '> A'],
    ['a line break', 'a  \nb', '<p>a<br>b</p>', undefined],
    ['a line break that is seen', 'a\\\nb', '<p>a<br>b</p>', 'a\nb'],
    ['a line break of HTML', 'a<br>\nb', '<p>a<br>b</p>', 'a\nb'],
    ['lines, each a line', 'Best,\n{{n}}\nClub', '<p>Best,<br>A<br>Club</p>', 'Best,\nA\nClub'],
    ['lines of an item', '- a\n  b\n- c', '<ul> <li>a<br>b</li> <li>c</li> </ul>', undefined],
    ['a comment between lines', 'a\n{{! note }}\nb\n{{!-- }} --}}\nc', '<p>a<br>b<br>c</p>', 'a\nb\nc'],
    ['lines in a block of code', '```\na\nb\n```', '<pre><code>a b </code></pre>', undefined],
    ['lines of HTML', '<div>\na\nb\n</div>', '<div> a b </div>', undefined],
    [
      'an image',
      '![Logo of {{n}}](https://example.com/l.png)',
      '<p><img src="https://example.com/l.png" alt="Logo of A"></p>',
      'Logo of A',
    ],
    ['code', '`{{n}}`', '<p><code>A</code></p>', 'A'],
  ])('with %s', async (_, body, inHtml, inText) => {
    const made = await markdown(body, { n: 'A', a_b: '1', c_d: '2', list: ['1', '2'] })
    expect(made.html).toBe(inHtml)
    if (inText !== undefined) expect(made.text).toBe(inText)
  })

  test('makes one table of rows in a loop', async () => {
    const body = '| Item | Price |\n| --- | ---: |\n{{#each items}}\n| {{t}} | {{p}} |\n{{/each}}\n| Sum | 3 |\n'
    const { html, text } = await markdown(body, {
      items: [
        { t: 'a', p: 1 },
        { t: 'b', p: 2 },
      ],
    })
    expect(html.match(/<table>/g)).toHaveLength(1)
    expect(
      html
        .replace(/<[^>]+>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    ).toBe('Item Price a 1 b 2 Sum 3')
    expect(html).toMatch(/<tr> <td>a<\/td> <td align="right">1<\/td> <\/tr>/)
    expect(text).toBe('Item  Price\na         1\nb         2\nSum       3\n')
  })

  const TABLE = '| Item | Price |\n| :-- | --: |\n'
  test.each<[string, string, Readonly<Record<string, unknown>>, string]>([
    ['without bars at its sides', 'Item | Price\n--- | ---:\nPen | {{p}}', { p: '1.20' }, 'Item  Price\nPen    1.20\n'],
    [
      'in the middle of a text',
      `a\n\n${TABLE}| Pen | {{p}} |\n\nb`,
      { p: '1.20' },
      'a\n\nItem  Price\nPen    1.20\n\nb',
    ],
    [
      'with wide letters',
      `${TABLE}| {{n}} | 1 |\n| Tea | 20 |`,
      { n: '日本茶' },
      'Item    Price\n日本茶      1\nTea        20\n',
    ],
    [
      'with bars and lines in cells',
      `${TABLE}| {{n}} \\| b | 1 |`,
      { n: 'a|\nc' },
      'Item      Price\na| c | b      1\n',
    ],
    ['with a middle column', '|a|b|\n|:-:|-|\n|{{n}}|c|', { n: '12345' }, '  a    b\n12345  c\n'],
    ['without names', '| | |\n|---|---|\n| Name | {{n}} |', { n: 'Ann' }, 'Name  Ann\n'],
    ['with emphasis', '| **A** | B |\n|---|---|\n| `x` | {{n}} |', { n: '*y*' }, 'A  B\nx  *y*\n'],
    [
      'with a row on a condition',
      `${TABLE}{{#if n}}| x | 1 |{{/if}}\n| y | 2 |`,
      { n: 'a' },
      'Item  Price\nx         1\ny         2\n',
    ],
    [
      'with another row on a condition',
      `${TABLE}{{#if n}}\n| x | 1 |\n{{else}}\n| z | 3 |\n{{/if}}\n| y | 2 |`,
      { n: '' },
      'Item  Price\nz         3\ny         2\n',
    ],
    ['in a condition', `{{#if n}}\n${TABLE}| x | 1 |\n{{/if}}\nb`, { n: 'a' }, 'Item  Price\nx         1\nb'],
    ['with fewer cells in a row', `${TABLE}| {{n}} |`, { n: 'a' }, 'Item  Price\na\n'],
    [
      'too wide for a line',
      `${TABLE}| {{n}} | 1 |\n| b | 2 |`,
      { n: 'x'.repeat(80) },
      `Item: ${'x'.repeat(80)}\nPrice: 1\n\nItem: b\nPrice: 2\n`,
    ],
    [
      'of which nothing is one',
      'a | b\n\n--- | ---\n\n```\n|a|b|\n|-|-|\n```\n{{n}}',
      { n: '1' },
      'a | b\n\n--- | ---\n\n```\n|a|b|\n|-|-|\n```\n1',
    ],
  ])('shows a table as text, %s', async (_, body, cells, expected) => {
    expect((await markdown(body, cells)).text).toBe(expected)
  })

  test('takes what a cell holds as text, whatever it would mean', async () => {
    const cell = '**x** <b>y</b> [z](http://evil.example) `c`'
    const made = await markdown('Dear {{n}}', { n: cell })
    expect(made.html).toBe('<p>Dear **x** &lt;b&gt;y&lt;/b&gt; [z](http://evil.example) &#x60;c&#x60;</p>')
    expect(made.text).toBe(`Dear ${cell}`)
  })
})

describe('MJML', () => {
  const mjml = (inside: string): string => `<mjml><mj-body>${inside}</mj-body></mjml>`
  const section = (inside: string): string => `<mj-section><mj-column>${inside}</mj-column></mj-section>`

  test('is compiled once, and the row comes in afterwards', async () => {
    const body = mjml(
      section('<mj-text>Dear {{n}}</mj-text><mj-button href="https://example.com/{{n}}">Go</mj-button>'),
    )
    const { html = '', text } = await render('t', { 'templates/t.mjml': body }, { n: '</td><mj-text>' })
    expect(html).toContain('Dear &lt;/td&gt;&lt;mj-text&gt;')
    expect(html).toMatch(/^<!doctype html>/i)
    expect(html).not.toMatch(/<mj-|\{\{/)
    expect(text).toContain('Dear </td><mj-text>')
  })

  test('takes conditions and loops between its elements', async () => {
    const body = mjml(
      `{{#each items}}${section('<mj-text>Item {{this}}</mj-text>{{#if @first}}<mj-text>first</mj-text>{{/if}}')}{{/each}}`,
    )
    const { html = '' } = await render('t', { 'templates/t.mjml': body }, { items: ['a', 'b'] })
    expect(html.match(/Item [ab]/g)).toEqual(['Item a', 'Item b'])
    expect(html.match(/first/g)).toHaveLength(1)
  })

  test('takes partials of MJML, and layouts', async () => {
    const files = {
      'templates/_partials/head.mjml': section('<mj-text>The Society</mj-text>'),
      'templates/_layouts/frame.mjml': mjml('{{> head}}{{{body}}}'),
      'templates/t.mjml': `---\nlayout: frame\n---\n${section('<mj-text>Dear {{n}}</mj-text>')}`,
    }
    const { html = '' } = await render('t', files, { n: 'Ada' })
    expect(html).toMatch(/The Society[\s\S]*Dear Ada/)
  })

  test('that includes files is refused, and told what to do instead', async () => {
    const body = `${FIELDS}<mjml>\n<mj-body>\n  <mj-include path="/etc/passwd"/></mj-body></mjml>`
    const [found] = await problems(load('t', { 'templates/t.mjml': body }))
    expect(found).toMatchObject({ code: 'mjml', line: 6, column: '3', hint: expect.stringContaining('{{> name}}') })
  })

  test("is compiled by the project's own copy of the library, where it has one", async () => {
    const files = {
      'node_modules/mjml/package.json': '{ "name": "mjml", "main": "index.js" }',
      'node_modules/mjml/index.js': 'module.exports = async (text) => ({ html: "<p>own copy</p>", errors: [] })',
      'templates/t.mjml': `${FIELDS}<mjml><mj-body></mj-body></mjml>`,
    }
    expect((await render('t', files)).html).toBe('<p>own copy</p>')
  })

  test('is an error of the template where the copy of the library is broken', async () => {
    const files = {
      'node_modules/mjml/package.json': '{ "name": "mjml", "main": "index.js" }',
      'node_modules/mjml/index.js': "require('a-part-that-is-not-there')",
      'templates/t.mjml': `${FIELDS}<mjml><mj-body></mj-body></mjml>`,
    }
    const [found] = await problems(load('t', files))
    expect(found).toMatchObject({ code: 'no-mjml', message: expect.stringContaining('a-part-that-is-not-there') })
  })

  test('that is wrong is reported by file and line', async () => {
    const wrong = load('t', {
      'templates/t.mjml': '---\nsubject: x\n---\n<mjml>\n<mj-body>\n<mj-nonsense>a</mj-nonsense></mj-body></mjml>',
    })
    expect(await problems(wrong)).toMatchObject([{ code: 'mjml', file: 'templates/t.mjml', line: 6 }])
  })
})

describe('styles', () => {
  test('are written into the elements, those for some screens stay', async () => {
    const page =
      '<html><head><style>p.a { color: #111 } @media (max-width: 480px) { p { color: #222 !important } } a:hover { color: red }</style></head><body><p class="a">{{n}}</p></body></html>'
    const made = await html(page, { n: 'x' })
    expect(made).toContain('<p class="a" style="color: #111;">x</p>')
    expect(made).toMatch(/@media \(max-width: 480px\)/)
    expect(made).toContain('a:hover')
    expect(made).not.toMatch(/p\.a \{/)
  })

  test('leave mustaches whole, wherever they stand', async () => {
    const page =
      '<style>td { padding: 1px } .{{c}} { color: red }</style><table>{{#each items}}<tr {{#if @first}}class="{{../c}}"{{/if}}><td style="width:{{w}}px">{{{raw}}}</td></tr>{{/each}}</table>{{! gone }}{{!-- {{gone}} --}}'
    const made = await html(page, {
      c: 'k',
      items: [
        { w: 5, raw: '<i>a</i>' },
        { w: 6, raw: 'b' },
      ],
    })
    expect(made.replace(/\s+/g, ' ')).toMatch(
      /<tr class="k" ?><td style="padding: 1px; ?width: ?5px;?"><i>a<\/i><\/td><\/tr><tr ?><td style="padding: 1px; ?width: ?6px;?">b<\/td><\/tr>/,
    )
    expect(made).not.toMatch(/zqm|\{\{|gone/)
  })

  test('reach into partials, with values or without', async () => {
    const files = {
      'templates/_partials/a.hbs': '<p class="k">a</p>',
      'templates/_partials/b.hbs': '<p class="k">{{v}}</p>',
      'templates/t.html': '<style>.k { color: #123 }</style>{{> a}}{{> b v=n}}',
    }
    const { html } = await render('t', files, { n: 'x' })
    expect(html?.match(/style="color: #123;"/g)).toHaveLength(2)
  })

  test('keep entities, comments for Outlook, and letters of any script', async () => {
    const page =
      '<!doctype html><html><head><style>p{margin:0}</style></head><body><!--[if mso]><table><tr><td><![endif]--><p>a&nbsp;&copy; 岩田 &lt;x&gt;</p><!--[if mso]></td></tr></table><![endif]--></body></html>'
    const made = await html(page)
    expect(made).toContain('<!--[if mso]><table><tr><td><![endif]-->')
    expect(made).toContain('a&nbsp;&copy; 岩田 &lt;x&gt;')
    expect(made).toMatch(/^<!doctype html>/i)
  })
})

describe('images', () => {
  const files = {
    'templates/t/logo.png': PNG,
    'images/b.png': PNG,
    'templates/_partials/p.hbs': '<img src="images/b.png" alt="B">',
  }

  test('of the project become parts that the HTML shows, each once', async () => {
    const body =
      '<img src="logo.png"><IMG alt="x" src=\'logo.png\'>{{> p}}<img src="https://example.com/c.png"><img src="{{u}}">'
    const { html = '', inline } = await render(
      't',
      { ...files, 'templates/t/html.hbs': body },
      { u: 'https://example.com/d.png' },
    )
    expect(inline).toEqual([
      { kind: 'file', cid: expect.any(String), path: 'templates/t/logo.png' },
      { kind: 'file', cid: expect.any(String), path: 'images/b.png' },
    ])
    const cids = inline.map(({ cid }) => `cid:${cid}`)
    expect(html.match(/(?<=src=.)cid:[^"']+/gi)).toEqual([cids[0], cids[0], cids[1]])
    expect(html).toContain('https://example.com/d.png')
  })

  test('in Markdown and in partials with values are parts too', async () => {
    const rendered = await render('t', { ...files, 'templates/t/body.md': '![Logo](logo.png)\n\n{{> p x=1}}' })
    expect(rendered.inline.map((image) => image.kind === 'file' && image.path)).toEqual([
      'templates/t/logo.png',
      'images/b.png',
    ])
    expect(rendered.html).toMatch(/src="cid:[^"]+" alt="Logo"/)
  })

  test.each([
    ['missing.png', 'does not exist'],
    ['../../../outside.png', 'does not exist'],
    ['/etc/passwd', 'outside the project'],
  ])('%s is refused: it %s', async (src, why) => {
    const refused = load('t', { 'templates/t.html': `<p>x</p>\n<img src="${src}">` })
    const [found] = await problems(refused)
    expect(found).toMatchObject({ code: 'missing-image', file: 'templates/t.html' })
    expect(found?.message).toContain(why)
  })
})

describe('the text made from HTML', () => {
  test.each([
    ['paragraphs', '<p>a</p><p>b</p>', 'a\n\nb\n'],
    ['links', '<a href="https://example.com/{{n}}">see</a>', 'see [https://example.com/A]\n'],
    ['links that name themselves', '<a href="https://example.com">https://example.com</a>', 'https://example.com\n'],
    ['entities', '<p>a&nbsp;&amp;&#8364; &lt;</p>', 'a\u00A0&€ <\n'],
    ['values', '<p>{{v}}</p>', '<b> & "q"\n'],
    ['values of markup', '<div>{{{m}}}</div>', 'Hello you\n'],
    ['tables of a layout', '<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>', 'a b\nc\n'],
    ['loops over rows', '<table>{{#each l}}<tr><td>{{this}}</td></tr>{{/each}}</table>', '1\n2\n'],
    ['lists', '<ul><li>a</li><li>b</li></ul>', '- a\n- b\n'],
    ['headings as they are', '<h1>Hello</h1><p>x</p>', 'Hello\n\nx\n'],
    ['nothing of head, styles and preheader', '<title>t</title><style>p{}</style><p>x</p>', 'x\n'],
    ['long lines whole', `<p>${'word '.repeat(60)}</p>`, `${'word '.repeat(60).trim()}\n`],
  ])('holds %s', async (_, body, expected) => {
    const { text } = await render(
      't',
      { 'templates/t.html': `---\npreheader: hidden\n---\n${body}` },
      { n: 'A', v: '<b> & "q"', m: '<b>Hello</b> <i>you</i>', l: ['1', '2'] },
    )
    expect(text).toBe(expected)
  })
})

describe('the preheader', () => {
  test('is hidden at the top of the body, with the row’s words escaped', async () => {
    const files = {
      'templates/t.html': '---\npreheader: "For {{n}}"\n---\n<html><body class="x"><p>Hello</p></body></html>',
    }
    const { html = '' } = await render('t', files, { n: '<Ada>' })
    expect(html).toMatch(
      /<body class="x"><div class="preheader" style="display:none[^"]*">For &lt;Ada&gt;(&zwnj;&nbsp;)+<\/div><p>Hello/,
    )
  })
})

test('nothing outside of the project is read and nothing is fetched, whatever a template points at', async () => {
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.end('p { color: canary }')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const head = `<link rel="stylesheet" href="${url}/a.css"><link rel="stylesheet" href="file:///etc/passwd"><style>@import url("${url}/b.css"); @import "/etc/passwd"; p { background: url(${url}/c.png) }</style>`
  const page = await html(
    `<html><head>${head}</head><body><p>x</p><img src="${url}/d.png"><script src="${url}/e.js"></script></body></html>`,
  )
  const mjml = `<mjml><mj-head><mj-include path="/etc/passwd" type="css"/><mj-style inline="inline">@import url(${url}/f.css);</mj-style><mj-font name="F" href="${url}/g.css"/></mj-head><mj-body><mj-include path="/etc/passwd"/><mj-include path="file:///etc/passwd" type="html"/><mj-section><mj-column><mj-text>x</mj-text><mj-image src="${url}/h.png"/></mj-column></mj-section></mj-body></mjml>`
  const compiled = await render('t', { 'templates/t.mjml': mjml }).catch((error: unknown) => ({ html: String(error) }))
  const bare = await render('t', { 'templates/t.mjml': mjml.replaceAll(/<mj-include[^>]*>/g, '') })
  expect(bare.html).toContain(`${url}/h.png`)
  const md = await render('t', { 'templates/t.md': `![x](${url}/i.png)\n\n[y]: ${url}/j` })
  for (const made of [page, compiled.html, md.html]) expect(made).not.toMatch(/canary|root:x/)
  expect(asked).toBe(0)
})

test('what is made once stays made: rows do not change each other', async () => {
  const template = await load('t', {
    'templates/t.html': '<style>p{color:red}</style><p>{{n}}</p><img src="{{qr n}}" alt="">',
  })
  const first = template.render(rowOf({ n: 'a' }), CONTEXT)
  template.render(rowOf({ n: 'b' }), CONTEXT)
  expect(template.render(rowOf({ n: 'a' }), CONTEXT)).toEqual(first)
  expect(first.inline).toHaveLength(1)
})

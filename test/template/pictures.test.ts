/** Pictures that the HTML names, by the template and by a row: each is part of the mail, or an error. */
import { describe, expect, test } from 'vitest'
import { load, problems, render } from './project.ts'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')
const FILES = {
  'img/a.png': PNG,
  'img/b.png': PNG,
  'img/Garten 1.png': PNG,
  'templates/t/own.png': PNG,
  'templates/t/message.yaml': 'subject: x\n',
}

async function page(html: string, row: Readonly<Record<string, unknown>> = {}) {
  const rendered = await render('t', { ...FILES, 'templates/t/html.hbs': html }, row)
  const paths = rendered.inline.map((one) => (one.kind === 'file' ? one.path : one.name))
  const names = new Map(rendered.inline.map((one) => [one.cid, one.kind === 'file' ? one.path : one.name]))
  // What the reader sees: each cid as the file that it names.
  const shown = (rendered.html ?? '').replace(/cid:([^"'), ]+)/g, (_, cid: string) => `<${names.get(cid)}>`)
  return { paths, shown, inline: rendered.inline }
}

describe('a picture of the project is embedded wherever HTML names it', () => {
  test.each<[string, string, string]>([
    ['src', '<p><img src="img/a.png" alt="">x</p>', 'src="<img/a.png>"'],
    ['src with an escaped blank', '<p><img src="img/Garten%201.png" alt="">x</p>', 'src="<img/Garten 1.png>"'],
    [
      'srcset',
      '<p><img src="img/a.png" srcset="img/a.png 1x, img/b.png 2x">x</p>',
      'srcset="<img/a.png> 1x, <img/b.png> 2x"',
    ],
    ['background of a cell', '<table><tr><td background="img/a.png">x</td></tr></table>', 'background="<img/a.png>"'],
    [
      'background of the page',
      "<html><body background='own.png'>x</body></html>",
      "background='<templates/t/own.png>'",
    ],
    ['url() of an element', '<p style="background: url(img/a.png) no-repeat">x</p>', 'url(<img/a.png>)'],
    ['url() in quotes', `<p style="background-image: url('img/b.png')">x</p>`, "url('<img/b.png>')"],
    [
      'url() of a style of the page',
      '<html><head><style>@media print { p { background: url("img/a.png") } }</style></head><body><p>x</p></body></html>',
      'url("<img/a.png>")',
    ],
    [
      'a picture for Outlook',
      '<!--[if mso]><v:fill type="frame" src="img/a.png" /><![endif]--><p>x</p>',
      'src="<img/a.png>"',
    ],
    ['src right behind a quotation mark', '<p><img alt="x"src="img/a.png">x</p>', 'src="<img/a.png>"'],
    ['src behind a slash', '<p><img/src="img/a.png" alt="">x</p>', 'src="<img/a.png>"'],
  ])('%s', async (_, html, expected) => {
    expect((await page(html)).shown).toContain(expected)
  })

  test('and not where another attribute speaks of one', async () => {
    const { paths, shown } = await page('<img alt="as in src=none.png" src="img/a.png">x')
    expect(paths).toEqual(['img/a.png'])
    expect(shown).toContain('alt="as in src=none.png"')
  })

  test.each([
    '<img src="https://example.org/x.png">x',
    '<img src="//example.org/x.png">x',
    '<img src="data:image/png;base64,AA==">x',
    '<img src="cid:part@example.org">x',
    '<a href="img/a.png">x</a>',
    '<style>@font-face { font-family: x; src: url(img/a.png) }</style>x',
    '<script src="img/a.png"></script>x',
  ])('%s stays as it is', async (html) => {
    expect((await page(html)).paths).toEqual([])
  })
})

describe('a picture that a row names', () => {
  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['<img src="{{photo}}">x', { photo: 'img/a.png' }, 'src="<img/a.png>"'],
    ['<img src="img/{{id}}.png">x', { id: 'b' }, 'src="<img/b.png>"'],
    ['<img src="{{#if big}}img/a.png{{else}}img/b.png{{/if}}">x', { big: '' }, 'src="<img/b.png>"'],
    ['<td background="{{photo}}">x</td>', { photo: 'own.png' }, 'background="<templates/t/own.png>"'],
    ['<p style="background:url({{photo}})">x</p>', { photo: 'img/a.png' }, 'url(<img/a.png>)'],
    ['<img src="img/a.png" srcset="{{photo}} 2x">x', { photo: 'img/b.png' }, 'srcset="<img/b.png> 2x"'],
    [
      '<img src="{{photo}}">x',
      { photo: 'https://example.org/?a=1&b=2' },
      'src="https://example.org/?a&#x3D;1&amp;b&#x3D;2"',
    ],
    ['<img src="https://example.org/{{id}}.png">x', { id: 'b' }, 'src="https://example.org/b.png"'],
  ])('%s of %j', async (html, row, expected) => {
    expect((await page(html, row)).shown).toContain(expected)
  })

  test('is looked for in planning, by its name as the row wrote it', async () => {
    const { inline } = await page('<img src="{{photo}}">x', { photo: 'img/none.png' })
    expect(inline).toEqual([{ kind: 'file', cid: expect.any(String), path: 'img/none.png', ofRow: true }])
  })

  test.each(['../../img/a.png', '..\\..\\img\\a.png', '%2e%2e/%2e%2e/img/a.png'])(
    'is not looked for above the folder of the template, though it is in the project: %s',
    async (photo) => {
      const { inline } = await page('<img src="{{photo}}">x', { photo })
      expect(inline).toMatchObject([{ path: photo }])
      const own = await page('<img src="../../img/{{id}}.png">x', { id: 'a' })
      expect(own.paths).toEqual(['img/a.png'])
    },
  )

  test('is an error where it has no name', async () => {
    await expect(page('<img src="{{photo}}">x', { photo: '' })).rejects.toThrow('an image has no name')
  })

  test('cannot be written into a text by a value', async () => {
    const value = 'zqi0n0src(img/a.png)zqi0 <img src="img/a.png">'
    expect((await page('<p>{{x}}</p><img src="{{photo}}">', { x: value, photo: 'img/b.png' })).paths).toEqual([
      'img/b.png',
    ])
  })
})

test('a stylesheet of the project is put into the page, and one that is not there is an error', async () => {
  const html = '<html><head><link rel="stylesheet" href="look.css"></head><body><p class="a">x</p></body></html>'
  const files = { ...FILES, 'templates/t/html.hbs': html, 'templates/t/look.css': '.a { color: red }' }
  expect((await render('t', files)).html).toMatch(/<p class="a" style="color: red;?">/)
  expect((await load('t', files)).files).toContain('templates/t/look.css')
  const [found] = await problems(load('t', { ...FILES, 'templates/t/html.hbs': html }))
  expect(found).toMatchObject({ code: 'missing-stylesheet' })
})

test('a fixed picture that is not there is an error of the template, in each place', async () => {
  for (const html of [
    '<td background="no.png">x</td>',
    '<p style="background:url(no.png)">x</p>',
    '<img src="img/a.png" srcset="no.png 2x">',
  ]) {
    const [found] = await problems(load('t', { ...FILES, 'templates/t/html.hbs': html }))
    expect(found).toMatchObject({ code: 'missing-image', message: "the image 'no.png' does not exist" })
  }
})

/** The forms that a template may have, and what each gives. */
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/errors.ts'
import { load, problems, render } from './project.ts'

const ADA = { name: 'Ada', email: 'ada@example.com' }
const HEAD = '---\nfrom: Society <society@example.org>\nsubject: Hello {{name}}\n---\n'

describe('a folder', () => {
  test('gives fields, a text part and an HTML part', async () => {
    const rendered = await render(
      'invite',
      {
        'templates/invite/message.yaml':
          'from: Society <s@example.org>\nsubject: "{{name}}, come"\nreplyTo: g@example.org\n',
        'templates/invite/text.hbs': 'Dear {{name}}\n',
        'templates/invite/html.hbs': '<p>Dear {{name}}</p>',
      },
      ADA,
    )
    expect(rendered).toMatchObject({ subject: 'Ada, come', text: 'Dear Ada\n', html: '<p>Dear Ada</p>' })
    expect(rendered.from).toBe('Society <s@example.org>')
  })

  test.each([
    ['body.md', 'Dear **{{name}}**\n', '<strong>Ada</strong>'],
    [
      'body.mjml',
      '<mjml><mj-body><mj-section><mj-column><mj-text>Dear {{name}}</mj-text></mj-column></mj-section></mj-body></mjml>',
      'Dear Ada',
    ],
  ])('may hold %s, which gives both parts', async (file, body, expected) => {
    const rendered = await render('t', { 'templates/t/message.yaml': 'subject: x', [`templates/t/${file}`]: body }, ADA)
    expect(rendered.html).toContain(expected)
    expect(rendered.text?.trim()).toBe('Dear Ada')
  })

  test('with two HTML bodies is refused, and one with nothing is too', async () => {
    const two = load('t', { 'templates/t/html.hbs': 'x', 'templates/t/body.md': 'y' })
    expect(await problems(two)).toMatchObject([{ code: 'two-bodies', file: 'templates/t/html.hbs' }])
    await expect(load('t', { 'templates/t/note.doc': 'x' })).rejects.toThrow(InputError)
  })
})

describe('a single file', () => {
  test.each([
    ['t.txt', 'Dear {{name}}\n', { text: 'Dear Ada\n' }],
    ['t.hbs', 'Dear {{name}}\n', { text: 'Dear Ada\n' }],
    ['t.html', '<p>Dear {{name}}</p>', { html: '<p>Dear Ada</p>', text: 'Dear Ada\n' }],
    ['t.htm', '<p>Dear {{name}}</p>', { html: '<p>Dear Ada</p>', text: 'Dear Ada\n' }],
  ])('%s holds its fields above its body', async (file, body, expected) => {
    const rendered = await render('t', { [`templates/${file}`]: HEAD + body }, ADA)
    expect(rendered).toMatchObject({ subject: 'Hello Ada', ...expected })
  })

  test('may be named with its folder and ending, and one without fields takes those of the settings', async () => {
    const files = { 'letters/t.txt': 'Dear {{name}}' }
    const rendered = await render('letters/t.txt', files, ADA, { message: { subject: 'From the settings, {{name}}' } })
    expect(rendered).toMatchObject({ subject: 'From the settings, Ada', text: 'Dear Ada' })
  })

  test('may be written on Windows and begin with a byte order mark', async () => {
    const body = `\uFEFF${HEAD}Dear {{name}}`.replaceAll('\n', '\r\n')
    expect(await render('t', { 'templates/t.txt': body }, ADA)).toMatchObject({
      subject: 'Hello Ada',
      text: 'Dear Ada',
    })
  })

  test('whose fields do not end says so', async () => {
    const open = load('t', { 'templates/t.txt': '---\nsubject: x\nDear' })
    expect(await problems(open)).toMatchObject([{ code: 'front-matter', line: 1 }])
  })
})

test('a template that is not there is reported with the nearest one', async () => {
  const files = { 'templates/invite.txt': 'x', 'templates/_layouts/plain.hbs': '{{{body}}}' }
  await expect(load('invit', files)).rejects.toMatchObject({ hint: "Did you mean 'invite'?", exitCode: 66 })
})

test('values are escaped in HTML alone: not in text, not in headers', async () => {
  const rendered = await render(
    't',
    {
      'templates/t/message.yaml': 'subject: "{{name}}"\nheaders: { X-Who: "{{name}}" }',
      'templates/t/html.hbs': '<p title="{{name}}">{{name}}</p>',
      'templates/t/text.hbs': '{{name}}',
    },
    { name: `<b>"O'Hara" & Söhne</b>` },
  )
  expect(rendered.subject).toBe(`<b>"O'Hara" & Söhne</b>`)
  expect(rendered.text).toBe(`<b>"O'Hara" & Söhne</b>`)
  expect(rendered.headers).toEqual([['X-Who', `<b>"O'Hara" & Söhne</b>`]])
  expect(rendered.html).not.toMatch(/<b>|"O/)
  expect(rendered.html).toContain('&lt;b&gt;&quot;O&#x27;Hara&quot; &amp; Söhne&lt;/b&gt;')
})

describe('layouts', () => {
  const layout = '<html><body><header>The Society</header>{{{body}}}<footer>Written to {{email}}</footer></body></html>'

  test('stand around the body, and their words are in the text part', async () => {
    const files = { 'templates/_layouts/frame.hbs': layout, 'templates/t.md': '---\nlayout: frame\n---\nDear {{name}}' }
    const { html, text } = await render('t', files, ADA)
    expect(html).toMatch(/The Society.*<p>Dear Ada<\/p>.*Written to ada@example\.com/s)
    expect(text).toMatch(/^The Society\s+Dear Ada\s+Written to ada@example\.com\n$/)
  })

  test('can be left out of Markdown, which has one otherwise', async () => {
    const files = { 'templates/t.md': '---\nlayout: false\n---\nDear {{name}}' }
    expect((await render('t', files, ADA)).html?.trim()).toBe('<p>Dear Ada</p>')
    expect((await render('t', { 'templates/t.md': 'Dear {{name}}' }, ADA)).html).toContain('<!doctype html>')
  })

  test('that are not there, or have no place for the body, are refused', async () => {
    await expect(load('t', { 'templates/t.html': '---\nlayout: none\n---\nx' })).rejects.toThrow(/no layout 'none'/)
    const bare = load('t', { 'templates/_layouts/bare.hbs': 'x', 'templates/t.html': '---\nlayout: bare\n---\nx' })
    expect(await problems(bare)).toMatchObject([{ code: 'layout', file: 'templates/_layouts/bare.hbs' }])
  })
})

describe('partials', () => {
  test('are files in _partials, also in folders, and take values', async () => {
    const files = {
      'templates/_partials/sign.hbs': 'Yours, {{who}}',
      'templates/_partials/blocks/line.hbs': '<hr>',
      'templates/t.html': '<p>{{> sign who=name}}</p>{{> blocks/line}}',
    }
    const { html, text } = await render('t', files, ADA)
    expect(html).toBe('<p>Yours, Ada</p><hr>')
    expect(text).toMatch(/^Yours, Ada/)
  })

  test('of HTML are words in a text part, whether it is written or made', async () => {
    const files = {
      'templates/_partials/button.hbs': '<a href="{{url}}"><b>{{label}}</b></a>\n',
      'templates/t/html.hbs': '<p>Hello</p>{{> button url="https://example.com/1" label=name}}',
      'templates/u/html.hbs': '<p>x</p>',
      'templates/u/text.hbs': 'Hello\n{{> button url="https://example.com/1" label=name}}\nBye',
    }
    expect((await render('t', files, ADA)).text).toBe('Hello\n\nAda [https://example.com/1]\n')
    expect((await render('u', files, ADA)).text).toBe('Hello\nAda [https://example.com/1]\nBye')
  })

  test('may be written in Markdown, and may have a text of their own', async () => {
    const files = {
      'templates/_partials/note.md': 'See **you**\n',
      'templates/_partials/foot.html': '<table><tr><td>Foot</td></tr></table>',
      'templates/_partials/foot.txt': '-- foot --',
      'templates/t.html': '<div>{{> note}}</div>{{> foot}}',
      'templates/u/text.hbs': '{{> note}}\n{{> foot}}',
    }
    const page = await render('t', files)
    expect(page.html).toContain('<p>See <strong>you</strong></p>')
    expect((await render('u', files)).text).toBe('See you\n-- foot --')
  })

  test('that others use need no column of this list; those used here do', async () => {
    const files = {
      'templates/_partials/invoice.hbs': '{{amount}}',
      'templates/_partials/sign.hbs': 'Yours, {{nmae}}',
      'templates/a.txt': 'Dear {{name}}',
      'templates/b.txt': 'Dear {{name}}, {{> sign}}',
    }
    expect((await render('a', files, ADA)).text).toBe('Dear Ada')
    expect(await problems(render('b', files, ADA))).toMatchObject([
      {
        code: 'unknown-column',
        file: 'templates/_partials/sign.hbs',
        line: 1,
        column: '10',
        hint: "Did you mean 'name'?",
      },
    ])
  })

  test('get the item of a loop as their context, and hold what a caller puts between their tags', async () => {
    const files = {
      'templates/_partials/item.hbs': '- {{title}}\n',
      'templates/_partials/box.hbs': '[{{> @partial-block}}]',
      'templates/t.txt': '{{#each items}}{{> item}}{{/each}}{{#> box}}for {{name}}{{/box}}',
    }
    const cells = { ...ADA, items: [{ title: 'one' }, { title: 'two' }] }
    expect((await render('t', files, cells)).text).toBe('- one\n- two\n[for Ada]')
  })

  test('may be written within the template', async () => {
    const body = '{{#*inline "seat"}}<{{number}}>{{/inline}}{{#each seats}}{{> seat number=this}}{{/each}}'
    expect((await render('t', { 'templates/t.txt': body }, { seats: ['A1', 'A2'] })).text).toBe('<A1><A2>')
  })

  test('in an address field keep its values marked, so that no name adds a recipient', async () => {
    const files = {
      'templates/_partials/who.hbs': '{{name}} <{{email}}>',
      'templates/t.txt': '---\nto: "{{> who}}"\n---\nx',
    }
    const { to } = await render('t', files, { name: 'Eve <eve@example.net>,', email: 'ada@example.com' })
    expect(to).toBe('\u{F0000}Eve <eve@example.net>,\u{F0001} <\u{F0000}ada@example.com\u{F0001}>')
  })
})

test('the same row gives the same message, and any file that goes in changes the hash', async () => {
  const files = { 'templates/_partials/p.hbs': 'p', 'templates/t.md': `${HEAD}Dear {{name}} {{> p}}` }
  const [first, second] = [await load('t', files), await load('t', { ...files, 'templates/_partials/p.hbs': 'q' })]
  expect((await load('t', files)).hash).toBe(first.hash)
  expect(second.hash).not.toBe(first.hash)
  expect(first.columns).toEqual(['name'])
})

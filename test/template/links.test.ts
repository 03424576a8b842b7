/** A cell never becomes script in HTML: not as the scheme of a link, not in a handler, not by markup of its own. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { guardLinks, takesMarkup } from '../../src/template/links.ts'
import { CONTEXT, type Files, html, load, problems, render, rowOf } from './project.ts'

const markdown = (body: string): Files => ({ 'templates/t.md': `---\nlayout: false\n---\n${body}` })
const page = (body: string): Files => ({ 'templates/t.html': body })

/** Ways to write a script that programs which show HTML have followed. */
const SCRIPTS = [
  'javascript:alert(1)',
  'JavaScript:alert(1)',
  ' \t\n javascript:alert(1)',
  'java\tscript:alert(1)',
  'java\r\nscript:alert(1)',
  'javascript\n:alert(1)',
  '\u0001javascript:alert(1)',
  'java\u0000script:alert(1)',
  'java\u00ADscript:alert(1)',
  '\u200Bjava\u200Bscript:alert(1)',
  '\uFEFFjavascript:alert(1)',
  '\u00A0javascript:alert(1)',
  'vbscript:msgbox(1)',
  'data:text/html,<script>alert(1)</script>',
  'DATA:text/html;base64,PHNjcmlwdD4=',
  'data:image/svg+xml,<svg onload=alert(1)>',
  'view-source:javascript:alert(1)',
  `${' '.repeat(9_000)}javascript:alert(1)`,
]

/** Links that people have in their lists. */
const LINKS = [
  'https://example.org/x?a=1&b=javascript:2',
  'HTTP://example.org/',
  'mailto:ann@example.com?subject=data:%20x',
  'tel:+43 1 234',
  'www.example.org/javascript:x',
  '/relative',
  '#place',
  '',
  'myapp://open/12',
  'javascripts.example.org',
  'database.example.org:8080/data:x',
]

describe('a link made by a cell', () => {
  const places: readonly (readonly [string, Files])[] = [
    ['of Markdown', markdown('[click]({{url}})')],
    ['of Markdown in angle brackets', markdown('[click](<{{url}}> "title")')],
    ['of Markdown by reference', markdown('[click][1]\n\n[1]: {{url}}')],
    ['that is a value alone', markdown('See <{{url}}>.')],
    ['of HTML', page('<a href="{{url}}">x</a>')],
    ['of HTML without quotes', page('<a href={{url}}>x</a>')],
    ['after a slash', page("<a/href='{{url}}'>x</a>")],
    ['of a form', page('<form action="{{url}}"><button formaction="{{url}}">x</button></form>')],
    ['of a frame', page('<iframe src="{{url}}"></iframe>')],
    ['of a drawing', page('<svg><a xlink:href="{{url}}"><text>x</text></a></svg>')],
    ['within a condition', page('{{#if url}}<a class="b" href="{{url}}">x</a>{{/if}}')],
    ['of a condition', page('<a href="{{#if url}}{{url}}{{else}}https://example.org/{{/if}}">x</a>')],
    ['of an attribute that a condition adds', page('<a {{#if url}}href="{{url}}"{{/if}}>x</a>')],
    [
      'that a condition ends',
      {
        'templates/t/html.hbs': '<a href="{{#if url}}{{url}}">x{{else}}https://e.org">y{{/if}}</a>',
        'templates/t/text.hbs': 'x',
      },
    ],
    ['of a loop', page('{{#each (split url "|")}}<a href="{{this}}">x</a>{{/each}}')],
    ['as it is', page('<a href="{{{url}}}">x</a>')],
    ['through a helper', page('<a href="{{trim url}}">x</a>')],
    [
      'of a partial',
      { ...page('<p>{{> button to=url}}</p>'), 'templates/_partials/button.hbs': '<a href="{{to}}">x</a>' },
    ],
    [
      'of a layout',
      {
        'templates/t.html': '---\nlayout: l\n---\n<p>x</p>',
        'templates/_layouts/l.hbs': '{{{body}}}<a href="{{url}}">x</a>',
      },
    ],
    ['beside a style', page('<style>a{color:red}</style><a href="{{url}}">x</a>')],
    ['that loads by itself', page('<meta http-equiv="refresh" content="0; url={{url}}">x')],
  ]

  test.each(places)('%s runs no script', async (_, files) => {
    for (const url of SCRIPTS) {
      const [problem] = await problems(render('t', files, { url }))
      expect(problem?.code, JSON.stringify(url)).toMatch(/^script-(?:link|markup)$/)
    }
  })

  test.each(places)('%s may be any other', async (_, files) => {
    for (const url of LINKS) await render('t', files, { url })
  })

  test('is reported with the place in the template, the value and what to write', async () => {
    const [problem] = await problems(
      render('t', { 'templates/t.md': '---\nsubject: x\n---\nHello\n\n[a]({{url}})' }, { url: 'javascript:alert(1)' }),
    )
    expect(problem).toMatchObject({ file: 'templates/t.md', line: 6 })
    expect(problem?.message).toBe('the value {{url}} makes a link that would run a script: javascript:alert(1)')
    expect(problem?.hint).toContain('https://')
  })

  test('made of several cells is looked at whole', async () => {
    const files = page('<a href="{{a}}{{b}}">x</a>')
    await problems(render('t', files, { a: 'java', b: 'script:alert(1)' }))
    await problems(render('t', page('<a href="java{{a}}:x">x</a>'), { a: 'script' }))
    await problems(render('t', page('<a href="{{a}}&colon;x">x</a>'), { a: 'javascript' }))
    await problems(render('t', page('<a href="&{{a}}">x</a>'), { a: '#106;avascript:alert(1)' }))
    await render('t', files, { a: 'https://example.org/', b: 'javascript:x' })
  })

  test('whose address begins in the template is left as it is', async () => {
    expect(await html('<a href="https://e.org/?u={{u}}">x</a>', { u: 'javascript:x' })).toBe(
      '<a href="https://e.org/?u=javascript:x">x</a>',
    )
    expect(await html('<a href="javascript:history.back()">{{u}}</a>', { u: 'x' })).toContain('history.back()')
  })
})

test('a link that is a value alone is a link, of an address with mailto:', async () => {
  const shown = async (v: string): Promise<string | undefined> => (await render('t', markdown('<{{v}}>'), { v })).html
  expect(await shown('https://e.org/?a=1&b')).toBe(
    '<p><a href="https://e.org/?a&#x3D;1&amp;b">https://e.org/?a&#x3D;1&amp;b</a></p>\n',
  )
  expect(await shown('ann@example.com')).toBe('<p><a href="mailto:ann@example.com">ann@example.com</a></p>\n')
  expect(await shown('script')).toBe('<p><a href="script">script</a></p>\n')
})

describe('markup', () => {
  test.each([
    ['an element', '<p>{{{x}}}</p>', '<script>alert(1)</script>'],
    ['a handler', '<p>{{{x}}}</p>', '<img src=x onerror=alert(1)>'],
    ['a link', '<p>{{{x}}}</p>', '<a href="java&#115;cript:alert(1)">x</a>'],
    ['the end of an attribute', '<a title="{{{x}}}">x</a>', '"onclick="alert(1)'],
    ['the name of an element', '<{{x}}>alert(1)</{{x}}>', 'script'],
    ['a document in a frame', '<p>{{{x}}}</p>', '<iframe srcdoc="&lt;script>"></iframe>'],
  ])('of a cell brings no script: %s', async (_, body, x) => {
    const [problem] = await problems(render('t', page(body), { x }))
    expect(problem).toMatchObject({ code: 'script-markup', file: 'templates/t.html' })
  })

  test('of a helper of the project brings none', async () => {
    const helpers = {
      'templates/_helpers/b.mjs': "export const button = (to) => ({ toHTML: () => '<a href=\"' + to + '\">x</a>' })\n",
    }
    const files = { ...page('<p>{{button x}}</p>'), ...helpers }
    await problems(render('t', files, { x: 'javascript:alert(1)' }))
    expect((await render('t', files, { x: 'https://e.org/' })).html).toBe('<p><a href="https://e.org/">x</a></p>')
  })

  test('of a cell may be any other, and the scripts of the template are its own', async () => {
    const body = '<script>f()</script><a onclick="g()">{{name}}</a><div>{{{x}}}</div>'
    const x = '<b>bold</b> <a href="https://e.org/">javascript: the good parts</a><img alt="data: x">'
    expect((await render('t', page(body), { name: 'A', x })).html).toContain(x)
  })

  test('of a booking for mail programs holds values', async () => {
    const body = '<script type="application/ld+json">{"name": "{{name}}"}</script><p>{{name}}</p>{{{x}}}'
    await render('t', page(body), { name: 'Ann', x: '<b>y</b>' })
  })

  test('gives no handler a value', async () => {
    const [problem] = await problems(render('t', page('<a onclick="go(\'{{x}}\')">x</a>'), { x: 'fine' }))
    expect(problem).toMatchObject({ code: 'script-link', line: 1 })
    await problems(render('t', page('<iframe srcdoc="{{x}}"></iframe>'), { x: 'fine' }))
  })
})

test('a picture that a cell names is a picture', async () => {
  for (const x of ['javascript:alert(1)', 'data:text/html,x'])
    await problems(render('t', page('<img src="{{x}}"><td background="{{x}}">'), { x }))
  const x = 'data:image/png;base64,AAAA'
  expect((await render('t', page('<img src="{{x}}" alt="">'), { x })).html).toContain(x)
})

test('an attached page of HTML runs no script of a cell', async () => {
  const files = {
    'templates/t/message.yaml': 'subject: x\nattachments:\n  - { template: page.html, name: page.html }\n',
    'templates/t/text.hbs': 'x',
    'templates/t/page.html': '<a href="{{url}}">x</a>',
  }
  await problems(render('t', files, { url: 'javascript:alert(1)' }))
  await render('t', files, { url: 'https://example.org/' })
})

test('a body with links is left out of a look ahead where its links are harmless', async () => {
  const template = await load('t', page('<a href="{{url}}">{{name}}</a><a href="https://e.org/{{id}}">x</a>'))
  const ahead = (url: string): unknown => template.check(rowOf({ url, name: 'Ann', id: 3 }), CONTEXT).html
  expect(ahead('https://example.org/?a=1&b=2')).toBeUndefined()
  expect(ahead('page 1')).toBeUndefined()
  expect(() => ahead('javascript:x')).toThrow('script')
})

test('over any cells, a look ahead at links fails exactly where rendering fails', async () => {
  const template = await load('t', page('<a href="{{a}}{{b}}">x</a><a href="x{{b}}&amp;{{a}}">y</a><p>{{a}}</p>'))
  const part = fc.oneof(
    fc.constantFrom('java', 'script', 'script:', 'data', ':', '\t', ' ', '&', '#106;', 'https:', '//e.org', 'j', '"'),
    fc.string(),
  )
  const cell = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(''))
  const outcome = (look: () => unknown): string => {
    try {
      look()
      return 'good'
    } catch (error) {
      return (error as Error).message
    }
  }
  fc.assert(
    fc.property(cell, cell, (a, b) => {
      const row = rowOf({ a, b })
      expect(outcome(() => template.check(row, CONTEXT))).toBe(outcome(() => template.render(row, CONTEXT)))
    }),
    {
      numRuns: 1_000,
      examples: [
        ['java', 'script:x'],
        ['data', ':,'],
      ],
    },
  )
})

test('a template of tags that do not end is read at once', () => {
  const hostile = [
    '<a '.repeat(60_000),
    `<a ${'x'.repeat(200_000)}`,
    `<a ${'{{x}}'.repeat(40_000)}>`,
    '<a href="'.repeat(30_000),
  ]
  for (const text of hostile) {
    guardLinks({ file: 'f', lineOffset: 0, text })
    takesMarkup(text)
  }
}, 5_000)

/** Templates and rows that mean harm: nothing is reached that is not a cell, and all work has an end. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DataError } from '../../src/errors.ts'
import { CONTEXT, html, load, problems, render, rowOf, text } from './project.ts'

const CANARY = 'canary-7f3a'
const canary = globalThis as { canary?: unknown }

beforeAll(() => {
  process.env['MAILMERGE_TEST_CANARY'] = CANARY
})
afterEach(() => {
  expect(canary.canary, 'no template ran code').toBeUndefined()
  expect(Object.keys(Object.prototype), 'no template changed what all objects have').toEqual([])
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
})

/** What a template gives, or the sentence with which it is refused: one of ours, with its file. */
async function outcome(body: string, cells: Readonly<Record<string, unknown>>): Promise<string> {
  let all = ''
  for (const file of ['templates/t.txt', 'templates/t.html']) {
    try {
      const template = await load('t', { [file]: body })
      const { text = '', html = '' } = template.render(rowOf(cells), CONTEXT)
      all += text + html
    } catch (error) {
      expect(error, String(error)).toBeInstanceOf(DataError)
      expect(String(error)).toContain(file)
    }
  }
  return all
}

const ROW = {
  name: 'Ada',
  empty: '',
  code: 'globalThis.canary = 1',
  constructor_name: 'constructor',
  proto: '__proto__',
  list: ['a', 'b'],
  object: rowOf({ a: 1 }),
  plain: { a: 1 },
  date: new Date(0),
  fn: 'alert(1)',
  ast: { type: 'Program', body: [], loc: {} },
  mustache: '{{name}}',
}

const PROBES = [
  // What every object has.
  '{{constructor}}',
  '{{this.constructor}}',
  '{{constructor.name}}',
  '{{this.constructor.constructor}}',
  '{{__proto__}}',
  '{{this.__proto__}}',
  '{{toString}}',
  '{{this.toString}}',
  '{{valueOf}}',
  '{{hasOwnProperty}}',
  '{{__defineGetter__}}',
  '{{__lookupGetter__}}',
  '{{isPrototypeOf}}',
  '{{propertyIsEnumerable}}',
  // What strings, lists, dates and objects of a row have.
  '{{name.constructor}}',
  '{{name.constructor.constructor}}',
  '{{name.length.constructor}}',
  '{{name.toUpperCase}}',
  '{{name.__proto__}}',
  '{{list.constructor}}',
  '{{list.map}}',
  '{{list.push}}',
  '{{list.__proto__.push}}',
  '{{date.constructor}}',
  '{{date.getTime}}',
  '{{object.constructor}}',
  '{{object.__proto__}}',
  '{{plain.constructor}}',
  '{{plain.__proto__}}',
  '{{plain.hasOwnProperty}}',
  '{{#with name}}{{constructor}}{{/with}}',
  '{{#with list}}{{push}}{{/with}}',
  '{{#each list}}{{constructor}}{{/each}}',
  '{{#each object}}{{@key.constructor}}{{/each}}',
  '{{#with plain}}{{#with constructor}}{{name}}{{/with}}{{/with}}',
  // By a name that is reckoned.
  '{{lookup this "constructor"}}',
  '{{lookup this constructor_name}}',
  '{{lookup name "constructor"}}',
  '{{lookup (lookup this "constructor") "name"}}',
  '{{lookup plain proto}}',
  '{{lookup list "constructor"}}',
  '{{#with (lookup this "constructor")}}{{name}}{{/with}}',
  '{{#with (lookup plain "__proto__")}}{{polluted}}{{/with}}',
  '{{lookup @root "constructor"}}',
  '{{lookup date "constructor"}}',
  // What the engine has.
  '{{helperMissing}}',
  '{{helperMissing "x"}}',
  '{{#helperMissing}}x{{/helperMissing}}',
  '{{blockHelperMissing}}',
  '{{#blockHelperMissing "x"}}y{{/blockHelperMissing}}',
  '{{@root.constructor}}',
  '{{@root.__proto__.constructor}}',
  '{{@merge.constructor}}',
  '{{@merge.constructor.constructor}}',
  '{{@helpers.constructor}}',
  '{{@helpers.images.constructor}}',
  '{{@helpers.tables.constructor}}',
  '{{@helpers.images.push}}',
  '{{@_parent.constructor}}',
  '{{@partial-block}}',
  '{{table "constructor" "name"}}',
  '{{table "__proto__" "constructor"}}',
  // Code in places where text is meant.
  '{{#with this as |constructor|}}{{constructor.constructor}}{{/with}}',
  '{{#each this}}{{@key}}{{constructor}}{{/each}}',
  '{{> @partial-block}}',
  '{{#> x}}{{/x}}',
  '{{> (lookup this "name")}}',
  '{{> (lookup this "ast")}}',
  '{{#*inline "constructor"}}x{{/inline}}{{> constructor}}',
  '{{#*inline "__proto__"}}x{{/inline}}',
  '{{* constructor}}',
  '{{#*constructor "x"}}y{{/constructor}}',
  '{{#*inline this}}x{{/inline}}',
  '{{name.[constructor].[constructor]}}',
  '{{"constructor"}}',
  '{{[constructor]}}',
  '{{./constructor}}',
  '{{../constructor}}',
  '{{../../constructor.constructor}}',
  '{{this/constructor}}',
  '{{(lookup this "constructor") "globalThis.canary = 1"}}',
  '{{#each (lookup plain "constructor")}}{{@key}}{{/each}}',
  '{{#if constructor}}reached{{/if}}',
  '{{eq constructor "x"}}',
  '{{default constructor "x"}}',
  '{{tojson constructor}}',
  '{{join constructor}}',
  '{{upper (lookup this "constructor")}}',
  // Ways to the machine.
  '{{process.env.MAILMERGE_TEST_CANARY}}',
  '{{env.MAILMERGE_TEST_CANARY}}',
  '{{@root.process.env.MAILMERGE_TEST_CANARY}}',
  '{{require "fs"}}',
  '{{require}}',
  '{{global.process}}',
  '{{globalThis}}',
  '{{module.exports}}',
  '{{import "fs"}}',
  '{{eval code}}',
  '{{Function code}}',
  '{{@process}}',
  '{{@env}}',
  '{{@global}}',
  '{{lookup @root "process"}}',
  '{{log process}}',
  '{{#with process}}{{env}}{{/with}}',
  '{{lookup this "process"}}',
  '{{include "/etc/passwd"}}',
  '{{file "/etc/passwd"}}',
  '{{> /etc/passwd}}',
  '{{> ../../etc/passwd}}',
  '{{> [../../../etc/passwd]}}',
  '{{> "/etc/passwd"}}',
  '{{fn}}',
  '{{fn "x"}}',
  '{{#fn}}x{{/fn}}',
  '{{mustache}}',
  '{{{mustache}}}',
  '{{{ast}}}',
  '{{lookup ast "type"}}',
]

test(`${PROBES.length} probes reach no function, no prototype, no environment and no file`, {
  timeout: 120_000,
}, async () => {
  for (const probe of PROBES) {
    const given = await outcome(probe, ROW)
    expect(given, probe).not.toMatch(/\[native code\]|function\s*[\w(]|=>|class\s|\[object |root:x:/)
    expect(given, probe).not.toContain(CANARY)
    expect(given, probe).not.toMatch(/reached|Function|Object(?!ive)/)
  }
})

test('the environment and the machine are out of reach of names that rows and templates make', async () => {
  for (const name of [
    'process',
    'env',
    'PATH',
    'require',
    'global',
    'globalThis',
    'module',
    'exports',
    '__dirname',
    'console',
    'Buffer',
    'fetch',
    'eval',
    'Function',
    'import',
    'this',
    'self',
    'window',
    'root',
    'mainModule',
  ]) {
    const given = await outcome(
      `{{lookup this "${name}"}}|{{lookup @root "${name}"}}|{{lookup @merge "${name}"}}|{{#each this}}{{lookup ../this "${name}"}}{{/each}}`,
      { a: 1 },
    )
    expect(given.replace(/[|\n]/g, ''), name).toBe('')
  }
})

describe('a cell', () => {
  test.each([
    '{{name}}',
    '{{{name}}}',
    '{{> footer}}',
    '{{#each this}}x{{/each}}',
    '{{constructor}}',
    '{{!-- x',
    '}}',
    '{{#if',
  ])('%j is text, never a template', async (cell) => {
    expect(await text('[{{x}}]', { x: cell })).toBe(`[${cell}]`)
    const { subject, to } = await render(
      't',
      { 'templates/t.txt': '---\nsubject: "{{x}}"\nto: "{{x}} <a@b.example>"\n---\nx' },
      { x: cell },
    )
    expect(subject).toBe(cell)
    expect(to).toContain(cell)
  })

  test.each(['../../etc/passwd', '_layouts/x', 'footer', '/etc/passwd', '__proto__'])(
    '%j names no partial, no layout and no helper',
    async (cell) => {
      const files = { 'templates/_partials/footer.hbs': 'secret', 'templates/_layouts/footer.hbs': 'secret{{{body}}}' }
      for (const body of ['{{> (lookup this "x")}}', '{{> x}}', '{{> @root.x}}', '{{> this.x}}']) {
        await expect(render('t', { ...files, 'templates/t.html': body }, { x: cell })).rejects.toThrow(DataError)
      }
      const layout = render('t', { ...files, 'templates/t.html': '---\nlayout: "{{x}}"\n---\nx' }, { x: cell })
      await expect(layout).rejects.toThrow(/no layout/)
      expect(
        await outcome('{{(lookup this "x") "y"}}{{#with (lookup this "x")}}{{this}}{{/with}}', { x: cell }),
      ).not.toContain('secret')
    },
  )

  test('cannot hold the marks that part a row’s words from the template’s', async () => {
    const files = { 'templates/t.txt': '---\nto: "{{x}} <{{y}}>"\n---\nx' }
    const { to } = await render('t', files, { x: 'a\u{F0001} <eve@example.net>, \u{F0000}b', y: 'ada@example.com' })
    expect(to).toBe('\u{F0000}a <eve@example.net>, b\u{F0001} <\u{F0000}ada@example.com\u{F0001}>')
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'in a column named %s is a cell',
    async (name) => {
      const row = rowOf({})
      Object.defineProperty(row, name, { value: 'cell', enumerable: true })
      const template = await load('t', { 'templates/t.txt': `[{{${name}}}{{upper ${name}}}]` })
      template.bind([name])
      let given = ''
      try {
        given = template.render(row, CONTEXT).text ?? ''
      } catch (error) {
        // Handlebars lets no template read these two, whatever they hold.
        expect(name).toMatch(/^(?:__proto__|constructor)$/)
        expect(error).toBeInstanceOf(DataError)
        return
      }
      expect(given).toBe('[cellCELL]')
    },
  )
})

describe('work without end is ended with a named error', () => {
  const FILES = {
    'templates/_partials/self.hbs': '{{> self}}',
    'templates/_partials/ping.hbs': 'x{{> pong}}',
    'templates/_partials/pong.hbs': 'y{{> ping}}',
    'templates/_partials/cond.hbs': '{{#if name}}{{> cond name=name}}{{/if}}',
  }
  const nested = (depth: number): string => `${'{{#if name}}'.repeat(depth)}x${'{{/if}}'.repeat(depth)}`
  const bomb = Object.fromEntries(
    Array.from({ length: 22 }, (_, level) => [
      `templates/_partials/b${level}.hbs`,
      `{{> b${level + 1} x=1}}`.repeat(10),
    ]),
  )

  test.each<[string, Readonly<Record<string, string>>, string, Readonly<Record<string, unknown>>, RegExp]>([
    ['a partial that calls itself', FILES, '{{> self}}', {}, /^template-depth/],
    ['two that call each other', FILES, '{{> ping}}', {}, /^template-depth/],
    ['one that calls itself with values', FILES, '{{> cond}}', {}, /^template-depth/],
    ['an inline one that calls itself', {}, '{{#*inline "i"}}{{> i}}{{/inline}}{{> i}}', {}, /^template-depth/],
    ['2,000 blocks in each other', {}, nested(2_000), {}, /^template-depth/],
    ['30,000 blocks in each other', {}, nested(30_000), {}, /^template-depth/],
    ['helpers in helpers', {}, `{{${'(upper '.repeat(20_000)}name${')'.repeat(20_000)}}}`, {}, /^template-depth/],
    [
      'loops in loops in loops',
      {},
      '{{#each l}}{{#each @root.l}}{{#each @root.l}}x{{/each}}{{/each}}{{/each}}',
      { l: Array.from({ length: 1_000 }, (_, i) => i) },
      /^too-much/,
    ],
    [
      'partials that use ten partials that use ten',
      { ...bomb, 'templates/_partials/b22.hbs': 'x' },
      '{{> b0 x=1}}',
      {},
      /^too-much/,
    ],
    [
      'much text many times',
      {},
      '{{#each l}}{{@root.big}}{{/each}}',
      { big: 'x'.repeat(1_000_000), l: Array.from({ length: 30_000 }, () => 1) },
      /^too-long/,
    ],
    ['a text over the cap', {}, '{{big}}'.repeat(30), { big: '<'.repeat(1_000_000) }, /^too-long/],
    [
      'many wide pads',
      {},
      '{{#each l}}{{pad "" 1000000000}}{{/each}}',
      { l: Array.from({ length: 200_000 }, () => 1) },
      /^too-long/,
    ],
  ])('%s', { timeout: 60_000 }, async (_, files, body, cells, code) => {
    for (const file of ['templates/t.txt', 'templates/t.html']) {
      const started = performance.now()
      const [problem] = await problems(render('t', { ...files, [file]: body }, { name: 'Ada', ...cells }))
      expect(problem?.code).toMatch(code)
      expect(problem?.file).toMatch(/^templates\//)
      // Loose: the promise is seconds, not minutes, on any machine.
      expect(performance.now() - started).toBeLessThan(20_000)
    }
  })

  test('and an ordinary long mail is none of that', async () => {
    const items = Array.from({ length: 20_000 }, (_, index) => ({ name: `Item ${index}`, price: index }))
    const made = await html('<ul>{{#each items}}<li>{{name}}: {{currency price "EUR"}}</li>{{/each}}</ul>', { items })
    expect(made.match(/<li>/g)).toHaveLength(20_000)
  })
})

test('a cell of 50 MB of < is refused without four times its size in the memory', { timeout: 60_000 }, async () => {
  const template = await load('t', { 'templates/t.html': '<p>{{x}}</p>' })
  const row = rowOf({ x: '<'.repeat(50_000_000) })
  const before = process.memoryUsage().rss
  expect(() => template.render(row, CONTEXT)).toThrow(/longer than/)
  expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000)
})

test('the floor versions of what templates stand on hold', () => {
  const version = (name: string): readonly number[] => {
    const text = readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')
    return (JSON.parse(text) as { version: string }).version.split('.').map(Number)
  }
  const atLeast = (name: string, floor: readonly number[]): boolean => {
    const [major = 0, minor = 0, patch = 0] = version(name)
    const [a = 0, b = 0, c = 0] = floor
    return major > a || (major === a && (minor > b || (minor === b && patch >= c)))
  }
  // AST injection and prototype access were fixed in 4.7.9, files read by mj-include in 5.0.0.
  expect(atLeast('handlebars', [4, 7, 9])).toBe(true)
  expect(atLeast('mjml', [5, 0, 0])).toBe(true)
})

/** What helpers give, for cells as people write them: dates and numbers by locale and zone, words, lists, conditions. */
import { describe, expect, test } from 'vitest'
import { html, problems, render, text } from './project.ts'

const TABLES = '---\ntables:\n  hello: { de: Guten Tag, en: Hello }\n  constructor: { x: y }\n---\n'

/** Narrow and wide spaces that locales put between things, as plain ones. */
function plain(written: string): string {
  return written.replace(/[\u00A0\u202F\u2009]/g, ' ')
}

test.each<[string, unknown, string]>([
  // Dates: a day is that day in every zone.
  ['{{date x}}', '2026-12-24', 'December 24, 2026'],
  ['{{date x locale="de"}}', '24.12.2026', '24. Dezember 2026'],
  ['{{date x locale="de-AT"}}', '1.1.2027', '1. Jänner 2027'],
  ['{{date x locale="ja"}}', new Date('2026-12-24T00:00:00Z'), '2026年12月24日'],
  ['{{date x style="short"}}', '2026-12-24', '12/24/26'],
  ['{{date x style="full" locale="en-GB"}}', '2026-12-24', 'Thursday, 24 December 2026'],
  ['{{date x zone="Pacific/Auckland"}}', '2026-12-24', 'December 24, 2026'],
  ['{{date x format="EEEE, d. MMMM yyyy" locale="de"}}', '2026-03-01', 'Sonntag, 1. März 2026'],
  ['{{date x format="d MMMM yyyy" locale="pl"}}', '2026-03-01', '1 marca 2026'],
  ['{{date x format="dd.MM.yy"}}', '2026-03-01', '01.03.26'],
  ['{{date x format="yyyy \'day\' d"}}', '2026-03-01', '2026 day 1'],
  ['{{date x}}', '', ''],
  ['{{date x}}', '  ', ''],
  ['{{date x}}', '12/24/2026', 'December 24, 2026'],
  ['{{date x}}', '24/12/2026', 'December 24, 2026'],
  // Times: one without a zone is what the clocks of the project's zone show; one with a zone is a moment.
  ['{{time x}}', '2026-12-24 19:00', '7:00 PM'],
  ['{{time x locale="de"}}', '2026-12-24T19:00', '19:00'],
  ['{{time x locale="de"}}', '2026-12-24T19:00:00Z', '20:00'],
  ['{{time x locale="de"}}', '2026-07-24T19:00:00+00:00', '21:00'],
  ['{{time x locale="de" zone="America/New_York"}}', '2026-12-24 19:00', '13:00'],
  ['{{time x locale="de" zone="America/New_York"}}', '2026-12-24T18:00Z', '13:00'],
  ['{{datetime x locale="en-GB"}}', '24.12.2026 19:30', '24 December 2026 at 19:30'],
  ['{{datetime x format="yyyy-MM-dd HH:mm:ss"}}', '2026-12-24 7:05 pm', '2026-12-24 19:05:00'],
  ['{{datetime x format="h:mm a"}}', '2026-12-24 00:05', '12:05 AM'],
  ['{{time x style="full" locale="en-GB" zone="Europe/London"}}', '2026-07-24T12:00Z', '13:00:00 British Summer Time'],
  ['{{date (later x 14)}}', '2026-12-24', 'January 7, 2027'],
  ['{{date (later x 1 "month")}}', '2027-01-31', 'February 28, 2027'],
  ['{{datetime (later x 90 "minutes") format="yyyy-MM-dd HH:mm"}}', '2026-12-31 23:00', '2027-01-01 00:30'],
  ['{{datetime (later x -1 "days") format="yyyy-MM-dd HH:mm"}}', '2026-03-30T10:00+02:00', '2026-03-29 10:00'],
  ['{{date (later x 14)}}', '', ''],
  ['{{date @merge.now}} {{time @merge.now locale="de"}}', '', 'November 25, 2026 10:30'],
  // Numbers.
  ['{{number x}}', '1234.5', '1,234.5'],
  ['{{number x locale="de"}}', '1.234,5', '1.234,5'],
  ['{{number x locale="de-CH"}}', "1'234.5", "1'234.5"],
  ['{{number x locale="fr"}}', '1 234,5', '1 234,5'],
  ['{{number x digits=2}}', 3, '3.00'],
  ['{{number x digits=0}}', '2.5', '3'],
  ['{{number x}}', 0, '0'],
  ['{{number x}}', '', ''],
  ['{{number x}}', null, ''],
  ['{{number x}}', '−5', '-5'],
  ['{{percent x}}', '0.25', '25%'],
  ['{{percent x digits=1 locale="de"}}', 0.125, '12,5 %'],
  ['{{currency x "EUR" locale="de"}}', '1234.5', '1.234,50 €'],
  ['{{currency x "USD"}}', 5, '$5.00'],
  ['{{currency x code="JPY" locale="ja"}}', '1200', '￥1,200'],
  ['{{currency x "EUR" digits=0}}', '12.00', '€12'],
  ['{{currency x ""}}', '', ''],
  ['{{add x 0.2}}', '0.1', '0.3'],
  ['{{subtract x 0.1}}', '0.3', '0.2'],
  ['{{currency (multiply x 1.2) "EUR"}}', '19.99', '€23.99'],
  ['{{divide x 3}}', 9, '3'],
  ['{{add x 1}}', '', ''],
  ['{{round x 2}}', '1.005', '1.01'],
  ['{{round x}}', '2.5', '3'],
  ['{{sum x}}', ['1', 2, '3.5'], '6.5'],
  ['{{sum x "price"}}', [{ price: '0.1' }, { price: 0.2 }], '0.3'],
  ['{{sum x}}', ['9007199254740991', '0.01', '0.02'], '9007199254740991.03'],
  ['{{sum x}}', ['-0.1', '', '0.3', '-0.0000005'], '0.1999995'],
  ['{{sum x}}', [], '0'],
  ['{{average x}}', ['1', '2', ''], '1.5'],
  ['{{average x "price"}}', [{ price: '0.1' }, { price: '0.2' }, { price: '0.6' }], '0.3'],
  ['{{average x}}', '', ''],
  ['{{min x}}', ['10', '9', '', '11'], '9'],
  ['{{max x "price"}}', [{ price: '9,50' }, { price: '10,00' }], '10,00'],
  ['{{max x}}', ['2026-01-31', '2026-02-01', '2025-12-31'], '2026-02-01'],
  ['{{min x}}', '', ''],
  ['{{count x "price"}}', [{ price: '' }, { price: '1' }, { price: ' ' }], '1'],
  ['{{count x}}', ['a', 'b'], '2'],
  ['{{count x}}', 'a; b, c', '3'],
  ['{{count x}}', '', '0'],
  // Plurals, by the rules of the language.
  ['{{plural x "# seat" "# seats"}}', 1, '1 seat'],
  ['{{plural x "# seat" "# seats"}}', '0', '0 seats'],
  ['{{plural x "# seat" "# seats"}}', '1,200', '1,200 seats'],
  ['{{plural x one="# miejsce" few="# miejsca" many="# miejsc" other="# miejsca" locale="pl"}}', 3, '3 miejsca'],
  ['{{plural x one="# miejsce" few="# miejsca" many="# miejsc" other="# miejsca" locale="pl"}}', 5, '5 miejsc'],
  ['{{plural x zero="nobody" one="one" other="#"}}', '', 'nobody'],
  ['{{plural x "guest" "guests"}}', ['a', 'b'], 'guests'],
  ['{{plural x one="#st" two="#nd" few="#rd" other="#th" type="ordinal"}}', 22, '22nd'],
  // Words.
  ['{{default x "friend"}}', '', 'friend'],
  ['{{default x "friend"}}', '  ', 'friend'],
  ['{{default x "friend"}}', 0, '0'],
  ['{{default x "" "third"}}', null, 'third'],
  ['{{choose x "yours" "theirs"}}', 'yes', 'yours'],
  ['{{choose x "yours" "theirs"}}', 'No', 'theirs'],
  ['{{choose x "yours"}}', '', ''],
  ['{{upper x}}', 'straße', 'STRASSE'],
  ['{{upper x locale="tr"}}', 'izmir', 'İZMİR'],
  ['{{lower x}}', 'ÄÖ', 'äö'],
  ['{{capitalize x}}', 'élan vital', 'Élan vital'],
  ['{{trim x}}', '  a ', 'a'],
  ['{{truncate x 5}}', '👩‍🚀a', '👩‍🚀a'],
  ['{{truncate x 4}}', 'abcdef', 'abc…'],
  ['{{replace x "-" " "}}', 'a-b-c', 'a b c'],
  ['{{replace x "$" "$&"}}', '5$', '5$&'],
  ['{{pad x 5}}', 42, '00042'],
  ['{{pad x 3 "."}}', 'a', '..a'],
  ['{{urlencode x}}', 'a b&c=ä/?', 'a%20b%26c%3D%C3%A4%2F%3F'],
  ['{{csv x}}', 'a "b", c', '"a ""b"", c"'],
  ['{{csv x}}', '=1+1', '"\'=1+1"'],
  ['{{csv x}}', '-5', '-5'],
  ['{{tojson x}}', ['a', 1], '["a",1]'],
  ['{{lines x}}', 'a\r\nb', 'a\nb'],
  // Lists: an array, or a cell that holds several things.
  ['{{list x}}', ['Ada', 'Bob', 'Eve'], 'Ada, Bob, and Eve'],
  ['{{list x locale="de"}}', 'Ada; Bob', 'Ada und Bob'],
  ['{{list x type="or"}}', 'a, b', 'a or b'],
  ['{{join x}}', 'a;b', 'a, b'],
  ['{{join x " / "}}', ['a', 'b'], 'a / b'],
  ['{{#each (split x)}}[{{this}}]{{/each}}', 'a; b', '[a][b]'],
  ['{{#each (split x " ")}}[{{this}}]{{/each}}', 'Ada King Lovelace', '[Ada][King][Lovelace]'],
  ['{{first (split x " ")}} {{last (split x " ")}}', 'Ada King Lovelace', 'Ada Lovelace'],
  ['{{first x}}', '', ''],
  // Tables.
  ['{{table "hello" x}}', 'de', 'Guten Tag'],
  ['{{table "hello" x "Hi"}}', 'fr', 'Hi'],
  ['{{table "hello" x "Hi"}}', 'constructor', 'Hi'],
  ['{{table "constructor" x}}', 'x', 'y'],
  // Conditions.
  ['{{#if (eq x "5")}}y{{else}}n{{/if}}', 5, 'y'],
  ['{{#eq x "a" "b"}}y{{else}}n{{/eq}}', 'b', 'y'],
  ['{{#ne x "a"}}y{{else}}n{{/ne}}', 'a', 'n'],
  ['{{#if (gt x 9)}}y{{else}}n{{/if}}', '10', 'y'],
  ['{{#if (lt x 9)}}y{{else}}n{{/if}}', '', 'n'],
  ['{{#if (ge x "2026-01-01")}}y{{else}}n{{/if}}', '31.12.2026', 'y'],
  ['{{#if (le x "b")}}y{{else}}n{{/if}}', 'a', 'y'],
  ['{{#if (and x "b")}}y{{else}}n{{/if}}', ' ', 'n'],
  ['{{#if (or x "b")}}y{{else}}n{{/if}}', '', 'y'],
  ['{{#if (not x)}}y{{else}}n{{/if}}', [], 'y'],
  ['{{#yes x}}y{{else}}n{{/yes}}', 'Nein', 'n'],
  ['{{#yes x}}y{{else}}n{{/yes}}', 'x', 'y'],
  ['{{#yes x}}y{{else}}n{{/yes}}', 0, 'n'],
  ['{{#in x "a" "b"}}y{{else}}n{{/in}}', 'b', 'y'],
  ['{{#in x "a;b"}}y{{else}}n{{/in}}', 'c', 'n'],
  ['{{#contains x "B"}}y{{else}}n{{/contains}}', 'abc', 'y'],
  ['{{#contains x "a"}}y{{else}}n{{/contains}}', ['ab'], 'n'],
])('%s of %j is %j', async (body, x, expected) => {
  expect(plain(await text(TABLES + body, { x }))).toBe(expected)
})

test('a sum has no error of binary numbers, however long the list is', async () => {
  expect(await text('{{sum x "price"}}', { x: Array.from({ length: 100_000 }, () => ({ price: '0.1' })) })).toBe(
    '10000',
  )
})

test.each([
  ['{{date x}}', '04/05/2026', 'can be read in two ways, as 2026-05-04 or as 2026-04-05'],
  ['{{date x}}', '2026-02-30', 'is not a date'],
  ['{{date x}}', '2026-12-24 25:00', 'is not a date'],
  ['{{date x style="huge"}}', '2026-12-24', 'style is one of full, long, medium, short'],
  ['{{date (later x "some")}}', '2026-12-24', "'some' is not a whole number of days"],
  ['{{date (later x 1 "fortnight")}}', '2026-12-24', 'the unit is one of'],
  ['{{number x}}', 'abc', "'abc' is not a number"],
  ['{{plural x "a" "b"}}', 'many', "'many' is not a number"],
  ['{{currency x}}', '5', 'the currency is missing'],
  ['{{currency x ""}}', '5', 'the currency is missing'],
  ['{{divide x 0}}', '5', 'the result is not a number'],
  ['{{add x}}', '5', 'it needs two numbers'],
  ['{{table "helo" x}}', 'de', "did you mean 'hello'?"],
  ['{{table "hello" x}}', 'fr', "the table 'hello' has no entry 'fr'"],
  ['{{table "toString" x}}', 'fr', "there is no table 'toString'"],
  ['{{sum x "price"}}', 'a', "an item has no 'price'"],
  ['<img src="{{qr x}}">', '', 'there is nothing to make a code of'],
  ['<img src="{{qr x}}">', 'x'.repeat(5000), 'qr:'],
])('%s of %j is refused: %s', async (body, x, message) => {
  const [found] = await problems(render('t', { 'templates/t.html': TABLES + body }, { x }))
  expect(found?.message).toContain(message)
  expect(found?.file).toBe('templates/t.html')
})

describe('the locale', () => {
  const body = '---\nlocale: "{{lang}}"\nsubject: "{{date day}}"\n---\n{{currency 1234.5 "EUR"}}'

  test.each([
    ['de', '24. Dezember 2026', '1.234,50 €'],
    ['en-GB', '24 December 2026', '€1,234.50'],
    ['pt_BR', '24 de dezembro de 2026', '€ 1.234,50'],
    ['', '24 décembre 2026', '1 234,50 €'],
  ])('%j is the row’s own where the template says so', async (lang, subject, amount) => {
    const rendered = await render('t', { 'templates/t.txt': body }, { lang, day: '2026-12-24' }, { locale: 'fr' })
    expect(rendered.subject).toBe(subject)
    expect(plain(rendered.text ?? '')).toBe(amount)
  })

  test.each([
    ['german', 'Write de.'],
    ['Deutsch', 'Write de.'],
    ['Englisch', 'Write en.'],
    ['français', 'Write fr.'],
    ['xx', 'Write en, de-AT, pt-BR ...'],
    ['x-private', 'Write en, de-AT, pt-BR ...'],
    ['n/a', 'Write en, de-AT, pt-BR ...'],
  ])('%s is none, wherever it is given', async (lang, hint) => {
    const [problem] = await problems(render('t', { 'templates/t.txt': body }, { lang, day: '2026-12-24' }))
    expect(problem).toMatchObject({ code: 'bad-locale', message: `'${lang}' is not a language tag`, hint })
    const own = render('t', { 'templates/t.txt': '{{date day locale=lang}}' }, { lang, day: '2026-12-24' })
    expect((await problems(own))[0]?.message).toBe(`date: '${lang}' is not a language tag. ${hint.replace(/\.$/, '')}`)
  })

  test('that is none is refused, with the cell', async () => {
    const refused = render('t', { 'templates/t.txt': body }, { lang: 'x y', day: '' })
    expect(await problems(refused)).toMatchObject([
      { code: 'bad-locale', message: "'x y' is not a language tag", file: 'templates/t.txt', line: 2, column: '10' },
    ])
  })
})

describe('a QR code', () => {
  test('is an image within the message that the HTML shows', async () => {
    const body = '<img src="{{qr code}}" alt="x"><img src="{{qr code scale=2}}" alt="y">'
    const { html, inline, text } = await render('t', { 'templates/t.html': body }, { code: 'A-1' })
    expect(html).toBe('<img src="cid:qr1@mailmerge" alt="x"><img src="cid:qr2@mailmerge" alt="y">')
    expect(inline).toMatchObject([
      { cid: 'qr1@mailmerge', name: 'qr1.png', type: 'image/png' },
      { cid: 'qr2@mailmerge', name: 'qr2.png', type: 'image/png' },
    ])
    expect(text?.trim()).toBe('')
  })
})

test('line breaks of a cell become <br> in HTML, where the cell stays escaped', async () => {
  expect(await html('<p>{{lines x}}</p>', { x: '1 Main St\n<York>' })).toBe('<p>1 Main St<br>\n&lt;York&gt;</p>')
  expect(await html('<p>{{lines x}}</p>', { x: 'a & b' })).toBe('<p>a &amp; b</p>')
})

describe('helpers of the project', () => {
  const files = {
    'templates/_helpers/ours.mjs': `
      export const shout = (value) => String(value).toUpperCase() + '!'
      export const motto = () => 'Onward'
      export const bold = (value) => ({ toHTML: () => '<b>' + value + '</b>' })
      export const where = (options) => options.data.helpers.locale
      export function twice(options) { return options.fn(this) + options.fn(this) }
      export const broken = () => { throw new Error('no luck') }
      export const slow = async () => 'later'
      export const helper = 'no function'
    `,
  }

  test('are called like the others, and their markup is words in a text', async () => {
    const body = '{{shout name}} {{motto}} {{bold name}} {{where}} {{#twice}}{{name}}{{/twice}}'
    const rendered = await render('t', { ...files, 'templates/t.html': body }, { name: 'ada' }, { locale: 'de' })
    expect(rendered.html).toBe('ADA! Onward <b>ada</b> de adaada')
    expect(rendered.text?.trim()).toBe('ADA! Onward ada de adaada')
  })

  test('may stand alone in an address too', async () => {
    const { to } = await render('t', { ...files, 'templates/t.txt': '---\nto: "{{motto}} <a@example.com>"\n---\nx' })
    expect(to).toBe('\u{F0000}Onward\u{F0001} <a@example.com>')
  })

  test('that fail, or give a promise, are reported by their place in the template', async () => {
    for (const [name, message] of [
      ['broken', 'broken: no luck'],
      ['slow', 'slow: it gives a promise, and a helper must give its value at once'],
    ]) {
      const refused = render('t', { ...files, 'templates/t.txt': `\n {{${name}}}` })
      expect(await problems(refused)).toMatchObject([{ message, file: 'templates/t.txt', line: 2, column: '2' }])
    }
  })

  test('in a file that cannot be loaded are a matter of the configuration', async () => {
    const refused = render('t', { 'templates/_helpers/x.mjs': 'export const a = }', 'templates/t.txt': 'x' })
    await expect(refused).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('templates/_helpers/x.mjs'),
    })
  })

  test('that do not come to an end are ended, with their file named', { timeout: 60_000 }, async () => {
    const endless = {
      'templates/_helpers/x.mjs': 'export const spin = () => { for (;;); }',
      'templates/t.txt': '{{spin}}',
    }
    expect(await problems(render('t', endless))).toMatchObject([
      { code: 'endless-helper', file: 'templates/_helpers/x.mjs' },
    ])
  })
})

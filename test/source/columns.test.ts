import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../src/errors.ts'
import { findEmailColumn } from '../../src/source/address-column.ts'
import { readText } from './read.ts'

describe('the address column is found', () => {
  test.each([
    'email',
    'Email',
    'E-Mail',
    'e_mail',
    ' EMAIL ',
    'Email Address',
    'mail',
    'E-Mail-Adresse',
    'Mailadresse',
    'Adresse e-mail',
    'Adresse électronique',
    'courriel',
    'Courrier électronique',
    'Correo electrónico',
    'correo',
    'Dirección de correo electrónico',
    'Indirizzo e-mail',
    'posta elettronica',
    'Endereço de e-mail',
    'correio eletrônico',
    'e-mailadres',
    'E-post',
    'E-postadress',
    'Sähköposti',
    'Adres e-mail',
    'E-mailová adresa',
    'E-mail cím',
    'E-posta',
    'Адрес электронной почты',
    'Электронная почта',
    'почта',
    'Ηλεκτρονικό ταχυδρομείο',
    'דוא"ל',
    'البريد الإلكتروني',
    '電子メール',
    'メールアドレス',
    '电子邮箱',
    '電子郵件',
    '이메일',
    'E-mail 1 - Value',
    'Email (work)',
    'Primary Email',
  ])('%s', (name) => {
    expect(findEmailColumn(['id', 'first name', name, 'city'])).toBe(name)
  })

  test('by the better name when there are several', () => {
    expect(findEmailColumn(['address', 'mail', 'email'])).toBe('email')
    expect(findEmailColumn(['Street address', 'Contact e-mail'])).toBe('Contact e-mail')
  })

  test('by the only value that looks like one, when no name says so', () => {
    expect(findEmailColumn(['who', 'x'], [{ who: 'Ann', x: ' ann@example.com' }])).toBe('x')
    expect(findEmailColumn(['y', 'x'], [{ y: 'b@example.com', x: 'a@example.com' }])).toBeUndefined()
  })

  test('not where there is none', () => {
    expect(findEmailColumn(['name', 'mailing list', 'email opt-in', 'emailed at'])).toBeUndefined()
  })
})

describe('renamed columns', () => {
  const list = 'E-Mail,Vorname,Ort\na@example.com,Ann,Rom\n'

  test('go by their new names', async () => {
    const { source, data } = await readText(list, { rename: { 'E-Mail': 'email', Vorname: 'first' } })
    expect(source.columns).toEqual(['email', 'first', 'Ort'])
    expect(data).toEqual([{ email: 'a@example.com', first: 'Ann', Ort: 'Rom' }])
  })

  test('can swap their names', async () => {
    const { data } = await readText(list, { rename: { Vorname: 'Ort', Ort: 'Vorname' } })
    expect(data).toEqual([{ 'E-Mail': 'a@example.com', Ort: 'Ann', Vorname: 'Rom' }])
  })

  test.each([
    [{ Vornahme: 'first' }, /'Vornahme', which standard input does not have/],
    [{ Vorname: 'Ort' }, /two columns of standard input the name 'Ort'/],
  ])('%o is refused', async (rename, message) => {
    await expect(readText(list, { rename })).rejects.toThrow(message)
    await expect(readText(list, { rename })).rejects.toThrow(ConfigError)
  })
})

describe('computed columns', () => {
  const list = 'email,first name,E-Mail\na@example.com,Ann & "Co",x\n'

  test('are texts of the row, in order, nothing escaped', async () => {
    const computed = {
      greeting: 'Dear {{[first name]}}',
      twice: '{{greeting}}, {{greeting}}',
      'a b': '{{#if email}}yes{{/if}}',
    }
    const { source, data } = await readText(list, { computed })
    expect(source.columns.slice(3)).toEqual(['greeting', 'twice', 'a b'])
    expect(data[0]).toMatchObject({
      greeting: 'Dear Ann & "Co"',
      twice: 'Dear Ann & "Co", Dear Ann & "Co"',
      'a b': 'yes',
    })
  })

  test.each([
    ['a name that is not there', { x: 'Dear {{frist}}' }, /uses 'frist', which standard input does not have/],
    ['a later one', { x: '{{y}}', y: '1' }, /uses 'y'/],
    ['a name that is taken', { email: 'x' }, /which standard input has already/],
    ['wrong syntax', { x: 'Dear {{first' }, /column 'x' cannot be read/],
    ['a helper that is not there', { x: '{{log email}}' }, /column 'x' cannot be read: there is no helper 'log'/],
  ])('%s is refused', async (_name, computed: Record<string, string>, message) => {
    await expect(readText(list, { computed })).rejects.toThrow(message)
    await expect(readText(list, { computed })).rejects.toThrow(ConfigError)
  })

  test('that fail on a row are a problem of it', async () => {
    const { rows } = await readText('[{"email":"a","home":{"city":"Rome"}},{"email":"b","home":"x"}]', {
      computed: { city: '{{home.city}}' },
    })
    expect(rows[0]?.data['city']).toBe('Rome')
    expect(rows[1]?.problems).toMatchObject([{ code: 'bad-computed-column', row: 2, column: 'city' }])
  })

  test('cannot reach what a row does not hold', async () => {
    const reading = readText(list, { computed: { x: '{{constructor.name}}' } })
    await expect(reading).rejects.toThrow(/uses 'constructor'/)
  })
})

describe('typed columns', () => {
  const readAs = async (type: 'date' | 'number' | 'list', value: string, format?: string) => {
    const types = { v: { type, ...(format === undefined ? {} : type === 'list' ? { separator: format } : { format }) } }
    const { rows } = await readText(`email\tv\na@example.com\t"${value}"\n`, { types })
    return rows[0]?.problems?.[0] ?? rows[0]?.data['v']
  }

  test.each([
    ['1234.5', undefined, 1234.5],
    ['1,234.5', undefined, 1234.5],
    ["1'234.5", undefined, 1234.5],
    [' -7 ', undefined, -7],
    ['12.5 %', undefined, 0.125],
    ['1.234,5', '1.234,5', 1234.5],
    ['1 234,5', '1 234,5', 1234.5],
    ['1.234', 'de', 1234],
    ['', undefined, ''],
  ])('number %j as %s', async (value, format, expected) => {
    expect(await readAs('number', value, format)).toBe(expected)
  })

  test.each([
    ['1,5', undefined],
    ['1.234,5', undefined],
    ['abc', undefined],
    ['1e5', undefined],
    ['0x10', undefined],
    ['1.5', 'de'],
  ])('number %j as %s is refused', async (value, format) => {
    expect(await readAs('number', value, format)).toMatchObject({ code: 'bad-value', column: 'v', row: 1, value })
  })

  const local = (...parts: [number, number, number, number?, number?, number?]) =>
    new Date(...(parts as [number, number, number]))

  test.each([
    ['2026-03-31', undefined, local(2026, 2, 31)],
    ['2026-03-31 14:05', undefined, local(2026, 2, 31, 14, 5)],
    ['2026-03-31T14:05:06Z', undefined, new Date('2026-03-31T14:05:06Z')],
    ['2026-03-31T14:05:06+02:00', undefined, new Date('2026-03-31T12:05:06Z')],
    ['31.3.2026', 'dd.MM.yyyy', local(2026, 2, 31)],
    ['31.03.2026', 'DD.MM.YYYY', local(2026, 2, 31)],
    ['31.03.2026', 'dd.mm.yyyy', local(2026, 2, 31)],
    ['3/31/26', 'M/d/yy', local(2026, 2, 31)],
    ['5 Sept 2026', 'd MMM yyyy', local(2026, 8, 5)],
    ['March 5, 2026', 'MMMM d, yyyy', local(2026, 2, 5)],
    ['31.03.2026 07:05', 'dd.MM.yyyy HH:mm', local(2026, 2, 31, 7, 5)],
    ['03/31/2026 12:05 am', 'MM/dd/yyyy hh:mm a', local(2026, 2, 31, 0, 5)],
  ])('date %j as %s', async (value, format, expected) => {
    expect(await readAs('date', value, format)).toEqual(expected)
  })

  test.each([
    ['2026-02-30', undefined, /does not exist/],
    ['31.02.2026', 'dd.MM.yyyy', /does not exist/],
    ['03/31/2026', 'dd/MM/yyyy', /does not exist/],
    ['31.03.2026', undefined, /not a date such as 2026-03-31/],
    ['5 Foo 2026', 'd MMM yyyy', /names the month 'Foo'/],
  ])('date %j as %s is refused', async (value, format, message) => {
    expect(await readAs('date', value, format)).toMatchObject({
      code: 'bad-value',
      message: expect.stringMatching(message),
    })
  })

  test('dates stand in the zone and language that are asked for', async () => {
    const { openSource } = await import('../../src/source/open.ts')
    const { Readable } = await import('node:stream')
    const read = async (text: string, format: string) => {
      const stdin = Readable.from([Buffer.from(`email;v\na@example.com;${text}\n`)])
      const settings = { from: { kind: 'stdin' }, types: { v: { type: 'date', format } } } as const
      const source = await openSource(settings, { stdin, locale: 'de', timeZone: 'America/New_York' })
      for await (const [row] of source.rows()) return row?.data['v']
      return undefined
    }
    expect(await read('31. März 2026', 'd. MMMM yyyy')).toEqual(new Date('2026-03-31T04:00:00Z'))
    expect(await read('08.03.2026 01:30', 'dd.MM.yyyy HH:mm')).toEqual(new Date('2026-03-08T06:30:00Z'))
    expect(await read('08.03.2026 03:30', 'dd.MM.yyyy HH:mm')).toEqual(new Date('2026-03-08T07:30:00Z'))
  })

  test('lists are split at commas and semicolons, or as told', async () => {
    expect(await readAs('list', 'a, b;c ;')).toEqual(['a', 'b', 'c'])
    expect(await readAs('list', 'a, b|c', '|')).toEqual(['a, b', 'c'])
  })

  test.each([
    [{ missing: { type: 'date' as const } }, /'missing', which standard input does not have/],
    [{ v: { type: 'date' as const, format: 'hello' } }, /has no year and month/],
    [{ v: { type: 'number' as const, format: '???' } }, /number format '\?\?\?'/],
  ])('%o is refused', async (types, message) => {
    await expect(readText('email,v\na,b\n', { types })).rejects.toThrow(message)
  })
})

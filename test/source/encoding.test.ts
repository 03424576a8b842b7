import { encode } from 'iconv-lite'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../src/errors.ts'
import { readText } from './read.ts'

const NAMES: Readonly<Record<string, readonly string[]>> = {
  german: ['Jürgen Müller', 'Anna Größe', 'Zoë Weiß'],
  french: ['Françoise Lefèvre', 'Benoît Noël', 'Hélène Œuvrard'],
  spanish: ['José Núñez', 'Lucía Gómez', 'Íñigo Ibáñez'],
  portuguese: ['João Magalhães', 'Conceição Araújo'],
  swedish: ['Åsa Öberg', 'Björn Ångström'],
  danish: ['Søren Kjær', 'Jørgen Håkonsen'],
  polish: ['Łukasz Wójcik', 'Żaneta Źrebięć', 'Stanisław Gąska'],
  czech: ['Jiří Dvořák', 'Šárka Nováková', 'Tomáš Růžička'],
  hungarian: ['Erdős Győző', 'Szűcs Árpád'],
  turkish: ['Şükrü Öztürk', 'Ayşe Yıldız', 'Çağla Güneş'],
  lithuanian: ['Žydrūnas Šarūnas', 'Eglė Ąžuolienė'],
  russian: ['Иван Петров', 'Мария Кузнецова'],
  greek: ['Γιώργος Παπαδόπουλος', 'Μαρία Νικολάου'],
  hebrew: ['דוד כהן', 'שרה לוי'],
  arabic: ['محمد علي', 'فاطمة الزهراء'],
  thai: ['สมชาย ใจดี', 'มาลี สุขใจ'],
  japanese: ['山田太郎', '鈴木花子', '佐藤 さくら'],
  simplified: ['张伟', '王芳', '李小红'],
  traditional: ['陳大文', '林小美', '張家豪'],
  korean: ['김철수', '이영희', '박지민'],
}

function list(language: string): string {
  const rows = (NAMES[language] ?? []).map((name, i) => `user${i}@example.com,${name},Main Street ${i}\n`)
  return `email,name,street\n${rows.join('')}`
}

describe('a legacy encoding is found, and said', () => {
  test.each([
    ['german', 'windows-1252'],
    ['french', 'windows-1252'],
    ['spanish', 'windows-1252'],
    ['portuguese', 'windows-1252'],
    ['swedish', 'windows-1252'],
    ['danish', 'windows-1252'],
    ['polish', 'windows-1250'],
    ['czech', 'windows-1250'],
    ['hungarian', 'windows-1250'],
    ['turkish', 'windows-1254'],
    ['lithuanian', 'windows-1257'],
    ['russian', 'windows-1251'],
    ['greek', 'windows-1253'],
    ['hebrew', 'windows-1255'],
    ['arabic', 'windows-1256'],
    ['thai', 'windows-874'],
    ['polish', 'iso-8859-2'],
    ['czech', 'iso-8859-2'],
    ['russian', 'koi8-r'],
    ['russian', 'cp866'],
    ['russian', 'iso-8859-5'],
    ['german', 'macintosh'],
    ['french', 'macintosh'],
    ['german', 'cp850'],
    ['spanish', 'cp850'],
    ['japanese', 'shift_jis'],
    ['japanese', 'euc-jp'],
    ['simplified', 'gb18030'],
    ['traditional', 'big5'],
    ['korean', 'euc-kr'],
  ])('%s in %s', async (language, encoding) => {
    const octets = encode(list(language), encoding)
    const { data, rows, source } = await readText(octets)
    expect(data.map((row) => row['name'])).toEqual(NAMES[language])
    expect(rows.flatMap((row) => row.problems ?? [])).toEqual([])
    expect(source.notes.join()).toMatch(/^read as /)
  })

  test('also when the first letter beyond ASCII comes late in a stream', async () => {
    const ascii = 'user@example.com,Ann\n'.repeat(80_000)
    const octets = Buffer.concat([
      Buffer.from(`email,name\n${ascii}`),
      encode('j@example.com,Jürgen Größe\n', 'latin1'),
    ])
    const { data, source } = await readText(octets)
    expect(data.at(-1)?.['name']).toBe('Jürgen Größe')
    expect(source.notes).toEqual(['read as Windows-1252'])
  })
})

describe('one name is enough', () => {
  test.each([
    ['windows-1252', 'Käthe Strauß'],
    ['windows-1252', 'Renée'],
    ['windows-1252', 'Zoë'],
    ['windows-1252', '5 € – “bon”'],
    ['windows-1252', 'ÅSA BJÖRK'],
    ['windows-1252', 'O’Brien'],
    ['windows-1252', 'Þórður Sæmundsson'],
    ['windows-1252', 'Daniël Coëlho'],
    ['windows-1252', 'Nicolò Città'],
    ['windows-1252', 'José, Jürgen, Søren, François'],
    ['iso-8859-15', 'Œuvre Lætitia 5€'],
    ['windows-1250', 'Małgorzata Ząbek'],
    ['windows-1250', 'Přemysl Kučera'],
    ['windows-1250', 'Đorđe Čavić Šimić'],
    ['windows-1250', 'Brâncuşi Ţăran'],
    ['windows-1254', 'İbrahim Çelik, Gülşen Yıldırım'],
    ['windows-1251', 'Ольга'],
    ['windows-1251', 'ИВАНОВ ПЁТР'],
    ['koi8-r', 'Ольга'],
    ['windows-1253', 'Νίκος'],
    ['windows-1257', 'Jānis Bērziņš'],
    ['windows-1255', 'משה לוי'],
    ['windows-1256', 'أحمد حسن'],
    ['windows-874', 'สมหญิง'],
    ['shift_jis', '高橋健'],
    ['euc-jp', '高橋健'],
    ['gb18030', '刘洋'],
    ['gb18030', '欧阳娜'],
    ['big5', '黃志明'],
    ['euc-kr', '홍길동'],
    ['euc-kr', '최민호'],
    ['macintosh', 'Jörg Müller'],
    ['macintosh', 'Hélène'],
    ['cp850', 'Jörg Groß'],
    ['cp852', 'Żółć Łódź'],
  ])('%s: %s', async (encoding, name) => {
    const { data } = await readText(encode(`email,name\na@example.com,"${name}"\n`, encoding))
    expect(data).toEqual([{ email: 'a@example.com', name }])
  })
})

describe('UTF-16 and UTF-32', () => {
  test.each([
    ['utf-16le', true],
    ['utf-16le', false],
    ['utf-16be', true],
    ['utf-16be', false],
    ['utf-32le', true],
  ])('%s, with mark: %s', async (encoding, addBOM) => {
    for (const language of ['german', 'russian', 'japanese']) {
      const octets = encode(list(language).replaceAll(',', '\t'), encoding, { addBOM })
      for (const size of [1, 1 << 16]) {
        const { data } = await readText(octets, {}, size)
        expect(data.map((row) => row['name'])).toEqual(NAMES[language])
      }
    }
  })
})

describe('UTF-8', () => {
  test('is read without a word about it, cut anywhere', async () => {
    for (const language of Object.keys(NAMES)) {
      const { data, source } = await readText(list(language), {}, 1)
      expect(data.map((row) => row['name'])).toEqual(NAMES[language])
      expect(source.notes).toEqual([])
    }
  })

  test('broken in places keeps its right rows and names the broken ones', async () => {
    const octets = Buffer.concat([
      Buffer.from('email,name\na@example.com,Jürgen Größe\nb@example.com,Ann'),
      Buffer.from([0xc3]),
      Buffer.from('\nc@example.com,Zoë\n'),
    ])
    for (const size of [1, 5, 1 << 16]) {
      const { rows } = await readText(octets, {}, size)
      expect(rows.map((row) => row.problems?.[0]?.code)).toEqual([undefined, 'lost-text', undefined])
      expect(rows[1]?.problems).toMatchObject([{ row: 2, line: 3, column: 'name', value: 'Ann\u{FFFD}' }])
    }
  })

  test('cut off within its last letter names the last row', async () => {
    const octets = Buffer.from('email,name\na@example.com,Jürgen\nb@example.com,Zoë')
    const { rows } = await readText(octets.subarray(0, -1))
    expect(rows.map((row) => row.problems?.[0]?.code)).toEqual([undefined, 'lost-text'])
  })

  test('a U+FFFD that was in the list already is text like other text', async () => {
    const { rows, data } = await readText('email,name\na@example.com,J\u{FFFD}rgen\n')
    expect(rows[0]?.problems).toBeUndefined()
    expect(data[0]?.['name']).toBe('J\u{FFFD}rgen')
  })

  test('a mark before text that is something else is left out, and the text read as what it is', async () => {
    const octets = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), encode(list('german'), 'windows-1252')])
    const { data, source } = await readText(octets)
    expect(data.map((row) => row['name'])).toEqual(NAMES['german'])
    expect(source.columns[0]).toBe('email')
    expect(source.notes[0]).toBe('read as Windows-1252 (its mark says UTF-8, its text is not)')
  })

  test('a UTF-16 mark before text of single bytes is left out', async () => {
    const octets = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('email,name\na@example.com,Ann\n')])
    const { source } = await readText(octets)
    expect(source.columns).toEqual(['email', 'name'])
  })
})

describe('an encoding that is named', () => {
  test('is taken', async () => {
    const octets = Buffer.concat([Buffer.from('email,name\na@example.com,'), Buffer.from([0xa4, 0x35, 0x0a])])
    expect((await readText(octets, { encoding: 'ISO-8859-15' })).data[0]?.['name']).toBe('€5')
    expect((await readText(octets, { encoding: 'latin1' })).data[0]?.['name']).toBe('¤5')
  })

  test('and whose letters are not all there names the rows', async () => {
    const octets = Buffer.concat([
      Buffer.from('email,name\na@example.com,Ann\nb@example.com,B'),
      Buffer.from([0xff, 0x0a]),
    ])
    const { rows } = await readText(octets, { encoding: 'utf-8' })
    expect(rows.map((row) => row.problems?.[0]?.code)).toEqual([undefined, 'lost-text'])
  })

  test('must exist', async () => {
    await expect(readText('email\na@example.com\n', { encoding: 'utf-9' })).rejects.toThrow(ConfigError)
  })
})

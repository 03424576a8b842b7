import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { openLedger } from '../../src/campaign/run/open-ledger.ts'
import { checkMerge } from '../../src/check/check.ts'
import { ASK } from '../../src/check/links/request.ts'
import type { CheckReport } from '../../src/check/report.ts'
import type { Flags } from '../../src/config/load.ts'
import { suppressionOf } from '../../src/unsubscribe/suppression-list.ts'
import { type CheckedProject, makeCheckedProject } from './project.ts'

const LETTER =
  '---\nfrom: Society <society@example.net>\nsubject: Dear {{name}}\n---\nDear {{name}},\n\nsee you on {{day}}.\n'

let project: CheckedProject
afterEach(() => project.remove())

async function check(list: string, more: Readonly<Record<string, string>> = {}, flags: Flags = {}) {
  project = makeCheckedProject({
    'list.csv': list,
    'templates/letter.txt': LETTER,
    'mailmerge.yaml': 'csv: list.csv\ntemplate: letter\n',
    ...more,
  })
  return checkMerge(await project.settings(flags))
}

function found({ problems }: CheckReport, code: string): readonly string[] {
  return problems.filter((problem) => problem.code === code).map(({ row, column }) => `${row} ${column}`)
}

describe('several accounts', () => {
  const config =
    'csv: list.csv\ntemplate: letter\naccounts:\n  one: { smtp: { host: one.example }, rate: 1/day, window: always }\n  two: { smtp: { host: two.example }, from: Two <two@example.net> }\naccount: { column: day }\n'
  const list = 'name,email,day\nAda,ada@post.eu,one\nBob,bob@post.eu,two\nCleo,cleo@post.eu,two\n'
  const parts = ({ problems }: CheckReport): readonly string[] =>
    problems.filter(({ code }) => code === 'account').map(({ message }) => message)

  test('are said with what each would send', async () => {
    expect(parts(await check(list, { 'mailmerge.yaml': config }))).toEqual([
      "the account 'one' would send 1 message",
      "the account 'two' would send 2 messages",
    ])
  })

  test('keep no problem of a list that would not be sent from being reported', async () => {
    const report = await check(`${list}Dan,dan@@post.eu,one\n`, { 'mailmerge.yaml': config })
    expect(report.problems.filter(({ severity }) => severity === 'error')).toMatchObject([{ row: 4, column: 'email' }])
    expect(parts(report)).toEqual([])
  })
})

describe('problems of a list', () => {
  test('are all told at once, with row, column, value and what to do, the heaviest first', async () => {
    const report = await check(
      'name,email,day\nAda,ada@post.eu,Monday\nBob,bob@@post.eu,Monday\nCleo,cleo@gmial.com,Monday\nAda,ADA@post.eu,Monday\nInfo,info@post.eu,Monday\n',
    )
    const [bad, same] = [
      report.problems.find(({ code }) => code === 'bad-address'),
      report.problems.find(({ code }) => code === 'duplicate'),
    ]
    expect(bad).toMatchObject({ severity: 'error', row: 2, column: 'email', value: 'bob@@post.eu', line: 3 })
    expect(same).toMatchObject({ severity: 'error', row: 4, column: 'email', message: 'the same address as row 1' })
    const severities = report.problems.map(({ severity }) => severity)
    expect(severities).toEqual([...severities].sort((a, b) => RANK.indexOf(a) - RANK.indexOf(b)))
    const slip = report.problems.find(({ value }) => value === 'cleo@gmial.com')
    expect(slip).toMatchObject({ severity: 'warning', row: 3, hint: expect.stringContaining('cleo@gmail.com') })
    const role = report.problems.find(({ value }) => value === 'info@post.eu')
    expect(role?.message).toContain('role')
    expect(report).toMatchObject({ rows: 5, good: 3, counts: { error: 2 } })
  })

  test('are reported also where the list cannot be read to its end: what broke it, and what came before', async () => {
    const report = await check('name,email,day\nAda,ada@@post.eu,M\nBob,bob@post.eu,M\n"Eve,eve@post.eu,M\n')
    expect(report.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([
      expect.stringContaining('never closed'),
      expect.stringContaining("more than one '@'"),
    ])
  })

  test('are found in a list that a command writes too', async () => {
    const config = 'template: letter\ndata: { command: cat list.csv }\n'
    const report = await check('name,email,day\nAda,ada@@post.eu,M\n', { 'mailmerge.yaml': config })
    expect([report.rows, report.counts.error]).toEqual([1, 1])
  })

  test('are as heavy as --duplicates makes them', async () => {
    const list = 'name,email,day\nAda,ada@post.eu,M\nAda,ada@post.eu,M\n'
    expect((await check(list, {}, { duplicates: 'skip' })).problems).toContainEqual(
      expect.objectContaining({ code: 'duplicate', severity: 'warning', row: 2 }),
    )
    project.remove()
    expect((await check(list, {}, { duplicates: 'all' })).problems).toContainEqual(
      expect.objectContaining({ code: 'duplicate', severity: 'info', row: 2 }),
    )
  })

  test('hold two spellings of one Gmail mailbox: as a warning, or as a duplicate where they are folded', async () => {
    const list = 'name,email,day\nAda,ada.l@gmail.com,M\nAda,adal+news@googlemail.com,M\n'
    const warned = await check(list)
    expect(found(warned, 'same-mailbox')).toEqual(['2 email'])
    expect(warned.counts.error).toBe(0)
    project.remove()
    const folded = await check(list, {}, { foldGmail: true })
    expect(found(folded, 'duplicate')).toEqual(['2 email'])
    expect(found(folded, 'same-mailbox')).toEqual([])
  })

  test('of a column that the list has not are reported with the nearest, and the data is checked all the same', async () => {
    const report = await check('name,email,dey\nAda,ada@post.eu,M\nBob,nonsense,M\n')
    expect(report.problems).toContainEqual(
      expect.objectContaining({ severity: 'error', message: expect.stringContaining("'day'") }),
    )
    expect(found(report, 'bad-address')).toEqual(['2 email'])
  })

  test('of suppressed people are a count, and no error', async () => {
    project = makeCheckedProject({
      'list.csv': 'name,email,day\nAda,ada@post.eu,M\nBob,bob@post.eu,M\n',
      'templates/letter.txt': LETTER,
      'mailmerge.yaml': 'csv: list.csv\ntemplate: letter\n',
    })
    const settings = await project.settings()
    const ledger = await openLedger(settings)
    await ledger.suppressions.add([suppressionOf('bob@post.eu', { group: '', reason: 'manual', addedAt: new Date() })])
    await ledger.close()
    const report = await checkMerge(settings)
    expect(report.problems).toContainEqual(
      expect.objectContaining({
        code: 'suppressed',
        severity: 'info',
        message: expect.stringMatching(/^1 of the rows/),
      }),
    )
    expect(JSON.stringify(report.problems)).not.toContain('bob@')
  })

  test('are none where all is well, and nothing is left behind', async () => {
    const report = await check('name,email,day\nAda,ada@post.eu,Monday\n')
    expect(report.problems.filter(({ severity }) => severity !== 'info')).toEqual([])
    expect(readdirSync(project.dir).sort()).toEqual(['list.csv', 'mailmerge.yaml', 'templates'])
  })

  test('stay bounded when every row is wrong', async () => {
    const rows = Array.from({ length: 5_000 }, (_, index) => `P${index},wrong${index},M`).join('\n')
    const report = await check(`name,email,day\n${rows}\n`)
    expect(report.counts.error).toBe(5_000)
    expect(report.problems.length).toBeLessThan(1_200)
    expect(report.problems).toContainEqual(expect.objectContaining({ message: 'and 4,000 more of this kind' }))
  })
})

describe('the column map', () => {
  test('says what each column holds, how full it is, and what it is used as', async () => {
    const report = await check(
      'name,E-Mail,day,seats,code,note\nAda,ada@post.eu,2026-05-01,3,0042,\nBob,bob@post.eu,2026-05-02,"1,200",0043,late\n',
    )
    expect(report.columns).toEqual([
      { column: 'name', kind: 'text', filled: 2, used: true, example: 'Ada' },
      { column: 'E-Mail', kind: 'address', filled: 2, used: false, example: 'ada@post.eu', role: 'address' },
      { column: 'day', kind: 'date', filled: 2, used: true, example: '2026-05-01' },
      { column: 'seats', kind: 'number', filled: 2, used: false, example: '3' },
      { column: 'code', kind: 'text', filled: 2, used: false, example: '0042' },
      { column: 'note', kind: 'text', filled: 1, used: false, example: 'late' },
    ])
    expect(found(report, 'unused-column')).toEqual(['undefined seats', 'undefined code', 'undefined note'])
  })
})

describe('a split campaign', () => {
  test('has every variant checked', async () => {
    const report = await check('name,email,day\nAda,ada@post.eu,M\n', {
      'mailmerge.yaml':
        'csv: list.csv\ntemplate: letter\nvariants:\n  a: {}\n  b: { subject: "{{nmae}}" }\n  c: { template: other }\n',
      'templates/other.txt': '---\nfrom: a@example.net\nsubject: s\n---\n{{dya}}\n',
    })
    const messages = report.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
    expect(messages).toHaveLength(2)
    expect(messages.join()).toContain("'nmae'")
    expect(messages.join()).toContain("'dya'")
  })
})

const RANK = ['error', 'warning', 'info']

test('an address around which something is not seen is an error that names --fix where that helps', async () => {
  const report = await check('email\n\u200Bann@post.eu\u00AD\nb\u00ADob@post.eu\nann@@post.eu\n')
  const bad = report.problems.filter(({ code }) => code === 'bad-address')
  expect(bad.map(({ row, hint }) => [row, hint?.split(' ').slice(0, 3).join(' ')])).toEqual([
    [1, 'mailmerge check --fix'],
    [2, 'Type the address'],
    [3, undefined],
  ])
})

test('asks the links and the spam filter of the project where that is wanted, and says what it found', async () => {
  const files = {
    'templates/page.html':
      '---\nfrom: a@example.net\nsubject: x\n---\n<p>{{name}} <a href="https://127.0.0.1/x">Dear</a></p>',
    'mailmerge.yaml': 'csv: list.csv\ntemplate: page\ncheck: { spamd: "127.0.0.1:1", clients: [] }\n',
    'list.csv': 'name,email\nAda,ada@post.eu\n',
  }
  project = makeCheckedProject(files)
  const report = await checkMerge(await project.settings(), { links: ASK })
  const said = (code: string) => report.problems.filter((problem) => problem.code === code)
  expect(said('dead-link')).toMatchObject([{ severity: 'warning', row: 1, value: 'https://127.0.0.1/x' }])
  expect(said('links-asked')[0]?.message).toBe('1 link of the first messages was asked')
  expect(said('spam-filter')).toMatchObject([
    { severity: 'warning', message: expect.stringContaining('spamd gives no verdict') },
  ])
})

test('says which rows have the most HTML, where Gmail would clip it', async () => {
  const sizes = [10, 120_000, 110_000, 10, 130_000, 105_000]
  const list = sizes.map((size, n) => `${'x'.repeat(size)},p${n}@post.eu`).join('\n')
  const files = { 'templates/page.html': '---\nfrom: a@example.net\nsubject: x\n---\n<p>{{name}}</p>' }
  const report = await check(`name,email\n${list}\n`, files, { template: 'page' })
  expect(report.problems.find(({ code }) => code === 'largest-html')?.message).toBe(
    'the largest HTML is 127 KB in row 5, 117 KB in row 2, 107 KB in row 3; Gmail shows 102 KB',
  )
})

test.each([
  ['JÃ¼rgen', 'broken letters'],
  ['MÃ¼ller & Söhne', 'broken letters'],
  ['Ã‰milie', 'broken letters'],
  ['donâ€™t', 'broken letters'],
  ['Å\u0081Ã³dÅº', 'broken letters'],
  ['M\uFFFDller', 'broken letters'],
  ['ï»¿Ann', 'broken letters'],
  ['ÐœÐ¾Ñ\u0081ÐºÐ²Ð°', 'broken letters'],
  ['O&#39;Neil', 'as HTML writes them'],
  ['M&uuml;ller', 'as HTML writes them'],
  ['Tom &amp; Ann', 'as HTML writes them'],
  ['12.50 ı', 'beside a number'],
  ['ı5', 'beside a number'],
])('says that %s is not what was meant', async (name, words) => {
  const report = await check(`name,email\n${name},b@post.eu\n`)
  const told = report.problems.filter(({ code }) => code === 'broken-letters')
  expect(told).toMatchObject([{ row: 1, column: 'name', value: name, message: expect.stringContaining(words) }])
})

test.each([
  'Müller',
  'SÃO PAULO',
  'Ñandú',
  'Ægir',
  'Łódź',
  'Đà Nẵng',
  'A & B',
  'AT&T;',
  'Straße',
  'Москва',
  '«Ann»',
  'Â',
  'Ø 3',
  'CRÈME BRÛLÉE',
  'Kadıköy 3 ışık',
  'Kadıköy 3 ışık',
])('leaves %s in peace', async (name) => {
  const report = await check(`name,email\n"${name}",b@post.eu\n`)
  expect(report.problems.filter(({ code }) => code === 'broken-letters')).toEqual([])
})

test('says which cells another program spoilt, and which columns have spaces around their cells', async () => {
  const report = await check(
    'name,email,zip\nJÃ¼rgen,a@post.eu,"=""01067"""\nO&#39;Neil,b@post.eu,4.9E+12\nAnn ,c@post.eu,10115\nMüller & Söhne,d@post.eu,01067\n',
  )
  const told = report.problems.filter(({ code }) => /broken-letters|spreadsheet-trace|spaces-around/.test(code))
  expect(told.map(({ code, row, column }) => [code, row, column])).toEqual([
    ['spaces-around', undefined, 'name'],
    ['broken-letters', 1, 'name'],
    ['spreadsheet-trace', 1, 'zip'],
    ['broken-letters', 2, 'name'],
    ['spreadsheet-trace', 2, 'zip'],
  ])
})

/** What a row's values become in CSV, JSON lines and HTML, whatever is in them. */
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ResultRow } from '../../src/ledger/records.ts'
import { csvHeader, csvLines } from '../../src/report/csv.ts'
import { htmlReport } from '../../src/report/html.ts'
import { jsonLine } from '../../src/report/json.ts'
import { reportHeadOf } from '../support/report-head.ts'

function rowWith(value: string): ResultRow {
  return { row: 1, key: value, address: value, status: 'failed', reason: value, response: value, attempts: 1 }
}

/** The cells of a row's line. */
function cells(value: string): readonly string[] {
  const [record] = parse(csvLines([])(rowWith(value))) as readonly string[][]
  return record ?? []
}

const FORMULA_SIGNS = ['=', '+', '-', '@', '|', '%', '\t', '\r', '\uFF1D', '\uFF0B', '\uFF0D', '\uFF20']

describe('CSV', () => {
  test('has the columns of the contract, times in ISO 8601 with milliseconds, and CRLF', () => {
    const header =
      'row,key,address,status,reason,smtp_code,enhanced_code,response,message_id,attempts,first_attempt_at,finished_at\r\n'
    expect(csvHeader([])).toBe(header)
    const at = new Date('2026-11-24T10:25:30Z')
    const line = csvLines([])({
      ...rowWith('a@b.example'),
      smtpCode: 550,
      enhancedCode: '5.1.1',
      messageId: '<x@y>',
      firstAttemptAt: at,
      finishedAt: at,
    })
    expect(line).toBe(
      '1,a@b.example,a@b.example,failed,a@b.example,550,5.1.1,a@b.example,<x@y>,1,2026-11-24T10:25:30.000Z,2026-11-24T10:25:30.000Z\r\n',
    )
  })

  test.each(FORMULA_SIGNS)(
    'a cell that begins with %j is a text, also behind blanks, quotes and invisible signs',
    (sign) => {
      for (const before of ['', ' ', '"', "'", '\u00A0', '\uFEFF', '\u200B', '\0', '\n', ' "\' '])
        expect(cells(`${before}${sign}cmd|'/c calc'!A0`)[2]).toMatch(/^'/)
    },
  )

  test('a cell cannot begin another one where the list separator is a semicolon', () => {
    const line = csvLines([])(rowWith('550 no;=cmd|x; "+1'))
    expect(
      line
        .split(';')
        .slice(1)
        .every((part) => /^\s*"*'/.test(part)),
    ).toBe(true)
  })

  test('what was written can be read again: only the apostrophe is new', () => {
    const plain = fc.string({ unit: 'grapheme' }).filter((text) => !/[;\p{Cc}]/u.test(text))
    fc.assert(
      fc.property(plain, (value) => {
        const [read = ''] = cells(value).slice(2)
        expect([value, `'${value}`]).toContain(read)
      }),
    )
  })

  test('any value keeps one row in one line of twelve cells', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const line = csvLines([])(rowWith(value))
        expect(line.slice(0, -2)).not.toMatch(/\p{Cc}/u)
        expect(cells(value)).toHaveLength(12)
      }),
    )
  })
})

test('JSON lines give the values as they are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const line = jsonLine(rowWith(value))
      expect(line.trimEnd()).not.toContain('\n')
      expect(JSON.parse(line)).toMatchObject({ row: 1, address: value, response: value, smtp_code: null })
    }),
  )
})

describe('HTML', () => {
  const EVIL = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '</td></table><iframe src=javascript:alert(1)>',
    '<svg/onload=alert(1)>',
    "<a href='javascript:alert(1)'>",
    '</title></style><style>*{display:none}',
    '\u202Egnp.exe\u0000<b>',
  ]
  /** The page of one row in each state, with the value wherever a value can be. */
  async function pageWith(value: string): Promise<string> {
    const rows: readonly ResultRow[] = [
      rowWith(value),
      { ...rowWith(value), row: 2, status: 'in_doubt' },
      { ...rowWith(value), row: 3, status: 'deferred', attempts: 2 },
      { ...rowWith(value), row: 4, status: 'deferred', attempts: 0 },
      { ...rowWith(value), row: 5, status: 'skipped', skip: { kind: 'bad', detail: value } },
      { ...rowWith(value), row: 6, status: 'skipped', skip: { kind: 'other', detail: value } },
      { ...rowWith(`a@${value}`), row: 7, status: 'sent', variant: value, bounce: { kind: 'hard', reason: value } },
    ]
    const counts = { sent: 1, failed: 0, skipped: 0, deferred: 0, in_doubt: 0 }
    const run = {
      id: value,
      campaign: { id: 1, name: value, generation: 1, token: '' },
      source: value,
      template: value,
      options: { sender: value, timeZone: 'UTC' },
    }
    const head = {
      variants: new Map([[value, counts]]),
      bounces: new Map([['hard', 1] as const]),
      results: `/x/${value}`,
    }
    async function* batches() {
      yield rows
    }
    return htmlReport(batches(), reportHeadOf(run, head), '/x/report.html')
  }

  test.each(EVIL)('%j stays a text', async (value) => {
    const html = await pageWith(value)
    const tags = [...html.matchAll(/<\/?([a-z0-9!]+)[^>]*>/gi)].map((match) => match[1]?.toLowerCase())
    const ours =
      '!doctype html head meta title style body main header section footer h1 h2 p ul ol li b i br wbr bdi span code div table thead tr th td tbody svg defs symbol use path circle rect text desc'
    expect(tags.filter((tag) => tag !== undefined && !ours.split(' ').includes(tag))).toEqual([])
    expect(tags.filter((tag) => tag === 'style')).toHaveLength(2)
    expect(html).not.toMatch(/<[^>]*\son\w+=/i)
    expect(html).not.toMatch(/[\u0000\u202E]/)
    // The page itself loads nothing: the only addresses are those of its own icons.
    expect([...html.matchAll(/\b(?:href|src|action)="([^"]*)"/g)].filter(([, to]) => !to?.startsWith('#i-'))).toEqual(
      [],
    )
  })

  test('a browser is asked to run nothing', async () => {
    const html = await pageWith('a@b.example')
    expect(html).toContain("default-src 'none'; style-src 'unsafe-inline'")
    expect(html).not.toMatch(/<script|javascript:/i)
  })
})

/** What reaches a terminal and a pipe: nothing that moves the cursor but our own live line, and results on stdout alone. */
import { describe, expect, test } from 'vitest'
import { eventFields } from '../../../src/cli/merge/json-events.ts'
import { Progress } from '../../../src/cli/merge/progress.ts'
import { showError } from '../../../src/cli/terminal/errors.ts'
import { duration, rate, shortPath } from '../../../src/cli/terminal/format.ts'
import { Output } from '../../../src/cli/terminal/output.ts'
import { alike, problemLine } from '../../../src/cli/terminal/problems.ts'
import { cut, tableLines, widthOf } from '../../../src/cli/terminal/table.ts'
import { DataError, type Problem } from '../../../src/errors.ts'
import { NO_COPIES } from '../../../src/ledger/records.ts'
import { escapeInvisible } from '../../../src/text/visible.ts'
import { fakeIo, screen } from '../fake-io.ts'

const COUNTS = { sent: 0, failed: 0, skipped: 0, deferred: 1000, in_doubt: 0 }

describe('values that are shown', () => {
  test.each([
    ['\u001B[31mred\u0007', '\\u001b[31mred\\u0007'],
    ['a\r\nb\tc\0', 'a\\r\\nb\\tc\\0'],
    ['\u009B2J', '\\u009b2J'],
    ['\u202Egpj.exe', '\\u202egpj.exe'],
    ['\u2028\uFEFF', '\\u2028\\ufeff'],
    ['José 岩田 👩', 'José 岩田 👩'],
  ])('%j', (value, shown) => expect(escapeInvisible(value)).toBe(shown))

  test('are cut by columns, wide letters taking two', () => {
    expect(widthOf('岩田a\u0301')).toBe(5)
    expect(cut('岩田聡', 5)).toBe('岩田…')
    expect(cut('abc', 3)).toBe('abc')
  })

  test('paths are short where that helps', () => {
    expect(shortPath('/a/b/c.csv', '/a')).toBe('b/c.csv')
    expect(shortPath('/x/c.csv', '/a')).toBe('/x/c.csv')
    expect(shortPath('/a/\u001B.csv', '/a')).toBe('\\u001b.csv')
  })
})

describe('an error', () => {
  const problems = Array.from(
    { length: 25 },
    (_, i): Problem => ({
      severity: 'error',
      code: 'bad-address',
      message: 'is not a valid address',
      hint: 'Fix it.',
      file: 'list.csv',
      row: i + 1,
      column: 'email',
      value: `x${i + 1}\u001B[2J`,
    }),
  )

  test('is a sentence, its places, and what to do; long lists are cut and say so', () => {
    const io = fakeIo()
    expect(
      showError(new DataError('25 problems in list.csv', { problems, hint: 'Fix the list.' }), new Output(io)),
    ).toBe(65)
    const lines = io.stderr.text.trimEnd().split('\n')
    expect(lines[0]).toBe('mailmerge: 25 problems in list.csv')
    expect(lines[1]).toBe('  list.csv, row 1, column email: is not a valid address (x1\\u001b[2J)')
    expect(lines.filter((line) => line.includes('Fix it.'))).toHaveLength(1)
    expect(lines.slice(-2)).toEqual(['  and 5 more problems; --verbose lists all', 'hint: Fix the list.'])
    expect(io.stdout.text).toBe('')
  })

  test('is listed whole, with its stack, under --verbose only', () => {
    const [quiet, loud] = [fakeIo(), fakeIo()]
    const error = new DataError('25 problems', { problems })
    showError(error, new Output(quiet))
    showError(error, new Output(loud, { verbose: true }))
    expect(quiet.stderr.text).not.toContain('    at ')
    expect(loud.stderr.text).toContain('row 25')
    expect(loud.stderr.text).toContain('    at ')
  })

  test.each([
    [{}, 'and 1,605 more problems; --verbose lists 25 of them'],
    [{ verbose: true }, 'and 1,600 more problems, not listed: fix these first'],
  ])('with %j counts the problems that are not listed', (options, says) => {
    const io = fakeIo()
    showError(new DataError('1,625 problems', { problems, unlisted: 1600 }), new Output(io, options))
    expect(io.stderr.text).toContain(says)
  })

  test('under --json is an event on stdout too, with all its problems', () => {
    const io = fakeIo()
    showError(
      new DataError('25 problems', { problems, unlisted: 3, hint: 'Fix them.' }),
      new Output(io, { json: true }),
    )
    expect(JSON.parse(io.stdout.text)).toMatchObject({
      event: 'error',
      code: 'data',
      exit_code: 65,
      message: '25 problems',
      hint: 'Fix them.',
      problems_left_out: 3,
      problems: Array.from({ length: 25 }, (_, i) => ({ row: i + 1, column: 'email', file: 'list.csv' })),
    })
    const defect = fakeIo()
    showError(new TypeError('x'), new Output(defect, { json: true }))
    expect(JSON.parse(defect.stdout.text)).toMatchObject({ event: 'error', code: 'defect', exit_code: 70, hint: null })
  })

  test('that nobody foresaw is a sentence and ends with 70', () => {
    const io = fakeIo()
    expect(showError(new TypeError('x is not a function\u001B[2J'), new Output(io))).toBe(70)
    expect(io.stderr.text).toContain('defect')
    expect(io.stderr.text).not.toMatch(/\u001B| at /)
  })
})

describe('colours', () => {
  const coloured = (options: Parameters<typeof fakeIo>[0], flags = {}): boolean =>
    new Output(fakeIo(options), flags).style('red', 'x') !== 'x'
  test('are for terminals, unless NO_COLOR, --no-color or a dumb terminal says no', () => {
    expect(coloured({ terminal: true })).toBe(true)
    expect(coloured({ terminal: false })).toBe(false)
    expect(coloured({ terminal: true, env: { NO_COLOR: '1' } })).toBe(false)
    expect(coloured({ terminal: true, env: { NO_COLOR: '' } })).toBe(true)
    expect(coloured({ terminal: true, env: { TERM: 'dumb' } })).toBe(false)
    expect(coloured({ terminal: true }, { color: false })).toBe(false)
  })
})

describe('progress', () => {
  function run(terminal: boolean, columns: number, options = {}) {
    const io = fakeIo({ terminal, columns })
    const out = new Output(io, options)
    let now = 0
    const progress = new Progress(out, () => now)
    progress.planned(
      {
        event: 'planned',
        run: 'r',
        campaign: 'c',
        rows: 1000,
        toSend: 1000,
        counts: COUNTS,
        skipped: {},
        copies: NO_COPIES,
      },
      'checked',
    )
    for (let done = 0; done <= 1000; done += 10) {
      now += 250
      const counts = { ...COUNTS, deferred: 1000 - done, sent: done, failed: done > 500 ? 3 : 0 }
      const secondsLeft = (1000 - done) / 40
      progress.update({ event: 'progress', run: 'r', counts, rate: 40, lanes: 5, retrying: 0, secondsLeft })
      if (done === 500) out.info('row 7 failed')
    }
    progress.end()
    return io.stderr.text
  }

  test('while no lane is at work it says what is waited for, and what is left of the quota', () => {
    const io = fakeIo({ terminal: true, columns: 160 })
    let now = 0
    const progress = new Progress(new Output(io), () => now)
    const quota = { count: 500, seconds: 86_400, left: 12 }
    const state = { event: 'progress', run: 'r', rate: 0, retrying: 3, quota } as const
    const counts = { ...COUNTS, deferred: 90, sent: 10 }
    progress.planned(
      {
        event: 'planned',
        run: 'r',
        campaign: 'c',
        rows: 100,
        toSend: 100,
        counts: COUNTS,
        skipped: {},
        copies: NO_COPIES,
      },
      'checked',
    )
    const shown = (lanes: number): string => {
      now += 250
      io.stderr.text = ''
      progress.update({ ...state, counts, lanes })
      return io.stderr.text
    }
    progress.paused({ kind: 'outage', said: 'the server is away' })
    expect(shown(0)).toMatch(
      /of 1?\d\d {2}waiting: the server is away {2}3 to try again {2}12 left of 500\/day {2}0 lanes/,
    )
    expect(shown(2)).not.toContain('waiting')
    expect(shown(0)).not.toContain('waiting')
    now += 250
    progress.update({ ...state, counts, lanes: 2, quota: { ...quota, of: 'recipients' } })
    expect(io.stderr.text).toContain('12 left of 500 recipients/day')
  })

  test('on a terminal is one line, redrawn, and gone at the end', () => {
    const text = run(true, 100)
    expect(screen(text)).toEqual(['1,000 rows checked, 1,000 to send', 'row 7 failed', ''])
    expect(text).toContain('█')
    expect(text).toContain('3 failed')
  })

  test.each([20, 40, 80])('never breaks a line of a terminal of %i columns', (columns) => {
    for (const drawn of run(true, columns)
      .split(/\n|\r\u001B\[2K/)
      .slice(1))
      expect(widthOf(drawn)).toBeLessThan(columns)
    // What does not fit is left out whole.
    if (columns >= 40) expect(run(true, columns)).not.toContain('…')
  })

  test('in a pipe is plain lines, some for each run and not one for each message', () => {
    const text = run(false, 80)
    expect(text).not.toMatch(/[\r\u001B█]/)
    const lines = text.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThanOrEqual(9)
    expect(lines.length).toBeLessThanOrEqual(14)
    expect(lines.at(-1)).toContain('of 1,000')
  })

  test('is silent under --quiet', () => expect(run(true, 80, { quiet: true })).toBe(''))
})

test('durations and rates are words', () => {
  expect([0, 59.6, 61, 3700, 200_000].map(duration)).toEqual([
    '0 s',
    '1 min 00 s',
    '1 min 01 s',
    '1 h 01 min',
    '2 d 07 h',
  ])
  expect([1234.4, 9.99, 0.5, 0.02].map(rate)).toEqual(['1,234/s', '10.0/s', '30/min', '1.2/min'])
})

describe('problems', () => {
  const warning = (row: number, value: string): Problem => ({
    severity: 'warning',
    code: 'reserved',
    message: 'is reserved',
    column: 'email',
    row,
    value,
  })
  const many = [...Array(9).keys()].map((i) => warning(i < 5 ? i + 1 : i + 3, `p${i}`))

  test('that differ in their values alone are one where the values do not matter', () => {
    expect(alike(many)).toHaveLength(9)
    const [group, ...others] = alike(many, { anyValue: true })
    expect(others).toEqual([])
    expect(group && problemLine(group)).toBe('rows 1-5, 8-11, column email: warning: is reserved (p0, p1, p2 ...)')
  })

  test('of one line of a template keep it, those of many lines of a list do not', () => {
    const at = (row: number, line: number): Problem => ({ ...warning(row, ''), file: 'f', line })
    const [all] = alike([at(1, 3), at(2, 3), at(3, 3)])
    expect(all && problemLine(all, { allRows: 3 })).toBe('f:3, every row, column email: warning: is reserved')
    expect(all && problemLine(all, { allRows: 4 })).toBe('f:3, rows 1-3, column email: warning: is reserved')
    expect(alike([at(1, 3), at(2, 3)]).map((group) => problemLine(group))).toEqual([
      'f:3, rows 1-2, column email: warning: is reserved',
    ])
    expect(alike([at(1, 2), at(2, 3)]).map((group) => problemLine(group))).toEqual([
      'f, rows 1-2, column email: warning: is reserved',
    ])
  })

  test('of one row keep its value', () => {
    expect(alike([warning(7, 'x')], { anyValue: true }).map((group) => problemLine(group))).toEqual([
      'row 7, column email: warning: is reserved (x)',
    ])
  })
})

test('a table that is too wide for a terminal is cut in the columns that may be, the first of them first', () => {
  const rows = [['20261127T190127-abcde', 'autumn-newsletter-of-the-garden-society', 'Finished with failures', '1,000']]
  const head = ['RUN', 'CAMPAIGN', 'STATE', 'ROWS']
  const fitted = (columns: number) => tableLines(head, rows, { right: new Set([3]), columns, cuttable: [1, 2] })
  expect(fitted(200)).toEqual(tableLines(head, rows, { right: new Set([3]) }))
  for (const columns of [90, 80, 70, 55])
    for (const line of fitted(columns)) expect(widthOf(line)).toBeLessThanOrEqual(columns)
  expect(fitted(80)[1]).toContain('Finished with failures')
  expect(fitted(80)[1]).toContain('autumn-newsletter')
})

test('results that are not for a terminal have no colors', () => {
  const io = fakeIo({ terminal: true })
  Object.assign(io.stdout, { isTTY: false })
  const out = new Output(io)
  out.result(out.style('red', 'bad'))
  out.info(out.style('red', 'bad'))
  expect(io.stdout.text).toBe('bad\n')
  expect(io.stderr.text).toContain('\u001B[31m')
})

test('a table stands in columns, also with wide letters', () => {
  expect(
    tableLines(
      ['A', 'N'],
      [
        ['岩田', '1'],
        ['x', '100'],
      ],
      { right: new Set([1]) },
    ),
  ).toEqual(['A       N', '岩田    1', 'x     100'])
})

test('events have the names of the results file, and every count', () => {
  const row = {
    event: 'failed',
    row: 2,
    key: 'k',
    address: 'a@b.example',
    status: 'failed',
    reason: 'mailbox unknown',
    smtpCode: 550,
    enhancedCode: '5.1.1',
    response: 'no',
    messageId: '<m>',
    attempts: 1,
    firstAttemptAt: new Date(0),
    finishedAt: new Date(1),
  } as const
  expect(Object.keys(eventFields(row)).join()).toBe(
    'event,row,key,address,status,reason,smtp_code,enhanced_code,response,message_id,attempts,first_attempt_at,finished_at',
  )
  const summary = eventFields({
    event: 'summary',
    copies: NO_COPIES,
    run: 'r',
    campaign: 'c',
    rows: 1000,
    counts: COUNTS,
    seconds: 1.23456,
    rate: 10,
    outcome: 'unfinished',
    exitCode: 75,
    reports: ['r.csv'],
  })
  expect(summary).toMatchObject({
    run: 'r',
    sent: 0,
    deferred: 1000,
    in_doubt: 0,
    seconds: 1.235,
    messages_per_second: 10,
  })
})

import { Cron } from 'croner'
import { describe, expect, test } from 'vitest'
import { cronFault, cronSurprises } from '../../src/schedule/cron.ts'

describe('what is wrong with an expression is said by field and part, with a way out', () => {
  test.each([
    ['0 9 * * MON/2', "the weekday is 'MON/2'", '--every 2w'],
    ['0 9 * * 1/2', "the weekday is '1/2'", '--every 2w'],
    ['0 9 1/14 * *', "the day of month is '1/14'", '--every 2w'],
    ['every 2 weeks', 'it is in words', '--every 2w'],
    ['@every 2w', 'it is in words', '--every 2w'],
    ['@fortnightly', 'it is in words', '--every 2w'],
    ['0/15 9 * * *', "the minute is '0/15'", '*/15'],
    ['60 9 * * *', "'60' is not a valid minute (0 to 59)", 'Five fields'],
    ['0 9 * 13 *', "'13' is not a valid month (1 to 12)", 'Five fields'],
    ['0 9 0 * *', "'0' is not a valid day of month (1 to 31)", 'Five fields'],
    ['0 9 * * MONDAY', "'MONDAY' is not a valid weekday", 'Write MON.'],
    ['0 9 1 january *', "'JANUARY' is not a valid month", 'Write JAN.'],
    ['0 9 * * FRI-MON', "the range 'FRI-MON' runs backwards", 'FRI-SAT,SUN-MON'],
    ['0 22-2 * * *', "the range '22-2' runs backwards", '22-23,0-2'],
    ['0 9 L-2 * *', "'L-2' is not a valid day of month", 'L is the last day'],
    ['0 9 * * L', "'L' is not a weekday", 'FRI#L'],
    ['0 9 * * 1#6', "'1#6' is not a valid weekday", 'FRI#2'],
    ['0 9 15,LW * *', 'LW cannot be one of several days', 'second schedule'],
    ['0 9 +1 * *', "'+1' is not a valid day of month", 'Five fields'],
    ['0 9 1, * *', 'the day of month has an empty part', 'Five fields'],
    ['@reboot', 'a reboot is not a time', 'Five fields'],
    ['@dayly', 'not one of the nicknames', '@daily'],
    ['0 9 * *', 'it has 4 fields', 'Five fields'],
    ['0 0 9 * * MON', 'it has 6 fields', 'Seconds'],
  ])('%s', (expression, message, hint) => {
    const fault = cronFault(expression)
    expect(fault.message).toContain(message)
    expect(fault.hint).toContain(hint)
  })

  test('every expression of odd parts that the parser refuses has a reason of its own', () => {
    const parts = [
      '*',
      '?',
      '5',
      '99',
      'x',
      'MON',
      'JAN',
      '1-5',
      '5-1',
      '*/2',
      '3/2',
      '1-9/0',
      'L',
      'LW',
      '3W',
      'W',
      '1#2',
      '+1',
      '',
    ]
    const unexplained: string[] = []
    for (let field = 0; field < 5; field++) {
      for (const part of parts) {
        for (const other of parts) {
          const expression = ['0', '9', '*', '*', '*'].with(field, `${part},${other}`).join(' ')
          try {
            new Cron(expression, { mode: '5-part', paused: true })
          } catch {
            if (cronFault(expression).message === 'it cannot be read') unexplained.push(expression)
          }
        }
      }
    }
    expect(unexplained).toEqual([])
  })
})

describe('what may come as a surprise', () => {
  const monthsWithout31 = [2, 4, 6, 9, 11]
  test.each([
    ['0 9 31 * *', [{ kind: 'missing-day', day: 31, months: monthsWithout31, last: '0 9 L * *', weekday: false }]],
    ['0 9 31W * *', [{ kind: 'missing-day', day: 31, months: monthsWithout31, last: '0 9 LW * *', weekday: true }]],
    ['0 9 30 2-3 *', [{ kind: 'missing-day', day: 30, months: [2], last: '0 9 L 2-3 *', weekday: false }]],
    ['0 9 1,29 * *', [{ kind: 'missing-day', day: 29, months: [2], last: '0 9 1,L * *', weekday: false }]],
    [
      '0 9 15,31W * *',
      [{ kind: 'missing-day', day: 31, months: monthsWithout31, last: '0 9 15,L * *', weekday: false }],
    ],
    ['0 9 31 jan,mar *', []],
    ['0 9 28 * *', []],
    ['0 9 L * *', []],
    ['@monthly', []],
    ['0 9 1-31 * *', []],
  ])('months without the day: %s', (expression, expected) => {
    expect(cronSurprises(expression)).toEqual(expected)
    for (const { last } of expected) expect(new Cron(last, { mode: '5-part', paused: true }).nextRun()).not.toBeNull()
  })

  test.each([
    ['0 9 1 * MON', '0 9 1 * +MON'],
    ['0 9 L * fri', '0 9 L * +FRI'],
  ])('a day of the month and a weekday: %s', (expression, together) => {
    expect(cronSurprises(expression)).toEqual([expect.objectContaining({ kind: 'day-or-weekday', together })])
  })

  test.each(['0 9 1 * +MON', '0 9 * * MON', '0 9 ? * MON', '0 9 1 * ?'])('one kind of day alone: %s', (expression) => {
    expect(cronSurprises(expression)).toEqual([])
  })

  test.each([
    ['0 9 */14 * *', 'day of month', [1, 15, 29]],
    ['0 9 * * */2', 'weekday', [0, 2, 4, 6]],
    ['*/25 * * * *', 'minute', [0, 25, 50]],
    ['0 */7 * * *', 'hour', [0, 7, 14, 21]],
    ['0 9 1 */5 *', 'month', [1, 6, 11]],
  ])('a step that starts again: %s', (expression, field, values) => {
    expect(cronSurprises(expression)).toEqual([expect.objectContaining({ kind: 'step-starts-again', field, values })])
  })

  test.each(['*/15 */6 * * *', '0 9 1 */3 *', '0 9 * * */1'])('a step that goes on evenly: %s', (expression) => {
    expect(cronSurprises(expression)).toEqual([])
  })
})

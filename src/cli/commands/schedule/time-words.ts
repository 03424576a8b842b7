/** The times of schedules in words: one occurrence, how often it comes, what about it may come as a surprise. */
import type { Timing } from '../../../ledger/schedules.ts'
import type { CronSurprise } from '../../../schedule/cron.ts'
import { plural } from '../../terminal/format.ts'

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
  ...['August', 'September', 'October', 'November', 'December'],
]

/** `2026-12-01T09:00` as people write it. */
export function wallWords(wall: string): string {
  return wall.replace('T', ' ')
}

/** With its weekday: `Tue 2026-12-01 09:00`. */
export function dayWords(wall: string): string {
  return `${WEEKDAYS[new Date(`${wall.slice(0, 10)}T00:00Z`).getUTCDay()]} ${wallWords(wall)}`
}

const UNITS: Readonly<Record<string, string>> = { D: 'day', W: 'week', M: 'month', Y: 'year' }

/** How often a schedule comes, or when. */
export function timingWords(timing: Timing): string {
  if (timing.kind === 'cron') return timing.expression
  if (timing.kind === 'once') return wallWords(timing.wall)
  const count = Number.parseInt(timing.interval.slice(1), 10)
  const unit = UNITS[timing.interval.slice(-1)] ?? ''
  return `every ${count === 1 ? unit : plural(count, unit)} at ${timing.first.slice(11)}`
}

const STARTS_AGAIN: Readonly<Record<string, string>> = {
  minute: 'each hour',
  hour: 'each day',
  'day of month': 'each month',
  month: 'each year',
  weekday: 'each week',
}

/** What a cron expression does that its writer may not expect, and how to write it otherwise. */
export function surpriseWords(surprise: CronSurprise): string {
  switch (surprise.kind) {
    case 'day-or-weekday':
      return (
        `with a day of the month (${surprise.day}) and a weekday (${surprise.weekday}) it comes on both kinds of day; ` +
        `a + limits it to days that match both: '${surprise.together}'`
      )
    case 'missing-day': {
      const months = listWords(surprise.months.map((month) => MONTHS[month - 1] ?? ''))
      const one = surprise.months.length === 1
      const left =
        surprise.day === 29
          ? 'February has a 29th only in leap years'
          : `${months} ${one ? 'has' : 'have'} no ${ordinal(surprise.day)} and ${one ? 'is' : 'are'} left out`
      const last = surprise.weekday ? 'LW is the last weekday of every month' : 'L is the last day of every month'
      return `${left}; ${last}: '${surprise.last}'`
    }
    case 'step-starts-again': {
      const { field, text, step, values } = surprise
      const named = field === 'weekday' ? values.map((day) => WEEKDAYS[day] ?? '') : values.map(String)
      const words = `the ${field} ${text} starts again ${STARTS_AGAIN[field]}: ${cut(named)}`
      if (field !== 'day of month' && field !== 'weekday') return words
      return `${words}; for an even distance give the first date: --at 'monday 9:00' --every ${step}d`
    }
  }
}

/** `1, 3, 5, ... 59` where there are many. */
function cut(values: readonly string[]): string {
  if (values.length <= 8) return values.join(', ')
  return `${values.slice(0, 4).join(', ')}, ... ${values.at(-1)}`
}

/** `April, June and September` */
function listWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

function ordinal(day: number): string {
  return day === 31 ? '31st' : `${day}th`
}

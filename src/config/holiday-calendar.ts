/** The whole days of a calendar file (`.ics`, RFC 5545), as holidays. Owns reading them; events with a time of day are left out. */
import { ConfigError } from '../errors.ts'
import type { DayRange } from '../sending-window.ts'

/** What a yearly event may say besides that: nothing that moves it to another day. */
const SAME_DAY = /^(?:INTERVAL=1|BYMONTH=\d{1,2}|BYMONTHDAY=\d{1,2}|WKST=[A-Z]{2})$/

/** @throws ConfigError for a file that is not a calendar, or an event that recurs in a way that is not understood. */
export function holidaysOfCalendar(text: string, file: string): readonly DayRange[] {
  const lines = text.replaceAll(/\r?\n[ \t]/g, '').split(/\r?\n/)
  if (lines[0]?.trim().toUpperCase() !== 'BEGIN:VCALENDAR') {
    throw new ConfigError(`${file} is not a calendar file`, { hint: 'It begins with BEGIN:VCALENDAR (RFC 5545).' })
  }
  const found: DayRange[] = []
  let event: Map<string, string> | undefined
  for (const line of lines) {
    const [, name = '', value = ''] = /^([A-Za-z-]+)(?:;[^:]*)?:(.*)$/.exec(line) ?? []
    const key = name.toUpperCase()
    if (key === 'BEGIN' && value.trim().toUpperCase() === 'VEVENT') event = new Map()
    else if (key === 'END' && value.trim().toUpperCase() === 'VEVENT') {
      if (event !== undefined) found.push(...daysOf(event, file))
      event = undefined
    } else event?.set(key, value.trim())
  }
  return found
}

function daysOf(event: ReadonlyMap<string, string>, file: string): readonly DayRange[] {
  const first = dateOf(event.get('DTSTART'))
  if (first === undefined || event.get('STATUS')?.toUpperCase() === 'CANCELLED') return []
  const end = dateOf(event.get('DTEND'))
  // The day on which it ends is not in it.
  const last = end === undefined || end <= first ? first : new Date(end.getTime() - 86_400_000)
  const [from, to] = [dayText(first), dayText(last)]
  const rule = event.get('RRULE')
  if (rule === undefined) return [{ from, to }]
  const parts = rule.toUpperCase().split(';')
  if (parts[0] === 'FREQ=YEARLY' && parts.slice(1).every((part) => SAME_DAY.test(part)))
    return [{ from: from.slice(5), to: to.slice(5) }]
  throw new ConfigError(`${file}: '${event.get('SUMMARY') ?? from}' recurs as ${rule}, which is not understood`, {
    hint: 'An event may recur on the same day of every year (FREQ=YEARLY). Write other dates as events of their own.',
  })
}

function dateOf(text: string | undefined): Date | undefined {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})$/.exec(text ?? '') ?? []
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function dayText(date: Date): string {
  return date.toISOString().slice(0, 10)
}

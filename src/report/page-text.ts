/** Numbers, moments and other people's words as a report page writes them. Owns their form. */
import { oneLine } from '../text/visible.ts'

/** `1,234` */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 row`, `1,234 rows` */
export function some(value: number, one: string, many: string): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** Characters of a value of a row or an answer of a server that a page shows. */
const LONGEST = 300

/** A value of a row or of the project: one line without anything that cannot be seen, of bounded length. */
export function shownText(value: string): string {
  const line = oneLine(value)
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line
}

export interface PageTime {
  readonly zone: string
  /** `Friday, 27 November 2026` */
  day(at: Date): string
  /** `14:02` or `14:02:12`; with the day before it (`27 Nov 14:02`) where asked for. */
  short(at: Date, to: 'minutes' | 'seconds', withDay?: boolean): string
  /** `14:02:12.118`, with the day where it is not the day of the report. */
  exact(at: Date): string
  sameDay(a: Date, b: Date): boolean
}

/** @param today the day that needs not be named. */
export function pageTime(zone: string, today: Date): PageTime {
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options })
  const weekday = format({ weekday: 'long' })
  const date = format({ day: 'numeric', month: 'long', year: 'numeric' })
  const dayMonth = format({ day: 'numeric', month: 'short' })
  const minutes = format({ hour: '2-digit', minute: '2-digit' })
  const seconds = format({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const exact = format({ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })
  const sameDay = (a: Date, b: Date): boolean => date.format(a) === date.format(b)
  return {
    zone,
    sameDay,
    day: (at) => `${weekday.format(at)}, ${date.format(at)}`,
    short: (at, to, withDay = false) =>
      `${withDay ? `${dayMonth.format(at)} ` : ''}${(to === 'minutes' ? minutes : seconds).format(at)}`,
    exact: (at) => (sameDay(at, today) ? exact.format(at) : `${dayMonth.format(at)} ${seconds.format(at)}`),
  }
}

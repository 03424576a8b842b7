/** Cells read as dates and numbers, as people write them. Owns the forms that are understood. */

export interface ReadDate {
  readonly at: Date
  /** True for a day without a time. */
  readonly isDay: boolean
}

/** ISO dates and times, `24.12.2026`, `12/24/2026` where it can only be that, and dates. Undefined for anything else. */
export function readDate(value: unknown): ReadDate | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : { at: value, isDay: isMidnight(value) }
  const text = String(value).trim()
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return day(text.split('-'))
  if (/^\d{4}-\d\d-\d\d[T ]\d\d?:\d\d/.test(text)) {
    const at = new Date(text.replace(' ', 'T').replace(/T(\d):/, 'T0$1:'))
    return Number.isNaN(at.getTime()) ? undefined : { at, isDay: false }
  }
  const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(text)
  if (dotted !== null) return day([dotted[3], dotted[2], dotted[1]])
  const slashed = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text)
  if (slashed !== null) {
    const [, first, second, year] = slashed
    // 04/05/2026 means two days to two people: only what can be one day is read.
    if (Number(first) > 12) return day([year, second, first])
    if (Number(second) > 12 || first === second) return day([year, first, second])
  }
  return undefined
}

function day([year, month, date]: readonly (string | undefined)[]): ReadDate | undefined {
  const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(date)))
  return at.getUTCMonth() === Number(month) - 1 && at.getUTCDate() === Number(date) ? { at, isDay: true } : undefined
}

function isMidnight(date: Date): boolean {
  return date.getTime() % 86_400_000 === 0
}

const decimalMarks = new Map<string, string>()

/** A number as written in `locale`, or as programs write it. Undefined for anything else. */
export function readNumber(value: unknown, locale: string): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  const text = String(value ?? '')
    .trim()
    .replace(/[\u00A0\u202F']/g, '')
  if (text === '') return undefined
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text)
  let mark = decimalMarks.get(locale)
  if (mark === undefined) {
    mark = new Intl.NumberFormat(locale).formatToParts(1.5).find(({ type }) => type === 'decimal')?.value ?? '.'
    decimalMarks.set(locale, mark)
  }
  const group = mark === ',' ? '.' : ','
  const bare = text.replaceAll(group, '').replace(mark, '.')
  return /^[+-]?\d+(\.\d+)?$/.test(bare) ? Number(bare) : undefined
}

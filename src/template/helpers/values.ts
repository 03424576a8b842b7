/** Cells read as dates, numbers and answers, as people write them. Owns the forms that are understood. */

/**
 * A day without a time, a time on the wall without a zone, or a moment. The first two are given as if clocks showed UTC.
 */
export interface ReadDate {
  readonly kind: 'day' | 'wall' | 'moment'
  readonly at: Date
}

const DAYS = [
  { shape: /^(?<y>\d{4})-(?<m>\d{1,2})-(?<d>\d{1,2})(?<rest>.*)$/s, order: 'y' },
  { shape: /^(?<d>\d{1,2})\.\s?(?<m>\d{1,2})\.\s?(?<y>\d{4})(?<rest>.*)$/s, order: 'd' },
  { shape: /^(?<first>\d{1,2})\/(?<second>\d{1,2})\/(?<y>\d{4})(?<rest>.*)$/s, order: '/' },
] as const

const TIME =
  /^(?:T|,?\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?$/

/**
 * ISO dates and times, `24.12.2026`, `12/24/2026` where it can only be that, each with or without a time, and dates.
 * Undefined for anything else.
 */
export function readDate(value: unknown): ReadDate | undefined {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) return undefined
    return { kind: value.getTime() % 86_400_000 === 0 ? 'day' : 'moment', at: value }
  }
  const text = String(value).trim()
  for (const { shape, order } of DAYS) {
    const found = shape.exec(text)?.groups
    if (found === undefined) continue
    const [month, day] = order === '/' ? monthFirst(found['first'], found['second']) : [found['m'], found['d']]
    return dated(Number(found['y']), Number(month), Number(day), found['rest'] ?? '')
  }
  return undefined
}

/** 04/05/2026 means two days to two people: only what can be one day is read. */
function monthFirst(first: string | undefined, second: string | undefined): readonly [unknown, unknown] {
  if (Number(first) > 12) return [second, first]
  if (Number(second) > 12 || first === second) return [first, second]
  return [undefined, undefined]
}

function dated(year: number, month: number, day: number, rest: string): ReadDate | undefined {
  const at = new Date(Date.UTC(year, month - 1, day))
  if (at.getUTCMonth() !== month - 1 || at.getUTCDate() !== day) return undefined
  if (rest === '') return { kind: 'day', at }
  const time = TIME.exec(rest)
  if (time === null) return undefined
  const [, hours, minutes, seconds = '0', fraction = '', half, zone] = time
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (/^p/i.test(half) ? 12 : 0)
  if (Number(hours) > (half === undefined ? 23 : 12) || Number(minutes) > 59 || Number(seconds) > 59) return undefined
  at.setUTCHours(hour, Number(minutes), Number(seconds), Number(fraction.slice(0, 3).padEnd(3, '0')))
  if (zone === undefined) return { kind: 'wall', at }
  const [, sign, zoneHours = '0', zoneMinutes = '0'] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? []
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1)
  return { kind: 'moment', at: new Date(at.getTime() - offset * 60_000) }
}

const decimalMarks = new Map<string, string>()

/** A number as written in `locale`, or as programs write it. Undefined for anything else. */
export function readNumber(value: unknown, locale: string): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  const text = String(value ?? '')
    .trim()
    .replace(/^\u2212/, '-')
    .replace(/[\u00A0\u202F'’ ](?=\d{3})/g, '')
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

const NO = new Set(
  [
    '',
    '0',
    '-',
    'n',
    'no',
    'f',
    'false',
    'off',
    'none',
    'nein',
    'non',
    'nee',
    'nej',
    'nei',
    'não',
    'nao',
    'ne',
    'nie',
  ].concat(['нет', 'όχι', 'いいえ', '否']),
)

/** What a cell answers to a question: yes, unless it is empty or says no. */
export function readYes(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false
  if (Array.isArray(value)) return value.length > 0
  return !NO.has(String(value).trim().toLowerCase())
}

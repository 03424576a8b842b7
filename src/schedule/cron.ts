/**
 * What a cron expression says, field by field. Owns why one is not valid, and what about a valid one may come as a surprise;
 * when it comes is decided in `recurrence.ts`.
 */

interface Field {
  readonly name: 'minute' | 'hour' | 'day of month' | 'month' | 'weekday'
  readonly least: number
  readonly most: number
  /** Names of its values, from the least one on. */
  readonly names: readonly string[]
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59, names: [] },
  { name: 'hour', least: 0, most: 23, names: [] },
  { name: 'day of month', least: 1, most: 31, names: [] },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'weekday', least: 0, most: 7, names: WEEKDAYS },
]

/** How a recurring run of every second week is set. */
const EVERY_HINT = "For every second week give the first date and the interval: --at 'monday 9:00' --every 2w."
const FIELDS_HINT = "Five fields: minute, hour, day of month, month, weekday. '0 9 * * MON' is Mondays at 9:00."

/** What is wrong with an expression that cannot be read, and what to do. */
export interface CronFault {
  readonly message: string
  readonly hint: string
}

/** Something that a valid expression does and its writer may not expect. */
export type CronSurprise =
  /** It comes on the days of both fields; `together` is the expression for days that match both. */
  | {
      readonly kind: 'day-or-weekday'
      readonly day: string
      readonly weekday: string
      readonly together: string
    }
  /** Months, from 1, that do not have the day: they are left out. `last` is the expression for their last day instead. */
  | {
      readonly kind: 'missing-day'
      readonly day: number
      readonly months: readonly number[]
      readonly last: string
      /** The weekday nearest to it is meant. */
      readonly weekday: boolean
    }
  /** A step that does not go on from one hour, day, month, week or year to the next. `values` are those of each. */
  | {
      readonly kind: 'step-starts-again'
      readonly field: Field['name']
      readonly text: string
      readonly step: number
      readonly values: readonly number[]
    }

/** Why the parser refused an expression. */
export function cronFault(expression: string): CronFault {
  const text = expression.trim()
  if (/^@reboot$/i.test(text)) return { message: 'a reboot is not a time', hint: FIELDS_HINT }
  if (/\bevery\b|\bbi-?weekly\b|\bfortnight/i.test(text)) return { message: 'it is in words', hint: EVERY_HINT }
  if (text.startsWith('@')) {
    return {
      message: 'it is not one of the nicknames',
      hint: 'They are @hourly, @daily, @weekly, @monthly and @yearly.',
    }
  }
  const fields = text.split(/\s+/).filter((field) => field !== '')
  if (fields.length !== 5) {
    const count = fields.length === 0 ? 'no fields' : fields.length === 1 ? 'one field' : `${fields.length} fields`
    const hint = fields.length === 6 ? `${FIELDS_HINT} Seconds and years are not among them.` : FIELDS_HINT
    return { message: `it has ${count}`, hint }
  }
  for (const [i, field] of FIELDS.entries()) {
    const parts = partsOf(fields[i] ?? '', field)
    for (const part of parts) {
      const fault = partFault(part, field)
      if (fault !== undefined) return { hint: FIELDS_HINT, ...fault }
    }
    if (parts.length > 1 && parts.includes('LW')) {
      return { message: 'LW cannot be one of several days', hint: 'Add a second schedule for the others.' }
    }
  }
  return { message: 'it cannot be read', hint: FIELDS_HINT }
}

/** The parts of a list. A weekday may have a `+` before it. */
function partsOf(text: string, { name }: Field): readonly string[] {
  const list = name === 'weekday' ? text.replace(/^\+/, '') : text
  return list.toUpperCase().split(',')
}

function partFault(part: string, field: Field): { readonly message: string; readonly hint?: string } | undefined {
  const { name, least, most } = field
  if (part === '') return { message: `the ${name} has an empty part` }
  const [range = '', step, more] = part.split('/')
  if (step !== undefined) {
    if (more !== undefined || !/^[1-9]\d*$/.test(step)) return { message: `'${part}' is not a valid ${name}` }
    if (!/^(\*|\?|.[^-]*-.+)$/.test(range)) {
      const hint =
        name === 'weekday' || name === 'day of month'
          ? EVERY_HINT
          : `Write */${step}, or a range of it: ${least}-${most}/${step}.`
      return { message: `a step needs a range or *, and the ${name} is '${part}'`, hint }
    }
  }
  if (/^[*?]$/.test(range)) return undefined
  const days = name === 'day of month' ? /^(\d+W|LW?)$/.exec(range) : null
  if (days !== null) return outside(Number.parseInt(range, 10), part, field)
  if (name === 'day of month' && range.startsWith('L')) {
    return {
      message: `'${part}' is not a valid ${name}`,
      hint: 'L is the last day of the month, and LW its last weekday.',
    }
  }
  if (name === 'weekday' && /^LW?$/.test(range)) {
    return { message: `'${part}' is not a weekday`, hint: 'FRI#L is the last Friday of the month.' }
  }
  const numbered = name === 'weekday' ? /^([^#]+)(?:#(.*)|L)$/.exec(range) : null
  if (numbered !== null && numbered[2] !== undefined && !/^([1-5]|L)$/.test(numbered[2])) {
    return {
      message: `'${part}' is not a valid weekday`,
      hint: 'FRI#2 is the second Friday of the month, FRI#L the last.',
    }
  }
  const [from = '', to, another] = (numbered?.[1] ?? range).split('-')
  if (another !== undefined) return { message: `'${part}' is not a valid ${name}` }
  for (const word of to === undefined ? [from] : [from, to]) {
    const value = numberIn(word, field)
    if (value === undefined)
      return { message: `'${word}' is not a valid ${name}`, hint: nameHint(word, field) ?? FIELDS_HINT }
    const fault = outside(value, word, field)
    if (fault !== undefined) return fault
  }
  const [low, high] = [numberIn(from, field) ?? 0, to === undefined ? most : (numberIn(to, field) ?? 0)]
  if (low <= high) return undefined
  return {
    message: `the range '${range}' runs backwards`,
    hint: `Write two: ${from}-${name === 'weekday' ? 'SAT' : most},${least === 0 && name === 'weekday' ? 'SUN' : least}-${to}.`,
  }
}

function outside(value: number, text: string, { name, least, most }: Field): { readonly message: string } | undefined {
  if (Number.isNaN(value) || (value >= least && value <= most)) return undefined
  return { message: `'${text}' is not a valid ${name} (${least} to ${most})` }
}

/** A number or a name as a number; undefined for anything else. */
function numberIn(word: string, { names, least }: Field): number | undefined {
  if (/^\d+$/.test(word)) return Number(word)
  const at = names.indexOf(word)
  return at === -1 ? undefined : at + least
}

function nameHint(word: string, { names }: Field): string | undefined {
  const short = names.find((name) => word.startsWith(name))
  return short === undefined ? undefined : `Write ${short}.`
}

const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** What may come as a surprise. The expression must be one that can be read. */
export function cronSurprises(expression: string): readonly CronSurprise[] {
  const text = NICKNAMES[expression.trim().toLowerCase()] ?? expression.trim()
  const fields = text.toUpperCase().split(/\s+/)
  const [, , day = '*', months = '*', weekday = '*'] = fields
  const surprises: CronSurprise[] = []
  if (!isAny(day) && !isAny(weekday) && !weekday.startsWith('+')) {
    const together = fields.with(4, `+${weekday}`).join(' ')
    surprises.push({ kind: 'day-or-weekday', day, weekday, together })
  }
  const last = fields.with(2, lastDay(day)).join(' ')
  for (const part of day.split(',')) {
    const number = /^\d+W?$/.test(part) ? Number.parseInt(part, 10) : 0
    const without = valuesOf(months, 3).filter((month) => daysIn(month) < number)
    if (without.length > 0) {
      surprises.push({ kind: 'missing-day', day: number, months: without, last, weekday: last.includes('LW') })
    }
  }
  for (const [i, field] of FIELDS.entries()) {
    for (const part of partsOf(fields[i] ?? '', field)) {
      const step = /^[*?]\/(\d+)$/.exec(part)
      if (step === null || evenSteps(Number(step[1]), field)) continue
      const values = valuesOf(part, i)
      surprises.push({ kind: 'step-starts-again', field: field.name, text: part, step: Number(step[1]), values })
    }
  }
  return surprises
}

function isAny(field: string): boolean {
  return field === '*' || field === '?'
}

/** Days of a month in a year that is not a leap year. */
function daysIn(month: number): number {
  return new Date(Date.UTC(2027, month, 0)).getUTCDate()
}

/** The day field with the last day of the month in place of the days that not every month has. */
function lastDay(day: string): string {
  const parts = day.split(',').map((part) => {
    if (!/^\d+W?$/.test(part) || Number.parseInt(part, 10) < 29) return part
    return part === day && part.endsWith('W') ? 'LW' : 'L'
  })
  return [...new Set(parts)].join(',')
}

/** Whether the distance is the same where the field begins again. Months differ in length, and a week has seven days. */
function evenSteps(step: number, { name, least, most }: Field): boolean {
  if (step === 1) return true
  if (name === 'day of month' || name === 'weekday') return false
  return (most - least + 1) % step === 0
}

/** The values of a field made of numbers, names, ranges and steps. */
function valuesOf(text: string, index: number): readonly number[] {
  const field = FIELDS[index]
  if (field === undefined) return []
  const { least } = field
  const most = field.name === 'weekday' ? 6 : field.most
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const [range = '', step = '1'] = part.split('/')
    const [from, to] = isAny(range) ? [least, most] : range.split('-').map((word) => numberIn(word, field))
    for (let value = from ?? most + 1; value <= (to ?? from ?? 0); value += Number(step)) values.add(value)
  }
  return [...values].sort((one, other) => one - other)
}

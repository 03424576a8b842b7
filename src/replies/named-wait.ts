/** How long a server says to wait before the next try: `try again in 5 minutes`. Owns the reading of such words; decides nothing. */

/** A time that is named is believed up to this many milliseconds. */
const LONGEST_MS = 24 * 3_600_000

/** Milliseconds, by how the unit begins, in English and its neighbours. */
const UNITS: readonly (readonly [unit: RegExp, milliseconds: number])[] = [
  [/^s(?!t)/i, 1000],
  [/^m/i, 60_000],
  [/^(?:h|st)/i, 3_600_000],
]
const UNIT =
  's(?:ec(?:ond)?s?|econdes?|ekunden?|egundos?)?|m(?:in(?:ute)?s?|inuten|inutos?)?|h(?:(?:ou)?rs?|eures?|oras?)?|stunden?'
const NUMBERS: Readonly<Record<string, number>> = {
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  five: 5,
  ten: 10,
  fifteen: 15,
  thirty: 30,
}
const NUMBER = `\\d{1,6}|${Object.keys(NUMBERS).join('|')}`

/** Words that speak of the next try, with what may stand between them and its time. */
const NEXT_TRY =
  '\\b(?:again|retry(?:ing)?|back|wait|delay(?:ed)?|gr[ea]y-?list(?:ed|ing)?|defer(?:red)?|erneut|wieder|réessayer)(?:[\\s,:(~-]{1,3}(?:later|please|in|after|for|at|least|about|another|approximately|the|next|delivery|sending|it|dans)){0,6}[\\s,:(~-]{1,3}'

/** `300 seconds`, `5-10 minutes`, `1 hour and 30 minutes`. */
const DURATION = new RegExp(
  `${NEXT_TRY}(?:(?:${NUMBER}) ?(?:-|to|or) ?)?(${NUMBER}) ?(${UNIT})\\b(?:,? (?:and )?(\\d{1,6}) ?(${UNIT})\\b)?`,
  'i',
)
/** `00:05:00` */
const CLOCK = new RegExp(`${NEXT_TRY}(\\d{1,2}):(\\d\\d):(\\d\\d)\\b`, 'i')

/**
 * Milliseconds that the text asks to wait, at most a day; undefined when it names no time.
 *
 * @example namedWait('450 4.2.0 Greylisted, try again in 5 minutes') // 300_000
 */
export function namedWait(text: string): number | undefined {
  const clock = CLOCK.exec(text)
  if (clock !== null) {
    const [, hours, minutes, seconds] = clock
    return bounded(((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000)
  }
  const duration = DURATION.exec(text)
  if (duration === null) return undefined
  const [, number = '', unit = '', secondNumber = '0', secondUnit = 's'] = duration
  return bounded(milliseconds(number, unit) + milliseconds(secondNumber, secondUnit))
}

function milliseconds(number: string, unit: string): number {
  const [, factor] = UNITS.find(([begins]) => begins.test(unit)) ?? ['', 1000]
  return (NUMBERS[number.toLowerCase()] ?? Number(number)) * factor
}

function bounded(wait: number): number | undefined {
  return wait > 0 ? Math.min(wait, LONGEST_MS) : undefined
}

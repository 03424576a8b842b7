/**
 * The syntax of conditions: `city=Paris and (age >= 18 or not member in (no, never))`. Owns reading a text into a tree; what a
 * tree means for a row is in `condition.ts`.
 *
 *     condition  = all *( "or" all )
 *     all        = part *( "and" part )
 *     part       = "not" part / "(" condition ")" / comparison
 *     comparison = column sign value
 *                / column [ "not" ] "in" "(" value *( "," value ) ")"
 *                / column "contains" value
 *                / column "is" [ "not" ] ( "empty" / day )
 *     sign       = "=" / "==" / "!=" / "<" / "<=" / ">" / ">=" / "~" / "!~"
 *     day        = "today" [ ( "+" / "-" ) number ( "d" / "w" / "m" / "y" / "days" / "weeks" / "months" / "years" ) ]
 *
 * A column is written as the list has it; a value runs to the next `and`, `or` or closing bracket, or is in quotes.
 */
import { type CalendarSpan, readCalendarSpan } from '../../config/units.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'

export type Sign = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~' | '!~'

export interface Value {
  readonly text: string
  /** A quoted text is never read as more than its words: `'today'` is the word. */
  readonly quoted: boolean
}

/** A part as it is written, for errors about a cell. */
interface Written {
  readonly written: string
}

export type Comparison = Written &
  (
    | { readonly kind: 'compare'; readonly column: string; readonly sign: Sign; readonly value: Value }
    | { readonly kind: 'in'; readonly column: string; readonly values: readonly Value[] }
    | { readonly kind: 'empty'; readonly column: string }
    /** The same day and month in any year. */
    | { readonly kind: 'anniversary'; readonly column: string; readonly day: CalendarSpan }
  )

export type ConditionTree =
  | Comparison
  | { readonly kind: 'any' | 'all'; readonly parts: readonly ConditionTree[] }
  | { readonly kind: 'not'; readonly part: ConditionTree }

/** More than any person writes; deeper ones would only fill the stack. */
const LONGEST = 10_000
const DEEPEST = 50

const SIGNS: readonly (readonly [text: string, sign: Sign])[] = [
  ['!~', '!~'],
  ['!=', '!='],
  ['>=', '>='],
  ['<=', '<='],
  ['==', '='],
  ['~', '~'],
  ['=', '='],
  ['>', '>'],
  ['<', '<'],
]

/** What may come behind a column. */
const OPERATOR = /\s*(?:!~|!=|[~=<>]|(?<=\s)(?:(?:not\s+)?in\s*\(|contains\s|is\s))/iy
const JOINING = /\s+(?:and|or)(?=[\s(]|$)/iy

/** A day as it is counted from today, before it with a negative count; undefined for any other value. */
export function relativeDayOf({ text, quoted }: Value): CalendarSpan | undefined {
  const [found, sign, distance] = (quoted ? null : /^today(?:\s*([+-])(.+))?$/i.exec(text)) ?? []
  if (found === undefined) return undefined
  const span = readCalendarSpan(distance ?? '0d')
  return span === undefined || sign !== '-' ? span : { ...span, count: -span.count }
}

/**
 * @param where what the condition is part of, for errors.
 * @throws UsageError with the position of what is not understood, and for a column that the list does not have.
 */
export function parseConditionTree(condition: string, columns: readonly string[], where: string): ConditionTree {
  return new Parser(condition.normalize('NFC'), columns, where).parse()
}

class Parser {
  readonly #text: string
  /** The longest first: one column may begin with the name of another. */
  readonly #columns: readonly string[]
  readonly #where: string
  #at = 0
  #depth = 0

  constructor(text: string, columns: readonly string[], where: string) {
    this.#text = text
    this.#columns = columns.toSorted((a, b) => b.length - a.length)
    this.#where = where
  }

  parse(): ConditionTree {
    if (this.#text.length > LONGEST) {
      throw new UsageError(`${this.#where} is longer than ${LONGEST} characters`, {
        hint: 'Choose the rows by a column of the list that says who is meant.',
      })
    }
    const tree = this.#any()
    this.#skipSpaces()
    if (this.#at < this.#text.length) throw this.#unclear(this.#at, 'nothing is open that this could close')
    return tree
  }

  #any(): ConditionTree {
    const parts = [this.#all()]
    while (this.#takeWord('or')) parts.push(this.#all())
    const [only] = parts
    return only !== undefined && parts.length === 1 ? only : { kind: 'any', parts }
  }

  #all(): ConditionTree {
    const parts = [this.#part()]
    while (this.#takeWord('and')) parts.push(this.#part())
    const [only] = parts
    return only !== undefined && parts.length === 1 ? only : { kind: 'all', parts }
  }

  #part(): ConditionTree {
    this.#skipSpaces()
    const from = this.#at
    const column = this.#takeColumn()
    if (column !== undefined) return this.#comparison(column, from)
    if (this.#takeWord('not')) return { kind: 'not', part: this.#inside(() => this.#part()) }
    if (this.#text[this.#at] !== '(') throw this.#unknownColumn()
    this.#at++
    const tree = this.#inside(() => this.#any())
    this.#skipSpaces()
    if (this.#text[this.#at] !== ')') throw this.#unclear(from, 'this bracket is not closed')
    this.#at++
    return tree
  }

  #inside(read: () => ConditionTree): ConditionTree {
    if (++this.#depth > DEEPEST) throw this.#unclear(this.#at, `brackets and "not" are nested ${DEEPEST} deep here`)
    const tree = read()
    this.#depth--
    return tree
  }

  #comparison(column: string, from: number): ConditionTree {
    this.#skipSpaces()
    const asWritten = (): Written => ({ written: this.#text.slice(from, this.#at).trim() })
    const found = SIGNS.find(([text]) => this.#text.startsWith(text, this.#at))
    if (found !== undefined) {
      const [text, sign] = found
      this.#at += text.length
      const value = this.#value(/[=<>~]/)
      return { kind: 'compare', column, sign, value, ...asWritten() }
    }
    const begin = this.#at
    const negated = this.#takeWord('not')
    if (this.#takeWord('in')) {
      const values = this.#list()
      return negatedIf(negated, { kind: 'in', column, values, ...asWritten() })
    }
    if (this.#takeWord('contains')) {
      const value = this.#value()
      return { kind: 'compare', column, sign: '~', value, ...asWritten() }
    }
    this.#takeWord('is')
    const isNot = this.#takeWord('not')
    const value = this.#value()
    if (!value.quoted && value.text.toLowerCase() === 'empty')
      return negatedIf(isNot, { kind: 'empty', column, ...asWritten() })
    const day = relativeDayOf(value)
    if (day !== undefined) return negatedIf(isNot, { kind: 'anniversary', column, day, ...asWritten() })
    throw this.#unclear(begin, '"is" is followed by "empty" or "today"', `Write ${column}=${value.text || 'value'}.`)
  }

  #list(): readonly Value[] {
    this.#skipSpaces()
    const from = this.#at
    this.#at++
    const values: Value[] = []
    for (;;) {
      values.push(this.#value(undefined, true))
      this.#skipSpaces()
      const next = this.#text[this.#at++]
      if (next === ')') return values
      if (next !== ',') throw this.#unclear(from, 'this bracket is not closed')
    }
  }

  /** `refused` are signs that no value begins with. */
  #value(refused?: RegExp, inList = false): Value {
    if (this.#matches(JOINING)) return { text: '', quoted: false }
    this.#skipSpaces()
    const quote = this.#text[this.#at]
    if (quote === "'" || quote === '"') return this.#quoted(quote)
    const from = this.#at
    if (refused?.test(quote ?? '')) throw this.#unclear(from, 'there are two comparison signs')
    let open = 0
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]
      if (character === '(') open++
      else if (character === ')' && open > 0) open--
      else if (character === ')' && (inList || this.#depth > 0)) break
      else if (character === ',' && inList && open === 0) break
      else if (!inList && /\s/.test(character ?? '') && this.#matches(JOINING)) break
    }
    return { text: this.#text.slice(from, this.#at).trim(), quoted: false }
  }

  /** A quote inside is written twice, as in SQL. */
  #quoted(quote: string): Value {
    const from = this.#at
    let text = ''
    for (;;) {
      const end = this.#text.indexOf(quote, this.#at + 1)
      if (end < 0) {
        const other = quote === "'" ? '"' : "'"
        throw this.#unclear(
          from,
          'this quotation mark is not closed',
          `A value that begins with ${quote} is written between ${other} and ${other}.`,
        )
      }
      text += this.#text.slice(this.#at + 1, end)
      this.#at = end + 1
      if (this.#text[this.#at] !== quote) return { text, quoted: true }
      text += quote
    }
  }

  /** A column followed by an operator, bare or in quotes. */
  #takeColumn(): string | undefined {
    const column = this.#columns.find(
      (name) => this.#text.startsWith(name, this.#at) && this.#matches(OPERATOR, this.#at + name.length),
    )
    if (column !== undefined) {
      this.#at += column.length
      return column
    }
    if (this.#text[this.#at] !== '"') return undefined
    const from = this.#at
    const { text } = this.#quoted('"')
    if (this.#columns.includes(text)) return text
    this.#at = from
    throw this.#missing(text)
  }

  #takeWord(word: string): boolean {
    this.#skipSpaces()
    const end = this.#at + word.length
    const isWord =
      this.#text.slice(this.#at, end).toLowerCase() === word && /^(?:[\s(]|$)/.test(this.#text.slice(end, end + 1))
    if (isWord) this.#at = end
    return isWord
  }

  #skipSpaces(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
  }

  #matches(pattern: RegExp, at = this.#at): boolean {
    pattern.lastIndex = at
    return pattern.test(this.#text)
  }

  #unknownColumn(): UsageError {
    for (let at = this.#at; at < this.#text.length; at++) {
      if (this.#matches(OPERATOR, at)) return this.#missing(this.#text.slice(this.#at, at).trim())
    }
    const before = this.#text.slice(0, this.#at)
    if (!/\b(?:and|or|not)\s*$/i.test(before) || this.#at >= this.#text.length) {
      const why = this.#at >= this.#text.length ? 'a condition is missing here' : undefined
      return this.#unclear(this.#at, why)
    }
    return this.#unclear(this.#at, undefined, 'Put a value with the word "and" or "or" in quotes.')
  }

  #missing(column: string): UsageError {
    if (column === '') return this.#unclear(this.#at, 'a column is missing here')
    return new UsageError(`${this.#where} names the column '${column}', which the list does not have`, {
      hint: didYouMean(column, this.#columns, `Its columns are ${this.#columns.toReversed().join(', ')}.`),
    })
  }

  #unclear(at: number, why?: string, hint?: string): UsageError {
    const place = at === 0 ? '' : ` from character ${at + 1} on ('${this.#text.slice(at, at + 20)}')`
    return new UsageError(
      `${this.#where} does not understand '${shortened(this.#text)}'${place}${why === undefined ? '' : `: ${why}`}`,
      {
        hint:
          hint ??
          "Write column=value, with one of = != > < >= <= ~ (contains) !~ between, for example --where 'city=Paris'; join conditions with and, or, not and brackets.",
      },
    )
  }
}

function negatedIf(negated: boolean, part: Comparison): ConditionTree {
  return negated ? { kind: 'not', part } : part
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}

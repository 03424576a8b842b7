/**
 * What helpers are made of. Owns how Handlebars hands over their arguments, and the rule for empty cells: an empty value
 * gives an empty text, never `NaN` or `undefined`.
 */
import { BoundedMap } from '../../bounded-map.ts'
import { knownLanguage, unknownLanguage } from '../../language-tag.ts'
import { cellText, storedValue } from '../../source/cells/cell.ts'
import type { Reading } from '../../source/cells/compare.ts'
import type { Helper } from '../engine/engine.ts'

/** What a helper may know beside its arguments; set for each row. */
export interface HelperData {
  /** Language that helpers write in. */
  readonly locale: string
  /** Language that the list is written in, where the project or the row says so. */
  readonly listLocale: string | undefined
  readonly timeZone: string
  /** Images that the row's HTML shows. */
  readonly images: {
    readonly cid: string
    readonly name: string
    readonly type: string
    readonly content: Uint8Array
  }[]
  readonly tables: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface HelperOptions {
  readonly hash: Readonly<Record<string, unknown>>
  readonly data: { readonly helpers: HelperData }
  readonly fn?: (context: unknown) => string
  readonly inverse?: (context: unknown) => string
}

export type Make = (values: readonly unknown[], options: HelperOptions) => unknown

/** A helper that gives a value. */
export function plain(make: Make): Helper {
  return (...args) => make(args.slice(0, -1), args.at(-1) as HelperOptions)
}

/** A condition that works inside `{{#if (eq a b)}}` and as a block of its own, `{{#eq a b}}`. */
export function condition(test: (values: readonly unknown[], options: HelperOptions) => boolean): Helper {
  return function (this: unknown, ...args) {
    const options = args.at(-1) as HelperOptions
    const holds = test(args.slice(0, -1), options)
    if (options.fn === undefined) return holds
    return holds ? options.fn(this) : (options.inverse?.(this) ?? '')
  }
}

export function isEmpty(cell: unknown): boolean {
  const value = storedValue(cell)
  if (value === undefined || value === null || value === false) return true
  return typeof value === 'string' ? value.trim() === '' : Array.isArray(value) && value.length === 0
}

/** A value as a text prints it. */
export function text(value: unknown): string {
  return Array.isArray(value) ? String(value) : cellText(value)
}

export function localeOf({ hash, data }: HelperOptions): string {
  const own = text(hash['locale'])
  return own === '' ? data.helpers.locale : checkedLanguage(own)
}

/** @throws Error for a language that nothing can be written in. */
function checkedLanguage(tag: string): string {
  const known = knownLanguage(tag)
  if (known !== undefined) return known
  const { message, hint } = unknownLanguage(tag)
  throw new Error(`${message}. ${hint.replace(/\.$/, '')}`)
}

/** How the cells of the list are read. */
export function readingOf({ data }: HelperOptions): Reading {
  return { locale: data.helpers.listLocale, timeZone: data.helpers.timeZone }
}

/** The items of a list: an array, or a cell that holds several things between `;`, `,`, `|` or line breaks. */
export function itemsOf(value: unknown, separator?: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  return text(value)
    .split(separator ?? /[;,|\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** Formatters are costly to make and the same for most rows. */
export function remembered<Options extends object, Format>(
  make: new (locale: string, options: Options) => Format,
): (locale: string, options: Options) => Format {
  // A locale may come from a cell.
  const known = new BoundedMap<string, Format>(500)
  return (locale, options) => known.getOrMake(`${locale} ${JSON.stringify(options)}`, () => new make(locale, options))
}

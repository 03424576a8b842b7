/** Helpers for words and lists. Owns what they do to text; escaping is the engine's, except where line breaks become `<br>`. */

import { nearest } from '../../did-you-mean.ts'
import { quoted } from '../../source/cells/cell.ts'
import { csvCell } from '../../text/csv-cells.ts'
import type { Helper } from '../engine/engine.ts'
import { type HelperOptions, isEmpty, itemsOf, localeOf, plain, remembered, text } from './helper.ts'
import { qrPng } from './qr.ts'
import { readYes } from './values.ts'

const listFormat = remembered(Intl.ListFormat)
/** Characters that padding makes at most. */
const WIDEST = 200

function truncate([value, length]: readonly unknown[]): string {
  const characters = [...text(value)]
  const most = Number(length) || 80
  if (characters.length <= most) return characters.join('')
  const cut = characters.slice(0, Math.max(0, most - 1)).join('')
  return `${cut.trimEnd()}…`
}

function capitalize([value]: readonly unknown[], options: HelperOptions): string {
  const [first = '', ...rest] = text(value)
  return first.toLocaleUpperCase(localeOf(options)) + rest.join('')
}

/** Line breaks of a cell as they were typed: `<br>` in HTML, themselves in text. */
function lines([value]: readonly unknown[]): unknown {
  const typed = text(value).replace(/\r\n?/g, '\n')
  return typed.includes('\n') ? new Lines(typed) : typed
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#x27;',
}

class Lines {
  readonly #typed: string

  constructor(typed: string) {
    this.#typed = typed
  }

  /** What Handlebars puts into HTML without escaping it again. */
  toHTML(): string {
    return this.#typed.replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? sign).replaceAll('\n', '<br>\n')
  }

  toString(): string {
    return this.#typed
  }
}

function table([name, key, otherwise]: readonly unknown[], { data }: HelperOptions): unknown {
  const { tables } = data.helpers
  const entries = Object.hasOwn(tables, text(name)) ? tables[text(name)] : undefined
  if (entries === undefined) {
    const guess = nearest(text(name), Object.keys(tables))
    throw new Error(`there is no table ${quoted(name)}${guess === undefined ? '' : `; did you mean '${guess}'?`}`)
  }
  const found = Object.hasOwn(entries, text(key)) ? entries[text(key)] : otherwise
  if (found === undefined) throw new Error(`the table ${quoted(name)} has no entry ${quoted(key)}`)
  return found
}

function qr([value]: readonly unknown[], { data, hash }: HelperOptions): string {
  const { images } = data.helpers
  const number = images.length + 1
  const cid = `qr${number}@mailmerge`
  const scale = Math.min(20, Math.max(1, Math.round(Number(hash['scale']) || 6)))
  if (isEmpty(value)) throw new Error('there is nothing to make a code of')
  images.push({ cid, name: `qr${number}.png`, type: 'image/png', content: qrPng(text(value), scale) })
  return `cid:${cid}`
}

function pad([value, width, filling]: readonly unknown[]): string {
  return text(value).padStart(Math.min(WIDEST, Number(width) || 0), text(filling) || '0')
}

export const TEXT_HELPERS: Readonly<Record<string, Helper>> = {
  list: plain(([value], options) =>
    listFormat(localeOf(options), { type: options.hash['type'] === 'or' ? 'disjunction' : 'conjunction' }).format(
      itemsOf(value).map(text),
    ),
  ),
  join: plain(([value, separator]) =>
    itemsOf(value)
      .map(text)
      .join(separator === undefined ? ', ' : text(separator)),
  ),
  split: plain(([value, separator]) => itemsOf(value, text(separator) || undefined)),
  first: plain(([value]) => itemsOf(value)[0] ?? ''),
  last: plain(([value]) => itemsOf(value).at(-1) ?? ''),
  default: plain((values) => values.find((value) => !isEmpty(value)) ?? ''),
  choose: plain(([question, yes, no]) => (readYes(question) ? yes : no) ?? ''),
  upper: plain(([value], options) => text(value).toLocaleUpperCase(localeOf(options))),
  lower: plain(([value], options) => text(value).toLocaleLowerCase(localeOf(options))),
  capitalize: plain(capitalize),
  trim: plain(([value]) => text(value).trim()),
  truncate: plain(truncate),
  replace: plain(([value, part, other]) =>
    text(part) === '' ? text(value) : text(value).replaceAll(text(part), () => text(other)),
  ),
  pad: plain(pad),
  lines: plain(lines),
  urlencode: plain(([value]) => encodeURIComponent(text(value).toWellFormed())),
  csv: plain(([value]) => (/^-?\d+(?:\.\d+)?$/.test(text(value)) ? text(value) : csvCell(text(value)))),
  tojson: plain(([value]) => JSON.stringify(value ?? null)),
  table: plain(table),
  qr: plain(qr),
}

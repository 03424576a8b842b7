/**
 * Header lists in which the row's values are marked. Owns the promise that a value never adds a
 * recipient: what it may be depends on where the template put it, not on what it holds.
 */

import { BoundedMap } from '../../bounded-map.ts'
import { holdsValue, isBlank, type MarkedText, piecesOf, unmark } from '../../template/marked-text.ts'
import { excerpt } from '../../text/visible.ts'
import { type Mailbox, parseAddress, parseRecipient } from './address.ts'

export interface AddressList {
  readonly mailboxes: readonly Mailbox[]
  /** What is wrong, in words; empty when all is well. */
  readonly faults: readonly string[]
}

const EMPTY: AddressList = { mailboxes: [], faults: [] }
/** Lists without a row's values are the same for every row. */
const constant = new BoundedMap<string, AddressList>(500)
/** A cell of copies has room for a thousand of them. */
const LONGEST_VALUE = 100_000

/**
 * Reads an address field of a template, `Ada <ada@example.com>, bob@example.com`. A value in a display name is text
 * whatever it holds; a value in an address is part of one addr-spec; a value that stands alone is one mailbox, or with
 * `several` a list of them between commas or semicolons, as a `cc` column may be. An element whose values are all empty
 * is neither a recipient nor a fault.
 *
 * @example parseAddressList(ownText('Ada <ada@example.com>, bob@example.com')).mailboxes.length // 2
 */
export function parseAddressList(marked: MarkedText, options: { readonly several?: boolean } = {}): AddressList {
  if (holdsValue(marked)) return parse(marked, options.several ?? false)
  const text = unmark(marked)
  let list = constant.get(text)
  if (list === undefined) {
    list = parse(marked, false)
    constant.set(text, list)
  }
  return list
}

function parse(marked: MarkedText, several: boolean): AddressList {
  if (isBlank(marked)) return EMPTY
  const mailboxes: Mailbox[] = []
  const faults: string[] = []
  const add = (read: ReturnType<typeof parseRecipient>, text: string): void => {
    if ('mailbox' in read) mailboxes.push(read.mailbox)
    else faults.push(`'${shown(text)}' is not an address: ${read.fault}`)
  }
  for (const element of elementsOf(marked)) {
    if (element.raw.length > LONGEST_VALUE) {
      faults.push(`'${shown(element.raw)}' is not an address: it is far too long`)
    } else if (element.value !== undefined) {
      for (const cell of several ? splitValue(element.value) : [element.value]) {
        if (cell.trim() !== '') add(parseRecipient(cell), cell)
      }
    } else if (!isNobody(element)) add(mailboxOf(element), element.raw)
  }
  return { mailboxes, faults }
}

/** One element of the list, between the template's own commas. */
interface Element {
  /** All of it, without marks. */
  readonly raw: string
  /** What stands before the brackets, without the template's quotes. */
  readonly name: string
  /** What stands between the brackets; absent where there are none. */
  readonly spec?: string | undefined
  /** Set when a row's value is all that there is. */
  readonly value?: string | undefined
  readonly fault?: string | undefined
}

/** Splits at the template's own commas and semicolons: not in its quotes or brackets, and never within a value. */
function elementsOf(marked: MarkedText): readonly Element[] {
  const elements: Element[] = []
  let raw = ''
  let name = ''
  let spec: string | undefined
  let fault: string | undefined
  let place: 'name' | 'spec' | 'after' = 'name'
  let inQuotes = false
  let values = 0
  let lastValue = ''
  let own = false

  const add = (text: string): void => {
    raw += text
    if (place === 'name') name += text
    else if (place === 'spec') spec += text
    else if (text.trim() !== '') fault = "something stands after the '>'"
  }
  const finish = (): void => {
    if (inQuotes) fault = 'a quote is not closed'
    else if (place === 'spec') fault = "a '<' has no '>'"
    elements.push({
      raw: raw.trim(),
      name: name.trim(),
      spec: spec?.trim(),
      value: values === 1 && !own ? lastValue : undefined,
      fault,
    })
    raw = name = lastValue = ''
    spec = fault = undefined
    place = 'name'
    inQuotes = own = false
    values = 0
  }

  const addOwn = (text: string): void => {
    for (let at = 0; at < text.length; at++) {
      const character = text[at] ?? ''
      if ((character === ',' || character === ';') && !inQuotes && place !== 'spec') {
        finish()
        continue
      }
      if (character.trim() !== '') own = true
      if (inQuotes && character === '\\') {
        const escaped = text[++at] ?? ''
        raw += character + escaped
        if (place === 'name') name += escaped
        else if (place === 'spec') spec += character + escaped
      } else if (character === '"') {
        inQuotes = !inQuotes
        raw += character
        if (place === 'spec') spec += character
        else if (place === 'after') fault = "something stands after the '>'"
      } else if (character === '<' && !inQuotes && place === 'name') {
        raw += character
        spec = ''
        place = 'spec'
      } else if (character === '>' && !inQuotes && place === 'spec') {
        raw += character
        place = 'after'
      } else add(character)
    }
  }

  for (const { isValue, text } of piecesOf(marked)) {
    if (!isValue) {
      addOwn(text)
      continue
    }
    lastValue = text
    values++
    add(text)
  }
  finish()
  return elements
}

/** `{{name}} <{{email}}>` where both are empty, or nothing between two commas. */
function isNobody({ raw, name, spec, fault }: Element): boolean {
  return raw === '' || (fault === undefined && name === '' && spec === '')
}

function mailboxOf({ raw, name, spec, fault }: Element): ReturnType<typeof parseRecipient> {
  if (fault !== undefined) return { fault }
  const parsed = parseAddress(spec ?? raw)
  if (parsed.kind === 'invalid') return { fault: parsed.why }
  return { mailbox: { ...parsed.mailbox, ...(spec === undefined || name === '' ? {} : { name }) } }
}

/** The cells of a value that may be a list: a comma in quotes or brackets is part of its cell. */
function splitValue(value: string): readonly string[] {
  const cells: string[] = []
  let start = 0
  // After one quote that is not closed there is none that is.
  let mayQuote = true
  for (let at = 0; at <= value.length; at++) {
    const character = value.charAt(at)
    if (SEPARATORS.includes(character)) {
      if (at > start) cells.push(value.slice(start, at))
      start = at + 1
    } else if (character === '"' && mayQuote) {
      const end = endOf(QUOTED, value, at)
      mayQuote = end !== undefined
      at = (end ?? at + 1) - 1
    } else if (character === '<') at = (endOf(BRACKETED, value, at) ?? at + 1) - 1
  }
  return cells
}

/** Between cells; the end of the text is the empty one. */
const SEPARATORS = [',', ';', '\r', '\n', '']
const QUOTED = /"[^"\\]*(?:\\.[^"\\]*)*"/sy
const BRACKETED = /<[^<>]*>/y

function endOf(sticky: RegExp, text: string, at: number): number | undefined {
  sticky.lastIndex = at
  return sticky.test(text) ? sticky.lastIndex : undefined
}

/** A value that can be shown in an error: cut, and with characters spelt out that cannot be seen. */
function shown(text: string): string {
  return excerpt(text.trim(), 80)
}

/**
 * Header fields as bytes: folding (RFC 5322 section 2.2.3), encoded words (RFC 2047), parameters (RFC 2231). Owns the
 * promise that no value breaks out of its field.
 */

import { DataError, type ErrorDetails } from '../errors.ts'
import { blankInvisible } from '../text/visible.ts'
import type { Mailbox } from './address/address.ts'

/** Where a line should end, and where it must (RFC 5322 section 2.1.1). */
const AIM = 78
const HARD = 998
/** A line with an encoded word is shorter, and so is the word (RFC 2047 section 2). */
const ENCODED_LINE = 76
const LONGEST_WORD = 75
/** What stands around the text of an encoded word, and the least text that is worth one. */
const AROUND = '=?UTF-8?Q??='.length
const LEAST_ROOM = 24

/** Control characters and separators that end a line somewhere: never in a header. A tab is a space. */
const BREAKS = /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029]/

/**
 * The value, if it can stand in a header.
 * @throws DataError that names the field, for a line break or another control character.
 */
export function headerText(field: string, value: string): string {
  if (BREAKS.test(value)) {
    const found = BREAKS.exec(value)?.[0] ?? ''
    const what =
      found === '\n' || found === '\r'
        ? 'a line break'
        : `the control character U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`
    throw headerFault(field, 'header-break', `${what} in the header ${field}`, {
      value,
      hint: 'Take it out of the cell that goes into this header: a header is one line.',
    })
  }
  return value.includes('\t') ? value.replaceAll('\t', ' ') : value
}

/** The error for a value that cannot stand in a field; the message names it. */
export function headerFault(
  field: string,
  code: string,
  message: string,
  more: { readonly value?: string; readonly hint: string },
): HeaderFault {
  const value = blankInvisible(more.value ?? field, 80)
  const problem = { severity: 'error', code, message, value, hint: more.hint } as const
  return new HeaderFault(field, message, { problems: [problem] })
}

/** A value that cannot stand in a field of the message. */
export class HeaderFault extends DataError {
  readonly field: string

  constructor(field: string, message: string, details: ErrorDetails) {
    super(message, details)
    this.field = field
  }
}

/** An unstructured field (Subject, custom headers) with its name and CRLF. The value is any text that `headerText` lets through. */
export function unstructured(name: string, value: string): string {
  const start = `${name}: `
  if (/^[\u0020-\u007E]*$/.test(value) && !value.includes('=?')) {
    if (start.length + value.length <= AIM) return `${start}${value.trim()}\r\n`
    const folded = fold(start, value.trim())
    if (folded !== undefined) return folded
  }
  const words = encodedWords(value.trim(), start.length)
  const first = start.length + (words[0]?.length ?? 0) > ENCODED_LINE ? `${name}:\r\n ` : start
  return `${first}${words.join('\r\n ')}\r\n`
}

/**
 * A structured field whose value is already right ASCII: it is folded at its spaces only.
 * @throws DataError that names the field, when a word of it is longer than a line may be.
 */
export function structured(name: string, value: string): string {
  const start = `${name}: `
  if (start.length + value.length <= AIM) return `${start}${value}\r\n`
  const folded = fold(start, value)
  if (folded === undefined)
    throw headerFault(name, 'header-long', `a word in the header ${name} is longer than a line of mail may be`, {
      value,
      hint: `Shorten it to less than ${HARD - 100} characters.`,
    })
  return folded
}

/** Folds at spaces; undefined when a word is longer than any line may be. */
function fold(start: string, value: string): string | undefined {
  let out = ''
  let line = start
  // Every space stays where it is, before the word that follows it: unfolding gives the same value again. Where there
  // are several no line ends, since some readers make one of them.
  for (const word of value.match(/(?<! ) *[^ ]+/g) ?? []) {
    if (line.length + word.length > AIM && /^ [^ ]/.test(word) && line !== start) {
      out += `${line}\r\n`
      line = word
    } else line += word
    if (line.length > HARD - 2) return undefined
  }
  return `${out}${line}\r\n`
}

/** A text as encoded words of whole characters, at most 75 bytes each, for a line on which `used` bytes stand already. */
function encodedWords(text: string, used: number): readonly string[] {
  const wellFormed = text.toWellFormed()
  const octets = Buffer.byteLength(wellFormed)
  const ascii = wellFormed.match(/[A-Za-z0-9 !*+/-]/g)?.length ?? 0
  // Q reads better and is shorter for Latin scripts, B for all others.
  const q = ascii * 2 >= octets
  const words: string[] = []
  let room = ENCODED_LINE - used - AROUND
  // Where hardly anything fits the first word is for a line of its own.
  if (room < LEAST_ROOM) room = LONGEST_WORD - AROUND
  let word = ''
  let size = 0
  for (const character of wellFormed) {
    const length = q ? qLength(character) : Buffer.byteLength(character)
    const next = size + length
    if (word !== '' && (q ? next : 4 * Math.ceil(next / 3)) > room) {
      words.push(word)
      word = ''
      size = 0
      room = LONGEST_WORD - AROUND
    }
    word += character
    size += length
  }
  words.push(word)
  return words.map((piece) =>
    q ? `=?UTF-8?Q?${qEncode(piece)}?=` : `=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`,
  )
}

function qLength(character: string): number {
  return /^[A-Za-z0-9!*+/ -]$/.test(character) ? 1 : Buffer.byteLength(character) * 3
}

function qEncode(text: string): string {
  let out = ''
  for (const octet of Buffer.from(text)) {
    const character = String.fromCharCode(octet)
    if (octet === 0x20) out += '_'
    else if (/[A-Za-z0-9!*+/-]/.test(character)) out += character
    else out += `=${octet.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

/** A display name as words between which a line may end: bare, one in quotes, or encoded (RFC 5322 section 3.2.5). */
function phrase(name: string, used: number): readonly string[] {
  if (isBare(name)) return name.split(' ')
  if (/^[\u0020-\u007E]{0,60}$/.test(name) && !name.includes('=?')) return [`"${name.replace(/[\\"]/g, '\\$&')}"`]
  return encodedWords(name, used)
}

function isBare(name: string): boolean {
  return (
    /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,400}(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,400})*$/.test(name) &&
    !name.includes('=?')
  )
}

/** A display name and what follows it, as `List-Id` has it: `Our news <news.example.org>`. */
export function phraseField(field: string, display: string, rest: string): string {
  return wordsField(field, (used) => [...(display === '' ? [] : phrase(headerText(field, display), used)), rest], 1)
}

/** An address field, one mailbox after the other, folded where it must be. */
export function addressField(field: string, mailboxes: readonly Mailbox[]): string {
  const [only] = mailboxes
  // What nearly every field is: one mailbox that needs neither quotes nor a second line.
  if (mailboxes.length === 1 && only !== undefined && !only.needsSmtputf8) {
    const { name = '', wire } = only
    const line = name === '' ? `${field}: ${wire}` : `${field}: ${name} <${wire}>`
    if (line.length <= AIM && (name === '' || isBare(name))) return `${line}\r\n`
  }
  return wordsField(
    field,
    (used, index) => {
      const mailbox = mailboxes[index]
      if (mailbox === undefined) return []
      const { name = '', address, wire, needsSmtputf8 } = mailbox
      const comma = index < mailboxes.length - 1 ? ',' : ''
      // With SMTPUTF8 the whole address is written as typed; without, the domain is in A-labels that all understand.
      const spec = needsSmtputf8 ? address : wire
      return name === '' ? [spec + comma] : [...phrase(headerText(field, name), used), `<${spec}>${comma}`]
    },
    mailboxes.length,
  )
}

/** A field of words with a space or a line's end between them; `wordsOf` gets the number of bytes before it on the line. */
function wordsField(field: string, wordsOf: (used: number, index: number) => readonly string[], count: number): string {
  const start = `${field}:`
  let out = ''
  let line = start
  for (let index = 0; index < count; index++) {
    for (const word of wordsOf(line.length + 1, index)) {
      const most = word.startsWith('=?') || line.includes('=?') ? ENCODED_LINE : AIM
      if (line.length + 1 + word.length > most && (line !== start || word.startsWith('=?'))) {
        out += `${line}\r\n`
        line = ''
      }
      line += ` ${word}`
    }
  }
  return `${out}${line}\r\n`
}

/**
 * A file name as parameters: plain where it is short ASCII, else by RFC 2231 as `filename`, and as `name`, where Outlook
 * and old readers look, in encoded words. Each parameter begins a line of its own.
 */
export function fileNameParameter(parameter: 'filename' | 'name', name: string): string {
  const safe = name.toWellFormed()
  if (/^[\u0020-\u007E]{0,60}$/.test(safe) && !safe.includes('=?'))
    return `;\r\n ${parameter}="${safe.replace(/[\\"]/g, '\\$&')}"`
  // Against RFC 2047 section 5, but read by all who do not know RFC 2231, and by none who do.
  if (parameter === 'name') return `;\r\n name="${encodedWords(safe, ' name=""'.length).join('\r\n ')}"`
  const pieces: string[] = []
  let piece = ''
  // Some readers decode each piece by itself: a letter stays in one, with the signs that join it to others where they fit.
  for (const letter of lettersOf(safe)) {
    const unit = encodeURIComponent(letter).replace(
      /['()*!]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    )
    if (piece !== '' && piece.length + unit.length > LONGEST_PIECE) {
      pieces.push(piece)
      piece = ''
    }
    piece += unit
  }
  pieces.push(piece)
  if (pieces.length === 1) return `;\r\n filename*=UTF-8''${pieces[0]}`
  return pieces.map((text, index) => `;\r\n filename*${index}*=${index === 0 ? "UTF-8''" : ''}${text}`).join('')
}

/** Characters of a piece of a long parameter. */
const LONGEST_PIECE = 50
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })

/** What a person sees as one letter; its code points where it is too long for a piece. */
function lettersOf(text: string): readonly string[] {
  return [...graphemes.segment(text)].flatMap(({ segment }) =>
    Buffer.byteLength(segment) * 3 <= LONGEST_PIECE ? [segment] : [...segment],
  )
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
let lastSecond = Number.NaN
let lastDate = ''

/** A date as RFC 5322 section 3.3 writes it, in UTC. */
export function messageDate(date: Date): string {
  const second = Math.floor(date.getTime() / 1000)
  if (second === lastSecond) return lastDate
  const two = (value: number): string => String(value).padStart(2, '0')
  lastDate = `${DAYS[date.getUTCDay()]}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
  lastSecond = second
  return lastDate
}

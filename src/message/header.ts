/**
 * Header fields as octets: folding (RFC 5322 section 2.2.3), encoded words (RFC 2047), parameters (RFC 2231). Owns the
 * promise that no value breaks out of its field.
 */
import { DataError } from '../errors.ts'
import type { Mailbox } from './address.ts'

/** Where a line should end, and where it must (RFC 5322 section 2.1.1). */
const AIM = 78
const HARD = 998

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
    const message = `${what} in the header ${field}`
    throw new DataError(message, {
      problems: [
        {
          severity: 'error',
          code: 'header-break',
          message,
          value: value.replace(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g, ' ').slice(0, 80),
          hint: 'Take it out of the cell that goes into this header: a header is one line.',
        },
      ],
    })
  }
  return value.includes('\t') ? value.replaceAll('\t', ' ') : value
}

/** An unstructured field (Subject, custom headers) with its name and CRLF. The value is any text that `headerText` lets through. */
export function unstructured(name: string, value: string): string {
  const start = `${name}: `
  if (/^[\u0020-\u007E]*$/.test(value) && !value.includes('=?')) {
    if (start.length + value.length <= AIM) return `${start}${value.trim()}\r\n`
    const folded = fold(start, value.trim())
    if (folded !== undefined) return folded
  }
  return `${start}${encodedWords(value.trim(), start.length)}\r\n`
}

/** A structured field whose value is already right: it is folded at its spaces only. */
export function structured(name: string, value: string): string {
  const start = `${name}: `
  if (start.length + value.length <= AIM) return `${start}${value}\r\n`
  return fold(start, value) ?? `${start}\r\n ${value}\r\n`
}

/** Folds at spaces; undefined when a word is longer than any line may be. */
function fold(start: string, value: string): string | undefined {
  let out = ''
  let line = start
  // Every space stays where it is, before the word that follows it: unfolding gives the same value again.
  for (const word of value.match(/ *[^ ]+/g) ?? []) {
    if (line.length + word.length > AIM && word.startsWith(' ') && line.trim() !== '' && line !== start) {
      out += `${line}\r\n`
      line = word
    } else line += word
    if (line.length > HARD - 2) return undefined
  }
  return `${out}${line}\r\n`
}

/** A text as encoded words of whole characters, at most 75 octets each and 76 a line. */
export function encodedWords(text: string, used: number): string {
  const wellFormed = text.toWellFormed()
  const octets = Buffer.byteLength(wellFormed)
  const ascii = wellFormed.match(/[A-Za-z0-9 !*+/-]/g)?.length ?? 0
  // Q reads better and is shorter for Latin scripts, B for all others.
  const q = ascii * 3 >= octets * 2
  const words: string[] = []
  let room = Math.max(20, 75 - used)
  let word = ''
  let size = 0
  const limit = (): number => (words.length === 0 ? room : 75) - 12
  for (const character of wellFormed) {
    const length = q ? qLength(character) : Buffer.byteLength(character)
    const next = size + length
    if (word !== '' && (q ? next : 4 * Math.ceil(next / 3)) > limit()) {
      words.push(word)
      word = ''
      size = 0
      room = 75
    }
    word += character
    size += length
  }
  words.push(word)
  return words
    .map((piece) => (q ? `=?UTF-8?Q?${qEncode(piece)}?=` : `=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`))
    .join('\r\n ')
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

/** A display name: bare, quoted, or encoded. */
export function phrase(name: string, used: number): string {
  if (
    /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/.test(name) &&
    !name.includes('=?') &&
    !/ {2}/.test(name) &&
    name.length < 900
  )
    return name
  if (/^[\u0020-\u007E]*$/.test(name) && !name.includes('=?') && name.length < 60)
    return `"${name.replace(/[\\"]/g, '\\$&')}"`
  return encodedWords(name, used)
}

/** An address field, one mailbox after the other, folded between them. */
export function addressField(name: string, mailboxes: readonly Mailbox[]): string {
  let out = ''
  let line = `${name}: `
  for (const [index, { name: display, address, wire, needsSmtputf8 }] of mailboxes.entries()) {
    // With SMTPUTF8 the whole address is written as typed; without, the domain is in A-labels that all understand.
    const spec = needsSmtputf8 ? address : wire
    const shown = display === undefined || display === '' ? '' : phrase(headerText(name, display), line.length + 1)
    const text = (shown === '' ? spec : `${shown} <${spec}>`) + (index < mailboxes.length - 1 ? ',' : '')
    const firstLine = text.split('\r\n')[0] ?? ''
    if (index > 0) {
      if (line.length + 1 + firstLine.length > AIM) {
        out += `${line}\r\n`
        line = ' '
      } else line += ' '
    }
    const lines = text.split('\r\n')
    // A long address after a long name goes on a line of its own.
    const last = lines.at(-1) ?? ''
    out += lines.length === 1 ? '' : `${line}${lines.slice(0, -1).join('\r\n')}\r\n`
    line = lines.length === 1 ? line + text : last
    if (line.length > AIM && / </.test(line)) {
      const at = line.lastIndexOf(' <')
      if (line.slice(0, at).trim() !== `${name}:` && at > 1) {
        out += `${line.slice(0, at)}\r\n`
        line = line.slice(at)
      }
    }
  }
  return `${out}${line}\r\n`
}

/**
 * A file name as parameters: plain where it is ASCII, else RFC 2231 for those who follow it, before it a fallback that
 * Outlook and others read. Each parameter begins a line of its own.
 */
export function fileNameParameter(parameter: 'filename' | 'name', name: string): string {
  const safe = name.toWellFormed()
  if (/^[\u0020-\u007E]*$/.test(safe) && safe.length <= 60)
    return `;\r\n ${parameter}="${safe.replace(/[\\"]/g, '\\$&')}"`
  // `name` is only there for old readers, which decode an encoded word in it (against RFC 2047, but all do).
  if (parameter === 'name') {
    return `;\r\n name="${encodedWords(safe, 8)}"`
  }
  const encoded = encodeURIComponent(safe).replace(
    /['()*!]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  const pieces: string[] = []
  let piece = ''
  for (const unit of encoded.match(/%[0-9A-F]{2}|[^%]/g) ?? []) {
    if (piece.length + unit.length > 50) {
      pieces.push(piece)
      piece = ''
    }
    piece += unit
  }
  pieces.push(piece)
  if (pieces.length === 1) return `;\r\n filename*=UTF-8''${pieces[0]}`
  return pieces.map((text, index) => `;\r\n filename*${index}*=${index === 0 ? "UTF-8''" : ''}${text}`).join('')
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

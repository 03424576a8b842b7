/** Finds out what a list is by its name and first bytes. Owns the words for files that are not lists. */
import type { SourceSettings } from '../config/settings.ts'
import { DataError } from '../errors.ts'
import type { Input } from './input/input.ts'

export type Kind = 'csv' | 'json' | 'ndjson' | 'workbook'

const BY_EXTENSION: Readonly<Record<string, Kind>> = {
  '.json': 'json',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
}

const RESAVE = 'Open it in a spreadsheet program and save it as .xlsx or CSV.'

/** Files that people give by mistake: how they begin, what they are, what to do. */
const OTHERS: readonly (readonly [start: string, what: string, hint?: string])[] = [
  [
    '\xd0\xcf\x11\xe0',
    'an old Excel workbook (.xls), or one with a password',
    'Save it as .xlsx or CSV, without a password.',
  ],
  ['\x89PNG', 'a PNG image'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['GIF8', 'a GIF image'],
  ['%PDF', 'a PDF document'],
  [
    'SQLite format 3\0',
    'an SQLite database',
    'Read it with a query: data: { sql: { query: ..., database: ... } } in mailmerge.yaml.',
  ],
  ['BZh', 'packed with bzip2', 'Unpack it first, or pack it with gzip.'],
  ['\xfd7zXZ', 'packed with xz', 'Unpack it first, or pack it with gzip.'],
  ['\x28\xb5\x2f\xfd', 'packed with zstd', 'Unpack it first, or pack it with gzip.'],
  ['7z\xbc\xaf', 'a 7z archive', 'Unpack it first.'],
  ['Rar!', 'a RAR archive', 'Unpack it first.'],
  ['PAR1', 'a Parquet file', 'Save it as CSV.'],
  ['\x7fELF', 'a program'],
  ['{\\rtf', 'a text document (RTF)'],
  ['<?xml', 'an XML document', RESAVE],
  ['ID;P', 'a SYLK file', RESAVE],
  ['TABLE\r\n0,1', 'a DIF file', RESAVE],
  ['\x09\x08', 'an old Excel workbook', RESAVE],
  ['\x09\x04', 'an old Excel workbook', RESAVE],
  ['\x09\x02', 'an old Excel workbook', RESAVE],
  ['\0\0\x02\0', 'a Lotus 1-2-3 worksheet', RESAVE],
  ['MIME-Version:', 'a web page', RESAVE],
  ['begin:vcard', 'an address book (vCard)', 'Export the contacts as CSV.'],
]

/** @throws DataError when the bytes are not a list. */
export function kindOf(input: Input, wanted: SourceSettings['format']): Kind {
  refuseLockFile(input.name)
  const isZip = startsWith(input.head, 'PK\x03\x04') || startsWith(input.head, 'PK\x05\x06')
  if (isZip) {
    if (wanted === undefined || wanted === 'xlsx' || wanted === 'ods') return 'workbook'
    throw new DataError(`${input.name} is a workbook or zip archive, not ${wanted}`, {
      hint: 'Leave the format out, or save the list as CSV.',
    })
  }
  refuseOthers(input)
  if (wanted === 'xlsx' || wanted === 'ods') {
    throw new DataError(`${input.name} is not an ${wanted} workbook`, {
      hint: 'Leave the format out: it is found by itself.',
    })
  }
  return wanted ?? BY_EXTENSION[input.extension] ?? byContent(input)
}

/** What spreadsheet programs leave beside a workbook that is open. */
function refuseLockFile(name: string): void {
  const base = name.slice(name.lastIndexOf('/') + 1)
  const open = /^~\$(.+)$/.exec(base)?.[1] ?? /^\.~lock\.(.+)#$/.exec(base)?.[1]
  if (open === undefined) return
  throw new DataError(`${name} is the lock file of a spreadsheet program that has ${open} open, not a list`, {
    hint: 'Close the workbook there, and give the workbook itself.',
  })
}

function refuseOthers(input: Input): void {
  refuseWebPage(input)
  if (isDbase(input.head)) {
    throw new DataError(`${input.name} is a dBASE table, not a list`, { hint: RESAVE })
  }
  const other = OTHERS.find(([start]) => startsWith(input.head, start))
  if (other !== undefined) {
    const [, what, hint = 'Give a list: CSV, XLSX, ODS, JSON or NDJSON.'] = other
    throw new DataError(`${input.name} is ${what}, not a list`, { hint })
  }
}

/** Web programs call a table in a web page an Excel export. */
function refuseWebPage({ name, head }: Input): void {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 1 << 16)).toString('latin1')
  if (!/^(?:\xef\xbb\xbf)?\s{0,1000}<(?:!doctype\s+html|html|head|meta|body|table)\b/i.test(text)) return
  throw new DataError(`${name} is a web page, not a list`, {
    hint: /<table\b/i.test(text)
      ? RESAVE
      : 'The download may have ended at a login page: get the file again in a browser.',
  })
}

/** A version, the day of the last change, and zeros where a text has letters. */
function isDbase(head: Uint8Array): boolean {
  const [version = 0, , month = 0, day = 0] = head
  const zeros = head.subarray(12, 28)
  return (
    [0x02, 0x03, 0x30, 0x31, 0x43, 0x83, 0x8b, 0xcb, 0xf5].includes(version) &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= 31 &&
    zeros.length === 16 &&
    zeros.every((byte) => byte === 0)
  )
}

function startsWith(head: Uint8Array, start: string): boolean {
  const begin = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 64)).toString('latin1')
  const text = begin.replace(/^\xef\xbb\xbf/, '')
  return start[0] === '<' || /^[a-z]/.test(start)
    ? text.trimStart().toLowerCase().startsWith(start)
    : text.startsWith(start)
}

function byContent({ head }: Input): Kind {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 4096)).toString('latin1')
  const start = text.replace(/^\xef\xbb\xbf/, '').trimStart()
  if (/^\[\s*(?:\{|\]\s*$)/.test(start)) return 'json'
  return /^\{\s*"/.test(start) ? 'ndjson' : 'csv'
}

/** This many control characters, and this share of them, are not text. */
const BINARY_SHARE = 0.05
const BINARY_COUNT = 8

/** @throws DataError when the beginning, decoded, is not text. */
export function refuseBinary(name: string, head: Buffer): void {
  const sample = head.subarray(0, 8192)
  let controls = 0
  for (const byte of sample) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) controls++
  if (controls < BINARY_COUNT || controls < sample.length * BINARY_SHARE) return
  throw new DataError(`${name} is not text`, {
    hint: 'Give a list: CSV, XLSX, ODS, JSON or NDJSON. If it is text, say with encoding: how it is written.',
  })
}

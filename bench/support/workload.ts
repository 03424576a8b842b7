/** The list and the template that benches send: about 3.5 KB of text and HTML a message, every message its own. */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

export const FROM = 'Society <society@example.org>'
export const SUBJECT = '{{first}}, your seat {{seat}} in {{city}}'

const SENTENCE = 'The evening begins at seven, the doors open an hour before, and the hall is warm in winter. '
const PARAGRAPHS = 4

/** Both bodies as Handlebars, so that every contender renders the same text. */
export const TEXT = `Dear {{first}} {{last}},\n\nyour seat is {{seat}} in {{city}}, and we keep {{amount}} for you.\n\n${Array.from(
  { length: PARAGRAPHS },
  (_, index) => `${index + 1}. ${SENTENCE}{{first}}, bring this letter.\n\n`,
).join('')}Yours,\nthe Society\n`

export const HTML = `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Your seat</title></head>\n<body style="margin:0;font-family:sans-serif">\n<h1>Dear {{first}} {{last}},</h1>\n<p>your seat is <strong>{{seat}}</strong> in {{city}}, and we keep {{amount}} for you.</p>\n${Array.from(
  { length: PARAGRAPHS * 2 },
  (_, index) => `<p style="margin:0 0 12px">${index + 1}. ${SENTENCE}{{first}}, bring this letter.</p>\n`,
).join('')}<p>Yours,<br>the Society</p>\n</body></html>\n`

export const COLUMNS = ['email', 'first', 'last', 'city', 'seat', 'amount', 'note'] as const

export function* listOf(rows: number): Generator<string> {
  yield `${COLUMNS.join(',')}\r\n`
  let block = ''
  for (let i = 0; i < rows; i++) {
    block += `user${i}@example${i % 97}.com,Ada${i},Lovelace,City ${i % 1000},R${i % 60}-${i % 40},${i % 90}.50,a note on row ${i}\r\n`
    if (block.length > 1 << 16) {
      yield block
      block = ''
    }
  }
  yield block
}

export interface Workload {
  readonly dir: string
  readonly list: string
  remove(): void
}

export interface WorkloadOptions {
  readonly rows: number
  /** Bytes of a file that every message carries. */
  readonly attachment?: number
}

/** A project in a temporary folder. */
export async function makeWorkload({ rows, attachment }: WorkloadOptions): Promise<Workload> {
  const dir = mkdtempSync(join(tmpdir(), 'mailmerge-bench-'))
  const template = join(dir, 'templates', 'seat')
  mkdirSync(template, { recursive: true })
  const attachments = attachment === undefined ? '' : 'attachments:\n  - programme.bin\n'
  if (attachment !== undefined) writeFileSync(join(dir, 'programme.bin'), octets(attachment))
  writeFileSync(join(template, 'message.yaml'), `from: ${FROM}\nsubject: "${SUBJECT}"\n${attachments}`)
  writeFileSync(join(template, 'text.hbs'), TEXT)
  writeFileSync(join(template, 'html.hbs'), HTML)
  const list = join(dir, 'list.csv')
  await pipeline(listOf(rows), createWriteStream(list))
  return { dir, list, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** Bytes that look like a compressed file: not text, and the same every time. */
function octets(size: number): Buffer {
  const buffer = Buffer.alloc(size)
  let state = 1
  for (let at = 0; at < size; at++) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    buffer[at] = state >>> 16
  }
  return buffer
}

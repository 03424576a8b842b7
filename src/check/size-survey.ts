/**
 * How large the messages of a list are: the first ones composed whole, and the rows with the most HTML. Owns these samples; sends
 * nothing.
 */
import type { CheckedRow, RowRenderer } from '../campaign/plan/render-row.ts'
import { problemsOf } from '../errors.ts'
import type { Row } from '../source/source.ts'
import type { Findings } from './findings.ts'
import { type LinkSample, secretsOf } from './links/links.ts'
import { GMAIL_CLIP } from './lints/message-lints.ts'
import type { SizeEstimate } from './report.ts'

/** Messages composed whole, to know their size. */
const COMPOSED = 5
/** Largest message that most servers take. */
const LARGE = 10 * 1024 * 1024
/** Rows named as those with the most HTML, and bytes from which on that is worth knowing. */
const LARGEST = 3
const NEARLY_CLIPPED = 0.9 * GMAIL_CLIP

export class SizeSurvey {
  readonly #findings: Findings
  readonly #keepsMessage: boolean
  readonly #samples: (CheckedRow & { readonly row: number; readonly secrets: readonly string[] })[] = []
  #message: Uint8Array | undefined
  /** The rows with the most HTML, the largest first. */
  #largest: readonly { readonly row: number; readonly bytes: number }[] = []

  /** @param keepsMessage whether the bytes of the first message are wanted. */
  constructor(findings: Findings, keepsMessage: boolean) {
    this.#findings = findings
    this.#keepsMessage = keepsMessage
  }

  /** The first messages, as far as they were rendered. */
  get samples(): readonly LinkSample[] {
    return this.#samples.flatMap(({ row, address, secrets, rendered }) =>
      rendered === undefined ? [] : [{ row, address, secrets, rendered }],
    )
  }

  /** The bytes of the first message, once it is composed. */
  get message(): Uint8Array | undefined {
    return this.#message
  }

  see({ number, data }: Row, checked: CheckedRow): void {
    if (this.#samples.length < COMPOSED) this.#samples.push({ ...checked, row: number, secrets: secretsOf(data) })
    this.#seeHtml(number, checked.rendered?.html ?? '')
  }

  #seeHtml(row: number, html: string): void {
    const least = this.#largest.length < LARGEST ? 0 : (this.#largest.at(-1)?.bytes ?? 0)
    if (html.length * 3 <= Math.max(least, NEARLY_CLIPPED)) return
    const bytes = Buffer.byteLength(html)
    if (bytes <= Math.max(least, NEARLY_CLIPPED)) return
    this.#largest = [...this.#largest, { row, bytes }].sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST)
  }

  /** Composes the first messages whole, with all that is attached. @param messages that a run would send. */
  async estimate(renderer: RowRenderer, now: Date, messages: number): Promise<SizeEstimate | undefined> {
    const sizes: number[] = []
    for (const { row, key, address, data, variant, account, rows } of this.#samples) {
      try {
        const planned = { recipient: 0, occurrence: 1, attempts: 0 }
        const due = { ...planned, row, key, address, data, variant, account, rows }
        const { size, chunks } = await renderer.render(due, now)
        sizes.push(size)
        if (this.#keepsMessage) this.#message ??= Buffer.concat(chunks)
        if (size <= LARGE) continue
        this.#findings.addAlike({
          severity: 'warning',
          code: 'large-message',
          message: 'a message is larger than 10 MB, which many servers refuse',
          hint: 'Put large files on a server and link to them.',
          row,
        })
      } catch (error) {
        for (const problem of problemsOf(error, 'bad-message')) this.#findings.add({ ...problem, row })
      }
    }
    if (sizes.length === 0) return undefined
    const each = Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length)
    return { messages, each, total: each * messages }
  }

  /** Says how large they are. */
  report(size: SizeEstimate | undefined): void {
    if (this.#largest.length > 0) {
      const rows = this.#largest.map(({ row, bytes }) => `${Math.round(bytes / 1024)} KB in row ${row}`)
      this.#findings.add({
        severity: 'info',
        code: 'largest-html',
        message: `the largest HTML is ${rows.join(', ')}; Gmail shows ${GMAIL_CLIP / 1024} KB`,
      })
    }
    if (size !== undefined) {
      this.#findings.add({
        severity: 'info',
        code: 'run-size',
        message:
          size.messages === 1
            ? `1 message of about ${sizeText(size.each)}`
            : `${size.messages.toLocaleString('en-US')} messages of about ${sizeText(size.each)}, ${sizeText(size.total)} in all`,
      })
    }
  }
}

/** `3.2 KB`, `1.4 MB`, by thousands. */
function sizeText(count: number): string {
  if (count < 1000) return `${count} B`
  const power = Math.min(3, Math.floor(Math.log10(count) / 3))
  const value = count / 1000 ** power
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${['B', 'KB', 'MB', 'GB'][power]}`
}

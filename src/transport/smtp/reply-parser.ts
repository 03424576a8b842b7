/**
 * Octets of a server to replies (RFC 5321 section 4.2). Owns the bounds: whatever comes in whatever pieces, memory stays
 * small and anything that is no reply is called so.
 */
import type { Reply } from '../transport.ts'

const MAX_LINE = 4096
const MAX_REPLY = 65_536
const SHAPE = /^[2-5][0-5][0-9](?:[ -]|$)/
const ENHANCED = /^([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)/

export interface ReplySink {
  reply(reply: Reply): void
  /** What came is no reply, and nothing after it can be trusted. */
  broken(reason: string): void
}

export class ReplyParser {
  readonly #sink: ReplySink
  #rest = ''
  #lines: string[] = []
  #size = 0
  #broken = false

  constructor(sink: ReplySink) {
    this.#sink = sink
  }

  /** True when nothing of an unfinished reply is held. */
  get idle(): boolean {
    return this.#rest === '' && this.#lines.length === 0
  }

  push(chunk: Buffer): void {
    if (this.#broken) return
    const text = this.#rest === '' ? chunk.toString('latin1') : this.#rest + chunk.toString('latin1')
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      // A line that ends in LF alone is read too: it is the server's text, and nothing of ours depends on it.
      const line = text.slice(start, end > start && text.charCodeAt(end - 1) === 13 ? end - 1 : end)
      start = end + 1
      this.#line(line)
      if (this.#broken) return
    }
    this.#rest = start === 0 ? text : text.slice(start)
    if (this.#rest.length > MAX_LINE) this.#fail('a reply line without an end')
  }

  #line(line: string): void {
    if (line.length > MAX_LINE) return this.#fail('a reply line of more than 4,096 octets')
    if (!SHAPE.test(line)) return this.#fail(`'${readable(line)}', which is no reply`)
    this.#size += line.length
    if (this.#size > MAX_REPLY) return this.#fail('a reply of more than 64 KiB')
    const first = this.#lines[0]
    if (first !== undefined && first.slice(0, 3) !== line.slice(0, 3)) return this.#fail('a reply with two codes')
    if (line.charCodeAt(3) === 45) {
      this.#lines.push(line)
      return
    }
    const lines = this.#lines
    this.#size = 0
    if (first === undefined) this.#sink.reply(toReply([line]))
    else {
      this.#lines = []
      lines.push(line)
      this.#sink.reply(toReply(lines))
    }
  }

  #fail(what: string): void {
    this.#broken = true
    this.#rest = ''
    this.#lines = []
    this.#sink.broken(`the server sent ${what}`)
  }
}

function toReply(lines: readonly string[]): Reply {
  const code = Number((lines[0] ?? '').slice(0, 3))
  const text = lines.length === 1 ? (lines[0] ?? '').slice(4) : lines.map((line) => line.slice(4)).join(' ')
  const match = ENHANCED.exec(text)
  // An enhanced code of another class than the reply's is worth nothing (RFC 2034 section 4).
  if (match !== null && match[1] === String(code)[0]) {
    const rest =
      lines.length === 1
        ? text.slice(match[0].length)
        : lines.map((line) => line.slice(4).replace(ENHANCED, '')).join(' ')
    return { code, enhanced: match[0], text: readable(rest.trim()) }
  }
  return { code, text: readable(text.trim()) }
}

/** A server's text for people: UTF-8 where it is, no control characters, not too long. */
export function readable(text: string): string {
  let decoded = text
  if (/[\u0080-\u00FF]/.test(text)) {
    const utf8 = Buffer.from(text, 'latin1').toString('utf8')
    decoded = utf8.includes('\uFFFD') ? text : utf8
  }
  const safe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(decoded)
    ? decoded.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
    : decoded
  return safe.length > 500 ? `${safe.slice(0, 497)}...` : safe
}

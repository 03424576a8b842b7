/**
 * Octets of a server to replies (RFC 5321 section 4.2). Owns the bounds: whatever comes in whatever pieces, memory stays
 * small and anything that is not a reply is called so.
 */
import { type Reply, readable } from '../../replies/reply.ts'

const MAX_LINE = 4096
const MAX_REPLY = 65_536
/** A code that is not known counts by its first digit (RFC 5321 section 4.2.1). */
const SHAPE = /^[2-5][0-9][0-9](?:[ -]|$)/
/** Some gateways write a number sign before it. */
const ENHANCED = /^#?([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)/

export interface ReplySink {
  reply(reply: Reply): void
  /** What came is not a reply, and nothing after it can be trusted. Called once at most; no reply follows. */
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

  push(chunk: Buffer): void {
    if (this.#broken) return
    const came = chunk.toString('latin1')
    const text = this.#rest === '' ? came : this.#rest + came
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
    if (line.length > MAX_LINE) return this.#fail(`a reply line of more than ${MAX_LINE} octets`)
    if (!SHAPE.test(line)) return this.#fail(`'${readable(line).slice(0, 80)}', which is not a reply`)
    // A CR in a line is two lines to some and one to others.
    if (line.includes('\r')) return this.#fail('a bare CR in a reply')
    this.#size += line.length
    if (this.#size > MAX_REPLY) return this.#fail(`a reply of more than ${MAX_REPLY} octets`)
    const [first] = this.#lines
    if (first !== undefined && first.slice(0, 3) !== line.slice(0, 3)) return this.#fail('a reply with two codes')
    if (line.charCodeAt(3) === 45) {
      this.#lines.push(line)
      return
    }
    this.#size = 0
    if (first === undefined) return this.#sink.reply(oneLineReply(line))
    const lines = this.#lines
    this.#lines = []
    lines.push(line)
    this.#sink.reply(toReply(lines))
  }

  #fail(what: string): void {
    this.#broken = true
    this.#rest = ''
    this.#lines = []
    this.#sink.broken(`the server sent ${what}`)
  }
}

function oneLineReply(line: string): Reply {
  const code = Number(line.slice(0, 3))
  const text = line.slice(4)
  const written = enhancedCode(text, line.charCodeAt(0))
  if (written === undefined) return { code, text: readable(text.trim()) }
  return { code, enhanced: withoutSign(written), text: readable(text.slice(written.length).trim()) }
}

function toReply(lines: readonly string[]): Reply {
  const [first = ''] = lines
  const code = Number(first.slice(0, 3))
  const written = enhancedCode(first.slice(4), first.charCodeAt(0))
  const texts = lines.map((line) => line.slice(4))
  const parts = written === undefined ? texts : texts.map((text) => text.replace(ENHANCED, '').trim())
  const text = readable(parts.join(' ').trim())
  return written === undefined ? { code, text } : { code, enhanced: withoutSign(written), text }
}

function withoutSign(written: string): string {
  return written.startsWith('#') ? written.slice(1) : written
}

/** As it is written. An enhanced code of another class than the reply's is worth nothing (RFC 2034 section 4). */
function enhancedCode(text: string, firstDigit: number): string | undefined {
  const start = text.charCodeAt(0) === 35 ? 1 : 0
  if (text.charCodeAt(start) !== firstDigit || text.charCodeAt(start + 1) !== 46) return undefined
  return ENHANCED.exec(text)?.[0]
}

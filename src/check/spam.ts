/**
 * What a spam filter of one's own thinks of a message: rspamd by HTTP, spamd by its protocol. Owns asking them; only the addresses that the
 * configuration names are asked, never a service of the web.
 */
import { connect } from 'node:net'
import { z } from 'zod'
import type { Settings } from '../config/settings.ts'
import { isSystemError, systemWords, underlyingError } from '../fs/system-errors.ts'
import { given } from '../given.ts'

export interface SpamVerdict {
  readonly score: number
  /** From this score on it is spam. */
  readonly limit: number
  /** Names of the rules that raised it. */
  readonly rules: readonly string[]
}

export type SpamAnswer = SpamVerdict | { readonly failed: string }

/** Milliseconds for one message. */
const TIMEOUT = 30_000
/** Rules that are named. */
const NAMED = 8
/** Bytes of an answer that are read. */
const LONGEST_ANSWER = 1_000_000

const RSPAMD = z.object({
  score: z.number(),
  required_score: z.number(),
  symbols: z.record(z.string(), z.object({ score: z.number().default(0) })).default({}),
})

/** A spam filter of the project, by name, and what it answered. */
export interface FilterAnswer {
  readonly name: 'rspamd' | 'spamd'
  readonly answer: SpamAnswer
}

/** Names of the spam filters that the settings name. */
export function spamFilters({ check: { rspamd, spamd } }: Settings): readonly FilterAnswer['name'][] {
  return [...(rspamd === undefined ? [] : (['rspamd'] as const)), ...(spamd === undefined ? [] : (['spamd'] as const))]
}

/** Asks each of them about a message, at the same time. Never rejects. @param stop Nobody waits for the answers any more. */
export function askSpamFilters(
  { check: { rspamd, spamd } }: Settings,
  message: Uint8Array,
  stop?: AbortSignal,
): Promise<readonly FilterAnswer[]> {
  const asked: Promise<FilterAnswer>[] = []
  if (rspamd !== undefined) asked.push(askRspamd(rspamd, message, stop).then((answer) => ({ name: 'rspamd', answer })))
  if (spamd !== undefined) asked.push(askSpamd(spamd, message, stop).then((answer) => ({ name: 'spamd', answer })))
  return Promise.all(asked)
}

/** Asks an rspamd worker, as its clients do: `POST /checkv2`. Never rejects. */
export async function askRspamd(address: string, message: Uint8Array, stop?: AbortSignal): Promise<SpamAnswer> {
  try {
    const url = new URL('checkv2', address.endsWith('/') ? address : `${address}/`)
    const timeout = AbortSignal.timeout(TIMEOUT)
    const signal = stop === undefined ? timeout : AbortSignal.any([timeout, stop])
    const response = await fetch(url, { method: 'POST', body: Buffer.from(message), signal, redirect: 'error' })
    if (!response.ok) return { failed: `it answers with ${response.status}` }
    const { score, required_score: limit, symbols } = RSPAMD.parse(await response.json())
    const raised = Object.entries(symbols).filter(([, symbol]) => symbol.score > 0)
    const rules = raised.sort(([, a], [, b]) => b.score - a.score).map(([name]) => name)
    return { score, limit, rules: rules.slice(0, NAMED) }
  } catch (error) {
    return { failed: why(error) }
  }
}

/** Asks a spamd: `SYMBOLS SPAMC/1.5`. Never rejects. @param address `localhost:783` */
export function askSpamd(address: string, message: Uint8Array, stop?: AbortSignal): Promise<SpamAnswer> {
  const { promise, resolve } = Promise.withResolvers<SpamAnswer>()
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  const socket = connect({ port: Number(address.slice(colon + 1)), host, ...given({ signal: stop }) })
  let answer = ''
  socket.setTimeout(TIMEOUT, () => socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })))
  socket.setEncoding('utf8')
  socket.on('connect', () => {
    socket.write(`SYMBOLS SPAMC/1.5\r\nContent-length: ${message.length}\r\n\r\n`)
    socket.end(message)
  })
  socket.on('data', (text: string) => {
    answer += text
    if (answer.length > LONGEST_ANSWER) socket.destroy()
  })
  socket.on('error', (error) => resolve({ failed: why(error) }))
  socket.on('close', () => resolve(spamdVerdict(answer)))
  return promise
}

function spamdVerdict(answer: string): SpamAnswer {
  const [head = '', ...body] = answer.split('\r\n\r\n')
  const [, code = '', word = ''] = /^SPAMD\/\S+ (\d+) (\S+)/.exec(head) ?? []
  const [, score, limit] = /^Spam:\s*\S+\s*;\s*(-?[\d.]+)\s*\/\s*(-?[\d.]+)/im.exec(head) ?? []
  if (code !== '0') return { failed: word === '' ? 'it does not answer as spamd' : `it answers with ${word}` }
  if (score === undefined || limit === undefined) return { failed: 'it gives no score' }
  const rules = body
    .join('')
    .trim()
    .split(/[,\s]+/)
    .filter((rule) => rule !== '')
  return { score: Number(score), limit: Number(limit), rules: rules.slice(0, NAMED) }
}

function why(error: unknown): string {
  if (error instanceof z.ZodError) return 'it does not answer as rspamd'
  const cause = underlyingError(error)
  if (isSystemError(cause)) return systemWords(cause)
  return error instanceof Error && error.name === 'TimeoutError' ? 'it does not answer in time' : 'it cannot be reached'
}

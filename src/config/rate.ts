/** Rates as people write them: `10/s`, `500 recipients/day`, `100 per 10min`. Owns their grammar. */
import { unitOf } from './duration.ts'
import type { RateLimit } from './settings.ts'

/** The limit, or undefined where the text is no rate. What is counted are messages, unless it says recipients. */
export function readRate(text: string): RateLimit | undefined {
  const match = RATE.exec(text)
  const unit = unitOf(match?.[4] ?? '')
  const count = Number(match?.[1])
  const seconds = (Number(match?.[3] ?? 1) * (unit ?? Number.NaN)) / 1000
  if (!(count > 0 && seconds > 0)) return undefined
  return /^r/i.test(match?.[2] ?? '') ? { count, seconds, of: 'recipients' } : { count, seconds }
}

const RATE = /^\s*(\d{1,9})\s*(?:(messages?|recipients?)\s*)?(?:\/|\bper\b)\s*(\d{1,6})?\s*([a-z]+)\s*$/i

export const RATE_HINT = 'Write how many in which time: 10/s, 500/day, 500 recipients/day.'
export const MESSAGES_HINT = 'Write it without recipients: 100/hour.'

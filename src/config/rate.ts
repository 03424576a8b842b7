/** Rates as people write them: `10/s`, `500/day`, `100 per 10min`. Owns their grammar. */
import { unitOf } from './duration.ts'
import type { RateLimit } from './settings.ts'

/** The limit, or undefined where the text is no rate. */
export function readRate(text: string): RateLimit | undefined {
  const match = /^\s*(\d{1,9})\s*(?:\/|\bper\b)\s*(\d{1,6})?\s*([a-z]+)\s*$/i.exec(text)
  const unit = unitOf(match?.[3] ?? '')
  const count = Number(match?.[1])
  const seconds = (Number(match?.[2] ?? 1) * (unit ?? Number.NaN)) / 1000
  return count > 0 && seconds > 0 ? { count, seconds } : undefined
}

export const RATE_HINT = 'Write how many in which time: 10/s, 30/min, 500/day.'

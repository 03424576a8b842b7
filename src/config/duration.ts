/** Durations and rates as people write them: `90s`, `4h`, `3d`; `10/s`, `500/day`. Owns their grammar. */
import { ConfigError } from '../errors.ts'
import type { RateLimit } from './settings.ts'

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
}

/** Milliseconds. `where` names the setting in the error. @throws ConfigError */
export function parseDuration(text: string, where: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+?)s?$/i.exec(text.trim())
  const unit =
    match === null ? undefined : (UNITS[(match[2] ?? '').toLowerCase()] ?? UNITS[`${(match[2] ?? '').toLowerCase()}s`])
  if (text.trim() === '0') return 0
  if (match === null || unit === undefined) {
    throw new ConfigError(`${where}: '${text}' is no duration`, {
      hint: 'Write a number and a unit: 90s, 15min, 4h, 3d.',
    })
  }
  return Math.round(Number(match[1]) * unit)
}

/** `10/s`, `500/day`, `1000/2h`. @throws ConfigError */
export function parseRate(text: string, where: string): RateLimit {
  const match = /^(\d+)\s*(?:\/|per)\s*(\d+)?\s*([a-z]+)$/i.exec(text.trim())
  const word = (match?.[3] ?? '').toLowerCase()
  const unit = UNITS[word] ?? UNITS[word.replace(/s$/, '')]
  const count = Number(match?.[1])
  const seconds = (Number(match?.[2] ?? 1) * (unit ?? Number.NaN)) / 1000
  if (!(count > 0) || !(seconds > 0)) {
    throw new ConfigError(`${where}: '${text}' is no rate`, {
      hint: 'Write how many in which time: 10/s, 30/min, 500/day.',
    })
  }
  return { count, seconds }
}

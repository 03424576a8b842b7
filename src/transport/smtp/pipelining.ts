/**
 * How far commands may run ahead of their replies: 0 one at a time, 1 the envelope of one message in a group, 2 the end of
 * a message together with the envelope of the next. Owns the choice, and what is remembered of a server.
 */
import type { ServerTraits } from '../transport.ts'

export type Pipelining = 0 | 1 | 2

/** A server that went wrong may have been fixed after a week. */
const REMEMBERED_MS = 7 * 86_400_000

export function pickLevel(allowed: Pipelining, offered: boolean, lmtp: boolean): Pipelining {
  if (!offered) return 0
  // LMTP answers once a recipient: one message at a time keeps that simple, and its server is near.
  return lmtp && allowed > 1 ? 1 : allowed
}

/** The level that settings and memory allow together: the lower one. */
export function allowedLevel(setting: 'auto' | Pipelining, memory: ServerTraits, now: Date): Pipelining {
  const wanted = setting === 'auto' ? 2 : setting
  const { pipelining, pipeliningUntil } = memory
  if (pipelining === undefined || (pipeliningUntil !== undefined && pipeliningUntil <= now)) return wanted
  return lower(pipelining, wanted)
}

export function fallenBack(memory: ServerTraits, level: Pipelining, now: Date): ServerTraits {
  const { pipelining, pipeliningUntil } = memory
  const known = pipeliningUntil === undefined || pipeliningUntil > now ? (pipelining ?? 2) : 2
  const until = new Date(now.getTime() + REMEMBERED_MS)
  return { ...memory, pipelining: lower(known, level), pipeliningUntil: until }
}

function lower(one: Pipelining, other: Pipelining): Pipelining {
  if (one < other) return one
  return other
}

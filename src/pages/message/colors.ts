/**
 * What mail programs of phones make of colours at night when a mail has no dark styles: an estimate. Owns the arithmetic on
 * one colour; which colours of a mail it is done to is decided in `style.ts`.
 */
import { clampChroma, converter, formatHex, formatHex8, type Lch, parse } from 'culori'

/** What a colour is there for: grounds become dark, and what is on them light. */
export type Role = 'ground' | 'ink'

const toLch = converter('lch')

/** The colour at night; undefined for a text that is not a colour, or one that stays. */
export function inverted(text: string, role: Role): string | undefined {
  const color = parse(text)
  const lch = color === undefined ? undefined : toLch(color)
  if (lch === undefined || lch.alpha === 0) return undefined
  const l = role === 'ground' ? darkened(lch.l) : lightened(lch.l)
  const night: Lch = { ...lch, l, c: lch.c * 0.8 }
  const shown = clampChroma(night, 'lch')
  return lch.alpha === undefined || lch.alpha === 1 ? formatHex(shown) : formatHex8(shown)
}

function darkened(l: number): number {
  return l >= 50 ? 50 - (l - 50) * 0.75 : l
}

function lightened(l: number): number {
  return l <= 50 ? 100 - l : l
}

/** Durations as people write them: `90s`, `15min`, `4h`, `3d`. Owns their grammar. */

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

/** Milliseconds of one unit, in the singular or plural; undefined for a word that is none. */
export function unitOf(word: string): number | undefined {
  const unit = word.toLowerCase()
  const known = (name: string): number | undefined => (Object.hasOwn(UNITS, name) ? UNITS[name] : undefined)
  return known(unit) ?? (unit.length > 2 && unit.endsWith('s') ? known(unit.slice(0, -1)) : undefined)
}

/** Milliseconds, or undefined where the text is no duration. `0` needs no unit. */
export function readDuration(text: string): number | undefined {
  if (/^\s*0+\s*$/.test(text)) return 0
  const match = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)\s*$/i.exec(text)
  const unit = unitOf(match?.[2] ?? '')
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit)
}

export const DURATION_HINT = 'Write a number and a unit: 90s, 15min, 4h, 3d.'

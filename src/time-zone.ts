/**
 * From the time on the wall to the moment in the world. Owns one rule for the two nights a year when they disagree: a
 * time that does not exist means the first instant after the gap, a time that exists twice means its first.
 */
import { Temporal } from 'temporal-polyfill'
import { didYouMean } from './did-you-mean.ts'
import { UsageError } from './errors.ts'

export type WallTime = Temporal.PlainDateTime

/** A moment, and whether the wall clock knew it: `gap` was moved to the end of the gap, `twice` is the first of two. */
export interface Moment {
  readonly at: Date
  readonly rule: 'exact' | 'gap' | 'twice'
}

/**
 * The zone by the name that it was given: an alias such as `EST` or `Asia/Kolkata` is not replaced by the name of another
 * place, only its capitals are those of the time-zone database.
 * @throws UsageError for a name that the time-zone database does not have.
 */
export function checkZone(zone: string): string {
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
    return known.toLowerCase() === zone.toLowerCase() ? known : zone
  } catch {
    throw new UsageError(`'${zone}' is not a time zone`, {
      hint: didYouMean(zone, Intl.supportedValuesOf('timeZone'), 'Zones have names like Europe/Paris or UTC.'),
    })
  }
}

/** True for a short name such as `EST` whose clocks never change; people who live there mostly mean one that does. */
export function isAbbreviation(zone: string): boolean {
  if (!/^[A-Z]{3,4}$/.test(zone) || /^(UTC|GMT|UCT)$/.test(zone)) return false
  return [0, 3, 6, 9].every(
    (month) => offsetOf(new Date(Date.UTC(2027, month)), zone) === offsetOf(new Date(Date.UTC(2027, 0)), zone),
  )
}

/** `+01:00` */
export function offsetOf(at: Date, zone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).offset
}

/** The zone of this machine. */
export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** The moment when the clocks of `zone` show `wall`. */
export function momentOf(wall: WallTime, zone: string): Moment {
  const earlier = wall.toZonedDateTime(zone, { disambiguation: 'earlier' })
  const later = wall.toZonedDateTime(zone, { disambiguation: 'later' })
  if (earlier.epochMilliseconds === later.epochMilliseconds) return { at: date(earlier), rule: 'exact' }
  // In a gap neither shows the time that was asked for.
  if (!earlier.toPlainDateTime().equals(wall)) {
    const end = earlier.getTimeZoneTransition('next')
    return { at: date(end ?? later), rule: 'gap' }
  }
  return { at: date(earlier), rule: 'twice' }
}

/** What the clocks of `zone` show at a moment. */
export function wallTimeOf(at: Date, zone: string): WallTime {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).toPlainDateTime()
}

function date(moment: Temporal.ZonedDateTime): Date {
  return new Date(moment.epochMilliseconds)
}

/**
 * Time zones as calendars want them (VTIMEZONE, RFC 5545 section 3.6.5). Owns the check that the rules of a block give
 * what the clocks of the zone really show; where they do not, there is no block, and times go out in UTC.
 */
import ICAL from 'ical.js'
import { Temporal } from 'temporal-polyfill'
import { tzlib_get_ical_block as zoneBlock } from 'timezones-ical-library'
import { momentOf, wallTimeOf } from '../../time-zone.ts'

interface ZoneRules {
  /** BEGIN:VTIMEZONE to END:VTIMEZONE, lines ending in CRLF. */
  readonly block: string
  /** The name that the block gives itself: `Asia/Kolkata` for `Asia/Calcutta`. */
  readonly id: string
  readonly rules: ICAL.Timezone
}

const zones = new Map<string, ZoneRules | undefined>()

/** A zone's block and name, if by it all these moments are what they are; undefined where UTC is the only truth. */
export function calendarZone(
  zone: string,
  moments: readonly Date[],
): { readonly block: string; readonly id: string } | undefined {
  if (!zones.has(zone)) zones.set(zone, readZone(zone))
  const known = zones.get(zone)
  return known !== undefined && moments.every((at) => agrees(known, zone, at)) ? known : undefined
}

function readZone(zone: string): ZoneRules | undefined {
  const [block] = zoneBlock(zone)
  if (!block) return undefined
  const component = new ICAL.Component(ICAL.parse(block))
  const id = component.getFirstPropertyValue('tzid')
  if (component.name !== 'vtimezone' || typeof id !== 'string') return undefined
  return { block: `${block.trim().replace(/\r?\n/g, '\r\n')}\r\n`, id, rules: new ICAL.Timezone(component) }
}

function agrees({ rules }: ZoneRules, zone: string, at: Date): boolean {
  const wall = wallTimeOf(at, zone)
  // The second of an hour that comes twice has no name in wall time.
  if (momentOf(wall, zone).at.getTime() !== at.getTime()) return false
  const { year, month, day, hour, minute, second } = wall
  const offset = rules.utcOffset(new ICAL.Time({ year, month, day, hour, minute, second, isDate: false }, rules))
  const real = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).offsetNanoseconds / 1e9
  return offset === real
}

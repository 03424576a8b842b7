/**
 * Which occurrences of a schedule are due, and which were missed. Owns the rules for machines that slept and clocks that
 * jumped; runs nothing. What it decides is in the ledger before it says so.
 *
 * Occurrences are decided in their order, so that all up to the newest one that is known are decided, unless the clock was
 * ahead meanwhile; then the last hours are looked at one by one.
 */

import { lateness } from '../campaign/run/start-time.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Occurrence, OccurrenceRecord, Schedule } from '../ledger/schedules.ts'
import type { OccurrenceTime } from './recurrence.ts'
import { lateByOf, occurrenceOf, optionsOf, recurrenceOf } from './schedule.ts'

export interface Missed {
  readonly occurrence: Occurrence
  readonly reason: string
}

/** Missed occurrences that are only counted. */
export interface UnlistedMissed {
  readonly schedule: string
  /** Local times of the oldest and the newest of them. */
  readonly first: string
  readonly last: string
  readonly count: number
  /** There are more of them than were counted. */
  readonly more: boolean
}

export interface DueOccurrences {
  /** Claimed for this process, to be run in this order. */
  readonly claimed: readonly Occurrence[]
  readonly missed: readonly Missed[]
  /** Older than those; undefined where there are none. */
  readonly unlisted: UnlistedMissed | undefined
}

/** Occurrences decided at a time: the newest; where all of them are to be sent, the oldest, and the others the next time. */
const MOST = 500
/** Older ones that are counted. */
const MOST_COUNTED = 5000
/** How far back a schedule looks that was made by a clock which was ahead. */
const MINUTE_MS = 60_000

/** Claims what is due at `now`, and records what was missed. `lateBy` is the project's, in milliseconds. */
export async function claimDue(ledger: Ledger, schedule: Schedule, now: Date, lateBy: number): Promise<DueOccurrences> {
  const options = optionsOf(schedule)
  const own = lateByOf(options, lateBy)
  const { candidates, unlisted } = await undecided(ledger, schedule, now, own)
  const newest = candidates.at(-1)
  const claimed: Occurrence[] = []
  const missed: Missed[] = []
  for (const occurrence of candidates) {
    const late = now.getTime() - occurrence.at.getTime()
    const counts = options.catchUp === 'all' || occurrence === newest
    if (counts && (options.catchUp !== 'skip' || late <= own)) {
      if (await ledger.schedules.claim(occurrence, now)) claimed.push(occurrence)
      continue
    }
    const reason = counts
      ? `mailmerge was not running then: found ${lateness(late)} late`
      : `mailmerge was not running then, and a newer one is due: found ${lateness(late)} late`
    if (await ledger.schedules.recordMissed(occurrence, now, reason)) missed.push({ occurrence, reason })
  }
  return { claimed, missed, unlisted }
}

interface Undecided {
  readonly candidates: readonly Occurrence[]
  readonly unlisted?: UnlistedMissed
}

async function undecided(ledger: Ledger, schedule: Schedule, now: Date, lateBy: number): Promise<Undecided> {
  const [last] = await ledger.schedules.occurrences(schedule.name, 1)
  const made = schedule.createdAt.getTime() <= now.getTime() ? schedule.createdAt.getTime() : now.getTime() - MINUTE_MS
  if (last === undefined || last.at.getTime() <= now.getTime()) {
    return between(schedule, new Date(Math.max(made, last?.at.getTime() ?? 0)), now)
  }
  // The clock was ahead when the newest one was decided: what is known says which are still to be.
  const known = new Map((await ledger.schedules.occurrences(schedule.name, MOST)).map((one) => [one.wall, one]))
  const { candidates } = between(schedule, new Date(Math.max(made, now.getTime() - lateBy)), now)
  return { candidates: candidates.filter(({ wall }) => isOpen(known.get(wall), now)) }
}

function isOpen(record: OccurrenceRecord | undefined, now: Date): boolean {
  return record === undefined || (record.state === 'missed' && record.changedAt.getTime() > now.getTime())
}

/** Occurrences after `from`, up to `now`. */
function between(schedule: Schedule, from: Date, now: Date): Undecided {
  const recurrence = recurrenceOf(schedule)
  const all = recurrence.after(from, MOST + 1, now)
  const asOccurrences = (times: readonly OccurrenceTime[]) => times.map((one) => occurrenceOf(schedule, one))
  if (all.length <= MOST) return { candidates: asOccurrences(all) }
  if (optionsOf(schedule).catchUp === 'all') return { candidates: asOccurrences(all.slice(0, MOST)) }
  const [last, ...newest] = recurrence.newest(now, MOST + 1, from)
  const candidates = asOccurrences(newest)
  const older = last === undefined ? [] : recurrence.after(from, MOST_COUNTED + 1, last.at)
  const [first] = older
  if (first === undefined || last === undefined) return { candidates }
  const count = Math.min(older.length, MOST_COUNTED)
  const more = older.length > MOST_COUNTED
  return { candidates, unlisted: { schedule: schedule.name, first: first.wall, last: last.wall, count, more } }
}

/**
 * Claims what was missed or failed last, because a person allowed it to be late. Undefined when nothing of the schedule was
 * missed.
 */
export async function claimMissed(ledger: Ledger, schedule: Schedule, now: Date): Promise<Occurrence | undefined> {
  const [last] = await ledger.schedules.occurrences(schedule.name, 1)
  if (last === undefined || (last.state !== 'missed' && last.state !== 'failed')) return undefined
  return (await ledger.schedules.claim(last, now, { again: true })) ? last : undefined
}

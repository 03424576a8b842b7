/** Schedules and their occurrences in the SQLite ledger. Owns their two tables. */
import type {
  Occurrence,
  OccurrenceRecord,
  OccurrenceState,
  OccurrenceUpdate,
  Schedule,
  Schedules,
  Timing,
} from '../schedules.ts'
import * as sql from './queries.ts'
import { numberOf, optionalText, type SqliteStore, type SqlRow, textOf } from './store.ts'

export class ScheduleStore implements Schedules {
  readonly #store: SqliteStore

  constructor(store: SqliteStore) {
    this.#store = store
  }

  add({ name, timing, zone, createdAt, options }: Schedule): Promise<boolean> {
    return this.#store.write(
      () =>
        this.#store.run(
          sql.insertSchedule,
          name,
          timing.kind,
          timingText(timing),
          zone,
          createdAt.getTime(),
          JSON.stringify(options),
        ) > 0,
    )
  }

  list(): Promise<readonly Schedule[]> {
    return this.#store.read(() => this.#store.all(sql.allSchedules).map(scheduleOf))
  }

  remove(name: string): Promise<boolean> {
    return this.#store.write(() => this.#store.run(sql.deleteSchedule, name) > 0)
  }

  claim(
    { schedule, wall, at, campaign }: Occurrence,
    now: Date,
    options?: { readonly again?: boolean },
  ): Promise<boolean> {
    return this.#store.write(
      () =>
        this.#store.run(
          sql.claimOccurrence,
          schedule,
          wall,
          at.getTime(),
          campaign,
          now.getTime(),
          options?.again ? 1 : 0,
        ) > 0,
    )
  }

  recordMissed({ schedule, wall, at, campaign }: Occurrence, now: Date, reason: string): Promise<boolean> {
    return this.#store.write(
      () =>
        this.#store.run(sql.recordMissedOccurrence, schedule, wall, at.getTime(), campaign, now.getTime(), reason) > 0,
    )
  }

  async update(
    { schedule, wall }: Pick<Occurrence, 'schedule' | 'wall'>,
    { state, run, reason }: OccurrenceUpdate,
    now: Date,
  ): Promise<void> {
    await this.#store.write(() =>
      this.#store.run(sql.updateOccurrence, schedule, wall, state, run ?? null, reason ?? null, now.getTime()),
    )
  }

  occurrences(schedule: string, limit: number): Promise<readonly OccurrenceRecord[]> {
    return this.#store.read(() => this.#store.all(sql.occurrencesOf, schedule, limit).map(recordOf))
  }

  unfinished(): Promise<readonly OccurrenceRecord[]> {
    return this.#store.read(() => this.#store.all(sql.openOccurrences).map(recordOf))
  }
}

/** An interval as in ISO 8601: `2026-12-01T09:00/P2W`. */
function timingText(timing: Timing): string {
  if (timing.kind === 'cron') return timing.expression
  return timing.kind === 'once' ? timing.wall : `${timing.first}/${timing.interval}`
}

function timingOf(kind: string, text: string): Timing {
  if (kind === 'cron') return { kind, expression: text }
  if (kind === 'once') return { kind, wall: text }
  const [first = '', interval = ''] = text.split('/')
  return { kind: 'every', first, interval }
}

function scheduleOf(row: SqlRow): Schedule {
  return {
    name: textOf(row['name']),
    timing: timingOf(textOf(row['kind']), textOf(row['timing'])),
    zone: textOf(row['zone']),
    createdAt: new Date(numberOf(row['created_at'])),
    options: JSON.parse(textOf(row['options'])) as Readonly<Record<string, unknown>>,
  }
}

function recordOf(row: SqlRow): OccurrenceRecord {
  return {
    schedule: textOf(row['schedule']),
    wall: textOf(row['wall']),
    at: new Date(numberOf(row['at'])),
    campaign: textOf(row['campaign']),
    state: textOf(row['state']) as OccurrenceState,
    run: optionalText(row['run']),
    reason: optionalText(row['reason']),
    changedAt: new Date(numberOf(row['changed_at'])),
  }
}

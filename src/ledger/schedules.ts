/**
 * The facet of schedules: which there are, and the state of each occurrence. Owns the words and the promise that an
 * occurrence is claimed once; never decides when one is due.
 */

/** When a schedule comes, by the clocks of its zone: local times are written `2026-12-01T09:00`. */
export type Timing =
  | { readonly kind: 'cron'; readonly expression: string }
  /** From the first local time on; the interval is of ISO 8601: `P2W`. */
  | { readonly kind: 'every'; readonly first: string; readonly interval: string }
  | { readonly kind: 'once'; readonly wall: string }

export interface Schedule {
  readonly name: string
  readonly timing: Timing
  /** Time zone of these local times. */
  readonly zone: string
  readonly createdAt: Date
  /** What an occurrence is run with. Holds no secret. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * `taken`: claimed by a process that plans it; `planned` when its run is in the ledger; `done`, also with messages that failed;
 * `failed` when it could not be planned or delivered and a person must look; `missed` when it was never tried.
 */
export type OccurrenceState = 'taken' | 'planned' | 'done' | 'failed' | 'missed'

export interface Occurrence {
  readonly schedule: string
  /** Local time: names the occurrence, whatever the clocks do. */
  readonly wall: string
  readonly at: Date
  readonly campaign: string
}

export interface OccurrenceRecord extends Occurrence {
  readonly state: OccurrenceState
  readonly run?: string | undefined
  readonly reason?: string | undefined
  readonly changedAt: Date
}

/** The next state of an occurrence. */
export interface OccurrenceUpdate {
  readonly state: Exclude<OccurrenceState, 'missed'>
  readonly run?: string | undefined
  readonly reason?: string | undefined
}

/** Every change is durable when it resolves. */
export interface Schedules {
  /** False when there is one of that name already. */
  add(schedule: Schedule): Promise<boolean>
  /** By name. */
  list(): Promise<readonly Schedule[]>
  /** Its occurrences are kept, so that a schedule of the same name does not fire them again. */
  remove(name: string): Promise<boolean>
  /**
   * Claims an occurrence that nobody claimed before: of all that ask, one gets true. One that was missed can be claimed when
   * that was recorded later than `now` (the clock was wrong then), and with `again` also when it failed or was missed.
   */
  claim(occurrence: Occurrence, now: Date, options?: { readonly again?: boolean }): Promise<boolean>
  /** Records that an occurrence was missed. False when something is known of it already. */
  recordMissed(occurrence: Occurrence, now: Date, reason: string): Promise<boolean>
  update(occurrence: Pick<Occurrence, 'schedule' | 'wall'>, update: OccurrenceUpdate, now: Date): Promise<void>
  /** The newest first, by their time; all but the first `limit` left out. */
  occurrences(schedule: string, limit: number): Promise<readonly OccurrenceRecord[]>
  /** Those of all schedules that are taken or planned, the oldest first. */
  unfinished(): Promise<readonly OccurrenceRecord[]>
}

/**
 * The seam to what is kept of schedules: which there are, and what became of each occurrence. Owns the words and the
 * promise that an occurrence is taken once; never decides when one is due.
 */

export interface Schedule {
  readonly name: string
  /** Cron expression, or the time on the wall of the only occurrence: `2026-12-01T09:00`. */
  readonly timing:
    | { readonly kind: 'cron'; readonly expression: string }
    | { readonly kind: 'once'; readonly wall: string }
  /** Whose clocks the times are read by. */
  readonly zone: string
  readonly createdAt: Date
  /** What an occurrence is run with. Holds no secret. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * `taken` by a process that plans it; `planned` when its run is in the ledger; `done`, also with messages that failed;
 * `failed` when it could not be planned or delivered and a person must look; `missed` when it was never tried.
 */
export type OccurrenceState = 'taken' | 'planned' | 'done' | 'failed' | 'missed'

export interface Occurrence {
  readonly schedule: string
  /** The time on the wall: names the occurrence, whatever the clocks do. */
  readonly wall: string
  readonly at: Date
  readonly campaign: string
}

export interface OccurrenceRecord extends Occurrence {
  readonly state: OccurrenceState
  readonly run?: string
  readonly reason?: string
  readonly changedAt: Date
}

/** How an occurrence goes on. */
export interface OccurrenceNews {
  readonly state: Exclude<OccurrenceState, 'missed'>
  readonly run?: string
  readonly reason?: string
}

/** Every change is durable when it resolves. */
export interface Schedules {
  /** False when there is one of that name already. */
  add(schedule: Schedule): Promise<boolean>
  /** By name. */
  all(): Promise<readonly Schedule[]>
  /** What became of its occurrences is kept, so that a schedule of the same name does not fire them again. */
  remove(name: string): Promise<boolean>
  /**
   * Takes an occurrence that nobody took before: of all that ask, one gets true. One that was missed can be taken when
   * that was noted later than `now` (the clock was wrong then), and with `again` also when it failed or was missed.
   */
  take(occurrence: Occurrence, now: Date, options?: { readonly again?: boolean }): Promise<boolean>
  /** Notes that an occurrence is not going to be. False when something is known of it already. */
  miss(occurrence: Occurrence, now: Date, reason: string): Promise<boolean>
  settle(occurrence: Pick<Occurrence, 'schedule' | 'wall'>, news: OccurrenceNews, now: Date): Promise<void>
  /** The newest first, by their time; all but the first `limit` left out. */
  occurrences(schedule: string, limit: number): Promise<readonly OccurrenceRecord[]>
  /** Those of all schedules that are taken or planned, the oldest first. */
  open(): Promise<readonly OccurrenceRecord[]>
}

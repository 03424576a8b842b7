/**
 * What a schedule means: its occurrences, the campaign that each is, and what it is run with. Owns reading all of it;
 * keeps nothing and runs nothing.
 */
import { Temporal } from 'temporal-polyfill'
import { z } from 'zod'
import type { Flags } from '../config/load.ts'
import { readDuration } from '../config/units.ts'
import { CATCH_UP, DUPLICATES, HIDDEN_ROWS } from '../config/words.ts'
import { OutputError, UsageError } from '../errors.ts'
import type { Occurrence, Schedule, Timing } from '../ledger/schedules.ts'
import {
  cronTimes,
  intervalTimes,
  type OccurrenceTime,
  type Recurrence,
  recurrenceIn,
  singleTime,
  type WallTimes,
} from './recurrence.ts'

const optionsSchema = z.strictObject({
  /** Settings that stand over those of the project. Holds no server and no password. */
  flags: z.strictObject({
    csv: z.string().optional(),
    data: z.string().optional(),
    template: z.string().optional(),
    key: z.string().optional(),
    groupBy: z.string().optional(),
    foldGmail: z.boolean().optional(),
    duplicates: z.enum(DUPLICATES).optional(),
    encoding: z.string().optional(),
    delimiter: z.string().optional(),
    sheet: z.string().optional(),
    window: z.array(z.string()).optional(),
    pause: z.string().optional(),
  }),
  selection: z.strictObject({
    rows: z.string().optional(),
    limit: z.number().optional(),
    where: z.array(z.string()).optional(),
    notIn: z.array(z.string()).optional(),
    segment: z.string().optional(),
    hiddenRows: z.enum(HIDDEN_ROWS).optional(),
    sample: z.number().optional(),
    seed: z.string().optional(),
    variant: z.string().optional(),
    skipBad: z.boolean().optional(),
  }),
  /** Name of the campaign that an occurrence is: `news-{{date}}`. */
  campaign: z.string(),
  catchUp: z.enum(CATCH_UP),
  /** How late an occurrence may begin; the project's own without it. */
  late: z.string().optional(),
  /** The campaign that each occurrence follows, named like its own, and the milliseconds between the two messages. */
  after: z.strictObject({ campaign: z.string(), wait: z.number() }).optional(),
})

/** What each occurrence of a schedule is run with: the list and the template are read again each time. */
export type ScheduleOptions = z.output<typeof optionsSchema>

/** @throws OutputError when the ledger holds what this program did not write. */
export function optionsOf(schedule: Schedule): ScheduleOptions {
  const read = optionsSchema.safeParse(schedule.options)
  if (read.success) return read.data
  throw new OutputError(`the schedule '${schedule.name}' in the ledger cannot be read`, {
    hint: `Remove it and add it again: mailmerge schedule remove ${schedule.name}`,
    cause: read.error,
  })
}

/** The settings of an occurrence, over those of the project. Late is judged before. */
export function flagsOf({ flags }: ScheduleOptions): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
}

/** Milliseconds. */
export function lateByOf({ late }: ScheduleOptions, project: number): number {
  return late === undefined ? project : (readDuration(late) ?? project)
}

/** When a schedule comes. @throws UsageError for a cron expression that cannot be read. */
export function recurrenceOf({ timing, zone }: Pick<Schedule, 'timing' | 'zone'>): Recurrence {
  return recurrenceIn(zone, timesOf(timing))
}

function timesOf(timing: Timing): WallTimes {
  switch (timing.kind) {
    case 'cron':
      return cronTimes(timing.expression)
    case 'every':
      return intervalTimes(Temporal.PlainDateTime.from(timing.first), timing.interval)
    case 'once':
      return singleTime(Temporal.PlainDateTime.from(timing.wall))
  }
}

/** One of a schedule's occurrences as it is kept. */
export function occurrenceOf(schedule: Schedule, { at, wall }: OccurrenceTime): Occurrence {
  return { schedule: schedule.name, wall, at, campaign: campaignOf(optionsOf(schedule).campaign, schedule.name, wall) }
}

/** Identifies an occurrence: `news 2026-12-01T09:00`. */
export function occurrenceId({ schedule, wall }: Pick<Occurrence, 'schedule' | 'wall'>): string {
  return `${schedule} ${wall}`
}

const WORDS: Readonly<Record<string, (name: string, wall: Temporal.PlainDateTime) => string>> = {
  name: (name) => name,
  date: (_, wall) => wall.toPlainDate().toString(),
  time: (_, wall) =>
    wall
      .toString({ smallestUnit: wall.second === 0 ? 'minute' : 'second' })
      .slice(11)
      .replaceAll(':', ''),
  year: (_, wall) => String(wall.year),
  month: (_, wall) => wall.toPlainDate().toString().slice(0, 7),
  week: (_, wall) => `${wall.yearOfWeek}-W${String(wall.weekOfYear).padStart(2, '0')}`,
}

/**
 * The name of a campaign for a time on the wall: `news-{{date}}` is `news-2026-12-01`.
 * @throws UsageError for a word that is none.
 */
export function campaignOf(pattern: string, name: string, wall: string): string {
  const time = Temporal.PlainDateTime.from(wall)
  return pattern.replace(/\{\{\s*(\w+)\s*\}\}/g, (text, word: string) => {
    const say = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined
    if (say !== undefined) return say(name, time)
    throw new UsageError(`the campaign '${pattern}' has ${text}, which is not known`, {
      hint: `It may have ${Object.keys(WORDS)
        .map((known) => `{{${known}}}`)
        .join(', ')}.`,
    })
  })
}

/** Occurrences that are looked at to see that each is a campaign of its own. */
const LOOKED_AT = 400

/**
 * The pattern for the campaigns of a schedule. Without one it is the name and the date, and the time where that is needed
 * to tell occurrences apart. A pattern without any word is one campaign on purpose: each occurrence reaches those who are
 * new on the list. What follows one campaign is one campaign itself unless a pattern says otherwise: nobody is reminded of the
 * same message at every occurrence.
 * @throws UsageError for a pattern under which two occurrences would be one campaign by mistake.
 */
export function campaignPattern(
  schedule: Pick<Schedule, 'name' | 'timing' | 'zone'> & { readonly after: string | undefined },
  given: string | undefined,
  now: Date,
): string {
  const moments = recurrenceOf(schedule).after(now, LOOKED_AT)
  const clash = (pattern: string): readonly [string, string] | undefined => {
    const seen = new Map<string, string>()
    for (const { wall } of moments) {
      const campaign = campaignOf(pattern, schedule.name, wall)
      const before = seen.get(campaign)
      if (before !== undefined) return [before, wall]
      seen.set(campaign, wall)
    }
    return undefined
  }
  if (schedule.after !== undefined) campaignOf(schedule.after, schedule.name, '2026-01-01T00:00')
  if (given === undefined) {
    if (schedule.after !== undefined && isOneCampaign(schedule.after)) return '{{name}}'
    return clash('{{name}}-{{date}}') === undefined ? '{{name}}-{{date}}' : '{{name}}-{{date}}T{{time}}'
  }
  if (isOneCampaign(given)) {
    campaignOf(given, schedule.name, '2026-01-01T00:00')
    return given
  }
  const both = clash(given)
  if (both === undefined) return given
  throw new UsageError(`under '${given}' the occurrences of ${both[0]} and ${both[1]} would be one campaign`, {
    hint: 'A person gets a campaign once: add {{date}} or {{time}}, or leave all of them out if that is what you want.',
  })
}

/** True for a pattern that names the same campaign for each occurrence. */
export function isOneCampaign(pattern: string): boolean {
  return !/\{\{\s*(?!name\b)\w+\s*\}\}/.test(pattern)
}

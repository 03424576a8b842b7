/** Schedules and occurrences as programs read them, in `schedule list --json` and from `serve`. Owns the names. */
import type { Ledger } from '../ledger/ledger.ts'
import type { Occurrence, Schedule } from '../ledger/schedules.ts'
import { optionsOf, recurrenceOf } from './schedule.ts'

export function occurrenceFields({ schedule, wall, at, campaign }: Occurrence) {
  return { schedule, wall, at: at.toISOString(), campaign }
}

export async function scheduleFields(ledger: Ledger, one: Schedule) {
  const { campaign, catchUp, late, after, flags, selection } = optionsOf(one)
  const [coming] = recurrenceOf(one).after(new Date(), 1)
  const [last] = await ledger.schedules.occurrences(one.name, 1)
  return {
    schedule: one.name,
    cron: one.timing.kind === 'cron' ? one.timing.expression : null,
    at: one.timing.kind === 'once' ? one.timing.wall : one.timing.kind === 'every' ? one.timing.first : null,
    every: one.timing.kind === 'every' ? one.timing.interval : null,
    tz: one.zone,
    next_at: coming?.at.toISOString() ?? null,
    next_wall: coming?.wall ?? null,
    campaign,
    catch_up: catchUp,
    late: late ?? null,
    after: after?.campaign ?? null,
    wait_seconds: after === undefined ? null : after.wait / 1000,
    template: flags.template ?? null,
    source: flags.csv ?? flags.data ?? null,
    selection,
    created_at: one.createdAt.toISOString(),
    last:
      last === undefined
        ? null
        : { ...occurrenceFields(last), state: last.state, run: last.run ?? null, reason: last.reason ?? null },
  }
}

/** `mailmerge schedule add`: what is said of a schedule, checked as far as can be now, and kept. */
import { resolve } from 'node:path'
import type { Selection } from '../../../campaign/plan/select.ts'
import type { Settings } from '../../../config/settings.ts'
import { UsageError } from '../../../errors.ts'
import type { Schedule } from '../../../ledger/schedules.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { WallTime } from '../../../time-zone.ts'
import { type Arguments, type Context, given } from '../../command.ts'
import { listFlags, selectionOf } from '../../list-options.ts'
import { settingsFor } from '../../settings-options.ts'
import { wallWords } from './find-schedule.ts'

export const CATCH_UP = ['skip', 'last', 'all'] as const

/** Adds a schedule, after a look at what it will send. Gives the exit code. */
export async function addSchedule(name: string, args: Arguments, context: Context): Promise<number> {
  const { out } = context
  const [cron, at] = [args.text('cron'), args.text('at')]
  if ((cron === undefined) === (at === undefined)) {
    throw new UsageError(cron === undefined ? 'there is no time' : '--cron and --at cannot both be given', {
      hint: "Give --cron '0 9 * * MON' for a recurring run, or --at '2026-12-01 09:00' for a single one.",
    })
  }
  const settings = await settingsFor(args, context)
  const { scheduleFields } = await import('../../../schedule/fields.ts')
  const { campaignPattern, isOneCampaign, recurrenceOf } = await import('../../../schedule/schedule.ts')
  const { parseWhen } = await import('../../../schedule/parse-time.ts')
  const { openLedger } = await import('../../../campaign/run/open-ledger.ts')
  const { localZone, wallTimeOf } = await import('../../../time-zone.ts')
  const now = new Date()
  const zone = settings.timeZone ?? localZone()
  const timing =
    cron === undefined
      ? ({ kind: 'once', wall: wholeSecond(wallTimeOf(parseWhen(at ?? '', zone, now).at, zone)) } as const)
      : ({ kind: 'cron', expression: cron.trim() } as const)
  const [first] = recurrenceOf({ timing, zone }).after(now, 1)
  if (first === undefined) {
    throw new UsageError(`'${cron ?? at}' never comes`, {
      hint: 'No year has such a day. Five fields: minute, hour, day of month, month, day of week.',
    })
  }
  const late = args.text('late')
  if (late === 'ok') {
    throw new UsageError('--late ok is said of one run', { hint: 'A schedule has --catch-up last, or --late 12h.' })
  }
  const campaign = campaignPattern({ name, timing, zone }, args.text('campaign'), now)
  await look(settings, args, (text) => out.say(text))
  const made: Schedule = {
    name,
    timing,
    zone,
    createdAt: now,
    options: {
      flags: flagsOf(args, settings),
      selection: issueOf(args),
      campaign,
      catchUp: args.choice('catchUp', CATCH_UP) ?? 'skip',
      ...given('late', late),
    },
  }
  const ledger = await openLedger(settings)
  try {
    if (!(await ledger.schedules.add(made))) {
      throw new UsageError(`there is a schedule '${name}' already`, {
        hint: `Name it otherwise, or remove the other one first: mailmerge schedule remove ${name}`,
      })
    }
    if (out.json) out.result(JSON.stringify(await scheduleFields(ledger, made)))
    else if (!out.quiet) out.result(`${name}: first ${wallWords(first.wall)} (${zone}), ${first.at.toISOString()}`)
  } finally {
    await ledger.close()
  }
  if (cron !== undefined && isOneCampaign(campaign)) {
    out.say(`every occurrence is the campaign '${campaign}': each time it reaches those who have not had it yet`)
  }
  out.say('mailmerge serve sends it then, or mailmerge schedule run-due in a crontab')
  return 0
}

/** Never earlier than meant. */
function wholeSecond(wall: WallTime): string {
  const text = wall.toString({ smallestUnit: 'second', roundingMode: 'ceil' })
  return text.endsWith(':00') ? text.slice(0, -3) : text
}

/** What can be seen now of what will be read then: a template that is wrong is an error, a list may still come. */
async function look(settings: Settings, args: Arguments, say: (text: string) => void): Promise<void> {
  const { openList, openTemplate } = await import('../../../campaign/run/material.ts')
  if (settings.template === undefined) {
    throw new UsageError('there is no template', {
      hint: 'Give one with --template NAME, or set it in mailmerge.yaml.',
    })
  }
  if (settings.source.path === '-') {
    throw new UsageError('a schedule cannot read standard input', {
      hint: 'Name a file, or set data.sql or data.command in mailmerge.yaml.',
    })
  }
  if (
    settings.source.path === undefined &&
    settings.source.sql === undefined &&
    settings.source.command === undefined
  ) {
    throw new UsageError('there is no list', { hint: 'Give one with --csv FILE, or set it in mailmerge.yaml.' })
  }
  await openTemplate(settings.template, settings)
  // A command may have effects, and a query may take long: they are left for the hour.
  if (settings.source.path === undefined) return
  const source = await openList(settings).catch((error: unknown) => {
    say(`note: the list cannot be read now: ${error instanceof Error ? escapeInvisible(error.message) : ''}`)
  })
  if (source === undefined) return
  const { openSelector } = await import('../../../campaign/plan/select.ts')
  const { sample: _sample, seed: _seed, ...selection } = issueOf(args)
  await openSelector(selection, source.columns, settings.segments ?? {}, () => openList(settings))
}

/** Paths are kept whole: the schedule runs from elsewhere. */
function flagsOf(args: Arguments, settings: Settings): Readonly<Record<string, unknown>> {
  const list = args.text('csv') ?? args.text('data')
  const { path } = settings.source
  return {
    ...given('csv', list === undefined || path === undefined ? undefined : resolve(path)),
    ...given('template', args.text('template') === undefined ? undefined : settings.template),
    ...listFlags(args),
  }
}

/** Which rows and which variant, and what becomes of bad ones. */
function issueOf(args: Arguments): Selection & { readonly variant?: string; readonly skipBad?: boolean } {
  return {
    ...selectionOf(args),
    ...given('variant', args.text('variant')),
    ...(args.flag('skipBad') ? { skipBad: true } : {}),
  }
}

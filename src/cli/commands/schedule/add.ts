/** `mailmerge schedule add`: what is said of a schedule, checked as far as can be now, and kept. */
import { resolve } from 'node:path'
import type { Selection } from '../../../campaign/plan/select.ts'
import type { Settings } from '../../../config/settings.ts'
import { CATCH_UP } from '../../../config/words.ts'
import { nearest } from '../../../did-you-mean.ts'
import { UsageError } from '../../../errors.ts'
import { given } from '../../../given.ts'
import type { Ledger } from '../../../ledger/ledger.ts'
import type { Schedule, Timing } from '../../../ledger/schedules.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { WallTime } from '../../../time-zone.ts'
import type { Action, Arguments, Context } from '../../command.ts'
import { earlierOf, FOLLOW_UP_OPTIONS, grouped, LIST_OPTIONS, listFlags, selectionOf } from '../../list-options.ts'
import { HOURS_OPTIONS, hoursFlags, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { dayWords, surpriseWords, wallWords } from './time-words.ts'

const SENT = [
  ...['csv', 'data', 'encoding', 'delimiter', 'sheet', 'template', 'campaign', 'rows', 'limit', 'where'],
  'not-in',
  ...[
    'segment',
    'hidden-rows',
    'sample',
    'seed',
    'variant',
    'account',
    'account-column',
    'skip-bad',
    'key',
    'group-by',
    'fold-gmail',
    'duplicates',
  ],
]
/** Options that mean something else here than for a run. */
const READ_EACH_TIME = {
  ...LIST_OPTIONS,
  csv: { type: 'string', value: 'FILE', describe: 'The list, read again each time; the same as --data' },
  data: { type: 'string', value: 'FILE', describe: 'The list: CSV, XLSX, ODS, JSON, NDJSON' },
  template: { ...LIST_OPTIONS.template, describe: 'Name under templates/, or a path; read again each time too' },
  campaign: {
    type: 'string',
    value: 'NAME',
    describe: "Name of each occurrence: 'news-{{date}}'; also {{time}}, {{week}}, {{month}}, {{year}}, {{name}}",
  },
} as const
/** Occurrences that are shown. */
const SHOWN = 5
const WHEN = 'When to send it:'
const WHAT = 'What to send:'

export const add: Action = {
  usage: 'add <name>',
  describe: 'Add a future or recurring run',
  positionals: { name: { describe: 'Name of the schedule: letters, digits, hyphens, dots and underscores' } },
  epilogue: [
    'Examples:',
    "  mailmerge schedule add news --cron '0 9 * * MON' --tz Europe/Paris -t news",
    "  mailmerge schedule add news --at 'monday 9:00' --every 2w -t news",
    "  mailmerge schedule add launch --at '2026-12-01 09:00' --template launch",
    "  mailmerge schedule add tips --cron '0 9 * * *' --after news --wait 3d -t tips",
  ].join('\n'),
  options: {
    cron: {
      type: 'string',
      value: 'PATTERN',
      group: WHEN,
      describe: "Minute, hour, day, month, weekday: '0 9 * * MON'",
    },
    at: {
      type: 'string',
      value: 'WHEN',
      group: WHEN,
      describe: "Once, or the first time of --every: '2026-12-01 09:00', 'monday 9:00'",
    },
    every: {
      type: 'string',
      value: 'TIME',
      group: WHEN,
      describe: 'Repeat it from then on: 2w, 10d, 3 months, 1 year',
    },
    tz: {
      type: 'string',
      value: 'ZONE',
      group: WHEN,
      describe: 'Time zone of these times: Europe/Paris; default timeZone, else that of this machine',
    },
    'catch-up': {
      choices: CATCH_UP,
      group: WHEN,
      describe: 'Occurrences missed while mailmerge was not running: skip them (default), send the last one, or all',
    },
    ...grouped(WHEN, LATE_OPTION),
    ...grouped(WHEN, HOURS_OPTIONS),
    ...grouped(WHAT, FOLLOW_UP_OPTIONS),
    ...grouped(WHAT, READ_EACH_TIME, SENT),
    ...LEDGER_OPTION,
  },
  run: (args, context) => addSchedule(nameOf(args), args, context),
}

function nameOf(args: Arguments): string {
  const name = args.text('name') ?? ''
  if (/^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,79}$/u.test(name)) return name
  throw new UsageError(`'${escapeInvisible(name)}' is not a valid name for a schedule`, {
    hint: 'Use letters, digits, hyphens, dots and underscores.',
  })
}

/** Adds a schedule, after a look at what it will send. Gives the exit code. */
async function addSchedule(name: string, args: Arguments, context: Context): Promise<number> {
  const { out } = context
  checkTimes(args)
  const after = earlierOf(args)
  const settings = await settingsFor(args, context)
  const { scheduleFields } = await import('../../../schedule/fields.ts')
  const { campaignPattern, isOneCampaign, recurrenceOf } = await import('../../../schedule/schedule.ts')
  const { openLedger } = await import('../../../campaign/run/open-ledger.ts')
  const { localZone } = await import('../../../time-zone.ts')
  const now = new Date()
  const zone = settings.timeZone ?? localZone()
  const timing = await timingOf(args, zone, now)
  const coming = recurrenceOf({ timing, zone }).after(now, SHOWN)
  const [first] = coming
  if (first === undefined) {
    throw new UsageError(`'${args.text('cron') ?? args.text('at')}' never happens`, {
      hint: 'There is no such day in any year. The fields are: minute, hour, day of month, month, weekday.',
    })
  }
  const late = args.text('late')
  if (late === 'ok') {
    throw new UsageError('--late ok is for a single run', { hint: 'A schedule has --catch-up last, or --late 12h.' })
  }
  const campaign = campaignPattern({ name, timing, zone, after: after?.campaign }, args.text('campaign'), now)
  await look(settings, args, (text) => out.info(text))
  const made: Schedule = {
    name,
    timing,
    zone,
    createdAt: now,
    options: {
      flags: flagsOf(args, settings),
      selection: rowChoiceOf(args),
      campaign,
      catchUp: args.choice('catchUp', CATCH_UP) ?? 'skip',
      ...given({ late, after }),
    },
  }
  const ledger = await openLedger(settings)
  try {
    if (!(await ledger.schedules.add(made))) {
      throw new UsageError(`there is a schedule '${name}' already`, {
        hint: `Choose another name, or remove the other schedule first: mailmerge schedule remove ${name}`,
      })
    }
    if (out.json) out.result(JSON.stringify(await scheduleFields(ledger, made)))
    else if (!out.quiet) out.result(`${name}: first ${wallWords(first.wall)} (${zone}), ${first.at.toISOString()}`)
    if (after !== undefined) await noteUnknown(ledger, after.campaign, (text) => out.info(text))
  } finally {
    await ledger.close()
  }
  const then = coming.slice(1).map(({ wall }) => dayWords(wall))
  if (then.length > 0) out.info(`then ${then.join(', ')}`)
  for (const text of await notesOf(timing, zone, now)) out.info(`note: ${text}`)
  if (timing.kind !== 'once' && isOneCampaign(campaign)) {
    out.info(`every occurrence is the campaign '${campaign}': each time it goes to those who have not had it yet`)
  }
  out.info('mailmerge serve sends it then; so does mailmerge schedule run-due in a crontab')
  return 0
}

/** @throws UsageError where no time is given, or two. */
function checkTimes(args: Arguments): void {
  const [cron, at, every] = [args.text('cron'), args.text('at'), args.text('every')]
  if (cron !== undefined && at === undefined && every === undefined) return
  if (cron === undefined && at !== undefined) return
  if (every !== undefined) {
    throw new UsageError(
      cron === undefined ? '--every needs --at, the first time' : '--cron and --every cannot both be given',
      { hint: "Give the first time and the interval: --at 'monday 9:00' --every 2w" },
    )
  }
  throw new UsageError(cron === undefined ? 'a schedule needs a time' : '--cron and --at cannot both be given', {
    hint: "Give --cron '0 9 * * MON' for a recurring run, or --at '2026-12-01 09:00' for a single one.",
  })
}

async function timingOf(args: Arguments, zone: string, now: Date): Promise<Timing> {
  const cron = args.text('cron')
  if (cron !== undefined) return { kind: 'cron', expression: cron.trim() }
  const { parseInterval, parseWhen } = await import('../../../schedule/parse-time.ts')
  const { wallTimeOf } = await import('../../../time-zone.ts')
  const every = args.text('every')
  const interval = every === undefined ? undefined : parseInterval(every)
  const moment = parseWhen(args.text('at') ?? '', zone, now, { past: interval !== undefined })
  const wall = wholeSecond(wallTimeOf(moment.at, zone))
  return interval === undefined ? { kind: 'once', wall } : { kind: 'every', first: wall, interval }
}

/** Notes about times that may surprise. */
async function notesOf(timing: Timing, zone: string, now: Date): Promise<readonly string[]> {
  const { isAbbreviation, offsetOf } = await import('../../../time-zone.ts')
  const { cronSurprises } = await import('../../../schedule/cron.ts')
  const notes = timing.kind === 'cron' ? cronSurprises(timing.expression).map(surpriseWords) : []
  if (timing.kind === 'every' && timing.interval.endsWith('M') && Number(timing.first.slice(8, 10)) > 28) {
    notes.push('in a month that does not have that day it comes on the last one')
  }
  if (isAbbreviation(zone)) {
    notes.push(
      `${zone} is UTC${offsetOf(now, zone)} all year; a zone that follows daylight saving has a name like America/New_York`,
    )
  }
  return notes
}

/** Never earlier than meant. */
function wholeSecond(wall: WallTime): string {
  const text = wall.toString({ smallestUnit: 'second', roundingMode: 'ceil' })
  return text.endsWith(':00') ? text.slice(0, -3) : text
}

/** Checks now what is read at each occurrence: a wrong template is an error, but the list may not be there yet. */
async function look(settings: Settings, args: Arguments, say: (text: string) => void): Promise<void> {
  const { openTemplate } = await import('../../../campaign/run/content.ts')
  const { isRowTemplate } = await import('../../../campaign/plan/row-template.ts')
  const { missing, openList } = await import('../../../campaign/run/list.ts')
  if (settings.template === undefined) {
    throw missing('template', '--template NAME', settings)
  }
  const { from } = settings.source
  if (from?.kind === 'stdin') {
    throw new UsageError('a schedule cannot read standard input', {
      hint: 'Name a file, or set data.sql or data.command in mailmerge.yaml.',
    })
  }
  if (from === undefined) throw missing('list', '--csv FILE', settings)
  // Which templates the rows name is known when the list is there.
  if (!isRowTemplate(settings.template)) await openTemplate(settings.template, settings)
  const { openSelector, readingOf, samplerOf } = await import('../../../campaign/plan/select.ts')
  const { sample, seed, ...selection } = rowChoiceOf(args)
  samplerOf(given({ sample, seed }))
  // A command may have effects, and a query may take long: they wait until the occurrence.
  if (from.kind !== 'file' && from.kind !== 'web') return
  const source = await openList(settings).catch((error: unknown) => {
    say(`note: the list cannot be read now: ${error instanceof Error ? escapeInvisible(error.message) : ''}`)
  })
  if (source === undefined) return
  await openSelector(selection, source.columns, settings.segments ?? {}, readingOf(settings, new Date()), () =>
    openList(settings),
  )
}

/** Paths are absolute: the schedule may run in another folder. */
function flagsOf(args: Arguments, settings: Settings): Readonly<Record<string, unknown>> {
  const list = args.text('csv') ?? args.text('data')
  const { from } = settings.source
  return {
    ...given({
      csv:
        list === undefined
          ? undefined
          : from?.kind === 'file'
            ? resolve(from.path)
            : from?.kind === 'web'
              ? from.url
              : undefined,
      template: args.text('template') === undefined ? undefined : settings.template,
    }),
    ...listFlags(args),
    ...hoursFlags(args),
  }
}

/** Which rows and which variant, and what becomes of bad ones. */
function rowChoiceOf(args: Arguments): Selection & { readonly variant?: string; readonly skipBad?: boolean } {
  return {
    ...selectionOf(args),
    ...given({ variant: args.text('variant'), skipBad: args.flag('skipBad') || undefined }),
  }
}

/** Only a note: the campaign may be sent before the schedule begins. */
async function noteUnknown(ledger: Ledger, pattern: string, say: (text: string) => void): Promise<void> {
  const { isOneCampaign } = await import('../../../schedule/schedule.ts')
  if (!isOneCampaign(pattern) || (await ledger.campaigns.find(pattern)) !== undefined) return
  const names = [...new Set((await ledger.runs.list()).map(({ campaign }) => campaign.name))]
  const guess = nearest(pattern, names)
  const words = guess === undefined ? '' : `; did you mean '${guess}'?`
  say(`note: nothing was sent yet in the campaign '${escapeInvisible(pattern)}'${words}`)
}

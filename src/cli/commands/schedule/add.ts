/** `mailmerge schedule add`: what is said of a schedule, checked as far as can be now, and kept. */
import { resolve } from 'node:path'
import type { Selection } from '../../../campaign/plan/select.ts'
import type { Settings } from '../../../config/settings.ts'
import { CATCH_UP } from '../../../config/words.ts'
import { UsageError } from '../../../errors.ts'
import { given } from '../../../given.ts'
import type { Schedule } from '../../../ledger/schedules.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { WallTime } from '../../../time-zone.ts'
import type { Action, Arguments, Context } from '../../command.ts'
import { grouped, LIST_OPTIONS, listFlags, selectionOf } from '../../list-options.ts'
import { LATE_OPTION, LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { wallWords } from './find-schedule.ts'

const SENT = [
  ...['csv', 'data', 'encoding', 'delimiter', 'sheet', 'template', 'campaign', 'rows', 'limit', 'where'],
  'not-in',
  ...['segment', 'hidden-rows', 'sample', 'seed', 'variant', 'skip-bad', 'key', 'fold-gmail', 'duplicates'],
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
const WHEN = 'When to send it:'
const WHAT = 'What to send:'

export const add: Action = {
  usage: 'add <name>',
  describe: 'Add a future or recurring run',
  positionals: { name: { describe: 'Name of the schedule: letters, digits, hyphens, dots and underscores' } },
  epilogue: [
    'Examples:',
    "  mailmerge schedule add news --cron '0 9 * * MON' --tz Europe/Paris -t news",
    "  mailmerge schedule add launch --at '2026-12-01 09:00' --template launch",
  ].join('\n'),
  options: {
    cron: {
      type: 'string',
      value: 'PATTERN',
      group: WHEN,
      describe: "Minute, hour, day, month, weekday: '0 9 * * MON'",
    },
    at: { type: 'string', value: 'WHEN', group: WHEN, describe: "Once: '2026-12-01 09:00', 'tomorrow 9:00'" },
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
  const [cron, at] = [args.text('cron'), args.text('at')]
  if ((cron === undefined) === (at === undefined)) {
    throw new UsageError(cron === undefined ? 'a schedule needs a time' : '--cron and --at cannot both be given', {
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
    throw new UsageError(`'${cron ?? at}' never happens`, {
      hint: 'There is no such day in any year. The fields are: minute, hour, day of month, month, day of week.',
    })
  }
  const late = args.text('late')
  if (late === 'ok') {
    throw new UsageError('--late ok is for a single run', { hint: 'A schedule has --catch-up last, or --late 12h.' })
  }
  const campaign = campaignPattern({ name, timing, zone }, args.text('campaign'), now)
  await look(settings, args, (text) => out.info(text))
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
      ...given({ late }),
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
  } finally {
    await ledger.close()
  }
  if (cron !== undefined && isOneCampaign(campaign)) {
    out.info(`every occurrence is the campaign '${campaign}': each time it goes to those who have not had it yet`)
  }
  out.info('mailmerge serve sends it then; so does mailmerge schedule run-due in a crontab')
  return 0
}

/** Never earlier than meant. */
function wholeSecond(wall: WallTime): string {
  const text = wall.toString({ smallestUnit: 'second', roundingMode: 'ceil' })
  return text.endsWith(':00') ? text.slice(0, -3) : text
}

/** What can be seen now of what will be read then: a template that is wrong is an error, a list may still come. */
async function look(settings: Settings, args: Arguments, say: (text: string) => void): Promise<void> {
  const { openTemplate } = await import('../../../campaign/run/content.ts')
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
  await openTemplate(settings.template, settings)
  // A command may have effects, and a query may take long: they are left for the hour.
  if (from.kind !== 'file') return
  const source = await openList(settings).catch((error: unknown) => {
    say(`note: the list cannot be read now: ${error instanceof Error ? escapeInvisible(error.message) : ''}`)
  })
  if (source === undefined) return
  const { openSelector, readingOf } = await import('../../../campaign/plan/select.ts')
  const { sample: _sample, seed: _seed, ...selection } = issueOf(args)
  await openSelector(selection, source.columns, settings.segments ?? {}, readingOf(settings, new Date()), () =>
    openList(settings),
  )
}

/** Paths are kept whole: the schedule runs from elsewhere. */
function flagsOf(args: Arguments, settings: Settings): Readonly<Record<string, unknown>> {
  const list = args.text('csv') ?? args.text('data')
  const { from } = settings.source
  return {
    ...given({
      csv: list === undefined || from?.kind !== 'file' ? undefined : resolve(from.path),
      template: args.text('template') === undefined ? undefined : settings.template,
    }),
    ...listFlags(args),
  }
}

/** Which rows and which variant, and what becomes of bad ones. */
function issueOf(args: Arguments): Selection & { readonly variant?: string; readonly skipBad?: boolean } {
  return {
    ...selectionOf(args),
    ...given({ variant: args.text('variant'), skipBad: args.flag('skipBad') || undefined }),
  }
}

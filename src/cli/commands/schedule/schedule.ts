/** `mailmerge schedule`: future and recurring runs. Parses and prints; when they come is decided in newsletter/. */

import { didYouMean } from '../../../did-you-mean.ts'
import { UsageError } from '../../../errors.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { Arguments, Command, Context } from '../../command.ts'
import { grouped, LIST_OPTIONS } from '../../list-options.ts'
import { LATE_OPTION, LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { tableLines } from '../../terminal/table.ts'
import { withLedger } from '../../with-ledger.ts'
import { addSchedule, CATCH_UP } from './add.ts'
import { scheduleNamed, wallWords } from './find-schedule.ts'
import { runDue } from './run-due.ts'

const ACTIONS = ['add', 'list', 'remove', 'next', 'run-due'] as const
const SENT = [
  ...['csv', 'data', 'encoding', 'delimiter', 'sheet', 'template', 'campaign', 'rows', 'limit', 'where'],
  ...['segment', 'sample', 'seed', 'variant', 'skip-bad', 'key', 'fold-gmail', 'duplicates'],
]
const ADD_OPTIONS = ['cron', 'at', 'catch-up', ...SENT]
/** What a schedule understands otherwise than a run. */
const READ_ANEW = {
  ...LIST_OPTIONS,
  csv: { type: 'string', value: 'FILE', describe: 'The list, read anew each time; --data is the same' },
  data: { type: 'string', value: 'FILE', describe: 'The list: CSV, XLSX, ODS, JSON, NDJSON' },
  template: { ...LIST_OPTIONS.template, describe: 'Name under templates/, or a path; read anew too' },
  campaign: {
    type: 'string',
    value: 'NAME',
    describe: "Name of each occurrence: 'news-{{date}}'; also {{time}}, {{week}}, {{month}}, {{year}}, {{name}}",
  },
} as const
const WHEN = 'When it comes (add):'
const WHAT = 'What is sent (add):'

export const schedule: Command = {
  usage: 'schedule <action> [name]',
  describe: 'Keep future and recurring runs: add, list, remove, next, run-due',
  positionals: {
    action: { describe: ACTIONS.join(', ') },
    name: { describe: 'Name of the schedule' },
  },
  epilogue: [
    'Examples:',
    "  mailmerge schedule add news --cron '0 9 * * MON' --tz Europe/Paris -t news",
    "  mailmerge schedule add launch --at '2026-12-01 09:00' --template launch",
    '  mailmerge schedule next news',
    '',
    'mailmerge serve sends what is due, or mailmerge schedule run-due in a crontab, every minute.',
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
      describe: 'Whose clocks: Europe/Paris; default timeZone, else this machine',
    },
    'catch-up': {
      choices: CATCH_UP,
      group: WHEN,
      describe: 'Occurrences that nobody was there for: skip and say so (default), send the last one, or all, late',
    },
    ...grouped(WHEN, LATE_OPTION),
    ...grouped(WHAT, READ_ANEW, SENT),
    number: { alias: 'n', type: 'number', value: 'N', describe: 'How many occurrences next shows; default 5' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const action = args.text('action') ?? ''
    if (action !== 'add') refuseAddOptions(action, args)
    switch (action) {
      case 'add':
        return addSchedule(needed(args, action), args, context)
      case 'list':
        return list(args, context)
      case 'remove':
        return remove(needed(args, action), args, context)
      case 'next':
        return next(args, context)
      case 'run-due':
        return runDue(args, context)
      default: {
        throw new UsageError(`schedule cannot '${escapeInvisible(action)}'`, {
          hint: didYouMean(action, ACTIONS, `It can ${ACTIONS.join(', ')}.`, (guess) => `mailmerge schedule ${guess}`),
        })
      }
    }
  },
}

/** @throws UsageError for an option that the action would not heed. */
function refuseAddOptions(action: string, args: Arguments): void {
  const stray = ADD_OPTIONS.find((name) => args.has(name))
  if (stray === undefined || !ACTIONS.some((known) => known === action)) return
  throw new UsageError(`--${stray} is an option of mailmerge schedule add`, {
    hint: 'To change a schedule, remove it and add it anew: what it did is not forgotten.',
  })
}

function needed(args: Arguments, action: string): string {
  const name = args.text('name')
  if (name === undefined) {
    throw new UsageError(`schedule ${action} needs the name of a schedule`, {
      hint: `For example: mailmerge schedule ${action} news`,
    })
  }
  if (/^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,79}$/u.test(name)) return name
  throw new UsageError(`'${escapeInvisible(name)}' is no name for a schedule`, {
    hint: 'Use letters, digits, hyphens, dots and underscores.',
  })
}

async function list(args: Arguments, context: Context): Promise<number> {
  const { out } = context
  const { scheduleFields } = await import('../../../schedule/fields.ts')
  const settings = await settingsFor(args, context)
  await withLedger(settings, async (ledger) => {
    const name = args.text('name')
    const all = name === undefined ? ((await ledger?.schedules.all()) ?? []) : [await scheduleNamed(ledger, name)]
    if (ledger === undefined || all.length === 0) {
      out.say('there are no schedules; mailmerge schedule add makes one')
      return
    }
    const rows: (readonly string[])[] = []
    for (const one of all) {
      const shown = await scheduleFields(ledger, one)
      if (out.json) out.result(JSON.stringify(shown))
      else
        rows.push([
          one.name,
          one.timing.kind === 'cron' ? one.timing.expression : wallWords(one.timing.wall),
          one.zone,
          shown.next_wall === null ? 'never again' : wallWords(shown.next_wall),
          shown.last === null ? '' : `${wallWords(shown.last.wall)} ${shown.last.state}`,
        ])
    }
    if (out.json) return
    for (const line of tableLines(['SCHEDULE', 'COMES', 'ZONE', 'NEXT', 'LAST'], rows)) out.result(line)
  })
  return 0
}

async function remove(name: string, args: Arguments, context: Context): Promise<number> {
  const settings = await settingsFor(args, context)
  await withLedger(settings, async (ledger) => {
    await scheduleNamed(ledger, name)
    await ledger?.schedules.remove(name)
  })
  context.out.say(`${name} comes no more; a run that it began is not ended: mailmerge status lists it`)
  return 0
}

async function next(args: Arguments, context: Context): Promise<number> {
  const { out } = context
  const settings = await settingsFor(args, context)
  const name = args.text('name')
  const many = args.number('number') ?? 5
  if (!Number.isInteger(many) || many < 1 || many > 1000) {
    throw new UsageError(`--number ${many} is not between 1 and 1000`, { hint: 'The default is 5.' })
  }
  const { campaignOf, issueOf, recurrenceOf } = await import('../../../schedule/schedule.ts')
  await withLedger(settings, async (ledger) => {
    const chosen = name === undefined ? ((await ledger?.schedules.all()) ?? []) : [await scheduleNamed(ledger, name)]
    if (chosen.length === 0) out.say('there are no schedules; mailmerge schedule add makes one')
    const coming = chosen.flatMap((one) =>
      recurrenceOf(one)
        .after(new Date(), many)
        .map((moment) => ({ one, moment, campaign: campaignOf(issueOf(one).campaign, one.name, moment.wall) })),
    )
    coming.sort((a, b) => a.moment.at.getTime() - b.moment.at.getTime())
    const shown = coming.slice(0, many)
    for (const { one, moment, campaign } of out.json ? shown : []) {
      const { at, wall, rule } = moment
      out.result(JSON.stringify({ schedule: one.name, at: at.toISOString(), wall, tz: one.zone, rule, campaign }))
    }
    if (out.json || shown.length === 0) return
    const rows = shown.map(({ one, moment, campaign }) => [
      one.name,
      `${wallWords(moment.wall)}${RULES[moment.rule]}`,
      one.zone,
      moment.at.toISOString().slice(0, 19).concat('Z'),
      campaign,
    ])
    for (const line of tableLines(['SCHEDULE', 'LOCAL TIME', 'ZONE', 'UTC', 'CAMPAIGN'], rows)) out.result(line)
  })
  return 0
}

const RULES = {
  exact: '',
  gap: ' (not on the clock: the first moment after)',
  twice: ' (twice on the clock: the first)',
}

/** `mailmerge schedule`: future and recurring runs. Parses and prints; when they come is decided in newsletter/. */
import { resolve } from 'node:path'
import type { Settings } from '../config/settings.ts'
import { InputError, UsageError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Schedule } from '../ledger/schedules.ts'
import { nearest } from '../nearest.ts'
import type { WallTime } from '../zone.ts'
import { type Arguments, type Command, type Context, given } from './command.ts'
import { withLedger } from './find-run.ts'
import { eventFields } from './json-events.ts'
import { printable } from './printable.ts'
import { LATE_OPTION, LEDGER_OPTION, settingsFor } from './settings-options.ts'
import { watchSignals } from './signals.ts'
import { summaryLines } from './summary.ts'
import { tableLines } from './table.ts'

const ACTIONS = ['add', 'list', 'remove', 'next', 'run-due'] as const
const CATCH_UP = ['skip', 'last', 'all'] as const
const ADD_OPTIONS = [
  ...['cron', 'at', 'catch-up', 'csv', 'data', 'encoding', 'delimiter', 'sheet', 'template', 'campaign', 'rows'],
  ...['limit', 'where', 'segment', 'sample', 'seed', 'variant', 'skip-bad', 'key', 'duplicates'],
]
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
    "  mailmerge schedule add news --cron '0 9 * * MON' --tz Europe/Paris --template news --csv list.csv",
    "  mailmerge schedule add launch --at '2026-12-01 09:00' --template launch",
    '  mailmerge schedule next news',
    '  mailmerge schedule run-due          in a crontab, every minute; or let mailmerge serve do it',
  ].join('\n'),
  options: {
    cron: { type: 'string', group: WHEN, describe: "Minute, hour, day, month, weekday: '0 9 * * MON'" },
    at: { type: 'string', group: WHEN, describe: "Once: '2026-12-01 09:00', 'tomorrow 9:00'" },
    tz: { type: 'string', group: WHEN, describe: 'Whose clocks: Europe/Paris; default timeZone, else this machine' },
    'catch-up': {
      choices: CATCH_UP,
      group: WHEN,
      describe: 'Occurrences that nobody was there for: skip and say so (default), send the last one, or all, late',
    },
    ...grouped(WHEN, LATE_OPTION),
    csv: { type: 'string', group: WHAT, describe: 'The list, read anew each time; --data is the same' },
    data: { type: 'string', group: WHAT, describe: 'The list: CSV, XLSX, ODS, JSON, NDJSON' },
    encoding: { type: 'string', group: WHAT, describe: 'Encoding of the list; else found by itself' },
    delimiter: { type: 'string', group: WHAT, describe: 'Delimiter of the list; else found by itself' },
    sheet: { type: 'string', group: WHAT, describe: 'Sheet of a workbook; default the first' },
    template: { alias: 't', type: 'string', group: WHAT, describe: 'Name under templates/, or a path; read anew too' },
    campaign: {
      type: 'string',
      group: WHAT,
      describe: "Name of each occurrence: 'news-{{date}}'; also {{time}}, {{week}}, {{month}}, {{year}}, {{name}}",
    },
    rows: { type: 'string', group: WHAT, describe: 'Only these rows: 1-20,33' },
    limit: { type: 'number', group: WHAT, describe: 'Only the first N of them' },
    where: { type: 'array', string: true, group: WHAT, describe: 'Only rows that match column=value; repeatable' },
    segment: { type: 'string', group: WHAT, describe: 'Only rows of a segment named in mailmerge.yaml' },
    sample: { type: 'number', group: WHAT, describe: 'Only N of them, by lot' },
    seed: { type: 'string', group: WHAT, describe: 'Another lot for --sample' },
    variant: { type: 'string', group: WHAT, describe: 'Everybody gets this variant of mailmerge.yaml' },
    'skip-bad': { type: 'boolean', group: WHAT, describe: 'Send the good rows and skip the bad ones' },
    key: { type: 'string', group: WHAT, describe: 'Column that makes two rows the same; default the address' },
    duplicates: { choices: ['error', 'skip', 'all'], group: WHAT, describe: 'What to do with two rows of one key' },
    number: { alias: 'n', type: 'number', describe: 'How many occurrences next shows; default 5' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const action = args.text('action') ?? ''
    if (action !== 'add') refuseAddOptions(action, args)
    switch (action) {
      case 'add':
        return add(needed(args, action), args, context)
      case 'list':
        return list(args, context)
      case 'remove':
        return remove(needed(args, action), args, context)
      case 'next':
        return next(args, context)
      case 'run-due':
        return runDue(args, context)
      default: {
        const guess = nearest(action, ACTIONS)
        throw new UsageError(`mailmerge schedule cannot ${printable(action)}`, {
          hint: guess === undefined ? `It can ${ACTIONS.join(', ')}.` : `Did you mean mailmerge schedule ${guess}?`,
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

function grouped(group: string, options: Command['options']): Command['options'] {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, { ...option, group }]))
}

function needed(args: Arguments, action: string): string {
  const name = args.text('name')
  if (name === undefined) {
    throw new UsageError(`schedule ${action} needs the name of a schedule`, {
      hint: `For example: mailmerge schedule ${action} news`,
    })
  }
  if (/^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,79}$/u.test(name)) return name
  throw new UsageError(`'${printable(name)}' is no name for a schedule`, {
    hint: 'Use letters, digits, hyphens, dots and underscores.',
  })
}

async function add(name: string, args: Arguments, context: Context): Promise<number> {
  const { out } = context
  const [cron, at] = [args.text('cron'), args.text('at')]
  if ((cron === undefined) === (at === undefined)) {
    throw new UsageError(cron === undefined ? 'there is no time' : '--cron and --at cannot both be given', {
      hint: "Give --cron '0 9 * * MON' for a recurring run, or --at '2026-12-01 09:00' for a single one.",
    })
  }
  const settings = await settingsFor(args, context)
  const { scheduleFields } = await import('../newsletter/schedule-fields.ts')
  const { campaignPattern, isOneCampaign, recurrenceOf } = await import('../newsletter/schedule.ts')
  const { parseWhen } = await import('../newsletter/when.ts')
  const { openLedger } = await import('../campaign/open-ledger.ts')
  const { localZone, wallTimeOf } = await import('../zone.ts')
  const now = new Date()
  const zone = settings.timeZone ?? localZone()
  const timing =
    cron === undefined
      ? ({ kind: 'once', wall: wholeSecond(wallTimeOf(parseWhen(at ?? '', zone, now).at, zone)) } as const)
      : ({ kind: 'cron', expression: cron.trim() } as const)
  const [first] = recurrenceOf({ timing, zone }).after(now, 1)
  if (first === undefined) {
    throw new UsageError(`'${cron ?? at}' never comes`, {
      hint: 'mailmerge schedule next shows what a schedule means.',
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
      selection: selectionOf(args),
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
  const { openList, openTemplate } = await import('../campaign/material.ts')
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
    say(`note: the list cannot be read now: ${error instanceof Error ? printable(error.message) : ''}`)
  })
  if (source === undefined) return
  const { openSelector } = await import('../campaign/select.ts')
  const { sample: _sample, seed: _seed, ...selection } = selectionOf(args)
  await openSelector(selection, source.columns, settings.segments ?? {}, () => openList(settings))
}

/** Paths are kept whole: the schedule runs from elsewhere. */
function flagsOf(args: Arguments, settings: Settings): Readonly<Record<string, unknown>> {
  const list = args.text('csv') ?? args.text('data')
  return {
    ...given('csv', list === undefined ? undefined : absolute(settings.source.path)),
    ...given('template', args.text('template') === undefined ? undefined : settings.template),
    ...given('key', args.text('key')),
    ...given('duplicates', args.choice('duplicates', ['error', 'skip', 'all'])),
    ...given('encoding', args.text('encoding')),
    ...given('delimiter', args.text('delimiter')),
    ...given('sheet', args.text('sheet')),
  }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}

function selectionOf(args: Arguments): Readonly<Record<string, unknown>> {
  return {
    ...given('rows', args.text('rows')),
    ...given('limit', args.number('limit')),
    ...given('where', args.texts('where')),
    ...given('segment', args.text('segment')),
    ...given('sample', args.number('sample')),
    ...given('seed', args.text('seed')),
    ...given('variant', args.text('variant')),
    ...(args.flag('skipBad') ? { skipBad: true } : {}),
  }
}

async function list(args: Arguments, context: Context): Promise<number> {
  const { out } = context
  const { scheduleFields } = await import('../newsletter/schedule-fields.ts')
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
  const { campaignOf, issueOf, recurrenceOf } = await import('../newsletter/schedule.ts')
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
    for (const line of tableLines(['SCHEDULE', 'ON THE WALL', 'ZONE', 'UTC', 'CAMPAIGN'], rows)) out.result(line)
  })
  return 0
}

const RULES = {
  exact: '',
  gap: ' (not on the clock: the first moment after)',
  twice: ' (twice on the clock: the first)',
}

async function runDue(args: Arguments, context: Context): Promise<number> {
  const { io, out } = context
  const settings = await settingsFor(args, context)
  const late = args.text('late')
  if (late !== undefined && late !== 'ok') {
    throw new UsageError(`--late ${printable(late)} is set when a schedule is added`, {
      hint: 'run-due --late ok makes up for what was missed or failed last.',
    })
  }
  if (late === 'ok' && args.text('name') === undefined) {
    throw new UsageError('--late ok needs the name of a schedule', {
      hint: 'What was missed may be old: say of which one you mean it. mailmerge schedule list shows them.',
    })
  }
  const { occurrenceFields } = await import('../newsletter/schedule-fields.ts')
  const { runDue: run } = await import('../newsletter/run-due.ts')
  const { loadSettings } = await import('../config/load.ts')
  const name = args.text('name')
  const signals = watchSignals(io.signals, {
    onFirst: () => out.say('stopping: finishing what is in flight. Once more to stop at once.'),
  })
  try {
    const codes = await withLedger(settings, async (ledger) => {
      if (name !== undefined) await scheduleNamed(ledger, name)
      if (ledger === undefined) return []
      return run(
        {
          ledger,
          settings,
          settingsWith: (flags) =>
            loadSettings({ cwd: settings.root, env: io.env, flags: { ...flags, ...ownFlags(args, settings) } }),
          ...given('name', name),
          anyLate: late === 'ok',
          signal: signals.signal,
        },
        {
          onMissed: ({ occurrence, reason }) => {
            if (out.json) out.result(JSON.stringify({ event: 'missed', ...occurrenceFields(occurrence), reason }))
            out.complain(
              `${occurrence.schedule}: the occurrence of ${wallWords(occurrence.wall)} was missed: ${reason}. ` +
                `mailmerge schedule run-due ${occurrence.schedule} --late ok makes up for the last one`,
            )
          },
          onTold: ({ what, hint }) => out.complain(`${printable(what)}. ${hint}`),
          onWork: (work) => {
            if (work.kind === 'occurrence') out.say(`${work.occurrence.schedule}: ${wallWords(work.occurrence.wall)}`)
            else out.say(`run ${work.run}: ${work.campaign}`)
            return {
              signal: signals.signal,
              abort: signals.abort,
              note: (text) => out.say(printable(text)),
              ...(out.json ? { onEvent: (event) => out.result(JSON.stringify(eventFields(event))) } : {}),
            }
          },
          onEnd: (_work, { summary, error }) => {
            if (summary !== undefined && !out.json && !(out.quiet && summary.exitCode === 0)) {
              for (const line of summaryLines(summary, 'send', out, io.cwd)) out.result(line)
            }
            if (error !== undefined) out.complain(`mailmerge: ${printable(error.message)}`)
            if (error?.hint !== undefined) out.complain(`hint: ${printable(error.hint)}`)
            for (const problem of error?.problems.slice(0, 10) ?? []) {
              out.complain(`  row ${problem.row ?? '-'}: ${printable(problem.message)}`)
            }
          },
        },
      )
    })
    if (codes.length === 0) out.say('nothing is due')
    const code = Math.max(0, ...codes)
    return code === 75 || codes.length === 0 ? (signals.exitCode ?? code) : code
  } finally {
    signals.dispose()
  }
}

function ownFlags(args: Arguments, { ledger }: Settings): { readonly ledger: string; readonly config?: string } {
  return { ledger, ...given('config', absolute(args.text('config'))) }
}

async function scheduleNamed(ledger: Ledger | undefined, name: string): Promise<Schedule> {
  const all = (await ledger?.schedules.all()) ?? []
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  const guess = nearest(
    name,
    all.map((one) => one.name),
  )
  throw new InputError(`there is no schedule '${printable(name)}'`, {
    hint: guess === undefined ? 'mailmerge schedule list shows them.' : `Did you mean '${guess}'?`,
  })
}

/** `2026-12-01T09:00` as people write it. */
function wallWords(wall: string): string {
  return wall.replace('T', ' ')
}

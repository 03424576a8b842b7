/** `mailmerge schedule`: future and recurring runs. Parses and prints; when they come is decided in schedule/. */
import { UsageError } from '../../../errors.ts'
import type { Action, Group } from '../../command.ts'
import { LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { tableLines } from '../../terminal/table.ts'
import { withLedger } from '../../with-ledger.ts'
import { add } from './add.ts'
import { scheduleNamed } from './find-schedule.ts'
import { runDue } from './run-due.ts'
import { timingWords, wallWords } from './time-words.ts'

const NAME = { name: { describe: 'Name of the schedule', names: 'schedule' } } as const
const OPTIONAL_NAME = { name: { describe: 'Name of a schedule; default all', names: 'schedule' } } as const

const list: Action = {
  usage: 'list [name]',
  describe: 'Show the schedules: when each is due next, and how the last run ended',
  positionals: OPTIONAL_NAME,
  options: LEDGER_OPTION,
  async run(args, context) {
    const { out } = context
    const { scheduleFields } = await import('../../../schedule/fields.ts')
    const settings = await settingsFor(args, context)
    await withLedger(settings, async (ledger) => {
      const name = args.text('name')
      const all = name === undefined ? ((await ledger?.schedules.list()) ?? []) : [await scheduleNamed(ledger, name)]
      if (ledger === undefined || all.length === 0) {
        out.info(NO_SCHEDULES)
        return
      }
      const rows: (readonly string[])[] = []
      for (const one of all) {
        const shown = await scheduleFields(ledger, one)
        if (out.json) out.result(JSON.stringify(shown))
        else
          rows.push([
            one.name,
            timingWords(one.timing),
            one.zone,
            shown.next_wall === null ? 'never again' : wallWords(shown.next_wall),
            shown.last === null ? '' : `${wallWords(shown.last.wall)} ${shown.last.state}`,
          ])
      }
      if (out.json) return
      for (const line of tableLines(['SCHEDULE', 'COMES', 'ZONE', 'NEXT', 'LAST'], rows, {
        columns: out.resultColumns,
        cuttable: [4, 1],
      }))
        out.result(line)
    })
    return 0
  },
}

const remove: Action = {
  usage: 'remove <name>',
  describe: 'Remove a schedule; what it sent stays on record',
  positionals: NAME,
  options: LEDGER_OPTION,
  async run(args, context) {
    const name = args.text('name') ?? ''
    const settings = await settingsFor(args, context)
    await withLedger(settings, async (ledger) => {
      await scheduleNamed(ledger, name)
      await ledger?.schedules.remove(name)
    })
    context.out.info(`${name} is removed; a run that it began continues: mailmerge status lists it`)
    return 0
  },
}

const next: Action = {
  usage: 'next [name]',
  describe: 'Show the next times, local and UTC, with the campaign of each',
  positionals: OPTIONAL_NAME,
  options: {
    number: { alias: 'n', type: 'number', value: 'N', describe: 'How many times to show; default 5' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { out } = context
    const settings = await settingsFor(args, context)
    const name = args.text('name')
    const many = args.number('number') ?? 5
    if (!Number.isInteger(many) || many < 1 || many > 1000) {
      throw new UsageError(`--number ${many} is not between 1 and 1000`, { hint: 'The default is 5.' })
    }
    const { campaignOf, optionsOf, recurrenceOf } = await import('../../../schedule/schedule.ts')
    await withLedger(settings, async (ledger) => {
      const chosen = name === undefined ? ((await ledger?.schedules.list()) ?? []) : [await scheduleNamed(ledger, name)]
      if (chosen.length === 0) out.info(NO_SCHEDULES)
      const coming = chosen.flatMap((one) =>
        recurrenceOf(one)
          .after(new Date(), many)
          .map((moment) => ({ one, moment, campaign: campaignOf(optionsOf(one).campaign, one.name, moment.wall) })),
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
      for (const line of tableLines(['SCHEDULE', 'LOCAL TIME', 'ZONE', 'UTC', 'CAMPAIGN'], rows, {
        columns: out.resultColumns,
        cuttable: [4, 1],
      }))
        out.result(line)
    })
    return 0
  },
}

export const schedule: Group = {
  usage: 'schedule',
  describe: 'Manage future and recurring runs',
  epilogue: [
    'Examples:',
    "  mailmerge schedule add news --cron '0 9 * * MON' --tz Europe/Paris -t news",
    "  mailmerge schedule add launch --at '2026-12-01 09:00' --template launch",
    '  mailmerge schedule next news',
    '',
    'mailmerge serve sends what is due; so does mailmerge schedule run-due, every minute from a crontab.',
  ].join('\n'),
  commands: [add, list, remove, next, runDue],
}

const NO_SCHEDULES = 'there are no schedules; mailmerge schedule add creates one'

const RULES = {
  exact: '',
  gap: ' (skipped by daylight saving: the first moment after it)',
  twice: ' (twice that day: the first one)',
}

/** `mailmerge run`: plan, then deliver. Parses and prints; the merge is `runMerge`. */
import type { MergeMode, MergeRequest } from '../../campaign/merge.ts'
import type { Settings } from '../../config/settings.ts'
import { UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import { localZone } from '../../time-zone.ts'
import type { Action, Arguments } from '../command.ts'
import { earlierOf, FOLLOW_UP_OPTIONS, grouped, LIST_OPTIONS, selectionOf } from '../list-options.ts'
import { driveMerge } from '../merge/drive.ts'
import { checkWatchOptions, WATCH_OPTIONS, watched } from '../merge/run-page.ts'
import { DELIVERY_OPTIONS, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { dateTimeWords } from '../terminal/format.ts'

const WHAT = 'What to send:'
const WHERE = 'Where to send it:'
const WHEN = 'When to send it:'
const HOW = 'How to send it:'
const REPORT = 'What to keep:'

export const run: Action = {
  usage: 'run',
  describe: 'Check every row, then send; given again, send what is not sent yet',
  epilogue: [
    'Examples:',
    '  mailmerge run --csv list.csv --template invite --sandbox',
    '  mailmerge run --csv list.csv --template invite --dry-run --out mails',
    '  mailmerge run --smtp smtp://ada@mail.example.com:587 --rate 10/s',
  ].join('\n'),
  options: {
    ...grouped(WHAT, LIST_OPTIONS),
    again: { type: 'boolean', group: WHAT, describe: 'Start the campaign over: everybody gets it again' },
    'dry-run': { type: 'boolean', group: WHERE, describe: 'Write .eml files; connect to no server, record nothing' },
    out: { type: 'string', value: 'DIR', group: WHERE, describe: 'Folder for the .eml files of --dry-run' },
    sandbox: { type: 'boolean', group: WHERE, describe: 'Deliver to a built-in inbox; record nothing as sent' },
    'test-to': {
      type: 'string',
      value: 'ADDRESS',
      group: WHERE,
      describe: 'Send every message to this address instead; record nothing as sent',
    },
    drafts: {
      type: 'boolean',
      group: WHERE,
      describe: 'Put the messages into the Drafts folder of the mailbox (imap) instead of sending them',
    },
    ...grouped(WHERE, DELIVERY_OPTIONS, ['smtp']),
    ...grouped(HOW, DELIVERY_OPTIONS, ['concurrency', 'rate', 'pause', 'retry-for', 'grace']),
    at: {
      type: 'string',
      value: 'WHEN',
      group: WHEN,
      describe: "Not before: '2026-12-01 09:00', 'tomorrow 9:00', an ISO time",
    },
    tz: {
      type: 'string',
      value: 'ZONE',
      group: WHEN,
      describe: 'Time zone of these times: Europe/Paris; default timeZone, else that of this machine',
    },
    'at-local': {
      type: 'string',
      value: 'WHEN',
      group: WHEN,
      describe: "At 09:00, or '2026-12-01 09:00', in each recipient's own time zone",
    },
    'at-column': {
      type: 'string',
      value: 'COLUMN',
      group: WHEN,
      describe: 'At the date and time in this column of each row',
    },
    'tz-column': {
      type: 'string',
      value: 'COLUMN',
      group: WHEN,
      describe: 'Column with the time zone of each row; default: found by its name',
    },
    ...grouped(WHEN, DELIVERY_OPTIONS, ['window']),
    ...grouped(WHEN, LATE_OPTION, ['late']),
    ...grouped(WHEN, FOLLOW_UP_OPTIONS),
    detach: { type: 'boolean', group: WHEN, describe: 'Check and plan now, then return; serve or resume sends' },
    yes: { alias: 'y', type: 'boolean', group: HOW, describe: 'Do not ask before sending' },
    ...WATCH_OPTIONS,
    report: {
      type: 'array',
      string: true,
      value: 'FILE',
      group: REPORT,
      describe: 'Results file: .csv, .json or .html; repeatable',
    },
    ...grouped(REPORT, DELIVERY_OPTIONS, ['metrics']),
    ledger: { ...LEDGER_OPTION['ledger'], group: REPORT },
  },
  async run(args, context) {
    const plain = requestOf(args)
    const settings = await settingsFor(args, context)
    const { runMerge } = await import('../../campaign/run/start.ts')
    const request = { ...plain, ...(await startTimeOf(args, plain.mode, settings, (text) => context.out.info(text))) }
    if (request.at !== undefined) context.out.info(`begins ${dateTimeWords(request.at, settings.timeZone)}`)
    const screen = {
      mode: request.mode,
      yes: args.flag('yes'),
      timeZone: settings.timeZone,
      listFromStdin: settings.source.from?.kind === 'stdin',
    }
    return watched(args, context, settings, (own) =>
      driveMerge(context, screen, (hooks) => runMerge(settings, request, own(hooks))),
    )
  },
}

/** @throws UsageError for options that contradict each other. */
function requestOf(args: Arguments): MergeRequest {
  const chosen: readonly (readonly [string, MergeMode, boolean])[] = [
    ['--dry-run', 'dry-run', args.flag('dryRun')],
    ['--sandbox', 'sandbox', args.flag('sandbox')],
    ['--test-to', 'test', args.text('testTo') !== undefined],
    ['--drafts', 'send', args.flag('drafts')],
  ]
  const [one, another] = chosen.filter(([, , given]) => given)
  if (one !== undefined && another !== undefined) {
    throw new UsageError(`${one[0]} and ${another[0]} cannot both be given`, { hint: 'Each says where messages go.' })
  }
  const mode = one?.[1] ?? 'send'
  if (args.text('out') !== undefined && mode !== 'dry-run') {
    throw new UsageError('--out needs --dry-run', { hint: 'Add --dry-run, or leave --out out.' })
  }
  if (args.flag('watch') && (mode !== 'send' || args.flag('detach'))) {
    throw new UsageError('--watch shows a run while it sends, and this command leaves none behind', {
      hint: 'Leave --watch out; mailmerge inbox shows what a rehearsal wrote, and serve the runs that it sends.',
    })
  }
  checkWatchOptions(args)
  const limit = args.number('limit')
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0)) {
    throw new UsageError(`--limit ${limit} is not a number of rows`, { hint: 'Give a whole number: --limit 10' })
  }
  return {
    mode,
    ...selectionOf(args),
    ...given({
      out: args.text('out'),
      testTo: args.text('testTo'),
      campaign: args.text('campaign'),
      variant: args.text('variant'),
      reports: args.texts('report'),
      after: earlierOf(args),
    }),
    skipBad: args.flag('skipBad'),
    again: args.flag('again'),
    drafts: args.flag('drafts'),
  }
}

/** @throws UsageError for a start time that is not one, is past, or is given twice. */
async function startTimeOf(
  args: Arguments,
  mode: MergeMode,
  { timeZone }: Settings,
  say: (text: string) => void,
): Promise<Pick<MergeRequest, 'at' | 'atLocal' | 'atColumn' | 'detach'>> {
  const [at, atLocal, column] = [args.text('at'), args.text('atLocal'), args.text('atColumn')]
  const [one, other] = [
    ['--at', at],
    ['--at-local', atLocal],
    ['--at-column', column],
  ].flatMap(([option, value]) => (value === undefined ? [] : [option]))
  if (other !== undefined) {
    throw new UsageError(`${one} and ${other} cannot both be given`, { hint: 'Each says when the messages go.' })
  }
  const zoneColumn = args.text('tzColumn')
  if (zoneColumn !== undefined && atLocal === undefined && column === undefined) {
    throw new UsageError('--tz-column needs --at-local or --at-column', { hint: 'Add --at-local 09:00.' })
  }
  if (args.flag('detach') && mode !== 'send') {
    throw new UsageError('--detach is for real runs; a rehearsal leaves no planned run behind', {
      hint: 'Leave it out.',
    })
  }
  const detach = args.flag('detach') ? { detach: true } : {}
  if (atLocal !== undefined) return { ...detach, atLocal: { text: atLocal, ...given({ zoneColumn }) } }
  if (column !== undefined) return { ...detach, atColumn: { column, ...given({ zoneColumn }) } }
  if (at === undefined) return detach
  const { parseWhen } = await import('../../schedule/parse-time.ts')
  const moment = parseWhen(at, timeZone ?? localZone(), new Date())
  if (moment.rule === 'gap') say('daylight saving skips that time: the run begins at the first moment after it')
  if (moment.rule === 'twice') say('that time comes twice that day: the run begins at the first one')
  return { ...detach, at: moment.at }
}

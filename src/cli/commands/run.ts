/** `mailmerge run`: plan, then deliver. Parses and prints; the merge is `runMerge`. */
import type { MergeMode, MergeRequest } from '../../campaign/merge.ts'
import type { Settings } from '../../config/settings.ts'
import { DURATION_HINT, readDuration } from '../../config/units.ts'
import { UsageError } from '../../errors.ts'
import { given } from '../../given.ts'
import { localZone } from '../../time-zone.ts'
import type { Action, Arguments } from '../command.ts'
import { grouped, LIST_OPTIONS, selectionOf } from '../list-options.ts'
import { driveMerge } from '../merge/drive.ts'
import { DELIVERY_OPTIONS, LATE_OPTION, LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { hourWords } from '../terminal/format.ts'

const WHAT = 'What to send:'
const WHERE = 'Where it goes:'
const WHEN = 'When it goes:'
const HOW = 'How it goes:'
const REPORT = 'What is kept:'

export const run: Action = {
  usage: 'run',
  describe: 'Check every row, then send; given again, go on with what is not yet sent',
  epilogue: [
    'Examples:',
    '  mailmerge run --csv list.csv --template invite --sandbox',
    '  mailmerge run --csv list.csv --template invite --dry-run --out mails',
    '  mailmerge run --smtp smtp://ada@mail.example.com:587 --rate 10/s',
  ].join('\n'),
  options: {
    ...grouped(WHAT, LIST_OPTIONS),
    again: { type: 'boolean', group: WHAT, describe: 'Start the campaign anew: everybody gets it again' },
    'dry-run': { type: 'boolean', group: WHERE, describe: 'Write .eml files; connect to nothing, record nothing' },
    out: { type: 'string', value: 'DIR', group: WHERE, describe: 'Folder of the .eml files of --dry-run' },
    sandbox: { type: 'boolean', group: WHERE, describe: 'Deliver to an inbox built in; record nothing as sent' },
    'test-to': {
      type: 'string',
      value: 'ADDRESS',
      group: WHERE,
      describe: 'Every message goes to this address; record nothing as sent',
    },
    ...grouped(WHERE, DELIVERY_OPTIONS, ['smtp']),
    ...grouped(HOW, DELIVERY_OPTIONS, ['concurrency', 'rate', 'retry-for', 'grace']),
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
      describe: 'Whose clocks: Europe/Paris; default timeZone, else this machine',
    },
    'at-local': {
      type: 'string',
      value: 'WHEN',
      group: WHEN,
      describe: "At 09:00, or '2026-12-01 09:00', on each recipient's clock",
    },
    'tz-column': {
      type: 'string',
      value: 'COLUMN',
      group: WHEN,
      describe: 'Column with the zone of each row; found by its name',
    },
    ...grouped(WHEN, LATE_OPTION, ['late']),
    after: {
      type: 'string',
      value: 'CAMPAIGN',
      group: WHEN,
      describe: 'A follow-up: only those who got that campaign and have not answered, left or bounced',
    },
    wait: { type: 'string', value: 'TIME', group: WHEN, describe: 'How long after that message: 3d; default at once' },
    detach: { type: 'boolean', group: WHEN, describe: 'Check and plan now, and return; serve or resume sends' },
    yes: { alias: 'y', type: 'boolean', group: HOW, describe: 'No question before sending' },
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
    const request = { ...plain, ...(await hourOf(args, plain.mode, settings, (text) => context.out.info(text))) }
    if (request.at !== undefined) context.out.info(`begins ${hourWords(request.at, settings.timeZone)}`)
    return driveMerge(context, { mode: request.mode, yes: args.flag('yes'), timeZone: settings.timeZone }, (hooks) =>
      runMerge(settings, request, hooks),
    )
  },
}

/** @throws UsageError for options that contradict each other. */
function requestOf(args: Arguments): MergeRequest {
  const chosen: readonly (readonly [string, MergeMode, boolean])[] = [
    ['--dry-run', 'dry-run', args.flag('dryRun')],
    ['--sandbox', 'sandbox', args.flag('sandbox')],
    ['--test-to', 'test', args.text('testTo') !== undefined],
  ]
  const [one, another] = chosen.filter(([, , given]) => given)
  if (one !== undefined && another !== undefined) {
    throw new UsageError(`${one[0]} and ${another[0]} cannot both be given`, { hint: 'Each says where messages go.' })
  }
  const mode = one?.[1] ?? 'send'
  if (args.text('out') !== undefined && mode !== 'dry-run') {
    throw new UsageError('--out is the folder of --dry-run', { hint: 'Add --dry-run, or leave --out out.' })
  }
  const limit = args.number('limit')
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0)) {
    throw new UsageError(`--limit ${limit} is no number of rows`, { hint: 'Give a whole number: --limit 10' })
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
      after: afterOf(args),
    }),
    skipBad: args.flag('skipBad'),
    again: args.flag('again'),
  }
}

/** @throws UsageError for a wait that is no duration, or that waits for nothing. */
function afterOf(args: Arguments): MergeRequest['after'] {
  const [campaign, wait] = [args.text('after'), args.text('wait')]
  if (campaign === undefined) {
    if (wait === undefined) return undefined
    throw new UsageError('--wait says how long after the message of --after', { hint: 'Add --after CAMPAIGN.' })
  }
  const milliseconds = wait === undefined ? 0 : readDuration(wait)
  if (milliseconds !== undefined) return { campaign, wait: milliseconds }
  throw new UsageError(`--wait does not understand '${wait}'`, { hint: DURATION_HINT })
}

/** @throws UsageError for an hour that says nothing, is past, or is given twice. */
async function hourOf(
  args: Arguments,
  mode: MergeMode,
  { timeZone }: Settings,
  say: (text: string) => void,
): Promise<Pick<MergeRequest, 'at' | 'atLocal' | 'detach'>> {
  const [at, atLocal, zoneColumn] = [args.text('at'), args.text('atLocal'), args.text('tzColumn')]
  if (at !== undefined && atLocal !== undefined) {
    throw new UsageError('--at and --at-local cannot both be given', { hint: 'Each says when the messages go.' })
  }
  if (zoneColumn !== undefined && atLocal === undefined) {
    throw new UsageError('--tz-column says whose clocks --at-local goes by', { hint: 'Add --at-local 09:00.' })
  }
  if (args.flag('detach') && mode !== 'send') {
    throw new UsageError('--detach leaves a planned run behind, which a rehearsal does not', { hint: 'Leave it out.' })
  }
  const detach = args.flag('detach') ? { detach: true } : {}
  if (atLocal !== undefined) return { ...detach, atLocal: { text: atLocal, ...given({ zoneColumn }) } }
  if (at === undefined) return detach
  const { parseWhen } = await import('../../schedule/parse-time.ts')
  const moment = parseWhen(at, timeZone ?? localZone(), new Date())
  if (moment.rule === 'gap') say('that hour is not on the clock that day: the first moment after it counts')
  if (moment.rule === 'twice') say('that hour is on the clock twice that day: the first counts')
  return { ...detach, at: moment.at }
}

/** Options that say which list, which rows and which template, and whom a follow-up follows: the same words for run, check and schedule. */
import type { Earlier } from '../campaign/merge.ts'
import type { Selection } from '../campaign/plan/select.ts'
import type { Flags } from '../config/load.ts'
import { DURATION_HINT, readDuration } from '../config/units.ts'
import { DUPLICATES, HIDDEN_ROWS } from '../config/words.ts'
import { UsageError } from '../errors.ts'
import { given } from '../given.ts'
import type { Arguments, Option } from './command.ts'

export const LIST_OPTIONS = {
  csv: { type: 'string', value: 'FILE', describe: 'The list; the same as --data' },
  data: {
    type: 'string',
    value: 'FILE|-',
    describe: 'The list: CSV, XLSX, ODS, JSON, NDJSON, or - for standard input',
  },
  encoding: { type: 'string', value: 'NAME', describe: 'Encoding of the list; default: detected' },
  delimiter: { type: 'string', value: 'CHARACTER', describe: 'Delimiter of the list; default: detected' },
  sheet: { type: 'string', value: 'NAME', describe: 'Sheet of a workbook; default the first' },
  template: {
    alias: 't',
    type: 'string',
    value: 'NAME|PATH',
    names: 'template',
    describe: 'Name under templates/, or a path',
  },
  rows: { type: 'string', value: 'ROWS', describe: 'Only these rows: 1-20,33' },
  limit: { type: 'number', value: 'N', describe: 'Only the first N of them; of messages, where rows are grouped' },
  where: {
    type: 'array',
    string: true,
    value: 'CONDITION',
    describe: "Only rows that match, as 'city=Paris and age >= 18'; repeatable",
  },
  'not-in': {
    type: 'array',
    string: true,
    value: 'CAMPAIGN|FILE',
    describe: 'Leave out who got that campaign or is in that list; repeatable',
  },
  segment: { type: 'string', value: 'NAME', describe: 'Only rows of a segment named in mailmerge.yaml' },
  'hidden-rows': { choices: HIDDEN_ROWS, describe: 'Rows that a workbook hides or filters out; default skip' },
  sample: {
    type: 'string',
    value: 'N|cases',
    describe: 'Only N of them at random, or the few that show all cases of the template',
  },
  seed: { type: 'string', value: 'TEXT', describe: 'Seed for --sample: the same seed picks the same rows' },
  variant: { type: 'string', value: 'NAME', describe: 'Send everybody this variant of mailmerge.yaml' },
  account: {
    type: 'string',
    value: 'NAME|share',
    describe: 'Account of mailmerge.yaml to send from, or share for all of them',
  },
  'account-column': { type: 'string', value: 'COLUMN', describe: 'Column that names the account of each row' },
  'skip-bad': { type: 'boolean', describe: 'Send the good rows and skip the bad ones' },
  campaign: {
    type: 'string',
    value: 'NAME',
    describe: 'Name of what each person gets once; default: the template and the list',
  },
  key: { type: 'string', value: 'COLUMN', describe: 'Column that identifies a recipient; default: the address' },
  'group-by': {
    type: 'string',
    value: 'COLUMN',
    describe: 'One message for all rows with the same value in this column',
  },
  'fold-gmail': {
    type: 'boolean',
    describe: 'Treat Gmail addresses that differ only in dots or after a plus as one person',
  },
  duplicates: { choices: DUPLICATES, describe: 'What to do with two rows for one recipient; default error' },
} as const satisfies Readonly<Record<string, Option>>

export const FOLLOW_UP_OPTIONS = {
  after: {
    type: 'string',
    value: 'CAMPAIGN',
    describe: 'A follow-up: only to those who got that campaign and have not answered, unsubscribed or bounced',
  },
  wait: { type: 'string', value: 'TIME', describe: 'How long after that message: 3d; default: at once' },
} as const satisfies Readonly<Record<string, Option>>

/** Some options, or all of them, under one heading of the help. */
export function grouped(
  group: string,
  options: Readonly<Record<string, Option>>,
  names: readonly string[] = Object.keys(options),
): Record<string, Option> {
  return Object.fromEntries(names.map((name) => [name, { ...options[name], group }]))
}

/** Which rows. It is checked where it is used. */
export function selectionOf(args: Arguments): Selection {
  return given({
    rows: args.text('rows'),
    limit: args.number('limit'),
    where: args.texts('where'),
    notIn: args.texts('notIn'),
    segment: args.text('segment'),
    hiddenRows: args.choice('hiddenRows', HIDDEN_ROWS),
    sample: sampleOf(args.text('sample')),
    seed: args.text('seed'),
  })
}

/** What is not a number is refused where it is used. */
function sampleOf(text: string | undefined): Selection['sample'] {
  return text === undefined || text === 'cases' ? text : text.trim() === '' ? Number.NaN : Number(text)
}

/** The campaign that is followed. @throws UsageError for a wait that is not a duration, or that comes without --after. */
export function earlierOf(args: Arguments): Earlier | undefined {
  const [campaign, wait] = [args.text('after'), args.text('wait')]
  if (campaign === undefined) {
    if (wait === undefined) return undefined
    throw new UsageError('--wait needs --after', { hint: 'Add --after CAMPAIGN.' })
  }
  const milliseconds = wait === undefined ? 0 : readDuration(wait)
  if (milliseconds !== undefined) return { campaign, wait: milliseconds }
  throw new UsageError(`'${wait}' is not a valid duration for --wait`, { hint: DURATION_HINT })
}

/** How the list is read, and who is the same in it. */
export function listFlags(args: Arguments): Flags {
  return given({
    key: args.text('key'),
    groupBy: args.text('groupBy'),
    account: args.text('account'),
    accountColumn: args.text('accountColumn'),
    foldGmail: args.flag('foldGmail') || undefined,
    duplicates: args.choice('duplicates', DUPLICATES),
    encoding: args.text('encoding'),
    delimiter: args.text('delimiter'),
    sheet: args.text('sheet'),
  })
}

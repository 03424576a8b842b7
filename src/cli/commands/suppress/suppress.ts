/** `mailmerge suppress`: who must not be written to. Parses and prints; entries are read in unsubscribe/suppression-list.ts. */

import type { Readable } from 'node:stream'
import { SUPPRESSION_REASONS } from '../../../config/words.ts'
import { DataError, type Problem, UsageError } from '../../../errors.ts'
import { given } from '../../../given.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { EntryDefaults } from '../../../unsubscribe/suppression-list.ts'
import type { Action, Arguments, Context, Group, Option } from '../../command.ts'
import { LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { count, plural } from '../../terminal/format.ts'
import { exportEntries, list } from './list.ts'

const GROUP_OPTION: Readonly<Record<string, Option>> = {
  group: { type: 'string', value: 'NAME', describe: 'Campaign group that it holds for; default every campaign' },
}

/** Options of what is kept with an entry; `reason` is the one of entries that have none of their own. */
function entryOptions(reason: string): Readonly<Record<string, Option>> {
  return {
    ...GROUP_OPTION,
    reason: {
      choices: SUPPRESSION_REASONS,
      value: 'REASON',
      describe: `${SUPPRESSION_REASONS.join(', ')}; default ${reason}`,
    },
    note: { type: 'string', value: 'TEXT', describe: 'A remark to keep with it' },
    ...LEDGER_OPTION,
  }
}

/** What is kept with entries that say nothing of themselves. */
function entryDefaults(args: Arguments, reason: EntryDefaults['reason']): EntryDefaults {
  return {
    group: args.text('group') ?? '',
    reason: args.choice('reason', SUPPRESSION_REASONS) ?? reason,
    addedAt: new Date(),
    ...given({ note: args.text('note') }),
  }
}

const ENTRIES = { entries: { describe: 'Addresses, or @domain for everybody at a domain' } }

const add: Action = {
  usage: 'add <entries..>',
  describe: 'Suppress addresses or whole domains',
  positionals: ENTRIES,
  options: entryOptions('manual'),
  run: (args, context) => change('add', args, context),
}

const remove: Action = {
  usage: 'remove <entries..>',
  describe: 'Take entries off the list',
  positionals: ENTRIES,
  options: { ...GROUP_OPTION, ...LEDGER_OPTION },
  run: (args, context) => change('remove', args, context),
}

const importEntries: Action = {
  usage: 'import [file]',
  describe: 'Add the entries of a file',
  positionals: { file: { describe: 'A list with a column of addresses, or one entry a line; default standard input' } },
  options: entryOptions('imported'),
  async run(args, context) {
    const { io, out } = context
    const file = args.text('file')
    if (file === undefined && io.stdin.isTTY === true) {
      throw new UsageError('suppress import needs a file', { hint: 'Give a file, or the list through a pipe.' })
    }
    const settings = await settingsFor(args, context)
    const { openSource } = await import('../../../source/open.ts')
    const { importSuppressions } = await import('../../../unsubscribe/suppression-list.ts')
    const { openLedger } = await import('../../../campaign/run/open-ledger.ts')
    const input = { cwd: io.cwd, stdin: io.stdin as Readable, addressLines: 'address' } as const
    const source = await openSource(
      { from: file === undefined || file === '-' ? { kind: 'stdin' } : { kind: 'file', path: file } },
      input,
    )
    const ledger = await openLedger(settings)
    try {
      const { read, added, bad, problems } = await importSuppressions(
        ledger.suppressions,
        source,
        entryDefaults(args, 'imported'),
      )
      if (out.json) out.result(JSON.stringify({ read, added, known: read - added, bad }))
      else if (!out.quiet) out.result(`${plural(added, 'entry', 'entries')} added, ${count(read - added)} known before`)
      if (bad === 0) return 0
      throw new DataError(`${plural(bad, 'line')} of ${source.name} could not be read; the others are suppressed`, {
        problems,
        unlisted: bad - problems.length,
        hint: 'Fix these lines and import the file again: what is known is not added twice.',
      })
    } finally {
      await ledger.close()
    }
  },
}

export const suppress: Group = {
  usage: 'suppress',
  describe: 'Manage the addresses that must not be written to',
  epilogue: [
    'Examples:',
    '  mailmerge suppress add ada@example.com --note "asked by phone"',
    '  mailmerge suppress add @example.org --group newsletter',
    '  mailmerge suppress import unsubscribed.csv --reason unsubscribed',
    '  mailmerge suppress export suppressed.csv',
  ].join('\n'),
  commands: [add, remove, list, importEntries, exportEntries],
}

async function change(action: 'add' | 'remove', args: Arguments, context: Context): Promise<number> {
  const settings = await settingsFor(args, context)
  const { readEntry, suppressionOf } = await import('../../../unsubscribe/suppression-list.ts')
  const { openLedger } = await import('../../../campaign/run/open-ledger.ts')
  const entries: string[] = []
  const problems: Problem[] = []
  for (const text of args.texts('entries') ?? []) {
    const judged = readEntry(text)
    if ('entry' in judged) entries.push(judged.entry)
    else problems.push({ severity: 'error', code: 'bad-address', message: judged.fault, value: text.slice(0, 80) })
  }
  if (problems.length > 0) {
    throw new DataError(`${plural(problems.length, 'entry is', 'entries are')} neither an address nor a @domain`, {
      problems,
      hint: 'Nothing was changed.',
    })
  }
  const { out } = context
  const defaults = entryDefaults(args, 'manual')
  const ledger = await openLedger(settings)
  try {
    const changed =
      action === 'add'
        ? await ledger.suppressions.add(entries.map((entry) => suppressionOf(entry, defaults)))
        : await ledger.suppressions.remove(entries, defaults.group)
    const unchanged = entries.length - changed
    if (out.json) out.result(JSON.stringify({ [action === 'add' ? 'added' : 'removed']: changed, unchanged }))
    else if (!out.quiet) {
      const done = action === 'add' ? 'suppressed' : 'no longer suppressed'
      out.result(
        `${plural(changed, 'entry', 'entries')} ${done}${defaults.group === '' ? '' : ` in ${escapeInvisible(defaults.group)}`}`,
      )
      if (unchanged > 0) out.info(`${count(unchanged)} ${action === 'add' ? 'already suppressed' : 'not found'}`)
    }
    // An address whose domain is suppressed, or that is suppressed everywhere, is still not written to.
    if (action === 'remove') {
      for (const [entry, hit] of await ledger.suppressions.find(entries, defaults.group)) {
        const by = hit.address ?? 'its hash'
        const where = hit.group === '' ? 'for every campaign' : `in ${hit.group}`
        out.info(`${escapeInvisible(entry)} is still suppressed by ${escapeInvisible(by)} ${escapeInvisible(where)}`)
      }
    }
  } finally {
    await ledger.close()
  }
  return 0
}

/** `mailmerge suppress`: who must not be written to. Parses and prints; entries are read in unsubscribe/suppression-list.ts. */
import { DataError, type Problem } from '../../../errors.ts'
import { escapeInvisible } from '../../../text/visible.ts'
import type { Action, Arguments, Context, Group } from '../../command.ts'
import { LEDGER_OPTION, settingsFor } from '../../settings-options.ts'
import { count, plural } from '../../terminal/format.ts'
import { entryDefaults, entryOptions, GROUP_OPTION } from './entry-options.ts'
import { importEntries } from './import.ts'
import { exportEntries, list } from './list.ts'

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

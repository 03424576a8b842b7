/** `mailmerge suppress`: who must not be written to. Parses and prints; entries are read in campaign/suppression.ts. */

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { didYouMean } from '../../did-you-mean.ts'
import { DataError, type Problem, UsageError } from '../../errors.ts'
import type { Suppression } from '../../ledger/ledger.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { EntryDefaults } from '../../unsubscribe/suppression-list.ts'
import { type Arguments, type Command, type Context, given } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { count, moment, plural } from '../terminal/format.ts'
import { withLedger } from '../with-ledger.ts'

const REASONS = ['unsubscribed', 'hard_bounce', 'soft_bounces', 'complaint', 'manual', 'imported'] as const
const ACTIONS = ['add', 'remove', 'list', 'import', 'export'] as const

export const suppress: Command = {
  usage: 'suppress <action> [entries..]',
  describe: 'Keep the list of who must not be written to: add, remove, list, import, export',
  positionals: {
    action: { describe: ACTIONS.join(', ') },
    entries: { describe: 'Addresses, @domain for everybody there, or the file of import and export' },
  },
  epilogue: [
    'Examples:',
    '  mailmerge suppress add ada@example.com --note "asked by phone"',
    '  mailmerge suppress add @example.org --group newsletter',
    '  mailmerge suppress import unsubscribed.csv --reason unsubscribed',
    '  mailmerge suppress export suppressed.csv',
  ].join('\n'),
  options: {
    group: { type: 'string', value: 'NAME', describe: 'Campaign group it holds for; default every campaign' },
    reason: {
      choices: REASONS,
      value: 'REASON',
      describe: `${REASONS.join(', ')}; default manual, or imported for import`,
    },
    note: { type: 'string', value: 'TEXT', describe: 'A remark to keep with it' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const action = args.text('action') ?? ''
    const entries = args.texts('entries') ?? []
    switch (action) {
      case 'add':
      case 'remove':
        return change(action, entries, args, context)
      case 'import':
        return importFile(onlyFile(entries, action, context), args, context)
      case 'list':
        onlyFile(entries, action, context)
        return list(args, context)
      case 'export':
        return exportFile(onlyFile(entries, action, context), args, context)
      default: {
        throw new UsageError(`suppress cannot '${escapeInvisible(action)}'`, {
          hint: didYouMean(action, ACTIONS, `It can ${ACTIONS.join(', ')}.`, (guess) => `mailmerge suppress ${guess}`),
        })
      }
    }
  },
}

/** The file that was named; `-` and a pipe are none. @throws UsageError for anything more, and for nothing to import. */
function onlyFile(entries: readonly string[], action: string, { io }: Context): string | undefined {
  const most = action === 'list' ? 0 : 1
  if (entries.length > most) {
    throw new UsageError(`'${escapeInvisible(entries[most] ?? '')}' is one word too many`, {
      hint: `Its form is: mailmerge suppress ${action}${most === 0 ? '' : ' FILE'}.`,
    })
  }
  if (action === 'import' && entries.length === 0 && io.stdin.isTTY === true) {
    throw new UsageError('suppress import needs a file', { hint: 'Give a file, or the list through a pipe.' })
  }
  return entries[0]
}

function defaultsOf(args: Arguments, reason: (typeof REASONS)[number]): EntryDefaults {
  return {
    group: args.text('group') ?? '',
    reason: args.choice('reason', REASONS) ?? reason,
    addedAt: new Date(),
    ...given('note', args.text('note')),
  }
}

async function change(
  action: 'add' | 'remove',
  texts: readonly string[],
  args: Arguments,
  context: Context,
): Promise<number> {
  if (texts.length === 0) {
    throw new UsageError(`suppress ${action} needs an address or @domain`, {
      hint: `For example: mailmerge suppress ${action} ada@example.com`,
    })
  }
  const settings = await settingsFor(args, context)
  const { readEntry, suppressionOf } = await import('../../unsubscribe/suppression-list.ts')
  const { openLedger } = await import('../../campaign/run/open-ledger.ts')
  const entries: string[] = []
  const problems: Problem[] = []
  for (const text of texts) {
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
  const defaults = defaultsOf(args, 'manual')
  const ledger = await openLedger(settings)
  try {
    const changed =
      action === 'add'
        ? await ledger.suppress(entries.map((entry) => suppressionOf(entry, defaults)))
        : await ledger.unsuppress(entries, defaults.group)
    const unchanged = entries.length - changed
    if (out.json) out.result(JSON.stringify({ [action === 'add' ? 'added' : 'removed']: changed, unchanged }))
    else if (!out.quiet) {
      const done = action === 'add' ? 'suppressed' : 'no longer suppressed'
      out.result(
        `${plural(changed, 'entry', 'entries')} ${done}${defaults.group === '' ? '' : ` in ${escapeInvisible(defaults.group)}`}`,
      )
      if (unchanged > 0) out.say(`${count(unchanged)} ${action === 'add' ? 'already suppressed' : 'not found'}`)
    }
    // An address whose domain is suppressed, or that is suppressed everywhere, is still not written to.
    if (action === 'remove') {
      for (const [entry, hit] of await ledger.suppressed(entries, defaults.group)) {
        const by = hit.address ?? 'its hash'
        const where = hit.group === '' ? 'for every campaign' : `in ${hit.group}`
        out.say(`${escapeInvisible(entry)} is still suppressed by ${escapeInvisible(by)} ${escapeInvisible(where)}`)
      }
    }
  } finally {
    await ledger.close()
  }
  return 0
}

async function importFile(file: string | undefined, args: Arguments, context: Context): Promise<number> {
  const { io, out } = context
  const settings = await settingsFor(args, context)
  const { openSource } = await import('../../source/open.ts')
  const { importSuppressions } = await import('../../unsubscribe/suppression-list.ts')
  const { openLedger } = await import('../../campaign/run/open-ledger.ts')
  const source = await openSource(
    { path: file ?? '-' },
    { cwd: io.cwd, stdin: io.stdin as Readable, addressLines: 'address' },
  )
  const ledger = await openLedger(settings)
  try {
    const { read, added, bad, problems } = await importSuppressions(ledger, source, defaultsOf(args, 'imported'))
    if (out.json) out.result(JSON.stringify({ read, added, known: read - added, bad }))
    else if (!out.quiet) out.result(`${plural(added, 'entry', 'entries')} added, ${count(read - added)} known before`)
    if (bad === 0) return 0
    throw new DataError(`${plural(bad, 'line')} of ${source.name} could not be read; the others are suppressed`, {
      problems,
      hint: 'Mend these lines and import the file again: what is known is not added twice.',
    })
  } finally {
    await ledger.close()
  }
}

async function list(args: Arguments, context: Context): Promise<number> {
  const { out } = context
  let listed = 0
  await eachPage(args, context, async (page) => {
    for (const one of page) {
      listed++
      out.result(out.json ? JSON.stringify(fields(one)) : line(one))
    }
    await out.drained()
  })
  if (listed === 0) out.say('nobody is suppressed')
  return 0
}

async function exportFile(file: string | undefined, args: Arguments, context: Context): Promise<number> {
  const { io, out } = context
  const { csvCells } = await import('../../text/csv-cells.ts')
  const head = 'address,hash,group,reason,note,added_at\r\n'
  const text = (page: readonly Suppression[]): string =>
    page.map((one) => csvCells(Object.values(fields(one)).map((value) => value ?? ''))).join('')
  if (file === undefined || file === '-') {
    if (out.json) {
      await eachPage(args, context, async (page) => {
        for (const one of page) out.result(JSON.stringify(fields(one)))
        await out.drained()
      })
      return 0
    }
    out.raw(head)
    await eachPage(args, context, async (page) => {
      out.raw(text(page))
      await out.drained()
    })
    return 0
  }
  let written = 0
  const stream = createWriteStream(resolve(io.cwd, file))
  try {
    await once(stream, 'open')
    stream.write(head)
    await eachPage(args, context, async (page) => {
      written += page.length
      if (!stream.write(text(page))) await once(stream, 'drain')
    })
    stream.end()
    await once(stream, 'close')
  } catch (cause) {
    stream.destroy()
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause
    throw (await import('../../fs/output-file.ts')).unwritable(escapeInvisible(file), cause)
  }
  out.say(`${plural(written, 'entry', 'entries')} in ${escapeInvisible(file)}`)
  return 0
}

/** Pages of the suppressions of one group, or of all. */
async function eachPage(
  args: Arguments,
  context: Context,
  use: (page: readonly Suppression[]) => Promise<void>,
): Promise<void> {
  const settings = await settingsFor(args, context)
  const group = args.text('group')
  const reason = args.choice('reason', REASONS)
  await withLedger(settings, async (ledger) => {
    for await (const page of ledger?.suppressions() ?? []) {
      await use(
        page.filter(
          (one) => (group === undefined || one.group === group) && (reason === undefined || one.reason === reason),
        ),
      )
      if (context.out.stdoutGone) break
    }
  })
}

function fields({ address, hash, group, reason, note, addedAt }: Suppression): Readonly<Record<string, string | null>> {
  return { address: address ?? null, hash, group, reason, note: note ?? null, added_at: addedAt.toISOString() }
}

function line({ address, hash, group, reason, note, addedAt }: Suppression): string {
  const who = address === undefined ? `(forgotten) ${hash.slice(0, 12)}` : escapeInvisible(address)
  const where = group === '' ? 'every campaign' : escapeInvisible(group)
  const words = [who.padEnd(36), reason.replaceAll('_', ' ').padEnd(13), moment(addedAt), where]
  return [...words, ...(note === undefined ? [] : [`(${escapeInvisible(note)})`])].join('  ')
}

/** `mailmerge suppress import`: entries of a file or a pipe. Parses and prints; the reading is in unsubscribe/. */
import type { Readable } from 'node:stream'
import { DataError, UsageError } from '../../../errors.ts'
import type { Action } from '../../command.ts'
import { settingsFor } from '../../settings-options.ts'
import { count, plural } from '../../terminal/format.ts'
import { entryDefaults, entryOptions } from './entry-options.ts'

export const importEntries: Action = {
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
    const source = await openSource({ path: file ?? '-' }, input)
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

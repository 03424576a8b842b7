/** `mailmerge forget`: removes a person's data. Parses and prints; what is removed is decided in campaign/run/forget.ts. */

import { escapeInvisible } from '../../text/visible.ts'
import type { Action } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { plural, shortPath } from '../terminal/format.ts'

export const forget: Action = {
  usage: 'forget <address>',
  describe: "Remove a person's data from the ledger and the results; a suppression stays, as a hash",
  positionals: { address: { describe: 'Address of the person' } },
  options: LEDGER_OPTION,
  async run(args, context) {
    const { out, io } = context
    const address = args.text('address') ?? ''
    const settings = await settingsFor(args, context)
    const { forgetPerson } = await import('../../campaign/run/forget.ts')
    const { rows, runs, suppressions, reports } = await forgetPerson(settings, address)
    if (out.json) {
      out.result(JSON.stringify({ rows, runs, suppressions, reports }))
      return 0
    }
    if (rows === 0 && suppressions === 0) out.info(`nothing is recorded about ${escapeInvisible(address)}`)
    else if (!out.quiet) {
      out.result(`${plural(rows, 'row')} of ${plural(runs.length, 'run')} forgotten`)
      if (suppressions > 0) out.result(`still suppressed, as a hash: ${plural(suppressions, 'entry', 'entries')}`)
    }
    for (const report of reports) out.info(`rewritten: ${shortPath(report, io.cwd)}`)
    if (rows > 0) out.info('not touched: lists, reports written elsewhere, and mails of --dry-run and --sandbox')
    if (suppressions === 0) out.info('not suppressed: a list with this address would write to it again')
    return 0
  },
}

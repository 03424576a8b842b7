/** `mailmerge report`: the results of a run again, from the ledger. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findRun } from '../../campaign/run/find-run.ts'
import { runFolder } from '../../campaign/run/open-merge.ts'
import { totalOf } from '../../ledger/records.ts'
import type { Action } from '../command.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { withLedger } from '../with-ledger.ts'

const FORMATS = ['csv', 'json', 'html'] as const

export const report: Action = {
  usage: 'report [run]',
  describe: 'Write the results of a run as csv, json or html',
  positionals: { run: { names: 'run', describe: 'Run; default: the newest' } },
  options: {
    format: { choices: FORMATS, describe: 'Default: by the file name of --output, else csv' },
    output: { alias: 'o', type: 'string', value: 'FILE', describe: 'File to write; default: standard output' },
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { out, io } = context
    const settings = await settingsFor(args, context)
    const output = args.text('output')
    const format = args.choice('format', FORMATS)
    const { checkWritable, formatOf, reportText, writeReport } = await import('../../report/report.ts')
    const { PAGE_ROWS, reportHead } = await import('../../report/head.ts')
    const path = output === undefined || output === '-' ? undefined : resolve(io.cwd, output)
    const chosen = format ?? (path === undefined ? (out.json ? 'json' : 'csv') : formatOf(path))
    if (path !== undefined) await checkWritable(path, chosen)
    await withLedger(settings, async (ledger) => {
      const run = await findRun(ledger, args.text('run'))
      if (ledger === undefined) return
      const plain = await reportHead(ledger, run.id)
      const folder = runFolder(settings, run.id)
      const paged = chosen === 'html' && path !== undefined && existsSync(folder)
      // A page that cannot show every row links to a file that has them, as they are now.
      const results =
        paged && totalOf(await ledger.results.counts(run.id)) > PAGE_ROWS ? join(folder, 'results.csv') : undefined
      if (results !== undefined) await writeReport(results, ledger.results.rows(run.id), plain)
      const head = { ...plain, results }
      const rows = ledger.results.rows(run.id)
      if (path !== undefined) {
        await writeReport(path, rows, head, chosen)
        return
      }
      for await (const text of reportText(chosen, rows, head)) {
        out.raw(text)
        if (out.stdoutGone) break
        await out.drained()
      }
    })
    if (path !== undefined) out.info(`results: ${output}`)
    return 0
  },
}

/** `mailmerge report`: the results of a run again, from the ledger. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findRun } from '../../campaign/run/find-run.ts'
import type { CopyRequest, ListCopy } from '../../campaign/run/list-copy.ts'
import type { Settings } from '../../config/settings.ts'
import { UsageError } from '../../errors.ts'
import { type RunRecord, totalOf } from '../../ledger/records.ts'
import { shellWord } from '../../text/shell-word.ts'
import type { Action, Arguments, Context } from '../command.ts'
import { grouped, LIST_OPTIONS } from '../list-options.ts'
import { LEDGER_OPTION, settingsFor } from '../settings-options.ts'
import { plural } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { withLedger } from '../with-ledger.ts'

const FORMATS = ['csv', 'json', 'html'] as const
const COPIES = ['list', 'failed'] as const

export const report: Action = {
  usage: 'report [run]',
  describe: 'Write the results of a run as csv, json or html',
  positionals: { run: { names: 'run', describe: 'Run; default: the newest' } },
  options: {
    format: { choices: FORMATS, describe: 'Default: by the file name of --output, else csv' },
    output: { alias: 'o', type: 'string', value: 'FILE', describe: 'File to write; default: standard output' },
    list: {
      type: 'string',
      value: 'FILE',
      describe: 'Write the list with the status of each row: .csv, or .xlsx if the list is a workbook',
    },
    failed: { type: 'string', value: 'FILE', describe: 'Write the rows that failed, with the reason, as a list: .csv' },
    ...grouped('For --list and --failed:', LIST_OPTIONS, [
      'csv',
      'data',
      'encoding',
      'delimiter',
      'sheet',
      'key',
      'fold-gmail',
    ]),
    ...LEDGER_OPTION,
  },
  async run(args, context) {
    const { out, io } = context
    const settings = await settingsFor(args, context)
    const output = args.text('output')
    const format = args.choice('format', FORMATS)
    const copies = COPIES.flatMap((what) => {
      const name = args.text(what)
      return name === undefined ? [] : [{ what, name, out: resolve(io.cwd, name) }]
    })
    if (copies.length > 0) {
      if (format !== undefined || output !== undefined) {
        throw new UsageError(`--${copies[0]?.what} names the file itself`, { hint: 'Leave out --format and --output.' })
      }
      return copyLists(settings, copies, args, context)
    }
    const { checkWritable, formatOf, reportText, writeReport } = await import('../../report/report.ts')
    const { PAGE_ROWS, reportHead } = await import('../../report/head.ts')
    const { runFolder } = await import('../../campaign/run/open-merge.ts')
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

interface NamedCopy extends CopyRequest {
  /** The file as the user named it. */
  readonly name: string
}

async function copyLists(
  settings: Settings,
  copies: readonly NamedCopy[],
  args: Arguments,
  { out }: Context,
): Promise<number> {
  const { copyFormat, copyList, withListOf } = await import('../../campaign/run/list-copy.ts')
  for (const copy of copies) copyFormat(copy)
  await withLedger(settings, async (ledger) => {
    const run = await findRun(ledger, args.text('run'))
    if (ledger === undefined) return
    const named = args.text('csv') ?? args.text('data')
    const listed = withListOf(settings, run, named !== undefined)
    for (const copy of copies) showCopy(out, copy, run, await copyList(listed, ledger, run, copy))
  })
  return 0
}

function showCopy(out: Output, { what, name }: NamedCopy, run: RunRecord, { rows, written, unknown }: ListCopy): void {
  if (out.json) {
    out.result(JSON.stringify({ run: run.id, file: name, rows, written, unknown }))
    return
  }
  if (what === 'failed') {
    out.info(`${name}: ${plural(written, 'row', 'rows')} that failed`)
    if (written === 0) return
    const { template = run.template, groupBy } = run.options
    const grouped = groupBy === undefined ? [] : ['--group-by', groupBy]
    const options = ['--csv', name, '--template', template, '--campaign', run.campaign.name, ...grouped]
    const words = options.map(shellWord)
    out.info(`Correct them there, then: mailmerge run ${words.join(' ')}`)
    return
  }
  out.info(`${name}: ${plural(rows, 'row', 'rows')} with their status`)
  if (unknown > 0)
    out.info(
      `${plural(unknown, 'row is', 'rows are')} not in the campaign ${run.campaign.name}: the status is empty there`,
    )
}
